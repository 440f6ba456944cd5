//! Sending and receiving.

use io_uring::opcode;
use typed_uring::operations::{
    Recv, RecvBundle, RecvMsg, RecvMsgMulti, RecvMulti, RecvMultiBundle, RecvZc, Send, SendBundle, SendMsg,
    SendMsgZc, SendZc,
};

use crate::sides::{Case, Lay, Sides, also, flags, from_crate, given, select, sides, with_file};
use crate::values::Values;

pub(crate) const CASES: &[Case] = &[
    ("SendMsg", send_msg),
    ("RecvMsg", recv_msg),
    ("RecvMsgMulti", recv_msg_multi),
    ("Send", send),
    ("SendBundle", send_bundle),
    ("Recv", recv),
    ("RecvMulti", recv_multi),
    ("RecvBundle", recv_bundle),
    ("RecvMultiBundle", recv_multi_bundle),
    ("SendZc", send_zc),
    ("SendMsgZc", send_msg_zc),
    ("RecvZc", recv_zc),
];

fn send_msg(v: &Values) -> Sides<64> {
    let ours = given!(SendMsg::new(v.file, v.address), msg_flags: v.word, ioprio: v.half);
    let theirs = with_file!(v.file, file => opcode::SendMsg::new(file, v.address as *const _));
    sides(
        ours.build(),
        given!(theirs, flags: v.word, ioprio: v.half).build(),
    )
}

fn recv_msg(v: &Values) -> Sides<64> {
    let ours = given!(RecvMsg::new(v.file, v.address), msg_flags: v.word, ioprio: v.half, group: v.group);
    let theirs = with_file!(v.file, file => opcode::RecvMsg::new(file, v.address as *mut _));
    let theirs = given!(theirs, flags: v.word, ioprio: v.half, buf_group: v.group);
    sides(ours.build(), select(theirs.build(), v.group))
}

fn recv_msg_multi(v: &Values) -> Sides<64> {
    let ours = given!(RecvMsgMulti::new(v.file, v.address, v.index), msg_flags: v.word, ioprio: v.half);
    let theirs = with_file!(v.file, file => opcode::RecvMsgMulti::new(file, v.address as *const _, v.index));
    sides(
        ours.build(),
        given!(theirs, flags: v.word, ioprio: v.half).build(),
    )
}

fn send(v: &Values) -> Sides<64> {
    let ours = given!(Send::new(v.file, v.address, v.length), msg_flags: v.word, ioprio: v.half,
        destination: v.data[0], destination_length: v.byte.map(|_| v.index), group: v.group);
    let theirs = with_file!(v.file, file => opcode::Send::new(file, v.address as *const _, v.length));
    let theirs = given!(theirs, flags: flags(v.word), ioprio: v.half,
        dest_addr: v.data[0].map(|address| address as *const _),
        dest_addr_len: v.byte.map(|_| u32::from(v.index)));
    sides(ours.build(), select(theirs.build(), v.group).lay(40, v.group))
}

fn send_bundle(v: &Values) -> Sides<64> {
    let ours =
        given!(SendBundle::new(v.file, v.index), length: v.second_word, msg_flags: v.word, ioprio: v.half);
    let theirs = with_file!(v.file, file => opcode::SendBundle::new(file, v.index));
    let theirs = given!(theirs, flags: flags(v.word), len: v.second_word);
    sides(ours.build(), from_crate(theirs.build()).add(2, v.half))
}

fn recv(v: &Values) -> Sides<64> {
    let ours =
        given!(Recv::new(v.file, v.address, v.length), msg_flags: v.word, ioprio: v.half, group: v.group);
    let theirs = with_file!(v.file, file => opcode::Recv::new(file, v.address as *mut _, v.length));
    let theirs = given!(theirs, flags: flags(v.word), ioprio: v.half, buf_group: v.group);
    sides(ours.build(), select(theirs.build(), v.group))
}

fn recv_multi(v: &Values) -> Sides<64> {
    let ours = given!(RecvMulti::new(v.file, v.index), length: v.second_word, limit: v.third_word,
        msg_flags: v.word, ioprio: v.half);
    let theirs = with_file!(v.file, file => opcode::RecvMulti::new(file, v.index));
    let theirs = from_crate(given!(theirs, flags: flags(v.word), len: v.second_word).build());
    sides(ours.build(), theirs.add(2, v.half).lay(44, v.third_word))
}

fn recv_bundle(v: &Values) -> Sides<64> {
    let ours =
        given!(RecvBundle::new(v.file, v.index), length: v.second_word, msg_flags: v.word, ioprio: v.half);
    let theirs = with_file!(v.file, file => opcode::RecvBundle::new(file, v.index));
    let theirs = from_crate(given!(theirs, flags: flags(v.word)).build());
    sides(ours.build(), theirs.add(2, v.half).lay(24, v.second_word))
}

fn recv_multi_bundle(v: &Values) -> Sides<64> {
    let ours = given!(RecvMultiBundle::new(v.file, v.index), length: v.second_word, limit: v.third_word,
        msg_flags: v.word, ioprio: v.half);
    let theirs = with_file!(v.file, file => opcode::RecvMultiBundle::new(file, v.index));
    let theirs = from_crate(given!(theirs, flags: flags(v.word)).build())
        .add(2, v.half)
        .lay(24, v.second_word)
        .lay(44, v.third_word);
    sides(ours.build(), theirs)
}

/// `IORING_RECVSEND_FIXED_BUF`, which the crate sets if there is a registered buffer.
const FIXED_BUFFER: u16 = 1 << 2;

fn send_zc(v: &Values) -> Sides<64> {
    let ours = given!(SendZc::new(v.file, v.address, v.length), msg_flags: v.word,
        ioprio: also(v.half, v.group.map(|_| FIXED_BUFFER)), destination: v.data[0],
        destination_length: v.byte.map(|_| v.index), buffer_index: v.group);
    let theirs = with_file!(v.file, file => opcode::SendZc::new(file, v.address as *const _, v.length));
    let theirs = given!(theirs.buf_index(v.group), flags: flags(v.word), zc_flags: v.half,
        dest_addr: v.data[0].map(|address| address as *const _),
        dest_addr_len: v.byte.map(|_| u32::from(v.index)));
    sides(ours.build(), theirs.build())
}

fn send_msg_zc(v: &Values) -> Sides<64> {
    let ours =
        given!(SendMsgZc::new(v.file, v.address), msg_flags: v.word, ioprio: v.half, buffer_index: v.group);
    let theirs = with_file!(v.file, file => opcode::SendMsgZc::new(file, v.address as *const _));
    let theirs = from_crate(given!(theirs, flags: v.word, ioprio: v.half).build());
    sides(ours.build(), theirs.lay(40, v.group))
}

fn recv_zc(v: &Values) -> Sides<64> {
    let ours = given!(RecvZc::new(v.file, v.length), ifq: v.word, ioprio: v.half);
    let theirs = with_file!(v.file, file => opcode::RecvZc::new(file, v.length));
    sides(ours.build(), given!(theirs, ifq: v.word, ioprio: v.half).build())
}

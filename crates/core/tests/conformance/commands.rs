//! Commands to drivers and sockets.

use io_uring::opcode;
use typed_uring::operations::{GetSockOpt, SetSockOpt, SocketCommand, UringCmd16, UringCmd80, UringCmd128};
use typed_uring::{Entry, Entry128, EntryBytes};

use crate::sides::{Case, Lay, Sides, also, from_crate, from_crate_128, given, sides, with_file};
use crate::values::Values;

pub(crate) const CASES: &[Case] = &[
    ("UringCmd16", uring_cmd16),
    ("SocketCommand", socket_command),
    ("SetSockOpt", set_sock_opt),
    ("GetSockOpt", get_sock_opt),
];

pub(crate) const CASES_128: &[Case<128>] = &[("UringCmd80", uring_cmd80), ("UringCmd128", uring_cmd128)];

/// Returns the bytes of words, with zeros for absent ones.
fn bytes_of<const SIZE: usize>(words: &[Option<u64>]) -> [u8; SIZE] {
    let mut bytes = [0; SIZE];
    for (bytes, word) in bytes.chunks_exact_mut(8).zip(words) {
        bytes.copy_from_slice(&word.unwrap_or(0).to_ne_bytes());
    }
    bytes
}

/// Returns the flags of a command, with the `IORING_URING_CMD_FIXED` that the crate sets if there is a registered
/// buffer.
fn command_flags(v: &Values) -> Option<u32> {
    const FIXED: u32 = 1 << 0;
    also(v.word, v.half.map(|_| FIXED))
}

/// The crate has no setters for the length, the flags and the option length.
fn command_fields<const SIZE: usize>(entry: EntryBytes<SIZE>, v: &Values) -> EntryBytes<SIZE> {
    entry.lay(24, v.second_word).add(28, v.word).lay(44, v.third_word)
}

fn uring_cmd16(v: &Values) -> Sides<64> {
    let ours = given!(UringCmd16::new(v.file, v.number), address: v.offset, length: v.second_word,
        option_length: v.third_word, cmd_flags: command_flags(v), buffer_index: v.half,
        data0: v.data[0], data1: v.data[1]);
    let theirs = with_file!(v.file, file => opcode::UringCmd16::new(file, v.number));
    let theirs = theirs.addr(v.offset).buf_index(v.half).cmd(bytes_of(&v.data));
    sides(ours.build(), command_fields(from_crate(theirs.build()), v))
}

macro_rules! with_wide_fields {
    ($command:expr, $v:ident) => {
        given!($command, address: $v.offset, length: $v.second_word, option_length: $v.third_word,
            cmd_flags: command_flags($v), buffer_index: $v.half, data0: $v.data[0], data1: $v.data[1],
            data2: $v.data[2], data3: $v.data[3], data4: $v.data[4], data5: $v.data[5], data6: $v.data[6],
            data7: $v.data[7], data8: $v.data[8], data9: $v.data[9])
    };
}

fn crates_uring_cmd80(v: &Values) -> Entry128 {
    let theirs = with_file!(v.file, file => opcode::UringCmd80::new(file, v.number));
    let theirs = theirs.addr(v.offset).buf_index(v.half).cmd(bytes_of(&v.data));
    command_fields(from_crate_128(theirs.build()), v)
}

fn uring_cmd80(v: &Values) -> Sides<128> {
    let ours = with_wide_fields!(UringCmd80::new(v.file, v.number), v);
    sides(ours.build(), crates_uring_cmd80(v))
}

/// The crate lacks this operation, which differs from the one above only in its opcode.
fn uring_cmd128(v: &Values) -> Sides<128> {
    let ours = with_wide_fields!(UringCmd128::new(v.file, v.number), v);
    sides(ours.build(), crates_uring_cmd80(v).lay(0, Some(64_u8)))
}

/// The crate has only its builder of all commands.
fn socket_command(v: &Values) -> Sides<64> {
    let ours = given!(SocketCommand::new(v.file, v.number), address: v.offset, address_length: v.data[0],
        peer: v.word);
    let theirs = with_file!(v.file, file => opcode::UringCmd16::new(file, v.number));
    let theirs = from_crate(theirs.addr(v.offset).build());
    sides(ours.build(), theirs.lay(44, v.word).lay(48, v.data[0]))
}

fn crates_set_sock_opt(v: &Values) -> Entry {
    let value = v.address as *const _;
    let theirs = with_file!(v.file, file => {
        opcode::SetSockOpt::new(file, v.number, v.second_number, value, v.length)
    });
    from_crate(theirs.build())
}

fn set_sock_opt(v: &Values) -> Sides<64> {
    let ours = SetSockOpt::new(v.file, v.number, v.second_number, v.address, v.length);
    sides(ours.build(), crates_set_sock_opt(v))
}

/// The crate lacks this operation, which differs from the one above only in its command, `SOCKET_URING_OP_GETSOCKOPT`.
fn get_sock_opt(v: &Values) -> Sides<64> {
    let ours = GetSockOpt::new(v.file, v.number, v.second_number, v.address, v.length);
    sides(ours.build(), crates_set_sock_opt(v).lay(8, Some(2_u32)))
}

//! Polls and epoll.

use io_uring::{opcode, types};
use typed_uring::operations::{EpollCtl, EpollWait, PollAdd, PollRemove, PollUpdate};

use crate::sides::{Case, Lay, Sides, also, from_crate, given, sides, with_file};
use crate::values::Values;

pub(crate) const CASES: &[Case] = &[
    ("PollAdd", poll_add),
    ("PollRemove", poll_remove),
    ("PollUpdate", poll_update),
    ("EpollCtl", epoll_ctl),
    ("EpollWait", epoll_wait),
];

/// The crate has a setter only for `IORING_POLL_ADD_MULTI`.
fn poll_add(v: &Values) -> Sides<64> {
    const MULTI: u32 = 1 << 0;
    let multi = v.choice & 1 != 0;
    let ours = given!(PollAdd::new(v.file, v.number), poll_flags: also(v.word, multi.then_some(MULTI)));
    let theirs = with_file!(v.file, file => opcode::PollAdd::new(file, v.number));
    sides(
        ours.build(),
        from_crate(theirs.multi(multi).build()).add(24, v.word),
    )
}

fn poll_remove(v: &Values) -> Sides<64> {
    let ours = PollRemove::new(v.address);
    sides(ours.build(), opcode::PollRemove::new(v.address).build())
}

/// An update is a removal with flags, for which the crate has no setter.
fn poll_update(v: &Values) -> Sides<64> {
    let ours = given!(PollUpdate::new(v.address), events: v.word, new_user_data: v.offset,
        poll_flags: v.second_word);
    let theirs = from_crate(opcode::PollRemove::new(v.address).build())
        .lay(8, v.offset)
        .lay(24, v.second_word)
        .lay(28, v.word);
    sides(ours.build(), theirs)
}

/// The crate sign-extends the descriptor; the kernel reads only the low 32 bits.
fn epoll_ctl(v: &Values) -> Sides<64> {
    let ours = EpollCtl::new(v.fd, v.second_fd, v.number, v.address);
    let (epoll, file) = (types::Fd(v.fd), types::Fd(v.second_fd));
    let theirs = opcode::EpollCtl::new(epoll, file, v.number.cast_signed(), v.address as *const _);
    let file = u64::from(v.second_fd.cast_unsigned());
    sides(ours.build(), from_crate(theirs.build()).lay(8, Some(file)))
}

fn epoll_wait(v: &Values) -> Sides<64> {
    let ours = given!(EpollWait::new(v.file, v.address, v.length), wait_flags: v.word);
    let theirs = with_file!(v.file, file => opcode::EpollWait::new(file, v.address as *mut _, v.length));
    sides(ours.build(), given!(theirs, flags: v.word).build())
}

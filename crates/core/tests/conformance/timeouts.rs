//! Timeouts and cancellation.

use io_uring::{opcode, types};
use typed_uring::operations::{AsyncCancel, LinkTimeout, Timeout, TimeoutRemove, TimeoutUpdate};

use crate::sides::{Case, Lay, Sides, from_crate, given, sides};
use crate::values::Values;

pub(crate) const CASES: &[Case] = &[
    ("Timeout", timeout),
    ("TimeoutRemove", timeout_remove),
    ("TimeoutUpdate", timeout_update),
    ("AsyncCancel", async_cancel),
    ("LinkTimeout", link_timeout),
];

fn timeout_flags(word: Option<u32>) -> Option<types::TimeoutFlags> {
    word.map(types::TimeoutFlags::from_bits_retain)
}

fn timeout(v: &Values) -> Sides<64> {
    let ours = given!(Timeout::new(v.address), count: v.word, timeout_flags: v.second_word);
    let theirs = given!(opcode::Timeout::new(v.address as *const _), count: v.word,
        flags: timeout_flags(v.second_word));
    sides(ours.build(), theirs.build())
}

fn timeout_remove(v: &Values) -> Sides<64> {
    let ours = given!(TimeoutRemove::new(v.address), timeout_flags: v.word);
    let theirs = from_crate(opcode::TimeoutRemove::new(v.address).build());
    sides(ours.build(), theirs.lay(28, v.word))
}

fn timeout_update(v: &Values) -> Sides<64> {
    let ours = given!(TimeoutUpdate::new(v.address, v.second_address), timeout_flags: v.word);
    let theirs = opcode::TimeoutUpdate::new(v.address, v.second_address as *const _);
    sides(ours.build(), given!(theirs, flags: timeout_flags(v.word)).build())
}

/// The crate has a builder for each key; this crate's builder has all keys.
fn async_cancel(v: &Values) -> Sides<64> {
    const ALL: u32 = 1 << 0;
    const FD: u32 = 1 << 1;
    const ANY: u32 = 1 << 2;
    const FD_FIXED: u32 = 1 << 3;
    let cancel = AsyncCancel::new;
    let by = |builder: types::CancelBuilder| from_crate(opcode::AsyncCancel2::new(builder).build());
    let fixed = v.fd.cast_unsigned();
    let (ours, theirs) = match v.choice % 8 {
        0 => (
            cancel().target(v.address),
            from_crate(opcode::AsyncCancel::new(v.address).build()),
        ),
        1 => (
            cancel().target(v.address).cancel_flags(ALL),
            by(types::CancelBuilder::user_data(v.address).all()),
        ),
        2 => (cancel().cancel_flags(ANY), by(types::CancelBuilder::any())),
        3 => (
            cancel().fd(v.fd).cancel_flags(FD),
            by(types::CancelBuilder::fd(types::Fd(v.fd))),
        ),
        4 => (
            cancel().fd(v.fd).cancel_flags(FD | FD_FIXED),
            by(types::CancelBuilder::fd(types::Fixed(fixed))),
        ),
        _ => (
            given!(cancel().target(v.address), fd: v.optional_fd, opcode: v.word,
                cancel_flags: v.second_word),
            from_crate(opcode::AsyncCancel::new(v.address).build())
                .lay(4, v.optional_fd)
                .lay(24, v.word)
                .lay(28, v.second_word),
        ),
    };
    sides(ours.build(), theirs)
}

fn link_timeout(v: &Values) -> Sides<64> {
    let ours = given!(LinkTimeout::new(v.address), timeout_flags: v.word);
    let theirs = opcode::LinkTimeout::new(v.address as *const _);
    sides(ours.build(), given!(theirs, flags: timeout_flags(v.word)).build())
}

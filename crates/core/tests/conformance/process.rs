//! Memory, futexes and child processes.

use io_uring::opcode;
use typed_uring::operations::{FutexWait, FutexWaitV, FutexWake, Madvise, WaitId};

use crate::sides::{Case, Lay, Sides, from_crate, given, sides};
use crate::values::Values;

pub(crate) const CASES: &[Case] = &[
    ("Madvise", madvise),
    ("WaitId", wait_id),
    ("FutexWait", futex_wait),
    ("FutexWake", futex_wake),
    ("FutexWaitV", futex_wait_v),
];

fn madvise(v: &Values) -> Sides<64> {
    let advice = v.number.cast_signed();
    let ours = given!(Madvise::new(v.address, advice), length: v.word, long_length: v.data[0]);
    let length = i64::from(v.word.unwrap_or(0));
    let theirs = opcode::Madvise::new(v.address as *const _, length, advice);
    sides(ours.build(), from_crate(theirs.build()).lay(8, v.data[0]))
}

fn wait_id(v: &Values) -> Sides<64> {
    let ours =
        given!(WaitId::new(v.length, v.number, v.second_number), info: v.data[0], waitid_flags: v.word);
    let theirs = given!(opcode::WaitId::new(v.length, v.number, v.second_number.cast_signed()),
        infop: v.data[0].map(|info| info as *const _), flags: v.word);
    sides(ours.build(), theirs.build())
}

fn futex_wait(v: &Values) -> Sides<64> {
    let (value, mask) = (v.second_address, v.third_address);
    let ours = given!(FutexWait::new(v.address, value, mask, v.number), flags: v.word);
    let theirs = opcode::FutexWait::new(v.address as *const _, value, mask, v.number);
    sides(ours.build(), given!(theirs, flags: v.word).build())
}

fn futex_wake(v: &Values) -> Sides<64> {
    let (count, mask) = (v.second_address, v.third_address);
    let ours = given!(FutexWake::new(v.address, count, mask, v.number), flags: v.word);
    let theirs = opcode::FutexWake::new(v.address as *const _, count, mask, v.number);
    sides(ours.build(), given!(theirs, flags: v.word).build())
}

fn futex_wait_v(v: &Values) -> Sides<64> {
    let ours = given!(FutexWaitV::new(v.address, v.length), flags: v.word);
    let theirs = opcode::FutexWaitV::new(v.address as *const _, v.length);
    sides(ours.build(), given!(theirs, flags: v.word).build())
}

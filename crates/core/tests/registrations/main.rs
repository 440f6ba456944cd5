//! What a ring keeps from one operation to the next: each registration works, fails as it should, and lets go of
//! what it has when the last operation that uses it has ended.

use std::io::{PipeReader, PipeWriter, Write as _};

use typed_uring::operations::{Read, ReadFixed};
use typed_uring::sys::setup::R_DISABLED;
use typed_uring::{Completion, File, MappedMemory, Ring, Setup, UNSOLICITED};

mod buf_ring;
mod buffers;
mod cancel;
mod files;
mod regions;
mod restrictions;
mod threads;
mod without;

#[allow(dead_code)] // each file uses its part
#[path = "../support/mod.rs"]
mod support;
use support::{Guarded, Result, take};

fn ring() -> Result<Guarded> {
    Ok(Guarded::from(Ring::new(8)?))
}

/// One that has to be enabled first.
fn disabled() -> Result<Guarded> {
    let setup = Setup {
        entries: 8,
        flags: R_DISABLED,
        ..Setup::default()
    };
    Ok(Guarded::from(setup.build()?))
}

/// A read that waits until something is written, from a registered file or not, and where it reads to.
fn waiting(ring: &mut Ring, file: File, user_data: u64) -> Result<MappedMemory> {
    let memory = MappedMemory::new(8)?;
    let read = Read::new(file, memory.as_ptr(), 8)
        .build()
        .with_user_data(user_data);
    // SAFETY: a pipe's read is in flight until the tests have written or closed the ring, and they keep the memory.
    unsafe { ring.push(&read)? };
    assert_eq!(ring.submit()?, 1);
    Ok(memory)
}

/// A read into a registered buffer that waits until something is written.
fn waiting_fixed(ring: &mut Ring, file: File, memory: &MappedMemory, index: u16, user_data: u64) -> Result {
    let length = u32::try_from(memory.len())?;
    let read = ReadFixed::new(file, memory.as_ptr(), length, index)
        .build()
        .with_user_data(user_data);
    // SAFETY: the kernel holds the pages of a registered buffer.
    unsafe { ring.push(&read)? };
    assert_eq!(ring.submit()?, 1);
    Ok(())
}

/// The completions that have come by now, whatever the kernel still had to do for them.
fn arrived(ring: &mut Ring) -> Result<Vec<Completion>> {
    ring.get_events()?;
    Ok(take(ring))
}

/// Waits for `count` completions: user data and results, tags told by their mark.
fn wait_for(ring: &mut Ring, count: usize) -> Result<Vec<(u64, i32)>> {
    let mut all: Vec<_> = support::wait_for(ring, count)?
        .iter()
        .map(|completion| (completion.user_data, completion.result))
        .collect();
    all.sort_unstable();
    Ok(all)
}

fn tag(number: u64) -> u64 {
    UNSOLICITED | number
}

fn pipe_with(bytes: &[u8]) -> Result<(PipeReader, PipeWriter)> {
    let (reader, mut writer) = std::io::pipe()?;
    writer.write_all(bytes)?;
    Ok((reader, writer))
}

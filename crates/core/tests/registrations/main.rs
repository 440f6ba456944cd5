//! Registrations: each works, fails as documented, and releases its resource after the last operation that uses it.

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

#[allow(dead_code)] // each test file uses a part
#[path = "../support/mod.rs"]
mod support;
use support::{Guarded, Result, take};

fn ring() -> Result<Guarded> {
    Ok(Guarded::from(Ring::new(8)?))
}

/// Makes a ring that is disabled.
fn disabled() -> Result<Guarded> {
    let setup = Setup {
        entries: 8,
        flags: R_DISABLED,
        ..Setup::default()
    };
    Ok(Guarded::from(setup.build()?))
}

/// Submits a read that is pending until its pipe is written to, and returns the memory that it reads into.
fn waiting(ring: &mut Ring, file: File, user_data: u64) -> Result<MappedMemory> {
    let memory = MappedMemory::new(8)?;
    let read = Read::new(file, memory.as_ptr(), 8)
        .build()
        .with_user_data(user_data);
    // SAFETY: the tests keep the memory until they have written to the pipe and seen the completion, or closed the
    // ring.
    unsafe { ring.push(&read)? };
    assert_eq!(ring.submit()?, 1);
    Ok(memory)
}

/// Submits a read into a registered buffer that is pending until its pipe is written to.
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

/// Returns the completions that have arrived, including those that wait for this thread.
fn arrived(ring: &mut Ring) -> Result<Vec<Completion>> {
    ring.get_events()?;
    Ok(take(ring))
}

/// Waits for `count` completions, and returns their user data and results, sorted.
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

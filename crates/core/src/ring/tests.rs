//! Waits as on kernels before 5.11, on a ring whose `EXT_ARG` feature is hidden.

use std::io::{self, Write as _};
use std::time::Duration;

use super::*;
use crate::Setup;
use crate::operations::{Nop, Read, Timeout};
use crate::sys::features;

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

const LONG: Duration = Duration::from_secs(60);

fn ring_without_ext_arg() -> io::Result<Ring> {
    let mut ring = Setup {
        entries: 8,
        mode: Some(0),
        ..Setup::default()
    }
    .build()?;
    ring.feature_flags &= !features::EXT_ARG;
    Ok(ring)
}

#[test]
fn wait_without_ext_arg_returns_at_its_timeout() -> Result {
    let (reader, mut writer) = io::pipe()?;
    let mut buffer = [0_u8; 4];
    let mut ring = ring_without_ext_arg()?;
    let read = Read::new(reader.as_raw_fd(), buffer.as_mut_ptr(), 4).build();
    // SAFETY: dropping the ring waits for the operation, and the buffer is dropped after the ring.
    unsafe { ring.push(&read)? };
    for consumed in [1, 0] {
        assert_eq!(ring.submit_and_wait(1, Some(Duration::from_millis(5)))?, consumed);
        assert_eq!((ring.cq_ready(), ring.in_flight()), (0, 1));
    }
    writer.write_all(b"late")?;
    ring.submit_and_wait(1, Some(LONG))?;
    assert_eq!(ring.pop().map(|completion| completion.result), Some(4));
    Ok(())
}

#[test]
fn wait_without_ext_arg_ends_with_a_completion() -> Result {
    let timespec = [0_i64, 20_000_000]; // struct __kernel_timespec: 20 ms
    let mut ring = ring_without_ext_arg()?;
    // SAFETY: dropping the ring waits for the operation, and the time is dropped after the ring.
    unsafe { ring.push(&Timeout::new(timespec.as_ptr()).build())? };
    assert_eq!(ring.submit_and_wait(1, Some(LONG))?, 1);
    assert_eq!(ring.pop().map(|completion| completion.result), Some(-libc::ETIME));
    Ok(())
}

/// The ring's descriptor shows that there is a completion, but not how many, so this wait may end before it has all.
/// The wait with `EXT_ARG` does not, so this also shows which of them ran.
#[test]
fn wait_without_ext_arg_ends_with_the_first_completion() -> Result {
    let timespec = [LONG.as_secs(), 0]; // struct __kernel_timespec
    let mut ring = ring_without_ext_arg()?;
    let entries = [Nop::new().build(), Timeout::new(timespec.as_ptr()).build()];
    // SAFETY: dropping the ring waits for the operation, and the time is dropped after the ring.
    unsafe { ring.push_all(&entries)? };
    assert_eq!(ring.submit_and_wait(2, Some(2 * LONG))?, 2);
    assert_eq!(ring.cq_ready(), 1);
    Ok(())
}

#[test]
fn dropping_a_ring_without_ext_arg_waits_for_its_operations() -> Result {
    let (reader, mut writer) = io::pipe()?;
    let mut buffer = [0_u8; 4];
    let mut ring = ring_without_ext_arg()?;
    let read = Read::new(reader.as_raw_fd(), buffer.as_mut_ptr(), 4).build();
    // SAFETY: dropping the ring waits for the operation, and the buffer is dropped after the ring.
    unsafe { ring.push(&read)? };
    ring.submit()?;
    drop(ring);
    writer.write_all(b"late")?;
    drop(writer);
    assert_eq!(io::read_to_string(reader)?, "late");
    assert_eq!(buffer, [0; 4]);
    Ok(())
}

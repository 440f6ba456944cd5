//! The wait of kernels before 5.11, on a ring that pretends to have been made by one.

use std::io::Write as _;

use super::*;
use crate::Setup;
use crate::operations::{Nop, Read, Timeout};

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
fn a_bounded_wait_without_ext_arg_returns_with_nothing() -> Result {
    let (reader, mut writer) = io::pipe()?;
    let mut buffer = [0_u8; 4];
    let mut ring = ring_without_ext_arg()?;
    let read = Read::new(reader.as_raw_fd(), buffer.as_mut_ptr(), 4).build();
    // SAFETY: the ring is dropped before the buffer.
    unsafe { ring.push(&read)? };
    for taken in [1, 0] {
        assert_eq!(ring.submit_and_wait(1, Some(Duration::from_millis(5)))?, taken);
        assert_eq!((ring.cq_ready(), ring.in_flight()), (0, 1));
    }
    writer.write_all(b"late")?;
    ring.submit_and_wait(1, Some(LONG))?;
    assert_eq!(ring.pop().map(|completion| completion.result), Some(4));
    Ok(())
}

#[test]
fn a_bounded_wait_without_ext_arg_ends_with_a_completion() -> Result {
    let timespec = [0_i64, 20_000_000]; // struct __kernel_timespec: 20 ms
    let mut ring = ring_without_ext_arg()?;
    // SAFETY: the time is declared before the ring.
    unsafe { ring.push(&Timeout::new(timespec.as_ptr()).build())? };
    assert_eq!(ring.submit_and_wait(1, Some(LONG))?, 1);
    assert_eq!(ring.pop().map(|completion| completion.result), Some(-libc::ETIME));
    Ok(())
}

/// The ring's descriptor says that there is one completion, and not how many: this wait may end before it has all.
/// That tells it from the other one.
#[test]
fn a_bounded_wait_without_ext_arg_ends_with_the_first_completion() -> Result {
    let timespec = [LONG.as_secs(), 0]; // struct __kernel_timespec
    let mut ring = ring_without_ext_arg()?;
    let entries = [Nop::new().build(), Timeout::new(timespec.as_ptr()).build()];
    // SAFETY: the time is declared before the ring.
    unsafe { ring.push_all(&entries)? };
    assert_eq!(ring.submit_and_wait(2, Some(2 * LONG))?, 2);
    assert_eq!(ring.cq_ready(), 1);
    Ok(())
}

#[test]
fn a_ring_without_ext_arg_is_drained_when_it_is_dropped() -> Result {
    let (reader, mut writer) = io::pipe()?;
    let mut buffer = [0_u8; 4];
    let mut ring = ring_without_ext_arg()?;
    let read = Read::new(reader.as_raw_fd(), buffer.as_mut_ptr(), 4).build();
    // SAFETY: the ring is dropped before the buffer.
    unsafe { ring.push(&read)? };
    ring.submit()?;
    drop(ring);
    writer.write_all(b"late")?;
    drop(writer);
    assert_eq!(io::read_to_string(reader)?, "late");
    assert_eq!(buffer, [0; 4]);
    Ok(())
}

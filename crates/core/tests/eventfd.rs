//! The eventfd of a ring: later completions write to it in every mode, and it can be paused.

use std::io::Write as _;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;

use typed_uring::operations::Read;
use typed_uring::sys::setup::{COOP_TASKRUN, TASKRUN_FLAG};
use typed_uring::{Entry, EventfdMode, Ring};

#[allow(dead_code)] // each test file uses a part
mod support;
use support::{Guarded, Result, errno, event_descriptor, exactly, is_readable, nop, push, readable, take};

fn rings() -> std::io::Result<[Guarded; 3]> {
    Ok([
        Guarded::from(Ring::new(4)?),
        exactly(4, COOP_TASKRUN | TASKRUN_FLAG)?,
        exactly(4, 0)?,
    ])
}

/// Submits a read that is pending until the other end is written to.
fn waiting_read(ring: &mut Ring, byte: &mut [u8; 1]) -> Result<(UnixStream, UnixStream)> {
    let (reader, writer) = UnixStream::pair()?;
    let read: Entry = Read::new(reader.as_raw_fd(), byte.as_mut_ptr(), 1).build();
    // SAFETY: the callers keep the byte until the read has completed or the ring is closed, which waits for it.
    unsafe { ring.push(&read)? };
    ring.submit()?;
    Ok((reader, writer))
}

#[test]
fn a_later_completion_writes_to_the_eventfd() -> Result {
    for mut ring in rings()? {
        let event = event_descriptor()?;
        ring.register_eventfd(event.as_raw_fd())?;
        assert!(ring.has_managed_eventfd());
        let mut byte = [0];
        let (_reader, mut writer) = waiting_read(&mut ring, &mut byte)?;
        assert!(!is_readable(event.as_raw_fd())?, "nothing has completed yet");
        writer.write_all(b"x")?;
        assert!(readable(event.as_raw_fd())?);
        ring.get_events()?;
        assert_eq!(take(&mut ring).len(), 1);
        assert_eq!(byte, *b"x");
    }
    Ok(())
}

#[test]
fn a_paused_eventfd_is_not_written_to() -> Result {
    for mut ring in rings()? {
        let event = event_descriptor()?;
        ring.register_eventfd(event.as_raw_fd())?;
        ring.pause_eventfd(true);
        push(&mut ring, &[nop(1)])?;
        ring.submit()?;
        assert!(!is_readable(event.as_raw_fd())?);
        ring.pause_eventfd(false);
        push(&mut ring, &[nop(2)])?;
        ring.submit()?;
        assert!(readable(event.as_raw_fd())?);
        assert_eq!(take(&mut ring).len(), 2);
    }
    Ok(())
}

#[test]
fn a_ring_has_one_eventfd_and_it_can_be_unregistered() -> Result {
    let mut ring = Guarded::from(Ring::new(4)?);
    assert!(!ring.has_managed_eventfd());
    assert_eq!(errno(ring.unregister_eventfd()), Some(libc::ENXIO));
    assert_eq!(errno(ring.register_eventfd(-1)), Some(libc::EBADF));
    assert!(!ring.has_managed_eventfd());
    let event = event_descriptor()?;
    ring.register_eventfd(event.as_raw_fd())?;
    assert_eq!(errno(ring.register_eventfd(event.as_raw_fd())), Some(libc::EBUSY));
    assert!(ring.has_managed_eventfd());
    ring.unregister_eventfd()?;
    assert!(!ring.has_managed_eventfd());
    push(&mut ring, &[nop(1)])?;
    ring.submit()?;
    assert!(!is_readable(event.as_raw_fd())?);
    ring.pause_eventfd(true); // does nothing without an eventfd
    assert_eq!(take(&mut ring).len(), 1);
    Ok(())
}

#[test]
fn an_unmanaged_eventfd_is_written_to_until_it_is_disabled() -> Result {
    for mut ring in rings()? {
        let event = event_descriptor()?;
        ring.register_unmanaged_eventfd(event.as_raw_fd(), EventfdMode::All)?;
        assert!(!ring.has_managed_eventfd());
        ring.pause_eventfd(true); // does nothing to an unmanaged eventfd
        assert!(ring.eventfd_enabled()?);
        push(&mut ring, &[nop(1)])?;
        ring.submit()?;
        assert!(is_readable(event.as_raw_fd())?);
        reset(event.as_raw_fd());
        ring.enable_eventfd(false)?;
        assert!(!ring.eventfd_enabled()?);
        push(&mut ring, &[nop(2)])?;
        ring.submit()?;
        assert!(!is_readable(event.as_raw_fd())?);
        ring.enable_eventfd(true)?;
        push(&mut ring, &[nop(3)])?;
        ring.submit()?;
        assert!(is_readable(event.as_raw_fd())?);
        assert_eq!(take(&mut ring).len(), 3);
        // The next managed eventfd is enabled.
        ring.enable_eventfd(false)?;
        ring.unregister_eventfd()?;
        ring.register_eventfd(event.as_raw_fd())?;
        assert!(ring.eventfd_enabled()?);
    }
    Ok(())
}

#[test]
fn an_eventfd_for_workers_is_written_to_only_by_completions_of_workers() -> Result {
    let mut ring = exactly(4, 0)?;
    let event = event_descriptor()?;
    ring.register_unmanaged_eventfd(event.as_raw_fd(), EventfdMode::Workers)?;
    push(&mut ring, &[nop(1)])?;
    ring.submit()?;
    assert!(!is_readable(event.as_raw_fd())?);
    assert_eq!(
        errno(ring.register_unmanaged_eventfd(event.as_raw_fd(), EventfdMode::All)),
        Some(libc::EBUSY)
    );
    assert_eq!(take(&mut ring).len(), 1);
    Ok(())
}

#[test]
fn close_of_a_ring_with_an_eventfd_closes_its_file() -> Result {
    let mut ring = Ring::new(4)?;
    let event = event_descriptor()?;
    ring.register_eventfd(event.as_raw_fd())?;
    let mut byte = [0];
    let (_reader, _writer) = waiting_read(&mut ring, &mut byte)?;
    // With a skip-success entry the close waits until the kernel has closed the ring's file. A mapping that is left
    // would keep it open.
    push(
        &mut ring,
        &[nop(1).with_flags(typed_uring::entry::flags::CQE_SKIP_SUCCESS)],
    )?;
    ring.submit()?;
    ring.close()?;
    Ok(())
}

/// Reads an eventfd, so that it is not readable any more.
fn reset(fd: RawFd) {
    let mut count = 0_u64;
    // SAFETY: the kernel writes eight bytes, the size of the variable.
    unsafe { libc::read(fd, (&raw mut count).cast(), size_of::<u64>()) };
}

use std::os::fd::AsRawFd;

use typed_uring::File;
use typed_uring::entry::flags::{ASYNC, IO_LINK};
use typed_uring::operations::{Nop, Read};
use typed_uring::register::Restriction;
use typed_uring::sys::{IORING_REGISTER_FILES, IORING_REGISTER_RING_FDS};

use crate::support::{Result, errno, nop, push};
use crate::{disabled, pipe_with, ring, wait_for, waiting};

#[test]
fn a_restricted_ring_allows_only_what_is_permitted() -> Result {
    let mut ring = disabled()?;
    let (reader, _writer) = pipe_with(b"")?;
    ring.register_restrictions(&[
        Restriction::Operation(Nop::OPCODE),
        Restriction::Register(IORING_REGISTER_FILES as u8),
        Restriction::FlagsAllowed(ASYNC),
    ])?;
    assert_eq!(errno(ring.register_restrictions(&[])), Some(libc::EBUSY));
    ring.enable()?;
    let read = Read::new(reader.as_raw_fd(), 0, 0).build();
    for (entry, result) in [
        (nop(1), 0),
        (nop(2).with_flags(ASYNC), 0),
        (nop(3).with_flags(IO_LINK), -libc::EACCES),
        (read.with_user_data(4), -libc::EACCES),
    ] {
        push(&mut ring, &[entry])?;
        let user_data = entry.get(typed_uring::entry::place::user_data);
        assert_eq!(wait_for(&mut ring, 1)?, [(user_data, result)]);
    }
    ring.register_files(&[reader.as_raw_fd()], &[])?;
    assert_eq!(errno(ring.unregister_files()), Some(libc::EACCES));
    Ok(())
}

#[test]
fn required_flags_are_required_of_every_entry() -> Result {
    let mut ring = disabled()?;
    ring.register_restrictions(&[
        Restriction::Operation(Nop::OPCODE),
        Restriction::FlagsRequired(ASYNC),
    ])?;
    ring.enable()?;
    for (entry, result) in [(nop(1), -libc::EACCES), (nop(2).with_flags(ASYNC), 0)] {
        push(&mut ring, &[entry])?;
        assert_eq!(wait_for(&mut ring, 1)?[0].1, result);
    }
    Ok(())
}

/// A ring that cannot cancel would stay open, with its memory.
#[test]
fn a_restricted_ring_can_always_be_closed() -> Result {
    let read = [
        Restriction::Operation(Read::OPCODE),
        Restriction::FlagsAllowed(ASYNC),
    ];
    let required = [
        Restriction::Operation(Read::OPCODE),
        Restriction::FlagsRequired(ASYNC),
    ];
    for restrictions in [read, required] {
        let mut ring = disabled()?;
        ring.register_restrictions(&restrictions)?;
        ring.enable()?;
        let (reader, _writer) = pipe_with(b"")?;
        let memory = typed_uring::MappedMemory::new(8)?;
        let read = Read::new(reader.as_raw_fd(), memory.as_ptr(), 8).build();
        // SAFETY: the memory is dropped after the ring, which waits for the read.
        unsafe { ring.push(&read.with_flags(ASYNC))? };
        ring.submit()?;
        assert_eq!(ring.in_flight(), 1);
        drop(ring);
    }
    Ok(())
}

#[test]
fn an_enabled_ring_can_be_neither_restricted_nor_enabled() -> Result {
    let mut ring = ring()?;
    assert_eq!(errno(ring.register_restrictions(&[])), Some(libc::EBADFD));
    assert_eq!(errno(ring.enable()), Some(libc::EBADFD));
    let mut ring = disabled()?;
    let unknown = Restriction::Register(255);
    assert_eq!(errno(ring.register_restrictions(&[unknown])), Some(libc::EINVAL));
    ring.register_restrictions(&[Restriction::Operation(Nop::OPCODE)])?;
    ring.enable()?;
    push(&mut ring, &[nop(1)])?;
    assert_eq!(wait_for(&mut ring, 1)?, [(1, 0)]);
    Ok(())
}

/// The place belongs to the thread, and the restrictions forbid this ring to unregister it.
#[test]
fn closing_a_restricted_ring_releases_its_place() -> Result {
    // More rings than a thread has places.
    for _ in 0..20 {
        let mut ring = disabled()?;
        ring.register_restrictions(&[
            Restriction::Operation(Read::OPCODE),
            Restriction::Register(IORING_REGISTER_RING_FDS as u8),
        ])?;
        ring.enable()?;
        ring.register_ring_fd()?;
        assert_eq!(errno(ring.unregister_ring_fd()), Some(libc::EACCES));
        let (reader, _writer) = pipe_with(b"")?;
        let _memory = waiting(&mut ring, File::Fd(reader.as_raw_fd()), 1)?;
        drop(ring);
    }
    Ok(())
}

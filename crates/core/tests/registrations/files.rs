use std::io::Write as _;
use std::os::fd::AsRawFd;

use typed_uring::operations::{OpenAt, Read};
use typed_uring::register::SKIP_FILE;
use typed_uring::{File, Slot, UNSOLICITED};

use crate::support::{Result, errno, exactly, results};
use crate::{arrived, pipe_with, ring, support, tag, wait_for, waiting};

#[test]
fn a_registered_file_can_be_read_after_its_descriptor_is_closed() -> Result {
    let mut ring = ring()?;
    let (reader, _writer) = pipe_with(b"bytes...")?;
    ring.register_files(&[-1, reader.as_raw_fd()], &[])?;
    drop(reader);
    let memory = waiting(&mut ring, File::Fixed(1), 1)?;
    assert_eq!(wait_for(&mut ring, 1)?, [(1, 8)]);
    assert_eq!(memory.to_vec(), b"bytes...");
    waiting(&mut ring, File::Fixed(0), 2)?;
    assert_eq!(wait_for(&mut ring, 1)?, [(2, -libc::EBADF)], "an empty slot");
    Ok(())
}

#[test]
fn invalid_files_are_refused() -> Result {
    let mut ring = ring()?;
    let (reader, _writer) = pipe_with(b"")?;
    let fd = reader.as_raw_fd();
    let own = ring.as_raw_fd();
    assert_eq!(errno(ring.register_files(&[fd, 1 << 30], &[])), Some(libc::EBADF));
    assert_eq!(errno(ring.register_files(&[own], &[])), Some(libc::EBADF));
    assert_eq!(errno(ring.register_files(&[], &[])), Some(libc::EINVAL));
    assert_eq!(errno(ring.register_files(&[fd, fd], &[1])), Some(libc::EINVAL));
    assert_eq!(
        errno(ring.register_files(&[fd], &[UNSOLICITED])),
        Some(libc::EINVAL)
    );
    assert_eq!(errno(ring.unregister_files()), Some(libc::ENXIO));
    assert_eq!(errno(ring.update_files(0, &[fd], &[])), Some(libc::ENXIO));
    assert_eq!(errno(ring.register_file_alloc_range(0, 1)), Some(libc::EINVAL));
    ring.register_files(&[fd], &[])?;
    assert_eq!(errno(ring.register_files(&[fd], &[])), Some(libc::EBUSY));
    assert_eq!(errno(ring.register_files_sparse(4)), Some(libc::EBUSY));
    ring.unregister_files()?;
    ring.register_files_sparse(4)?;
    Ok(())
}

#[test]
fn update_files_replaces_empties_and_skips_slots() -> Result {
    let mut ring = ring()?;
    let (first, _first) = pipe_with(b"first...")?;
    let (second, _second) = pipe_with(b"second..")?;
    ring.register_files(&[first.as_raw_fd(), first.as_raw_fd(), -1], &[])?;
    assert_eq!(
        ring.update_files(0, &[SKIP_FILE, -1, second.as_raw_fd()], &[])?,
        3
    );
    waiting(&mut ring, File::Fixed(1), 1)?;
    assert_eq!(wait_for(&mut ring, 1)?, [(1, -libc::EBADF)]);
    for (slot, bytes) in [(0, b"first..."), (2, b"second..")] {
        let memory = waiting(&mut ring, File::Fixed(slot), 2)?;
        assert_eq!(wait_for(&mut ring, 1)?, [(2, 8)]);
        assert_eq!(memory.to_vec(), bytes);
    }
    assert_eq!(errno(ring.update_files(2, &[-1, -1], &[])), Some(libc::EINVAL));
    assert_eq!(
        ring.update_files(0, &[-1, 1 << 30], &[])?,
        1,
        "up to the refused file"
    );
    assert_eq!(errno(ring.update_files(0, &[1 << 30], &[])), Some(libc::EBADF));
    Ok(())
}

#[test]
fn the_tag_of_a_file_arrives_after_its_last_operation() -> Result {
    let mut ring = ring()?;
    let (reader, mut writer) = pipe_with(b"")?;
    let fd = reader.as_raw_fd();
    ring.register_files(&[fd, fd, fd], &[5, 0, 6])?;
    let memory = waiting(&mut ring, File::Fixed(0), 1)?;
    assert_eq!(ring.update_files(0, &[-1], &[0])?, 1);
    assert!(arrived(&mut ring)?.is_empty(), "a read still uses it");
    writer.write_all(b"8 bytes.")?;
    assert_eq!(wait_for(&mut ring, 2)?, [(1, 8), (tag(5), 0)]);
    assert_eq!(memory.to_vec(), b"8 bytes.");
    ring.unregister_files()?;
    assert_eq!(
        wait_for(&mut ring, 1)?,
        [(tag(6), 0)],
        "at once if no operation uses it"
    );
    assert_eq!(ring.in_flight(), 0);
    Ok(())
}

#[test]
fn operations_in_flight_continue_after_unregister_files() -> Result {
    let mut ring = ring()?;
    let (reader, mut writer) = pipe_with(b"")?;
    ring.register_files(&[reader.as_raw_fd()], &[9])?;
    let memory = waiting(&mut ring, File::Fixed(0), 1)?;
    drop(reader);
    ring.unregister_files()?;
    assert!(arrived(&mut ring)?.is_empty());
    writer.write_all(b"8 bytes.")?;
    assert_eq!(wait_for(&mut ring, 2)?, [(1, 8), (tag(9), 0)]);
    assert_eq!(memory.to_vec(), b"8 bytes.");
    assert!(writer.write_all(b"more").is_err(), "the last reader is gone");
    Ok(())
}

#[test]
fn update_files_sets_new_tags() -> Result {
    let mut ring = ring()?;
    let (reader, _writer) = pipe_with(b"")?;
    ring.register_files_sparse(4)?;
    assert_eq!(ring.update_files(2, &[reader.as_raw_fd()], &[77])?, 1);
    assert_eq!(errno(ring.update_files(0, &[-1], &[1, 2])), Some(libc::EINVAL));
    ring.unregister_files()?;
    assert_eq!(wait_for(&mut ring, 1)?, [(tag(77), 0)]);
    Ok(())
}

#[test]
fn the_kernel_chooses_slots_in_the_registered_range() -> Result {
    let mut ring = ring()?;
    ring.register_files_sparse(8)?;
    ring.register_file_alloc_range(3, 2)?;
    let open = OpenAt::new(libc::AT_FDCWD, c"/dev/null".as_ptr())
        .slot(Slot::Auto)
        .build();
    let mut slots = Vec::new();
    for _ in 0..3 {
        // SAFETY: the path is static.
        unsafe { ring.push(&open)? };
        slots.extend(results(&support::wait_for(&mut ring, 1)?));
    }
    slots.sort_unstable();
    assert_eq!(slots, [-libc::ENFILE, 3, 4]);
    assert_eq!(errno(ring.register_file_alloc_range(7, 2)), Some(libc::EINVAL));
    assert_eq!(
        errno(ring.register_file_alloc_range(1, u32::MAX)),
        Some(libc::EOVERFLOW)
    );
    Ok(())
}

#[test]
fn files_stay_registered_after_a_resize_and_in_every_mode() -> Result {
    for mut ring in [ring()?, exactly(8, 0)?] {
        let (reader, _writer) = pipe_with(b"16 bytes in all.")?;
        ring.register_files(&[reader.as_raw_fd()], &[])?;
        let _ = ring.resize(16, 64); // fails on some rings
        let mut bytes = [0; 16];
        let read = Read::new(File::Fixed(0), bytes.as_mut_ptr(), 16).build();
        // SAFETY: the test waits for the completion before the end of this scope.
        unsafe { ring.push(&read)? };
        assert_eq!(wait_for(&mut ring, 1)?, [(0, 16)]);
        assert_eq!(&bytes, b"16 bytes in all.");
    }
    Ok(())
}

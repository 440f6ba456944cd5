use std::io::Write as _;
use std::os::fd::AsRawFd;

use typed_uring::register::CloneBuffers;
use typed_uring::{File, MappedMemory, UNSOLICITED};

use crate::support::{Result, errno};
use crate::{arrived, pipe_with, ring, tag, wait_for, waiting_fixed};

#[test]
fn mapped_memory_is_zeroed_aligned_shared_by_clones_and_bounded() -> Result {
    let memory = MappedMemory::new(5000)?;
    assert_eq!((memory.len(), memory.is_empty()), (5000, false));
    assert_eq!(memory.as_ptr() as usize % 4096, 0);
    assert_eq!(memory.to_vec(), vec![0; 5000]);
    let slice = memory.slice(4990..5000).ok_or("inside")?;
    assert_eq!(slice.write(4, b"abcdefghij"), 6, "as many as fit");
    drop(memory.clone());
    let mut bytes = [0xff; 4];
    assert_eq!(memory.read(4994, &mut bytes), 4);
    assert_eq!(&bytes, b"abcd");
    assert_eq!(memory.read(4998, &mut bytes), 2);
    assert_eq!(&bytes, b"efcd");
    for at in [5000, 5001, usize::MAX] {
        assert_eq!((memory.read(at, &mut bytes), memory.write(at, b"x")), (0, 0));
    }
    for (start, end) in [(0, 5001), (5001, 5001), (6, 5), (0, usize::MAX)] {
        assert!(memory.slice(start..end).is_none(), "{start}..{end}");
    }
    assert!(memory.slice(5000..5000).is_some_and(|slice| slice.is_empty()));
    drop(memory);
    assert_eq!(slice.to_vec(), b"\0\0\0\0abcdef", "a slice keeps the mapping");
    assert_eq!(errno(MappedMemory::new(0)), Some(libc::EINVAL));
    assert_eq!(errno(MappedMemory::new(usize::MAX)), Some(libc::ENOMEM));
    Ok(())
}

#[test]
fn a_read_fills_a_registered_buffer() -> Result {
    let mut ring = ring()?;
    let (reader, _writer) = pipe_with(b"8 bytes.")?;
    let memory = MappedMemory::new(8)?;
    ring.register_buffers(&[None, Some(memory.clone())], &[])?;
    assert_eq!(ring.buffer(1).map(MappedMemory::as_ptr), Some(memory.as_ptr()));
    assert!(ring.buffer(0).is_none() && ring.buffer(2).is_none());
    waiting_fixed(&mut ring, File::Fd(reader.as_raw_fd()), &memory, 1, 1)?;
    assert_eq!(wait_for(&mut ring, 1)?, [(1, 8)]);
    assert_eq!(memory.to_vec(), b"8 bytes.");
    for (index, user_data) in [(0, 2), (2, 3)] {
        waiting_fixed(&mut ring, File::Fd(reader.as_raw_fd()), &memory, index, user_data)?;
        assert_eq!(wait_for(&mut ring, 1)?, [(user_data, -libc::EFAULT)]);
    }
    Ok(())
}

#[test]
fn invalid_buffers_are_refused() -> Result {
    let mut ring = ring()?;
    let memory = [Some(MappedMemory::new(8)?)];
    assert_eq!(errno(ring.register_buffers(&[], &[])), Some(libc::EINVAL));
    assert_eq!(
        errno(ring.register_buffers(&vec![None; 16385], &[])),
        Some(libc::EINVAL)
    );
    assert_eq!(errno(ring.register_buffers(&memory, &[1, 2])), Some(libc::EINVAL));
    assert_eq!(
        errno(ring.register_buffers(&memory, &[UNSOLICITED | 1])),
        Some(libc::EINVAL)
    );
    assert_eq!(errno(ring.register_buffers(&[None], &[1])), Some(libc::EINVAL));
    assert_eq!(errno(ring.unregister_buffers()), Some(libc::ENXIO));
    assert_eq!(errno(ring.update_buffers(0, &[None], &[])), Some(libc::ENXIO));
    let read_only = libc::iovec {
        iov_base: b"constant".as_ptr().cast_mut().cast(),
        iov_len: 8,
    };
    // SAFETY: the kernel refuses the buffer, so it does not use the memory.
    let refused = unsafe { ring.register_buffers_raw(&[read_only], &[]) };
    assert_eq!(errno(refused), Some(libc::EFAULT));
    ring.register_buffers(&memory, &[])?;
    assert_eq!(errno(ring.register_buffers(&memory, &[])), Some(libc::EBUSY));
    assert_eq!(errno(ring.register_buffers_sparse(1)), Some(libc::EBUSY));
    assert!(ring.buffer(0).is_some(), "unchanged");
    assert_eq!(errno(ring.update_buffers(1, &[None], &[])), Some(libc::EINVAL));
    Ok(())
}

#[test]
fn the_tag_of_a_buffer_arrives_after_its_last_operation() -> Result {
    let mut ring = ring()?;
    let (reader, mut writer) = pipe_with(b"")?;
    let (first, second) = (MappedMemory::new(8)?, MappedMemory::new(8)?);
    ring.register_buffers(&[Some(first.clone()), Some(second.clone())], &[3, 4])?;
    waiting_fixed(&mut ring, File::Fd(reader.as_raw_fd()), &first, 0, 1)?;
    assert_eq!(ring.update_buffers(0, &[None], &[])?, 1);
    assert!(ring.buffer(0).is_none());
    assert!(arrived(&mut ring)?.is_empty(), "a read still uses it");
    writer.write_all(b"8 bytes.")?;
    assert_eq!(wait_for(&mut ring, 2)?, [(1, 8), (tag(3), 0)]);
    assert_eq!(first.to_vec(), b"8 bytes.");
    ring.unregister_buffers()?;
    assert!(ring.buffer(1).is_none());
    assert_eq!(
        wait_for(&mut ring, 1)?,
        [(tag(4), 0)],
        "at once if no operation uses it"
    );
    assert_eq!(ring.in_flight(), 0);
    Ok(())
}

#[test]
fn update_buffers_fills_a_sparse_table_and_keeps_the_memory() -> Result {
    let mut ring = ring()?;
    let (reader, _writer) = pipe_with(b"8 bytes.")?;
    ring.register_buffers_sparse(4)?;
    let memory = MappedMemory::new(8)?;
    let address = memory.as_ptr();
    assert_eq!(ring.update_buffers(2, &[Some(memory), None], &[21, 0])?, 2);
    let memory = ring.buffer(2).ok_or("kept")?.clone();
    assert_eq!(memory.as_ptr(), address);
    waiting_fixed(&mut ring, File::Fd(reader.as_raw_fd()), &memory, 2, 1)?;
    assert_eq!(wait_for(&mut ring, 1)?, [(1, 8)]);
    assert_eq!(memory.to_vec(), b"8 bytes.");
    assert_eq!(
        errno(ring.update_buffers(3, &[None, None], &[])),
        Some(libc::EINVAL)
    );
    ring.unregister_buffers()?;
    assert_eq!(wait_for(&mut ring, 1)?, [(tag(21), 0)]);
    Ok(())
}

#[test]
fn any_memory_can_be_registered() -> Result {
    let mut ring = ring()?;
    let (reader, _writer) = pipe_with(b"8 bytes.")?;
    let memory = MappedMemory::new(8)?;
    let vector = libc::iovec {
        iov_base: memory.as_ptr().cast(),
        iov_len: 8,
    };
    // SAFETY: the memory lives until the ring is closed, and is used for nothing else before.
    unsafe { ring.register_buffers_raw(&[vector], &[])? };
    assert!(ring.buffer(0).is_none(), "the ring does not own it");
    waiting_fixed(&mut ring, File::Fd(reader.as_raw_fd()), &memory, 0, 1)?;
    assert_eq!(wait_for(&mut ring, 1)?, [(1, 8)]);
    assert_eq!(memory.to_vec(), b"8 bytes.");
    ring.update_buffers(0, &[Some(memory.clone())], &[])?;
    assert!(ring.buffer(0).is_some());
    // SAFETY: as for the registration above.
    assert_eq!(unsafe { ring.update_buffers_raw(0, &[vector], &[])? }, 1);
    assert!(ring.buffer(0).is_none());
    Ok(())
}

#[test]
fn cloned_buffers_use_the_same_pages_and_outlive_their_source() -> Result {
    let (mut source, mut target) = (ring()?, ring()?);
    let (reader, _writer) = pipe_with(b"8 bytes.")?;
    let memories = [
        MappedMemory::new(8)?,
        MappedMemory::new(8)?,
        MappedMemory::new(8)?,
    ];
    let all = CloneBuffers::default();
    assert_eq!(errno(target.clone_buffers(&source, all)), Some(libc::ENXIO));
    source.register_buffers(&memories.clone().map(Some), &[])?;
    target.clone_buffers(&source, all)?;
    assert_eq!(errno(target.clone_buffers(&source, all)), Some(libc::EBUSY));
    drop(source);
    for (index, memory) in (0..).zip(&memories) {
        assert_eq!(
            target.buffer(index).map(MappedMemory::as_ptr),
            Some(memory.as_ptr())
        );
    }
    waiting_fixed(&mut target, File::Fd(reader.as_raw_fd()), &memories[2], 2, 1)?;
    assert_eq!(wait_for(&mut target, 1)?, [(1, 8)]);
    assert_eq!(memories[2].to_vec(), b"8 bytes.");
    Ok(())
}

#[test]
fn clone_buffers_adds_and_replaces_parts() -> Result {
    let (mut source, mut target) = (ring()?, ring()?);
    let memories: Vec<_> = (0..5)
        .map(|_| MappedMemory::new(8))
        .collect::<std::io::Result<_>>()?;
    let [a, b, c, own, last] = [0, 1, 2, 3, 4].map(|index| Some(memories[index].clone()));
    source.register_buffers(&[a, b.clone(), c.clone()], &[])?;
    target.register_buffers(&[own.clone(), last], &[0, 8])?;
    let part = CloneBuffers {
        source_offset: 1,
        offset: 1,
        count: 2,
        replace: true,
    };
    target.clone_buffers(&source, part)?;
    let address = |memory: &Option<MappedMemory>| memory.as_ref().map(MappedMemory::as_ptr);
    let here = [0, 1, 2, 3].map(|index| target.buffer(index).map(MappedMemory::as_ptr));
    assert_eq!(here, [address(&own), address(&b), address(&c), None]);
    assert_eq!(
        wait_for(&mut target, 1)?,
        [(tag(8), 0)],
        "the replaced buffer is gone"
    );
    let (reader, _writer) = pipe_with(b"8 bytes.")?;
    waiting_fixed(&mut target, File::Fd(reader.as_raw_fd()), &memories[2], 2, 1)?;
    assert_eq!(wait_for(&mut target, 1)?, [(1, 8)]);
    for (source_offset, offset, count, error) in [
        (2, 0, 2, libc::EOVERFLOW),
        (0, 0, 4, libc::EINVAL),
        (1, 0, 0, libc::EINVAL),
    ] {
        let part = CloneBuffers {
            source_offset,
            offset,
            count,
            replace: true,
        };
        assert_eq!(errno(target.clone_buffers(&source, part)), Some(error));
    }
    Ok(())
}

use std::io::Write as _;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;

use typed_uring::entry::flags::CQE_SKIP_SUCCESS;
use typed_uring::operations::{Read, Recv, RecvBundle, RecvMulti};
use typed_uring::register::{BufferRing, GroupSetup};
use typed_uring::sys;
use typed_uring::{Completion, Entry, File, MappedMemory, Ring};

use crate::support::{LONG, Result, errno};
use crate::{pipe_with, ring, support, wait_for, waiting};

fn setup(count: u16, size: u32) -> GroupSetup {
    GroupSetup {
        group: 3,
        count,
        size,
        ..GroupSetup::default()
    }
}

/// Returns a receive into a buffer of group 3.
fn recv(socket: &UnixStream, length: u32) -> Entry {
    Recv::new(socket.as_raw_fd(), 0, length).group(3).build()
}

/// Runs one entry whose buffer the kernel chooses.
fn one(ring: &mut Ring, entry: &Entry) -> Result<Completion> {
    // SAFETY: the ring keeps the memory of its buffer groups.
    unsafe { ring.push(entry)? };
    support::wait_for(ring, 1)?
        .pop()
        .ok_or_else(|| "no completion".into())
}

fn bytes(filled: &[typed_uring::register::Filled]) -> Vec<(u16, Vec<u8>, bool)> {
    filled
        .iter()
        .map(|filled| (filled.id, filled.bytes.to_vec(), filled.done))
        .collect()
}

#[test]
fn buffers_are_filled_and_recycled() -> Result {
    for kernel_memory in [false, true] {
        let mut ring = ring()?;
        let (socket, mut peer) = UnixStream::pair()?;
        let mut group = ring.register_buffer_ring(&GroupSetup {
            kernel_memory,
            ..setup(2, 8)
        })?;
        assert_eq!((group.group(), group.count(), group.size()), (3, 2, 8));
        assert_eq!((group.memory().len(), group.available(&ring)?), (16, 2));
        // Goes around the ring of entries several times, and past 16 bits of the tail.
        for round in 0..40_000_u32 {
            let message = round.to_ne_bytes();
            peer.write_all(&message)?;
            let completion = one(&mut ring, &recv(&socket, 8))?;
            let filled = group.take(&ring, &completion)?;
            assert_eq!(bytes(&filled), [((round % 2) as u16, message.to_vec(), true)]);
            assert!(group.recycle(filled[0].id));
        }
        assert_eq!(group.available(&ring)?, 2);
        assert_eq!(usize::from(ring.buffer_ring_head(3)?), 40_000);
        group.close(&mut ring)?;
    }
    Ok(())
}

#[test]
fn a_receive_without_a_free_buffer_fails_with_enobufs() -> Result {
    let mut ring = ring()?;
    let (socket, mut peer) = UnixStream::pair()?;
    let mut group = ring.register_buffer_ring(&setup(1, 4))?;
    peer.write_all(b"12345678")?;
    let first = one(&mut ring, &recv(&socket, 8))?;
    assert_eq!(first.result, 4);
    let none = one(&mut ring, &recv(&socket, 8))?;
    assert_eq!(none.result, -libc::ENOBUFS);
    assert!(group.take(&ring, &none)?.is_empty());
    assert_eq!(group.available(&ring)?, 0);
    let filled = group.take(&ring, &first)?;
    assert_eq!(bytes(&filled), [(0, b"1234".to_vec(), true)]);
    assert_eq!(
        errno(group.take(&ring, &first)),
        Some(libc::EINVAL),
        "the completion was passed already"
    );
    assert!(!group.add(1), "there is no such buffer");
    assert!(group.add(0));
    assert!(!group.add(0), "it was added already");
    let unseen = one(&mut ring, &recv(&socket, 8))?;
    assert_eq!(unseen.result, -libc::ENOBUFS, "added and not published");
    group.advance();
    let second = one(&mut ring, &recv(&socket, 8))?;
    assert_eq!(bytes(&group.take(&ring, &second)?), [(0, b"5678".to_vec(), true)]);
    Ok(())
}

#[test]
fn a_bundle_fills_buffers_in_the_order_of_their_add() -> Result {
    let mut ring = ring()?;
    let (socket, mut peer) = UnixStream::pair()?;
    let mut group = ring.register_buffer_ring(&setup(4, 4))?;
    // Changes the order from 0, 1, 2, 3 to 3, 1, 0, 2.
    let mut out = Vec::new();
    for _ in 0..4 {
        peer.write_all(b"x")?;
        let completion = one(&mut ring, &recv(&socket, 1))?;
        out.extend(group.take(&ring, &completion)?);
    }
    assert_eq!(
        out.iter().map(|filled| filled.id).collect::<Vec<_>>(),
        [0, 1, 2, 3]
    );
    for id in [3, 1, 0, 2] {
        assert!(group.add(id));
    }
    group.advance();
    let mut left: &[u8] = b"0123456789";
    peer.write_all(left)?;
    let mut order = [3, 1, 0, 2].iter().copied();
    // The first bundle may take fewer buffers than there are.
    while !left.is_empty() {
        let completion = one(&mut ring, &RecvBundle::new(socket.as_raw_fd(), 3).build())?;
        assert!(completion.result > 0, "{completion:?}");
        for filled in group.take(&ring, &completion)? {
            assert_eq!(Some(filled.id), order.next());
            let (now, later) = left.split_at(filled.bytes.len());
            assert_eq!(filled.bytes.to_vec(), now);
            assert!(filled.done);
            left = later;
        }
    }
    Ok(())
}

#[test]
fn an_incremental_buffer_is_used_until_it_is_full() -> Result {
    let mut ring = ring()?;
    let (socket, mut peer) = UnixStream::pair()?;
    let mut group = ring.register_buffer_ring(&GroupSetup {
        incremental: true,
        ..setup(2, 8)
    })?;
    let multi = RecvMulti::new(socket.as_raw_fd(), 3).build().with_user_data(1);
    // SAFETY: the ring keeps the memory of its buffer groups.
    unsafe { ring.push(&multi)? };
    ring.submit()?;
    for (message, filled) in [
        (b"abc".as_slice(), vec![(0, b"abc".to_vec(), false)]),
        (b"de", vec![(0, b"de".to_vec(), false)]),
        (b"fgh", vec![(0, b"fgh".to_vec(), true)]),
        (b"ij", vec![(1, b"ij".to_vec(), false)]),
    ] {
        peer.write_all(message)?;
        ring.submit_and_wait(1, Some(LONG))?;
        let completion = ring.pop().ok_or("no completion")?;
        assert!(completion.more());
        assert_eq!(bytes(&group.take(&ring, &completion)?), filled);
    }
    let whole = group.buffer(0).ok_or("no buffer 0")?;
    assert_eq!(whole.to_vec(), b"abcdefgh");
    assert!(!group.recycle(1), "the kernel has it");
    drop(peer);
    let end = support::wait_for(&mut ring, 1)?[0];
    assert_eq!((end.result, end.more()), (0, false));
    // The kernel continues at the same place, whether BUF_MORE was set or not.
    let at_the_end = group.take(&ring, &end)?;
    assert!(
        at_the_end
            .iter()
            .all(|filled| filled.bytes.is_empty() && !filled.done),
        "{at_the_end:?}"
    );
    assert!(group.recycle(0));
    let (socket, mut peer) = UnixStream::pair()?;
    peer.write_all(b"klm")?;
    let next = one(&mut ring, &recv(&socket, 8))?;
    assert_eq!(bytes(&group.take(&ring, &next)?), [(1, b"klm".to_vec(), false)]);
    Ok(())
}

/// Some kernels do not set BUF_MORE at the end of a stream although they keep the buffer; the head of the ring shows
/// it.
#[test]
fn an_empty_completion_is_done_with_an_incremental_buffer_only_if_the_kernel_is() -> Result {
    let mut ring = ring()?;
    let (socket, mut peer) = UnixStream::pair()?;
    let mut group = ring.register_buffer_ring(&GroupSetup {
        incremental: true,
        ..setup(2, 8)
    })?;
    let end = |id: u32| Completion {
        user_data: 0,
        result: 0,
        flags: sys::IORING_CQE_F_BUFFER | id << sys::IORING_CQE_BUFFER_SHIFT,
        extra: None,
    };
    for id in [0, 1] {
        assert_eq!(bytes(&group.take(&ring, &end(id))?), [(id as u16, vec![], false)]);
        assert!(!group.recycle(id as u16), "the kernel has it");
    }
    peer.write_all(b"8 bytes.")?;
    assert_eq!(one(&mut ring, &recv(&socket, 8))?.result, 8);
    assert_eq!(bytes(&group.take(&ring, &end(1))?), [(1, vec![], false)]);
    assert_eq!(bytes(&group.take(&ring, &end(0))?), [(0, vec![], true)]);
    assert!(group.recycle(0));
    Ok(())
}

#[test]
fn invalid_groups_are_refused() -> Result {
    let mut ring = ring()?;
    let memory = |length| MappedMemory::new(length).ok();
    for setup in [
        setup(0, 8),
        setup(8, 0),
        setup(32769, 1),
        setup(u16::MAX, 1),
        GroupSetup {
            memory: memory(17),
            ..setup(2, 8)
        },
        GroupSetup {
            memory: memory(8),
            ..setup(2, 8)
        },
    ] {
        assert_eq!(
            errno(ring.register_buffer_ring(&setup)),
            Some(libc::EINVAL),
            "{setup:?}"
        );
    }
    assert_eq!(errno(ring.buffer_ring_head(3)), Some(libc::ENOENT));
    let group = ring.register_buffer_ring(&setup(2, 8))?;
    assert_eq!(errno(ring.register_buffer_ring(&setup(2, 8))), Some(libc::EEXIST));
    let mut other = crate::ring()?;
    assert_eq!(errno(group.available(&other)), Some(libc::EINVAL));
    let twin = other.register_buffer_ring(&setup(2, 8))?;
    assert_eq!(
        errno(group.available(&other)),
        Some(libc::EINVAL),
        "the same number"
    );
    assert_eq!(errno(group.close(&mut other)), Some(libc::EINVAL));
    twin.close(&mut other)?;
    assert_eq!(errno(other.buffer_ring_head(3)), Some(libc::ENOENT));
    other.register_buffer_ring(&setup(1, 1))?;
    Ok(())
}

#[test]
fn a_group_can_have_given_memory_and_any_number_of_buffers() -> Result {
    let mut ring = ring()?;
    let (socket, mut peer) = UnixStream::pair()?;
    let arena = MappedMemory::new(4096)?;
    let memory = arena.slice(100..124).ok_or("inside")?;
    let mut group = ring.register_buffer_ring(&GroupSetup {
        memory: Some(memory),
        ..setup(3, 8)
    })?;
    assert_eq!(group.available(&ring)?, 3);
    for id in 0..3 {
        peer.write_all(b"8 bytes.")?;
        let completion = one(&mut ring, &recv(&socket, 8))?;
        assert_eq!(
            bytes(&group.take(&ring, &completion)?),
            [(id, b"8 bytes.".to_vec(), true)]
        );
    }
    assert_eq!(&arena.to_vec()[98..126], b"\0\08 bytes.8 bytes.8 bytes.\0\0");
    let largest = GroupSetup {
        group: 4,
        ..setup(32768, 1)
    };
    assert_eq!(ring.register_buffer_ring(&largest)?.available(&ring)?, 32768);
    Ok(())
}

#[test]
fn completions_of_different_operations_can_be_passed_in_any_order() -> Result {
    let mut ring = ring()?;
    let (socket, mut peer) = UnixStream::pair()?;
    let mut group = ring.register_buffer_ring(&setup(3, 4))?;
    let mut completions = Vec::new();
    for message in [b"zero", b"one.", b"two."] {
        peer.write_all(message)?;
        completions.push(one(&mut ring, &recv(&socket, 4))?);
    }
    for (index, id, message) in [(1, 1, b"one."), (2, 2, b"two."), (0, 0, b"zero")] {
        let filled = group.take(&ring, &completions[index])?;
        assert_eq!(bytes(&filled), [(id, message.to_vec(), true)]);
    }
    Ok(())
}

fn is_empty(group: &BufferRing, ring: &Ring) -> Result<bool> {
    Ok(group.available(ring)? == 0)
}

/// The read runs on a kernel worker.
#[test]
fn a_read_by_a_worker_uses_a_buffer_too() -> Result {
    let mut ring = ring()?;
    let (reader, _writer) = pipe_with(b"8 bytes.")?;
    let fd: RawFd = reader.as_raw_fd();
    let mut group = ring.register_buffer_ring(&setup(1, 8))?;
    let read = Read::new(fd, 0, 8).group(3).build();
    let completion = one(&mut ring, &read.with_flags(typed_uring::entry::flags::ASYNC))?;
    assert_eq!(
        bytes(&group.take(&ring, &completion)?),
        [(0, b"8 bytes.".to_vec(), true)]
    );
    assert!(is_empty(&group, &ring)?);
    let none = one(&mut ring, &support::nop(1))?;
    assert!(group.take(&ring, &none)?.is_empty(), "it used no buffer");
    Ok(())
}

/// Pseudo-random numbers, the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }
}

/// Sends a stream in pieces of all sizes through buffers that are recycled in any order.
#[test]
fn a_stream_arrives_unchanged_for_any_use_of_the_buffers() -> Result {
    for (incremental, bundle) in [(false, false), (true, false), (false, true), (true, true)] {
        let mut ring = ring()?;
        let (socket, mut peer) = UnixStream::pair()?;
        let mut group = ring.register_buffer_ring(&GroupSetup {
            incremental,
            ..setup(8, 16)
        })?;
        let mut numbers = Numbers(u64::from(incremental) << 1 | u64::from(bundle));
        let mut out: Vec<u16> = Vec::new();
        let (mut sent, mut received) = (Vec::new(), Vec::new());
        for _ in 0..600 {
            let message: Vec<u8> = (0..=numbers.below(100))
                .map(|_| numbers.below(256) as u8)
                .collect();
            peer.write_all(&message)?;
            sent.extend(message);
            while received.len() < sent.len() {
                let receive = if bundle {
                    RecvBundle::new(socket.as_raw_fd(), 3).build()
                } else {
                    recv(&socket, 1 + numbers.below(40) as u32)
                };
                let completion = one(&mut ring, &receive)?;
                assert!(completion.result > 0, "{completion:?}, {} are out", out.len());
                for filled in group.take(&ring, &completion)? {
                    received.extend(filled.bytes.to_vec());
                    if filled.done {
                        out.push(filled.id);
                    } else {
                        assert!(incremental && !group.recycle(filled.id), "the kernel has it");
                    }
                }
                // Recycles some buffers, in any order, and all of them once none is free.
                while out.len() == 8 || numbers.below(3) > 0 && !out.is_empty() {
                    let id = out.swap_remove(numbers.below(out.len()));
                    assert!(group.recycle(id));
                }
            }
            assert_eq!(received, sent, "incremental {incremental}, bundle {bundle}");
        }
        assert_eq!(usize::from(group.available(&ring)?), 8 - out.len());
    }
    Ok(())
}

/// A mapping of the ring would keep its file open, for whose end the close of a ring with skip-success entries waits.
#[test]
fn a_ring_can_be_closed_before_a_group_that_maps_a_part_of_it() -> Result {
    let (ended, has_ended) = std::sync::mpsc::channel();
    // Not a scoped thread: a failed test would wait for it.
    std::thread::spawn(move || -> std::result::Result<(), std::io::Error> {
        let mut ring = Ring::new(8)?;
        let mut group = ring.register_buffer_ring(&GroupSetup {
            kernel_memory: true,
            ..setup(2, 8)
        })?;
        let silent = support::nop(1).with_flags(CQE_SKIP_SUCCESS);
        support::push(&mut ring, &[silent]).map_err(std::io::Error::other)?;
        ring.submit()?;
        drop(ring);
        let recycled = (group.recycle(0), group.buffer(1).is_some());
        let _ = ended.send(recycled);
        Ok(())
    });
    assert_eq!(has_ended.recv_timeout(LONG)?, (false, true));
    Ok(())
}

#[test]
fn two_groups_over_the_same_memory_are_distinguished() -> Result {
    let (mut first, mut second) = (ring()?, ring()?);
    let shared = GroupSetup {
        memory: Some(MappedMemory::new(16)?),
        ..setup(2, 8)
    };
    let ours = first.register_buffer_ring(&shared)?;
    let theirs = second.register_buffer_ring(&shared)?;
    assert_eq!(errno(ours.available(&second)), Some(libc::EINVAL));
    assert_eq!(errno(ours.close(&mut second)), Some(libc::EINVAL));
    assert_eq!(theirs.available(&second)?, 2);
    theirs.close(&mut second)?;
    Ok(())
}

#[test]
fn memory_of_a_group_that_was_unregistered_with_a_raw_call_stays_while_it_may_be_used() -> Result {
    let mut ring = ring()?;
    let (reader, mut writer) = pipe_with(b"")?;
    let _memory = waiting(&mut ring, File::Fd(reader.as_raw_fd()), 9)?;
    let first = ring.register_buffer_ring(&setup(2, 8))?;
    let page = first.memory().as_ptr();
    drop(first);
    let mut group = sys::io_uring_buf_reg {
        bgid: 3,
        ..Default::default()
    };
    let argument = std::ptr::from_mut(&mut group).cast();
    // SAFETY: the kernel reads one structure during the call. The ring does not see the change, which is what is
    // tested: it must keep the memory of the group.
    unsafe { sys::io_uring_register(ring.as_raw_fd(), sys::IORING_UNREGISTER_PBUF_RING, argument, 1)? };
    let second = ring.register_buffer_ring(&setup(2, 8))?;
    let mut resident = 0;
    // SAFETY: mincore writes one byte for one page, the size of `resident`, and fails if the address is not mapped.
    let answer = unsafe { libc::mincore(page.cast(), 8, &raw mut resident) };
    assert_eq!(answer, 0, "{}", std::io::Error::last_os_error());
    second.close(&mut ring)?;
    writer.write_all(b"end")?;
    assert_eq!(wait_for(&mut ring, 1)?, [(9, 3)]);
    Ok(())
}

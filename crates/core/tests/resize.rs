//! Resizing the queues of a ring in use: nothing in them is lost, and the ring keeps its descriptor. One test counts the
//! process's descriptors and mappings, so the tests run one at a time.

use std::io::Write as _;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

use typed_uring::entry::flags::IO_LINK;
use typed_uring::operations::{Nop, Read};
use typed_uring::sys::setup::{
    COOP_TASKRUN, CQE_MIXED, CQE32, CQSIZE, DEFER_TASKRUN, NO_SQARRAY, SINGLE_ISSUER, SQE128, SQPOLL,
    SUBMIT_ALL,
};
use typed_uring::{MAX_CQ_ENTRIES, MAX_ENTRIES, Ring, Setup, UNSOLICITED};

#[allow(dead_code)] // each test file uses a part
mod support;
use support::pending::{PATTERN, Reads};
use support::{
    Guarded, Result, errno, event_descriptor, exactly, nop, push, readable, results, take, user_data,
    wait_for,
};

static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes a ring that can be resized. Returns `None` on a kernel before 6.13, which has no such registration.
fn resizable(entries: u32, cq_entries: u32) -> Result<Option<Guarded>> {
    let mut ring = Guarded::from(
        Setup {
            entries,
            cq_entries: Some(cq_entries),
            ..Setup::default()
        }
        .build()?,
    );
    match ring.resize(entries, cq_entries) {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
            // SAFETY: the argument is null; a kernel without the opcode does not use it, and others refuse it.
            let asked = unsafe { ring.register(33, std::ptr::null_mut(), 1) };
            assert_eq!(
                errno(asked),
                Some(libc::EINVAL),
                "the kernel has the opcode, and refused the ring"
            );
            Ok(None)
        }
        result => {
            result?;
            Ok(Some(ring))
        }
    }
}

#[test]
fn resize_grows_and_shrinks_the_queues() -> Result {
    let _turn = turn();
    let Some(mut ring) = resizable(8, 16)? else {
        return Ok(());
    };
    let (fd, flags, features) = (ring.as_raw_fd(), ring.setup_flags(), ring.features());
    for (entries, cq_entries, becomes) in [
        (64, 256, (64, 256)),
        (64, 64, (64, 64)),
        (4, 8, (4, 8)),
        (12, 24, (16, 32)),
        (1, 1, (1, 1)),
        (MAX_ENTRIES, MAX_CQ_ENTRIES, (MAX_ENTRIES, MAX_CQ_ENTRIES)),
        (2, 4, (2, 4)),
    ] {
        ring.resize(entries, cq_entries)?;
        assert_eq!((ring.entries(), ring.cq_entries()), becomes);
        assert_eq!(
            (ring.as_raw_fd(), ring.setup_flags(), ring.features()),
            (fd, flags, features)
        );
        assert_eq!(ring.sq_space_left(), ring.entries() as usize);
        // Goes around both queues twice, so that every place in them is used.
        for round in 0..2 * u64::from(cq_entries.min(100)) {
            push(&mut ring, &[nop(round)])?;
            assert_eq!(user_data(&wait_for(&mut ring, 1)?), [round]);
        }
        assert_eq!((ring.in_flight(), ring.cq_ready()), (0, 0));
    }
    Ok(())
}

#[test]
fn a_grown_queue_has_its_full_capacity() -> Result {
    let _turn = turn();
    let Some(mut ring) = resizable(2, 2)? else {
        return Ok(());
    };
    let entries: Vec<_> = (0..32).map(nop).collect();
    assert!(push(&mut ring, &entries).is_err());
    ring.resize(32, 64)?;
    push(&mut ring, &entries)?;
    assert_eq!(ring.submit()?, 32);
    assert_eq!(ring.cq_ready(), 32, "none has overflowed");
    assert_eq!(user_data(&take(&mut ring)), (0..32).collect::<Vec<_>>());
    Ok(())
}

/// For every position of the heads and tails of the queues.
#[test]
fn resize_keeps_queued_entries_and_completions_in_order() -> Result {
    let _turn = turn();
    let Some(mut ring) = resizable(4, 4)? else {
        return Ok(());
    };
    let mut sizes = [(4, 4), (16, 16), (8, 32), (4, 8)].iter().cycle();
    for start in 0..12_u64 {
        let number = |n: u64| 100 * start + n;
        push(&mut ring, &[nop(number(1)), nop(number(2)), nop(number(3))])?;
        assert_eq!(ring.submit()?, 3);
        push(&mut ring, &[nop(number(4)), nop(number(5)), nop(number(6))])?;
        let (entries, cq_entries) = *sizes.next().ok_or("no size")?;
        ring.resize(entries, cq_entries)?;
        assert_eq!((ring.cq_ready(), ring.sq_ready(), ring.in_flight()), (3, 3, 6));
        assert_eq!(ring.peek().map(|first| first.user_data), Some(number(1)));
        assert_eq!(user_data(&take(&mut ring)), [number(1), number(2), number(3)]);
        assert_eq!((ring.cq_ready(), ring.in_flight()), (0, 3));
        assert_eq!(ring.submit()?, 3);
        assert_eq!(user_data(&take(&mut ring)), [number(4), number(5), number(6)]);
        assert_eq!(ring.in_flight(), 0);
        for filler in 0..start % 4 {
            push(&mut ring, &[nop(filler)])?;
            wait_for(&mut ring, 1)?;
        }
    }
    Ok(())
}

#[test]
fn resize_keeps_a_queued_chain() -> Result {
    let _turn = turn();
    let Some(mut ring) = resizable(8, 16)? else {
        return Ok(());
    };
    let fails = Nop::new()
        .nop_flags(support::INJECT_RESULT)
        .result(-libc::EIO)
        .build();
    push(
        &mut ring,
        &[fails.with_flags(IO_LINK), nop(2).with_flags(IO_LINK), nop(3)],
    )?;
    ring.resize(32, 64)?;
    assert_eq!(ring.submit()?, 3);
    let done = wait_for(&mut ring, 3)?;
    assert_eq!(results(&done), [-libc::EIO, -libc::ECANCELED, -libc::ECANCELED]);
    Ok(())
}

#[test]
fn operations_in_flight_complete_in_the_new_queue() -> Result {
    let _turn = turn();
    let Some(ring) = resizable(8, 16)? else {
        return Ok(());
    };
    let mut reads = Reads::new(5)?;
    let mut ring = ring;
    reads.push(&mut ring, 0, 7)?;
    assert_eq!(ring.submit()?, 5);
    for (entries, cq_entries) in [(16, 64), (4, 8), (64, 64)] {
        ring.resize(entries, cq_entries)?;
        assert_eq!((ring.in_flight(), ring.cq_ready()), (5, 0));
    }
    reads.writer.write_all(b"one 8by.two 8by.")?;
    let done = wait_for(&mut ring, 2)?;
    assert_eq!((user_data(&done), results(&done)), (vec![7, 7], vec![8, 8]));
    assert_eq!(ring.in_flight(), 3);
    assert!(ring.discard_completions()?);
    drop(ring);
    reads.buffers.sort_unstable(); // the kernel chooses which read gets which bytes
    let untouched = [PATTERN; 8];
    assert_eq!(
        reads.buffers,
        [*b"one 8by.", *b"two 8by.", untouched, untouched, untouched]
    );
    Ok(())
}

#[test]
fn drop_of_a_resized_ring_ends_operations_in_flight() -> Result {
    let _turn = turn();
    let Some(mut ring) = resizable(8, 16)? else {
        return Ok(());
    };
    let mut reads = Reads::new(4)?;
    reads.push(&mut ring, 0, 7)?;
    ring.submit()?;
    ring.resize(32, 128)?;
    drop(ring);
    reads.are_over()
}

#[test]
fn overflowed_completions_arrive_after_a_resize() -> Result {
    let _turn = turn();
    let Some(mut ring) = resizable(8, 8)? else {
        return Ok(());
    };
    for batch in 0..3 {
        let entries: Vec<_> = (0..8).map(|n| nop(8 * batch + n)).collect();
        push(&mut ring, &entries)?;
        assert_eq!(ring.submit()?, 8);
    }
    assert!(ring.cq_needs_flush());
    assert_eq!((ring.cq_ready(), ring.in_flight()), (8, 24));
    ring.resize(8, 64)?;
    assert!(ring.cq_needs_flush(), "the queue is still overflowed");
    ring.get_events()?;
    assert_eq!(user_data(&take(&mut ring)), (0..24).collect::<Vec<_>>());
    assert_eq!(ring.in_flight(), 0);
    Ok(())
}

#[test]
fn resize_to_less_than_is_queued_fails_and_changes_nothing() -> Result {
    let _turn = turn();
    let Some(mut ring) = resizable(8, 16)? else {
        return Ok(());
    };
    push(&mut ring, &[nop(1), nop(2), nop(3), nop(4), nop(5)])?;
    assert_eq!(
        errno(ring.resize(4, 16)),
        Some(libc::EOVERFLOW),
        "five entries are queued"
    );
    assert_eq!((ring.entries(), ring.sq_ready()), (8, 5));
    assert_eq!(ring.submit()?, 5);
    assert_eq!(
        errno(ring.resize(4, 4)),
        Some(libc::EOVERFLOW),
        "five completions are ready"
    );
    assert_eq!((ring.entries(), ring.cq_entries(), ring.cq_ready()), (8, 16, 5));
    push(&mut ring, &[nop(6)])?;
    assert_eq!(ring.submit()?, 1);
    assert_eq!(user_data(&take(&mut ring)), [1, 2, 3, 4, 5, 6]);
    ring.resize(4, 4)?;
    Ok(())
}

#[test]
fn resize_to_invalid_sizes_fails_and_changes_nothing() -> Result {
    let _turn = turn();
    let Some(mut ring) = resizable(8, 16)? else {
        return Ok(());
    };
    for (entries, cq_entries) in [
        (0, 16),
        (8, 0),
        (16, 8), // fewer completions than entries
        (MAX_ENTRIES + 1, MAX_CQ_ENTRIES),
        (8, MAX_CQ_ENTRIES + 1),
        (u32::MAX, u32::MAX),
    ] {
        let answer = errno(ring.resize(entries, cq_entries));
        assert_eq!(answer, Some(libc::EINVAL), "{entries} and {cq_entries}");
        assert_eq!((ring.entries(), ring.cq_entries()), (8, 16));
    }
    push(&mut ring, &[nop(1)])?;
    assert_eq!(user_data(&wait_for(&mut ring, 1)?), [1]);
    Ok(())
}

#[test]
fn resize_of_an_unsuitable_ring_fails_and_changes_nothing() -> Result {
    let _turn = turn();
    let with = |flags, mode| {
        Setup {
            entries: 8,
            flags,
            mode,
            ..Setup::default()
        }
        .build()
    };
    let rings = [
        with(0, Some(0))?,
        with(0, Some(NO_SQARRAY))?,
        with(0, Some(COOP_TASKRUN | SUBMIT_ALL | NO_SQARRAY))?,
        // The kernel would resize a ring with an SQ array, and the array would overwrite the queues.
        with(0, Some(SINGLE_ISSUER | DEFER_TASKRUN))?,
        with(SQPOLL, None)?,
        with(SQE128, None)?,
        with(CQE32, None)?,
        with(SQE128 | CQE32, None)?,
    ];
    for ring in rings {
        let mut ring = Guarded::from(ring);
        let flags = ring.setup_flags();
        push(&mut ring, &[nop(1), nop(2)])?;
        assert_eq!(errno(ring.resize(64, 128)), Some(libc::EINVAL), "{flags:#x}");
        assert_eq!((ring.entries(), ring.cq_entries()), (8, 32));
        assert_eq!(user_data(&wait_for(&mut ring, 2)?), [1, 2], "{flags:#x}");
    }
    Ok(())
}

#[test]
fn resize_on_another_thread_fails() -> Result {
    let _turn = turn();
    let Some(mut ring) = resizable(8, 16)? else {
        return Ok(());
    };
    let fd = ring.as_raw_fd();
    let refused = std::thread::spawn(move || {
        let mut params = [0_u32; 30];
        (params[0], params[1], params[2]) = (64, 64, CQSIZE);
        // SAFETY: the kernel reads and writes 120 bytes, the size of `params`, during the call.
        let result = unsafe { libc::syscall(libc::SYS_io_uring_register, fd, 33, params.as_mut_ptr(), 1) };
        (result, std::io::Error::last_os_error().raw_os_error())
    })
    .join();
    assert_eq!(refused.map_err(|_| "panicked")?, (-1, Some(libc::EEXIST)));
    ring.resize(64, 64)?;
    Ok(())
}

#[test]
fn resize_keeps_mixed_completions() -> Result {
    let _turn = turn();
    if resizable(8, 16)?.is_none() {
        return Ok(());
    }
    let Ok(ring) = (Setup {
        entries: 8,
        flags: CQE_MIXED,
        ..Setup::default()
    })
    .build() else {
        return Ok(()); // before 6.18
    };
    let mut ring = Guarded::from(ring);
    let wide = Nop::new().nop_flags(support::CQE32).build().with_user_data(2);
    push(&mut ring, &[nop(1), wide, nop(3)])?;
    ring.submit()?;
    ring.resize(16, 64)?;
    let done = take(&mut ring);
    assert_eq!(user_data(&done), [1, 2, 3]);
    assert_eq!(
        done.iter().map(|one| one.extra.is_some()).collect::<Vec<_>>(),
        [false, true, false]
    );
    Ok(())
}

#[test]
fn resize_keeps_the_eventfd_and_its_pause() -> Result {
    let _turn = turn();
    let Some(mut ring) = resizable(8, 16)? else {
        return Ok(());
    };
    let event = event_descriptor()?;
    ring.register_eventfd(event.as_raw_fd())?;
    ring.pause_eventfd(true);
    ring.resize(32, 64)?;
    assert!(ring.has_managed_eventfd());
    push(&mut ring, &[nop(1)])?;
    ring.submit()?;
    assert!(!is_readable(event.as_raw_fd())?, "paused before and after");
    ring.pause_eventfd(false);
    push(&mut ring, &[nop(2)])?;
    ring.submit()?;
    assert!(readable(event.as_raw_fd())?);
    assert_eq!(take(&mut ring).len(), 2);
    ring.resize(8, 16)?;
    ring.pause_eventfd(true);
    clear(&event)?;
    push(&mut ring, &[nop(3)])?;
    ring.submit()?;
    assert!(
        !is_readable(event.as_raw_fd())?,
        "the flag of the new queue is used"
    );
    ring.unregister_eventfd()?;
    Ok(())
}

fn is_readable(fd: RawFd) -> Result<bool> {
    let mut poll = libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: `poll` is one `struct pollfd`, a local variable.
    match unsafe { libc::poll(&raw mut poll, 1, 0) } {
        -1 => Err(std::io::Error::last_os_error().into()),
        ready => Ok(ready > 0),
    }
}

fn clear(mut event: &std::fs::File) -> Result {
    std::io::Read::read_exact(&mut event, &mut [0; 8])?;
    Ok(())
}

/// Returns the number of this process's descriptors, and of mappings of rings.
fn held() -> Result<(usize, usize)> {
    let maps = std::fs::read_to_string("/proc/self/maps")?;
    let rings = maps.lines().filter(|line| line.contains("io_uring")).count();
    Ok((std::fs::read_dir("/proc/self/fd")?.count(), rings))
}

#[test]
fn a_hundred_resizes_keep_the_descriptor_and_leak_nothing() -> Result {
    let _turn = turn();
    let Some(mut ring) = resizable(8, 16)? else {
        return Ok(());
    };
    let mut reads = Reads::new(2)?;
    reads.push(&mut ring, 0, 7)?;
    ring.submit()?;
    let event = event_descriptor()?;
    ring.register_eventfd(event.as_raw_fd())?;
    let fd = ring.as_raw_fd();
    let before = held()?;
    for round in 0..100_u32 {
        let shift = round % 7;
        ring.resize(8 << shift, 16 << shift)?;
        assert_eq!((ring.entries(), ring.cq_entries()), (8 << shift, 16 << shift));
        assert_eq!(ring.as_raw_fd(), fd);
        push(&mut ring, &[nop(1), nop(2)])?;
        assert_eq!(user_data(&wait_for(&mut ring, 2)?), [1, 2]);
        assert_eq!(ring.in_flight(), 2);
        // Refused resizes leak nothing either.
        assert!(ring.resize(0, 0).is_err());
    }
    assert_eq!(held()?, before);
    drop(ring);
    let (descriptors, mappings) = held()?;
    assert_eq!((descriptors + 1, mappings), (before.0, 0));
    reads.are_over()
}

/// A thread that opens files all the time never gets the ring's descriptor number.
#[test]
fn resize_never_frees_the_descriptor_number() -> Result {
    let _turn = turn();
    let Some(mut ring) = resizable(8, 16)? else {
        return Ok(());
    };
    let fd = ring.as_raw_fd();
    let over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let opener = scope.spawn(|| {
            let mut took = false;
            while !over.load(std::sync::atomic::Ordering::Relaxed) {
                // SAFETY: the call takes only numbers. The new descriptor is closed at once, unless it has the ring's number.
                unsafe {
                    let got = libc::dup(libc::STDIN_FILENO);
                    took |= got == fd;
                    if got >= 0 && got != fd {
                        libc::close(got);
                    }
                }
            }
            took
        });
        let resized = (0..200_u32).try_for_each(|round| ring.resize(8 << (round % 3), 32));
        over.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(
            !opener.join().unwrap_or(true),
            "another thread got the ring's number"
        );
        resized
    })?;
    push(&mut ring, &[nop(1)])?;
    assert_eq!(user_data(&wait_for(&mut ring, 1)?), [1]);
    Ok(())
}

/// Another thread posts completions during the resizes.
#[test]
fn messages_that_arrive_during_a_resize_are_not_lost() -> Result {
    const MESSAGES: u64 = 3000;
    let _turn = turn();
    let Some(mut ring) = resizable(8, 4096)? else {
        return Ok(());
    };
    let fd = ring.as_raw_fd();
    let sender = std::thread::spawn(move || {
        (0..MESSAGES).try_for_each(|number| Ring::send_message(fd, 0, UNSOLICITED | number, None))
    });
    let mut arrived = Vec::new();
    for round in 0.. {
        ring.resize(8 << (round % 4), 4096 << (round % 2))?;
        if round % 8 == 0 {
            ring.get_events()?;
            arrived.extend(take(&mut ring));
        }
        if sender.is_finished() {
            break;
        }
    }
    sender.join().map_err(|_| "panicked")??;
    // The kernel posts a few at a time.
    arrived.extend(wait_for(&mut ring, MESSAGES as usize - arrived.len())?);
    let lost = arrived
        .iter()
        .zip(0..MESSAGES)
        .find(|(message, number)| message.user_data != UNSOLICITED | number);
    assert_eq!(
        (lost, arrived.len() as u64, ring.in_flight()),
        (None, MESSAGES, 0)
    );
    Ok(())
}

#[test]
fn a_disabled_ring_can_be_resized_before_it_is_enabled() -> Result {
    let _turn = turn();
    if resizable(8, 16)?.is_none() {
        return Ok(());
    }
    let mut ring = Guarded::from(
        Setup {
            entries: 8,
            flags: typed_uring::sys::setup::R_DISABLED,
            ..Setup::default()
        }
        .build()?,
    );
    ring.resize(32, 64)?;
    push(&mut ring, &[nop(1)])?;
    ring.enable()?;
    assert_eq!(user_data(&wait_for(&mut ring, 1)?), [1]);
    Ok(())
}

#[test]
fn the_default_ring_can_be_resized() -> Result {
    let _turn = turn();
    if resizable(8, 16)?.is_none() {
        return Ok(());
    }
    let mut ring = Ring::new(8)?;
    let before = held()?;
    ring.resize(16, 16)?;
    assert_eq!((ring.entries(), ring.cq_entries()), (16, 16));
    assert_eq!(held()?, before, "as many descriptors and mappings as before");
    let mut byte = [0_u8; 1];
    let (reader, mut writer) = std::io::pipe()?;
    let read = Read::new(reader.as_raw_fd(), byte.as_mut_ptr(), 1).build();
    // SAFETY: the byte lives until the completion below, which the test waits for.
    unsafe { ring.push(&read)? };
    writer.write_all(b"x")?;
    assert_eq!(results(&wait_for(&mut ring, 1)?), [1]);
    assert!(exactly(8, 0)?.resize(8, 8).is_err());
    Ok(())
}

/// Runs in a child process whose address space is exhausted after the kernel has made the new queues.
#[test]
fn a_ring_whose_new_queues_cannot_be_mapped_can_still_be_closed() -> Result {
    const CHILD: &str = "TYPED_URING_WITHOUT_ADDRESSES";
    let _turn = turn();
    if std::env::var_os(CHILD).is_none() {
        let output = std::process::Command::new(std::env::current_exe()?)
            .args([
                "--exact",
                "a_ring_whose_new_queues_cannot_be_mapped_can_still_be_closed",
            ])
            .env(CHILD, "1")
            .output()?;
        assert!(output.status.success(), "{output:?}");
        return Ok(());
    }
    // The stack of the first resize's thread stays allocated, and the second resize reuses it.
    let Some(mut ring) = resizable(8, 16)? else {
        return Ok(());
    };
    let mut reads = Reads::new(2)?;
    reads.push(&mut ring, 0, 7)?;
    ring.submit()?;
    let status = std::fs::read_to_string("/proc/self/status")?;
    let size = status.lines().find_map(|line| line.strip_prefix("VmSize:"));
    let kibibytes: u64 = size
        .and_then(|size| size.split_whitespace().next())
        .ok_or("no size")?
        .parse()?;
    let limit = libc::rlimit {
        rlim_cur: (kibibytes << 10) + (1 << 20), // half of what the entries need
        rlim_max: libc::RLIM_INFINITY,
    };
    // SAFETY: the kernel reads one `struct rlimit`, a local variable.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) }, 0);
    assert_eq!(
        errno(ring.resize(MAX_ENTRIES, MAX_CQ_ENTRIES)),
        Some(libc::ENOMEM)
    );
    assert!(!ring.in_flight_is_exact(), "completions cannot be seen any more");
    drop(ring);
    reads.are_over()
}

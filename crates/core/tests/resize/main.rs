//! Resizing the queues of a ring in use: nothing in them is lost, and the ring keeps its descriptor. One test counts
//! the process's descriptors and mappings, so the tests run one at a time.

use std::io::Write as _;
use std::os::fd::AsRawFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

use typed_uring::entry::flags::IO_LINK;
use typed_uring::operations::{Nop, Read};
use typed_uring::sys::setup::{
    COOP_TASKRUN, CQE_MIXED, CQE32, CQSIZE, DEFER_TASKRUN, NO_SQARRAY, SINGLE_ISSUER, SQE128, SQPOLL,
    SUBMIT_ALL,
};
use typed_uring::{MAX_CQ_ENTRIES, MAX_ENTRIES, Ring, Setup, UNSOLICITED};

mod process;
mod refused;

#[allow(dead_code)] // each test file uses a part
#[path = "../support/mod.rs"]
mod support;
use support::pending::{PATTERN, Reads};
use support::{
    Guarded, Result, errno, event_descriptor, exactly, is_readable, nop, push, readable, results, take,
    user_data, wait_for,
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

fn clear(mut event: &std::fs::File) -> Result {
    std::io::Read::read_exact(&mut event, &mut [0; 8])?;
    Ok(())
}

//! Cancelling everything, and whether the kernel still holds memory.

use std::io::Write as _;

use typed_uring::sys::setup::{SQPOLL, SUBMIT_ALL};
use typed_uring::{Entry, Ring, UNSOLICITED};

#[allow(dead_code)] // each file uses its part
mod support;
use support::pending::{CANCEL, NOP, READ, Reads, restricted, rings, submit};
use support::{LONG, Result, nop, push, results, take, wait_for};

/// Waits until nothing is in flight, and leaves out what cancelling itself completes with.
fn own_results(ring: &mut Ring) -> Result<Vec<i32>> {
    let mut done = take(ring);
    while ring.in_flight() > 0 {
        done.extend(wait_for(ring, 1)?);
    }
    done.retain(|completion| completion.user_data & UNSOLICITED == 0);
    Ok(results(&done))
}

#[test]
fn cancelling_everything_shows_in_completions() -> Result {
    for mut ring in rings(8)? {
        ring.cancel_all()?; // nothing to cancel is no error
        let mut reads = Reads::new(3)?;
        reads.push(&mut ring, 0, 1)?;
        submit(&mut ring)?;
        ring.cancel_all()?;
        assert_eq!(ring.in_flight(), 3);
        assert_eq!(own_results(&mut ring)?, [-libc::ECANCELED; 3]);
        assert!(!ring.discard_completions()?);
        // The ring is as good as before.
        push(&mut ring, &[nop(2)])?;
        assert_eq!(own_results(&mut ring)?, [0]);
        reads.are_over()?;
    }
    Ok(())
}

#[test]
fn cancelling_by_an_entry_makes_room_for_it() -> Result {
    let mut ring = restricted(SUBMIT_ALL, &[READ, NOP, CANCEL])?;
    let mut reads = Reads::new(1)?;
    reads.push(&mut ring, 0, 1)?;
    submit(&mut ring)?;
    push(&mut ring, &[nop(2); 8])?;
    assert_eq!(ring.sq_space_left(), 0);
    ring.cancel_all()?;
    let mut results = own_results(&mut ring)?;
    results.sort_unstable();
    assert_eq!(results, [-libc::ECANCELED, 0, 0, 0, 0, 0, 0, 0, 0]);
    reads.are_over()
}

#[test]
fn a_ring_is_busy_while_the_kernel_holds_memory() -> Result {
    for mut ring in rings(8)? {
        assert!(!ring.discard_completions()?);
        let mut reads = Reads::new(1)?;
        if ring.setup_flags() & SQPOLL == 0 {
            push(&mut ring, &[nop(1)])?;
            assert!(!ring.discard_completions()?, "nothing was submitted");
        }
        reads.push(&mut ring, 0, 1)?;
        submit(&mut ring)?;
        assert!(ring.discard_completions()?);
        assert_eq!(ring.in_flight(), 1, "what has completed is discarded");

        reads.writer.write_all(b"late")?;
        if ring.setup_flags() & SQPOLL == 0 {
            assert!(
                !ring.discard_completions()?,
                "a completion that only waits for this thread holds nothing"
            );
        }
        while ring.discard_completions()? {
            ring.submit_and_wait(1, Some(LONG))?;
        }
        assert_eq!(ring.in_flight(), 0);
        assert_eq!(&reads.buffers[0][..4], b"late");
    }
    Ok(())
}

/// What waits in the queue is not held, but what waits there and is not counted must not hide what is.
#[test]
fn uncounted_entries_in_the_queue_do_not_make_a_ring_idle() -> Result {
    for mut ring in rings(8)? {
        let mut reads = Reads::new(1)?;
        reads.push(&mut ring, 0, 1)?;
        submit(&mut ring)?;
        push(&mut ring, &[nop(UNSOLICITED)])?;
        assert!(ring.discard_completions()?);
        drop(ring);
        reads.are_over()?;
    }
    // A cancel entry of the ring's own, stuck behind one that stopped the submission.
    let mut ring = restricted(0, &[READ, NOP, CANCEL])?;
    let mut reads = Reads::new(1)?;
    reads.push(&mut ring, 0, 1)?;
    submit(&mut ring)?;
    push(&mut ring, &[Entry::new(255), nop(2)])?;
    ring.cancel_all()?;
    assert_eq!(ring.sq_ready(), 2);
    assert!(ring.discard_completions()?);
    drop(ring);
    reads.are_over()
}

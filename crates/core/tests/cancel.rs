//! Cancelling everything, and telling if the kernel still holds operations.

use std::io::Write as _;

use typed_uring::sys::setup::{SQPOLL, SUBMIT_ALL};
use typed_uring::{Entry, Ring, UNSOLICITED};

#[allow(dead_code)] // each test file uses a part
mod support;
use support::pending::{CANCEL, NOP, READ, Reads, restricted, rings, submit};
use support::{LONG, Result, nop, push, results, take, wait_for};

/// Waits until nothing is in flight, and returns the results without those of cancel entries.
fn own_results(ring: &mut Ring) -> Result<Vec<i32>> {
    let mut done = take(ring);
    while ring.in_flight() > 0 {
        done.extend(wait_for(ring, 1)?);
    }
    done.retain(|completion| completion.user_data & UNSOLICITED == 0);
    Ok(results(&done))
}

#[test]
fn cancel_all_completes_operations_with_ecanceled() -> Result {
    for mut ring in rings(8)? {
        ring.cancel_all()?; // with nothing to cancel this is not an error
        let mut reads = Reads::new(3)?;
        reads.push(&mut ring, 0, 1)?;
        submit(&mut ring)?;
        ring.cancel_all()?;
        assert_eq!(ring.in_flight(), 3);
        assert_eq!(own_results(&mut ring)?, [-libc::ECANCELED; 3]);
        assert!(!ring.discard_completions()?);
        // The ring can still be used.
        push(&mut ring, &[nop(2)])?;
        assert_eq!(own_results(&mut ring)?, [0]);
        reads.are_over()?;
    }
    Ok(())
}

#[test]
fn cancel_all_submits_a_full_queue_before_it_pushes_its_entry() -> Result {
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
fn discard_completions_returns_true_while_the_kernel_holds_operations() -> Result {
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
        assert_eq!(ring.in_flight(), 1, "the completion was discarded");

        reads.writer.write_all(b"late")?;
        if ring.setup_flags() & SQPOLL == 0 {
            assert!(
                !ring.discard_completions()?,
                "an operation that only waits to post its completion holds nothing"
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

/// Queued entries are subtracted from those in flight; entries that are not counted must not be subtracted.
#[test]
fn uncounted_queued_entries_do_not_hide_operations_in_flight() -> Result {
    for mut ring in rings(8)? {
        let mut reads = Reads::new(1)?;
        reads.push(&mut ring, 0, 1)?;
        submit(&mut ring)?;
        push(&mut ring, &[nop(UNSOLICITED)])?;
        assert!(ring.discard_completions()?);
        drop(ring);
        reads.are_over()?;
    }
    // The ring's cancel entry stays queued behind an entry that stopped the submission.
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

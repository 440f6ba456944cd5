//! The queues: each entry completes once, in order and unchanged, for all sizes of entries, and a push that does not
//! fit changes nothing.

use std::io::Write as _;
use std::os::fd::AsRawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};

use typed_uring::entry::flags::{IO_HARDLINK, IO_LINK};
use typed_uring::operations::{Nop, Read};
use typed_uring::sys::completion::{F_32, SKIP};
use typed_uring::sys::setup::{
    CQE_MIXED, CQE32 as SETUP_CQE32, NO_SQARRAY, SQE128, SUBMIT_ALL, TASKRUN_FLAG,
};
use typed_uring::{Completion, Entry, QueueFull, Ring, Setup};

#[allow(dead_code)] // each test file uses a part
mod support;
use support::{
    CQE32, Guarded, Result, exactly, nop, nop_with_result, push, results, take, user_data, wait_for,
};

/// The sizes of entries and completions that rings can have.
const WIDTHS: [u32; 4] = [0, SQE128, SETUP_CQE32, SQE128 | SETUP_CQE32];

fn sized(entries: u32, cq_entries: u32, flags: u32) -> std::io::Result<Guarded> {
    Setup {
        entries,
        cq_entries: Some(cq_entries),
        flags,
        ..Setup::default()
    }
    .build()
    .map(Guarded::from)
}

/// Returns entries as `push_bytes` expects them: each of the size of the ring's entries, with a second half that is not
/// zero.
fn bytes_for(ring: &Ring, entries: &[Entry]) -> Vec<Entry> {
    let second = (ring.entry_size() > Entry::SIZE).then_some(Entry::from_bytes([0xff; Entry::SIZE]));
    entries
        .iter()
        .flat_map(|entry| [Some(*entry), second])
        .flatten()
        .collect()
}

fn push_bytes(ring: &mut Ring, entries: &[Entry]) -> usize {
    let bytes = bytes_for(ring, entries);
    // SAFETY: `bytes_for` makes as many entries of the ring's size, aligned like an entry. They are no-ops and
    // reference no memory.
    unsafe { ring.push_bytes(bytes.as_ptr().cast(), entries.len()) }
}

#[test]
fn entries_complete_in_the_order_of_their_push() -> Result {
    for width in WIDTHS {
        let mut ring = sized(8, 32, width)?;
        for round in 0..10 {
            let numbers: Vec<u64> = (0..8).map(|number| round << 32 | number).collect();
            let entries: Vec<_> = numbers.iter().map(|number| nop(*number)).collect();
            push(&mut ring, &entries[..1])?;
            push(&mut ring, &entries[1..])?;
            assert_eq!(ring.submit()?, 8);
            assert_eq!(user_data(&take(&mut ring)), numbers);
        }
    }
    Ok(())
}

#[test]
fn peek_leaves_the_completion_and_pop_consumes_it() -> Result {
    for width in WIDTHS {
        let mut ring = sized(4, 8, width)?;
        assert_eq!((ring.peek(), ring.pop()), (None, None));
        push(&mut ring, &[nop(1), nop_with_result(2, -5)])?;
        ring.submit()?;
        for (left, number, result) in [(2, 1, 0), (1, 2, -5)] {
            for _ in 0..3 {
                let peeked = ring.peek().ok_or("peek returned nothing")?;
                assert_eq!((peeked.user_data, peeked.result), (number, result));
            }
            assert_eq!((ring.cq_ready(), ring.in_flight()), (left, left as u64));
            let popped = ring.pop().ok_or("pop returned nothing")?;
            assert_eq!((popped.user_data, popped.result), (number, result));
            assert_eq!((ring.cq_ready(), ring.in_flight()), (left - 1, left as u64 - 1));
        }
        assert_eq!((ring.peek(), ring.pop()), (None, None));
    }
    Ok(())
}

#[test]
fn reap_consumes_at_most_the_given_number() -> Result {
    let mut ring = sized(8, 16, 0)?;
    push(&mut ring, &(0..8).map(nop).collect::<Vec<_>>())?;
    ring.submit()?;
    let mut taken = Vec::new();
    for (most, count) in [(0, 0), (3, 3), (1, 1), (100, 4), (100, 0)] {
        assert_eq!(
            ring.reap(most, |completion| taken.push(completion.user_data)),
            count
        );
    }
    assert_eq!(taken, (0..8).collect::<Vec<_>>());
    Ok(())
}

/// A consumed completion is gone from the queue. If a panic left it counted as in flight, dropping the ring would wait
/// for ever.
#[test]
fn a_panic_while_reaping_keeps_the_count_right() -> Result {
    let mut ring = sized(8, 16, 0)?;
    push(&mut ring, &[nop(0), nop(1), nop(2)])?;
    ring.submit()?;
    let caught = catch_unwind(AssertUnwindSafe(|| {
        ring.reap(3, |completion| {
            assert_eq!(completion.user_data, 0, "the panic of this test");
        });
    }));
    assert!(caught.is_err());
    assert_eq!(ring.in_flight(), 1);
    assert_eq!(user_data(&take(&mut ring)), [2]);
    assert_eq!(ring.in_flight(), 0);
    Ok(())
}

#[test]
fn push_to_a_full_queue_fails_and_changes_nothing() -> Result {
    for width in WIDTHS {
        let mut ring = sized(4, 16, width)?;
        for number in 0..4 {
            assert_eq!((ring.sq_ready(), ring.sq_space_left()), (number, 4 - number));
            push(&mut ring, &[nop(number as u64)])?;
        }
        for _ in 0..2 {
            assert_eq!(push(&mut ring, &[nop(99)]), Err(QueueFull));
            assert_eq!(
                (ring.sq_ready(), ring.sq_space_left(), ring.in_flight()),
                (4, 0, 4)
            );
        }
        assert_eq!(ring.submit()?, 4);
        assert_eq!(user_data(&take(&mut ring)), [0, 1, 2, 3]);
        assert_eq!(
            (ring.sq_ready(), ring.sq_space_left(), ring.in_flight()),
            (0, 4, 0)
        );
    }
    Ok(())
}

#[test]
fn push_all_queues_all_entries_or_none() -> Result {
    for width in WIDTHS {
        let mut ring = sized(4, 16, width)?;
        push(&mut ring, &[nop(0), nop(1)])?;
        assert_eq!(push(&mut ring, &[nop(97), nop(98), nop(99)]), Err(QueueFull));
        assert_eq!((ring.sq_ready(), ring.in_flight()), (2, 2));
        push(&mut ring, &[])?;
        push(&mut ring, &[nop(2), nop(3)])?;
        ring.submit()?;
        assert_eq!(user_data(&take(&mut ring)), [0, 1, 2, 3]);
    }
    Ok(())
}

#[test]
fn push_bytes_ends_between_two_chains_if_not_all_fit() -> Result {
    for (width, link) in WIDTHS
        .into_iter()
        .flat_map(|width| [(width, IO_LINK), (width, IO_HARDLINK)])
    {
        let alone = nop(1);
        let chain = [nop(2).with_flags(link), nop(3).with_flags(link), nop(4)];
        let entries = [alone, chain[0], chain[1], chain[2]];
        // The number of used places, and how many of the four entries fit then: never a part of the chain.
        for (taken, fits) in [(8, 0), (7, 1), (6, 1), (5, 1), (4, 4), (0, 4)] {
            let mut ring = sized(8, 32, width)?;
            push(&mut ring, &vec![nop(0); taken])?;
            assert_eq!(push_bytes(&mut ring, &entries), fits, "{taken} places used");
            assert_eq!(
                (ring.sq_ready(), ring.in_flight()),
                (taken + fits, (taken + fits) as u64)
            );
            ring.submit()?;
            assert_eq!(push_bytes(&mut ring, &entries[fits..]), 4 - fits);
            let done = wait_for(&mut ring, taken + 4)?;
            assert_eq!(user_data(&done[taken..]), [1, 2, 3, 4]);
        }
        // A chain at the start does not fit at all; a chain that ends before the cut fits completely.
        let mut ring = sized(8, 32, width)?;
        push(&mut ring, &[nop(0); 6])?;
        assert_eq!(push_bytes(&mut ring, &chain), 0);
        assert_eq!(push_bytes(&mut ring, &[chain[1], chain[2], alone]), 2);
    }
    Ok(())
}

/// If the chain were cut, its rest would not be cancelled when its head fails.
#[test]
fn a_chain_that_did_not_fit_stays_one_chain() -> Result {
    let mut ring = sized(4, 16, 0)?;
    push(&mut ring, &[nop(0), nop(0)])?;
    let chain = [
        nop_with_result(1, -5).with_flags(IO_LINK),
        nop(2).with_flags(IO_LINK),
        nop(3),
    ];
    assert_eq!(push_bytes(&mut ring, &chain), 0);
    ring.submit()?;
    assert_eq!(push_bytes(&mut ring, &chain), 3);
    let done = wait_for(&mut ring, 5)?;
    assert_eq!(results(&done), [0, 0, -5, -libc::ECANCELED, -libc::ECANCELED]);
    Ok(())
}

/// If everything fits nothing is cut, even if the last entry is linked to one that follows later.
#[test]
fn push_bytes_queues_all_entries_that_fit_even_with_a_link_at_the_end() -> Result {
    let mut ring = sized(4, 16, 0)?;
    assert_eq!(push_bytes(&mut ring, &[nop(1), nop(2).with_flags(IO_LINK)]), 2);
    assert_eq!(push_bytes(&mut ring, &[nop(3)]), 1);
    assert_eq!(user_data(&wait_for(&mut ring, 3)?), [1, 2, 3]);
    Ok(())
}

#[test]
fn overflowed_completions_arrive_in_order() -> Result {
    for width in WIDTHS {
        let mut ring = sized(8, 16, width)?;
        let many = 40 * 8;
        for first in (0..many).step_by(8) {
            push(&mut ring, &(first..first + 8).map(nop).collect::<Vec<_>>())?;
            ring.submit()?;
        }
        assert!(ring.cq_needs_flush());
        assert_eq!((ring.cq_ready(), ring.in_flight()), (16, many));
        let mut done = Vec::new();
        while (done.len() as u64) < many {
            let taken = take(&mut ring);
            assert!(!taken.is_empty(), "{} of {many} arrived", done.len());
            done.extend(taken);
            ring.get_events()?;
        }
        assert_eq!(user_data(&done), (0..many).collect::<Vec<_>>());
        assert!(!ring.cq_needs_flush());
        assert_eq!((ring.in_flight(), ring.cq_dropped()), (0, 0));
    }
    Ok(())
}

/// The write to the pipe is on this thread, so the completion is known to be waiting without a wait.
#[test]
fn a_later_completion_is_task_work_until_the_kernel_is_entered() -> Result {
    let (reader, mut writer) = std::io::pipe()?;
    let mut buffer = [0_u8; 4];
    let mut ring = Guarded::from(Ring::new(4)?);
    assert_eq!(ring.setup_flags() & TASKRUN_FLAG, TASKRUN_FLAG);
    let read = Read::new(reader.as_raw_fd(), buffer.as_mut_ptr(), 4).build();
    // SAFETY: dropping the ring waits for the read, and the buffer is dropped after the ring.
    unsafe { ring.push(&read)? };
    assert!(ring.sq_needs_enter());
    ring.submit()?;
    assert!(!ring.has_task_work());
    writer.write_all(b"late")?;
    assert!(ring.has_task_work());
    assert_eq!(ring.cq_ready(), 0);
    ring.get_events()?;
    assert!(!ring.has_task_work());
    assert_eq!(ring.cq_ready(), 1);
    assert_eq!(results(&take(&mut ring)), [4]);
    drop(ring);
    assert_eq!(&buffer, b"late");
    Ok(())
}

fn nop_cqe32(number: u64) -> Entry {
    let [first, second] = extra(number);
    Nop::new()
        .nop_flags(CQE32)
        .extra1(first)
        .extra2(second)
        .build()
        .with_user_data(number)
}

/// Returns two words whose halves are all different, so that a swap would show.
fn extra(number: u64) -> [u64; 2] {
    [0x1111_1111_2222_2222 ^ number, 0x3333_3333_4444_4444 ^ number]
}

#[test]
fn cqe32_completions_have_their_second_half() -> Result {
    for width in [SETUP_CQE32, SETUP_CQE32 | SQE128] {
        let mut ring = sized(4, 8, width)?;
        for number in 0..20 {
            push(&mut ring, &[nop_cqe32(number), nop(number + 100)])?;
            ring.submit()?;
            assert_eq!(ring.cq_ready(), 2);
            let peeked = ring.peek();
            let done = take(&mut ring);
            assert_eq!(peeked, done.first().copied());
            assert_eq!(user_data(&done), [number, number + 100]);
            assert_eq!(done[0].extra, Some(extra(number)));
            assert_eq!(done[1].extra, Some([0, 0]));
        }
    }
    Ok(())
}

#[test]
fn a_ring_without_cqe32_refuses_an_operation_that_needs_it() -> Result {
    let mut ring = sized(4, 8, 0)?;
    push(&mut ring, &[nop_cqe32(1), nop(2)])?;
    assert_eq!(results(&wait_for(&mut ring, 2)?), [-libc::EINVAL, 0]);
    Ok(())
}

/// Tells if the entry of this number on a mixed ring has a completion of 32 bytes. The pattern is irregular, so that
/// the end of the queue is met at all of its places.
fn is_cqe32(number: u64) -> bool {
    number.is_multiple_of(3) || number.is_multiple_of(7)
}

#[test]
fn a_mixed_ring_reads_both_sizes_across_the_end_of_the_queue() -> Result {
    let Ok(mut ring) = sized(4, 8, CQE_MIXED) else {
        return Ok(()); // before 6.18
    };
    assert!(ring.has_cqe32());
    let mut fillers = 0;
    for first in (0..4000).step_by(3) {
        let numbers = first..first + 3;
        let entries: Vec<_> = numbers
            .clone()
            .map(|number| {
                if is_cqe32(number) {
                    nop_cqe32(number)
                } else {
                    nop(number)
                }
            })
            .collect();
        push(&mut ring, &entries)?;
        ring.submit()?;
        let slots = ring.cq_ready();
        let peeked = ring.peek();
        assert_eq!(peeked, ring.peek());
        assert_eq!(ring.cq_ready(), slots, "peek consumed a completion");

        let done = take(&mut ring);
        assert_eq!(peeked, done.first().copied());
        let expected: Vec<_> = numbers
            .map(|number| (number, is_cqe32(number).then(|| extra(number))))
            .collect();
        let arrived: Vec<_> = done
            .iter()
            .map(|completion| (completion.user_data, completion.extra))
            .collect();
        assert_eq!(arrived, expected);
        let marked = |completion: &Completion| completion.flags & (F_32 | SKIP);
        for completion in &done {
            assert_eq!(
                marked(completion),
                if completion.extra.is_some() { F_32 } else { 0 }
            );
        }
        let wide = done
            .iter()
            .filter(|completion| completion.extra.is_some())
            .count();
        fillers += slots - done.len() - wide;
        assert_eq!(ring.in_flight(), 0);
    }
    assert!(
        fillers > 100,
        "{fillers} fillers: the end of the queue was not met"
    );
    Ok(())
}

#[test]
fn a_mixed_ring_that_overflows_loses_no_completion() -> Result {
    let Ok(mut ring) = sized(8, 8, CQE_MIXED) else {
        return Ok(()); // before 6.18
    };
    let many = 400;
    for first in (0..many).step_by(8) {
        let entries: Vec<_> = (first..first + 8)
            .map(|number| {
                if is_cqe32(number) {
                    nop_cqe32(number)
                } else {
                    nop(number)
                }
            })
            .collect();
        push(&mut ring, &entries)?;
        ring.submit()?;
    }
    assert!(ring.cq_needs_flush());
    let done = wait_for(&mut ring, many as usize)?;
    assert_eq!(user_data(&done), (0..many).collect::<Vec<_>>());
    for completion in done {
        let number = completion.user_data;
        assert_eq!(completion.extra, is_cqe32(number).then(|| extra(number)));
    }
    assert_eq!(ring.in_flight(), 0);
    Ok(())
}

#[test]
fn an_unknown_opcode_fails_alone() -> Result {
    for flags in [SUBMIT_ALL, SUBMIT_ALL | NO_SQARRAY] {
        let mut ring = exactly(8, flags)?;
        let unknown = Entry::new(255).with_user_data(2);
        push(&mut ring, &[nop(1), unknown, nop(3)])?;
        assert_eq!(ring.submit()?, 3);
        let done = take(&mut ring);
        assert_eq!(user_data(&done), [1, 2, 3]);
        assert_eq!(results(&done), [0, -libc::EINVAL, 0]);
        assert_eq!(ring.in_flight(), 0);
    }
    Ok(())
}

/// Without `SUBMIT_ALL` the kernel stops after a bad entry, and the rest stays queued.
#[test]
fn entries_that_were_left_in_the_queue_are_submitted_by_the_next_call() -> Result {
    let mut ring = exactly(8, 0)?;
    let unknown = Entry::new(255).with_user_data(2);
    push(&mut ring, &[nop(1), unknown, nop(3), nop(4)])?;
    assert_eq!(ring.submit()?, 2);
    assert_eq!((ring.sq_ready(), ring.in_flight()), (2, 4));
    assert_eq!(user_data(&take(&mut ring)), [1, 2]);
    assert_eq!(ring.submit()?, 2);
    assert_eq!(user_data(&take(&mut ring)), [3, 4]);
    assert_eq!((ring.sq_ready(), ring.in_flight()), (0, 0));
    Ok(())
}

#[test]
fn an_entry_can_be_pushed_many_times() -> Result {
    let mut ring = Guarded::from(Ring::new(4)?);
    let entry = nop_with_result(7, 42);
    for _ in 0..50 {
        push(&mut ring, &[entry, entry])?;
        assert_eq!(results(&wait_for(&mut ring, 2)?), [42, 42]);
    }
    Ok(())
}

//! The submission and completion queue in the memory that the kernel shares, for entries of every size.

use std::os::fd::{AsRawFd, RawFd};

use io_uring::{IoUring, cqueue, squeue};

use crate::entry::{Entry, Entry128};
use crate::sys::{Params, completion, setup};

/// A completion queue entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Completion {
    /// User data of the entry that was submitted.
    pub user_data: u64,
    /// Result of the operation, or a negative `errno`.
    pub result: i32,
    /// Completion flags, `IORING_CQE_F_*` ([`sys::completion`](crate::sys::completion)).
    pub flags: u32,
    /// The second 16 bytes of a completion of 32 bytes.
    pub extra: Option<[u64; 2]>,
}

impl Completion {
    /// Tells if the same submission will complete again (`IORING_CQE_F_MORE`).
    #[must_use]
    pub const fn more(&self) -> bool {
        self.flags & completion::MORE != 0
    }
}

/// State of both queues, from one look at the submission queue.
#[derive(Clone, Copy, Debug)]
pub struct QueueState {
    /// Number of entries that the kernel has not consumed.
    pub sq_ready: usize,
    /// True if the completion queue has overflowed.
    pub overflow: bool,
    /// True if completions are waiting for this thread to enter the kernel.
    pub task_work: bool,
}

// `push` reads entries of this crate as the `io-uring` crate's types: both are `repr(C)` over `io_uring_sqe`.
const _: () = assert!(size_of::<Entry>() == size_of::<squeue::Entry>());
const _: () = assert!(align_of::<Entry>() >= align_of::<squeue::Entry>());
const _: () = assert!(size_of::<Entry128>() == size_of::<squeue::Entry128>());
const _: () = assert!(align_of::<Entry128>() >= align_of::<squeue::Entry128>());

/// The queues by the size of their entries, for each of which the `io-uring` crate has a type.
pub(crate) enum Queues {
    Plain(IoUring<squeue::Entry, cqueue::Entry>),
    Sqe128(IoUring<squeue::Entry128, cqueue::Entry>),
    Cqe32(IoUring<squeue::Entry, cqueue::Entry32>),
    Sqe128Cqe32(IoUring<squeue::Entry128, cqueue::Entry32>),
}

macro_rules! of {
    ($queues:expr, $ring:ident => $body:expr) => {
        match $queues {
            Queues::Plain($ring) => $body,
            Queues::Sqe128($ring) => $body,
            Queues::Cqe32($ring) => $body,
            Queues::Sqe128Cqe32($ring) => $body,
        }
    };
}

impl Queues {
    pub(crate) fn fd(&self) -> RawFd {
        of!(self, ring => ring.as_raw_fd())
    }

    pub(crate) fn params(&self) -> Params {
        of!(self, ring => Params::from_parameters(ring.params()))
    }

    /// Returns the size of a submission queue entry in bytes.
    pub(crate) fn entry_size(&self) -> usize {
        match self {
            Self::Plain(_) | Self::Cqe32(_) => Entry::SIZE,
            Self::Sqe128(_) | Self::Sqe128Cqe32(_) => Entry128::SIZE,
        }
    }

    /// Tells if completions can have 32 bytes.
    pub(crate) fn has_cqe32(&self) -> bool {
        match self {
            Self::Plain(_) | Self::Sqe128(_) => self.params().flags & setup::CQE_MIXED != 0,
            Self::Cqe32(_) | Self::Sqe128Cqe32(_) => true,
        }
    }

    /// Returns the state of both queues, from one look at the submission queue.
    #[inline]
    pub(crate) fn state(&mut self) -> QueueState {
        of!(self, ring => {
            let queue = ring.submission();
            QueueState {
                sq_ready: queue.len(),
                overflow: queue.cq_overflow(),
                task_work: queue.taskrun(),
            }
        })
    }

    /// Returns the number of entries in the submission queue that the kernel has not consumed.
    pub(crate) fn sq_len(&mut self) -> usize {
        of!(self, ring => ring.submission().len())
    }

    /// Returns the number of used places in the completion queue.
    pub(crate) fn cq_len(&mut self) -> usize {
        of!(self, ring => ring.completion().len())
    }

    /// Returns the number of completions that the kernel dropped.
    pub(crate) fn dropped(&mut self) -> u32 {
        of!(self, ring => ring.completion().overflow())
    }

    /// Tells if the SQPOLL thread sleeps.
    pub(crate) fn need_wakeup(&mut self) -> bool {
        of!(self, ring => ring.submission().need_wakeup())
    }

    /// Tells if the completion queue has overflowed.
    pub(crate) fn overflow(&mut self) -> bool {
        of!(self, ring => ring.submission().cq_overflow())
    }

    /// Tells if completions are waiting for this thread to enter the kernel.
    pub(crate) fn task_work(&mut self) -> bool {
        of!(self, ring => ring.submission().taskrun())
    }

    /// Copies `count` entries of [`entry_size`](Self::entry_size) bytes into the submission queue, after a call of
    /// `each` with a pointer to the entry. Returns false and does nothing if they do not fit.
    ///
    /// # Safety
    ///
    /// `entries` points to `count` readable entries, aligned to 8 bytes. The memory that they reference stays valid
    /// until each has completed for the last time.
    #[inline]
    pub(crate) unsafe fn push(
        &mut self,
        entries: *const u8,
        count: usize,
        each: impl FnMut(*const u8),
    ) -> bool {
        // SAFETY: both functions have the same contract; `S` has the size that `entry_size` returns.
        of!(self, ring => unsafe { push(ring, entries, count, each) })
    }

    /// Returns the oldest completion and leaves it in the queue. `mixed` as for [`take`](Self::take).
    pub(crate) fn peek(&mut self, mixed: bool) -> Option<Completion> {
        of!(self, ring => {
            let mut queue = ring.completion();
            let first = NextCompletion::next(&mut queue, mixed);
            // Dropping the queue would store the new head; without that the completion stays in the queue.
            std::mem::forget(queue);
            first
        })
    }

    /// Consumes up to `most` completions, oldest first, and returns their number. `mixed` is true if the ring has
    /// `CQE_MIXED`.
    #[inline]
    pub(crate) fn take(&mut self, most: usize, mixed: bool, mut each: impl FnMut(Completion)) -> usize {
        of!(self, ring => {
            let mut queue = ring.completion();
            let mut taken = 0;
            while taken < most {
                let Some(completion) = NextCompletion::next(&mut queue, mixed) else { break };
                taken += 1;
                each(completion);
            }
            taken
        })
    }
}

impl std::fmt::Debug for Queues {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queues")
            .field("fd", &self.fd())
            .field("params", &self.params())
            .finish_non_exhaustive()
    }
}

/// # Safety
///
/// As for [`Queues::push`]; each entry has the size of `S`.
#[inline]
unsafe fn push<S: squeue::EntryMarker, C: cqueue::EntryMarker>(
    ring: &mut IoUring<S, C>,
    entries: *const u8,
    count: usize,
    mut each: impl FnMut(*const u8),
) -> bool {
    // SAFETY: the caller promises `count` readable, aligned entries of this size, and every bit pattern is a valid `S`.
    // The slice is dropped when this call returns.
    let entries = unsafe { std::slice::from_raw_parts(entries.cast::<S>(), count) };
    let mut queue = ring.submission();
    if queue.capacity() - queue.len() < count {
        return false;
    }
    for entry in entries {
        each(std::ptr::from_ref(entry).cast());
        // SAFETY: the caller promises that the memory which the entries reference stays valid. The result is not
        // needed: the capacity was checked above.
        let _ = unsafe { queue.push(entry) };
    }
    true
}

/// Reads the next completion from a queue, by the size of its entries.
trait NextCompletion: cqueue::EntryMarker {
    fn next(queue: &mut cqueue::CompletionQueue<'_, Self>, mixed: bool) -> Option<Completion>;
}

impl NextCompletion for cqueue::Entry {
    /// In a mixed queue a completion of 32 bytes takes two places. If two do not fit before the end of the queue, the
    /// kernel leaves a filler in the last place, which is skipped here. In other queues these flags must be ignored:
    /// the sender of a message can set any flags.
    #[inline]
    fn next(queue: &mut cqueue::CompletionQueue<'_, Self>, mixed: bool) -> Option<Completion> {
        loop {
            let mut first = cqe16(&queue.next()?);
            if !mixed {
                return Some(first);
            }
            if first.flags & completion::SKIP != 0 {
                continue;
            }
            if first.flags & completion::F_32 != 0 {
                // The kernel publishes both places together, so the second is there.
                let second = cqe16(&queue.next()?);
                let halves = [second.result as u32, second.flags];
                let [low, high] = if cfg!(target_endian = "big") {
                    [halves[1], halves[0]]
                } else {
                    halves
                };
                first.extra = Some([second.user_data, u64::from(low) | u64::from(high) << 32]);
            }
            return Some(first);
        }
    }
}

impl NextCompletion for cqueue::Entry32 {
    #[inline]
    fn next(queue: &mut cqueue::CompletionQueue<'_, Self>, _mixed: bool) -> Option<Completion> {
        let entry = queue.next()?;
        Some(Completion {
            user_data: entry.user_data(),
            result: entry.result(),
            flags: entry.flags(),
            extra: Some(*entry.big_cqe()),
        })
    }
}

#[inline]
fn cqe16(entry: &cqueue::Entry) -> Completion {
    Completion {
        user_data: entry.user_data(),
        result: entry.result(),
        flags: entry.flags(),
        extra: None,
    }
}

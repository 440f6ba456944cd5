//! The two queues of a ring in the kernel's memory, whatever the width of their entries.

use std::os::fd::{AsRawFd, RawFd};

use io_uring::{IoUring, Probe, Submitter, cqueue, squeue};

use crate::sys::{Params, completion};

/// A completion, as the kernel posted it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Completion {
    /// The number that the entry was pushed with.
    pub user_data: u64,
    /// What the operation returned, or a negative `errno`.
    pub result: i32,
    /// `IORING_CQE_F_*` ([`sys::completion`](crate::sys::completion)).
    pub flags: u32,
    /// The other half of a 32-byte completion.
    pub extra: Option<[u64; 2]>,
}

impl Completion {
    /// Whether the same submission will complete again.
    #[must_use]
    pub const fn more(&self) -> bool {
        self.flags & completion::MORE != 0
    }
}

/// What the submission queue says about both queues.
#[derive(Clone, Copy, Debug)]
pub struct State {
    /// Entries that the kernel has not taken.
    pub left: usize,
    /// Whether the kernel keeps completions that found no room.
    pub overflow: bool,
    /// Whether completions wait for this thread to enter the kernel.
    pub task_work: bool,
}

/// The `io-uring` crate has a type for each width.
pub(crate) enum Queues {
    Plain(IoUring<squeue::Entry, cqueue::Entry>),
    WideEntries(IoUring<squeue::Entry128, cqueue::Entry>),
    WideCompletions(IoUring<squeue::Entry, cqueue::Entry32>),
    Wide(IoUring<squeue::Entry128, cqueue::Entry32>),
}

macro_rules! of {
    ($queues:expr, $ring:ident => $body:expr) => {
        match $queues {
            Queues::Plain($ring) => $body,
            Queues::WideEntries($ring) => $body,
            Queues::WideCompletions($ring) => $body,
            Queues::Wide($ring) => $body,
        }
    };
}

impl Queues {
    pub(crate) fn fd(&self) -> RawFd {
        of!(self, ring => ring.as_raw_fd())
    }

    pub(crate) fn params(&self) -> Params {
        of!(self, ring => Params::of(ring.params()))
    }

    pub(crate) fn submitter(&self) -> Submitter<'_> {
        of!(self, ring => ring.submitter())
    }

    /// Bytes of one submission entry.
    pub(crate) fn entry_size(&self) -> usize {
        match self {
            Self::Plain(_) | Self::WideCompletions(_) => size_of::<squeue::Entry>(),
            Self::WideEntries(_) | Self::Wide(_) => size_of::<squeue::Entry128>(),
        }
    }

    /// Whether completions can carry another 16 bytes.
    pub(crate) fn wide_completions(&self) -> bool {
        match self {
            Self::Plain(_) | Self::WideEntries(_) => self.params().flags & crate::sys::setup::CQE_MIXED != 0,
            Self::WideCompletions(_) | Self::Wide(_) => true,
        }
    }

    /// What the submission queue says, in one look.
    #[inline]
    pub(crate) fn state(&mut self) -> State {
        of!(self, ring => {
            let queue = ring.submission();
            State {
                left: queue.len(),
                overflow: queue.cq_overflow(),
                task_work: queue.taskrun(),
            }
        })
    }

    /// Entries in the submission queue that the kernel has not taken.
    pub(crate) fn sq_len(&mut self) -> usize {
        of!(self, ring => ring.submission().len())
    }

    /// Slots of the completion queue with something in them.
    pub(crate) fn cq_len(&mut self) -> usize {
        of!(self, ring => ring.completion().len())
    }

    /// Completions that a kernel without `FEAT_NODROP` had to drop.
    pub(crate) fn dropped(&mut self) -> u32 {
        of!(self, ring => ring.completion().overflow())
    }

    /// Whether the polling thread sleeps.
    pub(crate) fn need_wakeup(&mut self) -> bool {
        of!(self, ring => ring.submission().need_wakeup())
    }

    /// Whether the kernel keeps completions that found no room.
    pub(crate) fn overflow(&mut self) -> bool {
        of!(self, ring => ring.submission().cq_overflow())
    }

    /// Whether completions wait for this thread to enter the kernel.
    pub(crate) fn task_work(&mut self) -> bool {
        of!(self, ring => ring.submission().taskrun())
    }

    /// What this kernel answers to a probe.
    pub(crate) fn probe(&self) -> std::io::Result<Probe> {
        let mut probe = Probe::new();
        self.submitter().register_probe(&mut probe)?;
        Ok(probe)
    }

    /// Copies `count` entries of [`entry_size`](Self::entry_size) bytes and publishes them; `false`, and nothing is
    /// done, when they do not fit.
    ///
    /// # Safety
    ///
    /// `entries` is readable for all of them and aligned to 8 bytes. What they point at stays valid until each has
    /// completed.
    #[inline]
    pub(crate) unsafe fn push(
        &mut self,
        entries: *const u8,
        count: usize,
        each: impl FnMut(*const u8),
    ) -> bool {
        // SAFETY: passed on.
        of!(self, ring => unsafe { push(ring, entries, count, each) })
    }

    /// Looks at the oldest completion. `mixed` as for [`take`](Self::take).
    pub(crate) fn peek(&mut self, mixed: bool) -> Option<Completion> {
        of!(self, ring => {
            let mut queue = ring.completion();
            let first = Width::next(&mut queue, mixed);
            // A queue that is forgotten never stores how far it was read: the completion is there again.
            std::mem::forget(queue);
            first
        })
    }

    /// Takes up to `most` completions, oldest first, and says how many. `mixed` is whether the ring has `CQE_MIXED`.
    #[inline]
    pub(crate) fn take(&mut self, most: usize, mixed: bool, mut each: impl FnMut(Completion)) -> usize {
        of!(self, ring => {
            let mut queue = ring.completion();
            let mut taken = 0;
            while taken < most {
                let Some(completion) = Width::next(&mut queue, mixed) else { break };
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
/// As for [`Queues::push`].
#[inline]
unsafe fn push<S: squeue::EntryMarker, C: cqueue::EntryMarker>(
    ring: &mut IoUring<S, C>,
    entries: *const u8,
    count: usize,
    mut each: impl FnMut(*const u8),
) -> bool {
    // SAFETY: readable and aligned by the contract of this function; every bit pattern is a valid entry. The slice
    // ends with this call.
    let entries = unsafe { std::slice::from_raw_parts(entries.cast::<S>(), count) };
    let mut queue = ring.submission();
    if queue.capacity() - queue.len() < count {
        return false;
    }
    for entry in entries {
        each(std::ptr::from_ref(entry).cast());
        // SAFETY: what the entries point at stays valid by the contract of this function. There is room.
        let _ = unsafe { queue.push(entry) };
    }
    true
}

/// How the next completion is read from a queue of each width.
trait Width: cqueue::EntryMarker {
    fn next(queue: &mut cqueue::CompletionQueue<'_, Self>, mixed: bool) -> Option<Completion>;
}

impl Width for cqueue::Entry {
    /// In a mixed queue a wide completion takes two slots, and where two would not fit before the end the kernel
    /// leaves a filler, which is no completion. In others these flags mean nothing: whoever sends a message chooses
    /// its flags.
    #[inline]
    fn next(queue: &mut cqueue::CompletionQueue<'_, Self>, mixed: bool) -> Option<Completion> {
        loop {
            let mut first = narrow(&queue.next()?);
            if !mixed {
                return Some(first);
            }
            if first.flags & completion::SKIP != 0 {
                continue;
            }
            if first.flags & completion::F_32 != 0 {
                // Both halves were published together: there is a second one.
                let second = narrow(&queue.next()?);
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

impl Width for cqueue::Entry32 {
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
fn narrow(entry: &cqueue::Entry) -> Completion {
    Completion {
        user_data: entry.user_data(),
        result: entry.result(),
        flags: entry.flags(),
        extra: None,
    }
}

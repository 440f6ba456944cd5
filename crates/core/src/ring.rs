//! The ring: its properties, and pushing entries into its submission queue.

use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, RawFd};

use crate::entry::{Entry, Entry128, flags, place};
use crate::eventfd::EventfdSwitch;
use crate::queues::{QueueState, Queues};
use crate::retained::Retained;
use crate::sys::setup;

mod enter;
mod reap;
#[cfg(test)]
mod tests;

/// Bit of the user data that marks unsolicited completions: messages from other rings and tags of resources, which
/// belong to no submission of this ring.
///
/// A completion that has it is not counted in [`Ring::in_flight`], and neither is an entry that is pushed with it.
/// Dropping the ring waits for such an entry too.
pub const UNSOLICITED: u64 = 1 << 63;

/// Error of a push: the submission queue has too little capacity left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueFull;

impl std::fmt::Display for QueueFull {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the submission queue is full: submit its entries first")
    }
}

impl std::error::Error for QueueFull {}

/// An io_uring instance.
///
/// A ring belongs to the thread that made it. Dropping a ring cancels its operations in flight and waits, without
/// limit, until the kernel has released all of their memory.
#[derive(Debug)]
pub struct Ring {
    pub(crate) queues: ManuallyDrop<Queues>,
    /// Number of operations that were pushed and have not completed for the last time.
    pub(crate) in_flight: u64,
    /// True once an entry with `CQE_SKIP_SUCCESS` was pushed. Such an entry may never complete, so `in_flight` is an
    /// upper bound from then on.
    pub(crate) skip_success: bool,
    /// Number of entries that were pushed with [`UNSOLICITED`] in their user data: they complete, but are not counted.
    pub(crate) uncounted: u64,
    /// Number of cancel entries that [`cancel_all`](Self::cancel_all) pushed. They are not counted either, and
    /// reference no memory.
    pub(crate) cancels: u64,
    /// Disables and enables the eventfd; mapped when it is first needed.
    pub(crate) eventfd_switch: Option<EventfdSwitch>,
    /// Memory that the kernel uses because it is registered.
    pub(crate) retained: Retained,
    /// True if [`register_eventfd`](Self::register_eventfd) has registered an eventfd.
    pub(crate) managed_eventfd: bool,
    /// Entry flags that the ring's restrictions require; cancel entries get them too.
    pub(crate) required_flags: u8,
    /// With `SQPOLL`: entries that were pushed since a submit last returned their number.
    unreported: usize,
    /// True once the queues are unmapped, or left mapped for ever because the kernel may still use them.
    pub(crate) closed: bool,
    setup_flags: u32,
    feature_flags: u32,
    /// Makes the type neither `Send` nor `Sync`: in most modes the kernel refuses calls from other threads, so a ring
    /// that is dropped on one could not wait for its operations.
    thread: PhantomData<*mut ()>,
}

impl Ring {
    pub(crate) fn from_queues(queues: Queues) -> Self {
        let params = queues.params();
        Self {
            queues: ManuallyDrop::new(queues),
            in_flight: 0,
            skip_success: false,
            uncounted: 0,
            cancels: 0,
            eventfd_switch: None,
            retained: Retained::default(),
            managed_eventfd: false,
            required_flags: 0,
            unreported: 0,
            closed: false,
            setup_flags: params.flags,
            feature_flags: params.features,
            thread: PhantomData,
        }
    }

    /// Returns the capacity of the submission queue in entries.
    #[must_use]
    pub fn entries(&self) -> u32 {
        self.queues.params().sq_entries
    }

    /// Returns the capacity of the completion queue in entries.
    #[must_use]
    pub fn cq_entries(&self) -> u32 {
        self.queues.params().cq_entries
    }

    /// Returns the setup flags of the ring ([`sys::setup`](crate::sys::setup)).
    #[must_use]
    pub fn setup_flags(&self) -> u32 {
        self.setup_flags
    }

    /// Returns the features of the kernel ([`sys::features`](crate::sys::features)).
    #[must_use]
    pub fn features(&self) -> u32 {
        self.feature_flags
    }

    /// Returns the size of a submission queue entry in bytes: 64, or 128 with `SQE128`.
    #[must_use]
    pub fn entry_size(&self) -> usize {
        self.queues.entry_size()
    }

    /// Tells if completions can have 32 bytes (`CQE32`, `CQE_MIXED`).
    #[must_use]
    pub fn has_cqe32(&self) -> bool {
        self.queues.has_cqe32()
    }

    /// Returns the number of operations that were pushed and have not completed for the last time. See
    /// [`in_flight_is_exact`](Self::in_flight_is_exact).
    #[must_use]
    pub fn in_flight(&self) -> u64 {
        self.in_flight
    }

    /// Tells if [`in_flight`](Self::in_flight) is exact. It is not once an entry with `CQE_SKIP_SUCCESS` or with
    /// [`UNSOLICITED`] in its user data was pushed: completions do not show any more when all operations have ended.
    #[must_use]
    pub fn in_flight_is_exact(&self) -> bool {
        !self.skip_success && self.uncounted == 0
    }

    /// Returns the state of both queues, from one look at the submission queue.
    #[inline]
    pub fn state(&mut self) -> QueueState {
        self.queues.state()
    }

    /// Returns the number of entries in the submission queue that the kernel has not consumed.
    pub fn sq_ready(&mut self) -> usize {
        self.queues.sq_len()
    }

    /// Returns the number of entries that can be pushed now.
    pub fn sq_space_left(&mut self) -> usize {
        self.entries() as usize - self.queues.sq_len()
    }

    /// Tells if pushed entries need a system call to start. True unless an `SQPOLL` thread is awake.
    pub fn sq_needs_enter(&mut self) -> bool {
        self.setup_flags & setup::SQPOLL == 0 || self.queues.need_wakeup()
    }

    /// Returns the number of completions that can be consumed without a system call. With `CQE_MIXED`, a completion of
    /// 32 bytes counts twice.
    pub fn cq_ready(&mut self) -> usize {
        self.queues.cq_len()
    }

    /// Tells if the completion queue has overflowed. The next call that gets events moves those completions into the
    /// queue.
    pub fn cq_needs_flush(&mut self) -> bool {
        self.queues.overflow()
    }

    /// Tells if completions are waiting for this thread to enter the kernel. Always false without `TASKRUN_FLAG`.
    pub fn has_task_work(&mut self) -> bool {
        self.queues.task_work()
    }

    /// Tells if completions may be waiting for this thread to enter the kernel although no flag shows it: the ring has
    /// `DEFER_TASKRUN` without `TASKRUN_FLAG`.
    #[must_use]
    pub fn hides_task_work(&self) -> bool {
        self.setup_flags & (setup::DEFER_TASKRUN | setup::TASKRUN_FLAG) == setup::DEFER_TASKRUN
    }

    /// Returns the number of completions that the kernel lost: 0 with `FEAT_NODROP` (Linux 5.5), unless it had no
    /// memory.
    pub fn cq_dropped(&mut self) -> u32 {
        self.queues.dropped()
    }

    /// Queues an entry. It does not start before [`submit`](Self::submit), except with `SQPOLL`.
    ///
    /// # Errors
    ///
    /// [`QueueFull`] if the submission queue has no capacity left; nothing is queued.
    ///
    /// # Safety
    ///
    /// All memory that the entry references is valid for what the operation does with it, and stays valid until the
    /// operation has completed for the last time. An entry that sends a message to another ring has [`UNSOLICITED`] in
    /// the user data that it posts there.
    pub unsafe fn push(&mut self, entry: &Entry) -> Result<(), QueueFull> {
        // SAFETY: this function and `push_all` have the same contract.
        unsafe { self.push_all(std::slice::from_ref(entry)) }
    }

    /// Queues all of the entries or none, so that a chain is never cut.
    ///
    /// # Errors
    ///
    /// [`QueueFull`] if the submission queue has too little capacity left; nothing is queued.
    ///
    /// # Safety
    ///
    /// As for [`push`](Self::push), for each entry.
    pub unsafe fn push_all(&mut self, entries: &[Entry]) -> Result<(), QueueFull> {
        if self.entry_size() == Entry::SIZE {
            // SAFETY: the slice holds `entries.len()` entries of 64 bytes, the size of this ring's, aligned to 8. The
            // caller vouches for the memory that they reference.
            return unsafe { self.push_whole(entries.as_ptr().cast(), entries.len()) };
        }
        let padded: Vec<[Entry; 2]> = entries.iter().map(|entry| [*entry, Entry::new(0)]).collect();
        // SAFETY: each element is 128 bytes, the size of this ring's entries: the caller's 64 and 64 zeros, aligned to
        // 8. The caller vouches for the memory that they reference.
        unsafe { self.push_whole(padded.as_ptr().cast(), entries.len()) }
    }

    /// Queues an entry of 128 bytes.
    ///
    /// # Errors
    ///
    /// [`QueueFull`] if the submission queue has no capacity left, and always on a ring without `SQE128`; nothing is
    /// queued.
    ///
    /// # Safety
    ///
    /// As for [`push`](Self::push).
    pub unsafe fn push_128(&mut self, entry: &Entry128) -> Result<(), QueueFull> {
        if self.entry_size() != Entry128::SIZE {
            return Err(QueueFull);
        }
        // SAFETY: one entry of 128 bytes, the size of this ring's, aligned to 8. The caller vouches for the memory that
        // it references.
        unsafe { self.push_whole(std::ptr::from_ref(entry).cast(), 1) }
    }

    /// Queues as many of `count` entries as fit without cutting a chain, and returns their number. Push the rest again
    /// after a [`submit`](Self::submit).
    ///
    /// # Safety
    ///
    /// `entries` points to `count` entries of [`entry_size`](Self::entry_size) bytes, aligned to 8. As for
    /// [`push`](Self::push) otherwise, for each entry.
    pub unsafe fn push_bytes(&mut self, entries: *const u8, count: usize) -> usize {
        let size = self.entry_size();
        // SAFETY: `index` is below `count` wherever this is called, so the byte is in the caller's entries.
        let links = |index: usize| unsafe { *entries.add(index * size + place::flags.at) } & LINKS != 0;
        let mut fits = count.min(self.sq_space_left());
        if fits < count {
            while fits > 0 && links(fits - 1) {
                fits -= 1;
            }
        }
        // SAFETY: `fits` is at most `count`, so these are the first of the caller's entries.
        match unsafe { self.push_whole(entries, fits) } {
            Ok(()) => fits,
            Err(QueueFull) => 0,
        }
    }

    /// Queues all of the entries or none, and counts them.
    ///
    /// # Safety
    ///
    /// As for [`push_bytes`](Self::push_bytes).
    unsafe fn push_whole(&mut self, entries: *const u8, count: usize) -> Result<(), QueueFull> {
        let mut all_flags = 0;
        let mut unsolicited = 0;
        // SAFETY: this function and `Queues::push` have the same contract.
        let pushed = unsafe {
            self.queues.push(entries, count, |entry| {
                // SAFETY: `Queues::push` passes a pointer to each of the entries; they are aligned to 8, and so is the
                // offset of the user data.
                all_flags |= *entry.add(place::flags.at);
                unsolicited += entry.add(place::user_data.at).cast::<u64>().read() >> 63;
            })
        };
        if !pushed {
            return Err(QueueFull);
        }
        self.skip_success |= all_flags & flags::CQE_SKIP_SUCCESS != 0;
        self.uncounted += unsolicited;
        // Counted here and not on submit: an SQPOLL thread consumes entries without a call.
        self.in_flight += count as u64 - unsolicited;
        self.unreported += count;
        Ok(())
    }
}

/// Entry flags that tie an entry to the next one.
const LINKS: u8 = flags::IO_LINK | flags::IO_HARDLINK;

impl AsRawFd for Ring {
    fn as_raw_fd(&self) -> RawFd {
        self.queues.fd()
    }
}

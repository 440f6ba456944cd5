//! A ring: two queues, what is in flight, and how to wait.

use std::ffi::c_void;
use std::io;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

use io_uring::{EnterFlags, Probe, Submitter};

use crate::entry::{Entry, WideEntry, flags, place};
use crate::eventfd::Switch;
use crate::queues::{Completion, Queues, State};
use crate::retained::Retained;
use crate::sys::{self, __kernel_timespec, features, io_uring_getevents_arg, setup};

/// Bit of the user data that marks what answers no submission of this ring: messages from other rings, resource tags.
/// Completions that have it are never counted as in flight, so an entry that is pushed with it is not either; dropping
/// the ring waits for it all the same.
pub const FOREIGN: u64 = 1 << 63;

/// The submission queue has no room for what was pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueFull;

impl std::fmt::Display for QueueFull {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the submission queue is full")
    }
}

impl std::error::Error for QueueFull {}

/// An io_uring.
///
/// It belongs to the thread that made it. Dropping it cancels what is in flight and waits, without limit, until the
/// kernel has let go of everything.
#[derive(Debug)]
pub struct Ring {
    pub(crate) queues: ManuallyDrop<Queues>,
    /// Published and not completed for the last time.
    pub(crate) in_flight: u64,
    /// An entry whose success is skipped may never answer: from then on `in_flight` is an upper bound.
    pub(crate) skipped: bool,
    /// Entries that were pushed with the foreign bit: they answer, but are not counted.
    pub(crate) uncounted: u64,
    /// The same of our own cancel entries, which point at no memory.
    pub(crate) cancels: u64,
    /// Turns the eventfd off and on; made when it is first needed.
    pub(crate) switch: Option<Switch>,
    /// What is registered and has memory that the kernel uses.
    pub(crate) retained: Retained,
    /// Whether there is an eventfd that is silenced in between.
    pub(crate) silences: bool,
    /// Entry flags that the ring's restrictions require, of our own cancel entries too.
    pub(crate) required: u8,
    /// With a polling thread: published since the last call that reports it.
    unreported: usize,
    /// The queues are gone, or left to the kernel for good.
    pub(crate) closed: bool,
    setup_flags: u32,
    feature_flags: u32,
    /// In most modes the kernel refuses other threads, so dropping the ring on one could not drain it.
    thread: PhantomData<*mut ()>,
}

impl Ring {
    pub(crate) fn over(queues: Queues) -> Self {
        let params = queues.params();
        Self {
            queues: ManuallyDrop::new(queues),
            in_flight: 0,
            skipped: false,
            uncounted: 0,
            cancels: 0,
            switch: None,
            retained: Retained::default(),
            silences: false,
            required: 0,
            unreported: 0,
            closed: false,
            setup_flags: params.flags,
            feature_flags: params.features,
            thread: PhantomData,
        }
    }

    /// Entries of the submission queue.
    #[must_use]
    pub fn entries(&self) -> u32 {
        self.queues.params().sq_entries
    }

    /// Entries of the completion queue.
    #[must_use]
    pub fn cq_entries(&self) -> u32 {
        self.queues.params().cq_entries
    }

    /// The setup flags that the ring has ([`sys::setup`]).
    #[must_use]
    pub fn setup_flags(&self) -> u32 {
        self.setup_flags
    }

    /// The features that the kernel has ([`sys::features`]).
    #[must_use]
    pub fn features(&self) -> u32 {
        self.feature_flags
    }

    /// Bytes of one submission entry: 64, or 128 with `SQE128`.
    #[must_use]
    pub fn entry_size(&self) -> usize {
        self.queues.entry_size()
    }

    /// Whether completions can have a second half (`CQE32`, `CQE_MIXED`).
    #[must_use]
    pub fn wide_completions(&self) -> bool {
        self.queues.wide_completions()
    }

    /// Operations that were published and have not completed for the last time; an upper bound once an entry with
    /// `CQE_SKIP_SUCCESS` was pushed.
    #[must_use]
    pub fn in_flight(&self) -> u64 {
        self.in_flight
    }

    /// Whether an entry with `CQE_SKIP_SUCCESS` was pushed: completions do not tell any more when all has ended.
    #[must_use]
    pub fn may_be_silent(&self) -> bool {
        self.skipped || self.uncounted > 0
    }

    /// What the submission queue says about both queues, in one look.
    #[inline]
    pub fn state(&mut self) -> State {
        self.queues.state()
    }

    /// Entries in the submission queue that the kernel has not taken.
    pub fn sq_ready(&mut self) -> usize {
        self.queues.sq_len()
    }

    /// Free places in the submission queue.
    pub fn sq_space_left(&mut self) -> usize {
        self.entries() as usize - self.queues.sq_len()
    }

    /// Whether what is published needs a system call to start: always, but for a polling thread that is awake.
    pub fn sq_needs_enter(&mut self) -> bool {
        self.setup_flags & setup::SQPOLL == 0 || self.queues.need_wakeup()
    }

    /// Completions that can be taken without a system call. Wide ones among narrow ones count twice.
    pub fn cq_ready(&mut self) -> usize {
        self.queues.cq_len()
    }

    /// Whether the kernel keeps completions that found no room: they arrive with the next call that gets events.
    pub fn cq_needs_flush(&mut self) -> bool {
        self.queues.overflow()
    }

    /// Whether completions wait for this thread to enter the kernel (`TASKRUN_FLAG`).
    pub fn has_task_work(&mut self) -> bool {
        self.queues.task_work()
    }

    /// Whether completions may wait for this thread although nothing says so: deferred work without `TASKRUN_FLAG`.
    #[must_use]
    pub fn hides_task_work(&self) -> bool {
        self.setup_flags & (setup::DEFER_TASKRUN | setup::TASKRUN_FLAG) == setup::DEFER_TASKRUN
    }

    /// Completions lost by a kernel without `FEAT_NODROP` (before 5.5).
    pub fn cq_dropped(&mut self) -> u32 {
        self.queues.dropped()
    }

    /// Which operations this kernel has.
    ///
    /// # Errors
    ///
    /// `EINVAL` before 5.6, where a kernel cannot be asked.
    pub fn probe(&self) -> io::Result<Probe> {
        self.queues.probe()
    }

    /// The crate's interface to registrations.
    #[must_use]
    pub fn submitter(&self) -> Submitter<'_> {
        self.queues.submitter()
    }

    /// Puts an entry into the submission queue. Nothing starts before [`submit`](Self::submit).
    ///
    /// # Errors
    ///
    /// [`QueueFull`], and nothing changed.
    ///
    /// # Safety
    ///
    /// What the entry points at is valid for what the operation does with it, and stays so until its last
    /// completion. A message to another ring has [`FOREIGN`] in the user data that it posts there.
    pub unsafe fn push(&mut self, entry: &Entry) -> Result<(), QueueFull> {
        // SAFETY: passed on.
        unsafe { self.push_all(std::slice::from_ref(entry)) }
    }

    /// Puts several entries into the submission queue: all of them, so that a chain stays whole, or none.
    ///
    /// # Errors
    ///
    /// [`QueueFull`], and nothing changed.
    ///
    /// # Safety
    ///
    /// As for [`push`](Self::push).
    pub unsafe fn push_all(&mut self, entries: &[Entry]) -> Result<(), QueueFull> {
        if self.entry_size() == Entry::SIZE {
            // SAFETY: entries are 64 bytes, aligned to 8; what they point at is the caller's promise.
            return unsafe { self.push_whole(entries.as_ptr().cast(), entries.len()) };
        }
        let wide: Vec<[Entry; 2]> = entries.iter().map(|entry| [*entry, Entry::new(0)]).collect();
        // SAFETY: 64 bytes and 64 zeros are an entry of 128, aligned to 8; the rest is the caller's promise.
        unsafe { self.push_whole(wide.as_ptr().cast(), entries.len()) }
    }

    /// Puts an entry of 128 bytes into the submission queue.
    ///
    /// # Errors
    ///
    /// [`QueueFull`], and nothing changed: always so on a ring without `SQE128`, which has no room for such an entry.
    ///
    /// # Safety
    ///
    /// As for [`push`](Self::push).
    pub unsafe fn push_wide(&mut self, entry: &WideEntry) -> Result<(), QueueFull> {
        if self.entry_size() != WideEntry::SIZE {
            return Err(QueueFull);
        }
        // SAFETY: one entry of as many bytes as the ring's have, aligned to 8; the rest is the caller's promise.
        unsafe { self.push_whole(std::ptr::from_ref(entry).cast(), 1) }
    }

    /// Puts as many of `count` entries into the submission queue as fit, ending between two chains, and says how
    /// many. What has no room can be offered again after a [`submit`](Self::submit).
    ///
    /// # Safety
    ///
    /// `entries` points at `count` entries of [`entry_size`](Self::entry_size) bytes, aligned to 8. Otherwise as for
    /// [`push`](Self::push).
    pub unsafe fn push_bytes(&mut self, entries: *const u8, count: usize) -> usize {
        let size = self.entry_size();
        // SAFETY: below `count`, so inside what the caller promises.
        let links = |index: usize| unsafe { *entries.add(index * size + place::flags.at) } & LINKS != 0;
        let mut fits = count.min(self.sq_space_left());
        if fits < count {
            while fits > 0 && links(fits - 1) {
                fits -= 1;
            }
        }
        // SAFETY: the first `fits` of the caller's entries.
        match unsafe { self.push_whole(entries, fits) } {
            Ok(()) => fits,
            Err(QueueFull) => 0,
        }
    }

    /// # Safety
    ///
    /// As for [`push_bytes`](Self::push_bytes).
    unsafe fn push_whole(&mut self, entries: *const u8, count: usize) -> Result<(), QueueFull> {
        let mut skipped = 0;
        let mut foreign = 0;
        // SAFETY: by the contract of this function.
        let pushed = unsafe {
            self.queues.push(entries, count, |entry| {
                // SAFETY: one of the entries, which are aligned as their user data has to be.
                skipped |= *entry.add(place::flags.at);
                foreign += entry.add(place::user_data.at).cast::<u64>().read() >> 63;
            })
        };
        if !pushed {
            return Err(QueueFull);
        }
        self.skipped |= skipped & flags::CQE_SKIP_SUCCESS != 0;
        self.uncounted += foreign;
        // Counted here and not when the kernel takes them: a polling thread takes them by itself.
        self.in_flight += count as u64 - foreign;
        self.unreported += count;
        Ok(())
    }

    /// Starts what was pushed, and says how many entries the kernel took (with `SQPOLL`, how many were published).
    /// Never waits; completions that are ready are there afterwards.
    ///
    /// # Errors
    ///
    /// What `io_uring_enter(2)` answers. Entries that were not taken stay in the queue. `EAGAIN`, `EBUSY` and `EINTR`
    /// pass.
    pub fn submit(&mut self) -> io::Result<usize> {
        self.submit_and_wait(0, Some(Duration::ZERO))
    }

    /// Starts what was pushed and waits for at least `want` completions, at most for `timeout`.
    ///
    /// It may return early: when a signal arrives, when a [`Timeout`](crate::operations::Timeout) expires. Look at
    /// what is there, not at what this returned.
    ///
    /// # Errors
    ///
    /// As for [`submit`](Self::submit); the end of `timeout` is no error.
    pub fn submit_and_wait(&mut self, want: u32, timeout: Option<Duration>) -> io::Result<usize> {
        self.submit_by(want, |ring, to_submit, enter| match timeout {
            Some(timeout) if want > 0 => ring.enter_for(to_submit, want, enter, timeout),
            _ => ring.enter(to_submit, want, enter.bits()),
        })
    }

    /// Starts what was pushed, with the flags that this takes now, unless a polling thread does all that is wanted.
    pub(crate) fn submit_by(
        &mut self,
        want: u32,
        enter_with: impl FnOnce(&mut Self, u32, EnterFlags) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let pending = self.queues.sq_len();
        let to_submit = pending as u32; // at most 32768
        let mut enter = EnterFlags::GETEVENTS;
        let polling = self.setup_flags & setup::SQPOLL != 0;
        if polling {
            enter.set(
                EnterFlags::GETEVENTS,
                want > 0 || self.queues.overflow() || self.queues.task_work(),
            );
            enter.set(EnterFlags::SQ_WAKEUP, self.queues.need_wakeup());
            if enter.is_empty() {
                return Ok(std::mem::take(&mut self.unreported));
            }
        }
        let taken = match enter_with(self, to_submit, enter) {
            Err(error) if error.raw_os_error() == Some(libc::ETIME) => 0,
            taken => taken?,
        };
        let published = std::mem::take(&mut self.unreported);
        Ok(if polling { published } else { taken })
    }

    /// One `io_uring_enter(2)`, with nothing added.
    ///
    /// # Errors
    ///
    /// What the kernel answers.
    pub fn enter(&mut self, to_submit: u32, min_complete: u32, flags: u32) -> io::Result<usize> {
        // Flags that make the kernel read an argument have none to read here, and `EXT_ARG` with a null one is
        // allowed; a registered wait region belongs to the ring.
        // SAFETY: without an argument the kernel reads no memory but the ring's own.
        unsafe { self.enter_with(to_submit, min_complete, flags, std::ptr::null(), 0) }
    }

    /// One `io_uring_enter(2)` that waits as the argument at `offset` in the memory says that is registered for waits.
    ///
    /// # Errors
    ///
    /// What the kernel answers: `EFAULT` where no such argument is, `ETIME` when its time is over.
    pub fn enter_registered(
        &mut self,
        to_submit: u32,
        min_complete: u32,
        flags: u32,
        offset: usize,
    ) -> io::Result<usize> {
        let flags = flags | (EnterFlags::EXT_ARG | EnterFlags::EXT_ARG_REG).bits();
        let size = size_of::<sys::io_uring_reg_wait>();
        // SAFETY: the argument is no address but an offset, which the kernel checks.
        unsafe {
            self.enter_with(
                to_submit,
                min_complete,
                flags,
                std::ptr::without_provenance(offset),
                size,
            )
        }
    }

    /// # Safety
    ///
    /// `argument` and `size` are what the flags make of them.
    unsafe fn enter_with(
        &mut self,
        to_submit: u32,
        min_complete: u32,
        flags: u32,
        argument: *const c_void,
        size: usize,
    ) -> io::Result<usize> {
        let (fd, flags) = match self.retained.index {
            Some(index) => (index as RawFd, flags | EnterFlags::REGISTERED_RING.bits()),
            None => (self.queues.fd(), flags),
        };
        // SAFETY: by the contract of this function.
        unsafe { sys::io_uring_enter(fd, to_submit, min_complete, flags, argument, size) }
    }

    pub(crate) fn enter_for(
        &mut self,
        to_submit: u32,
        want: u32,
        flags: EnterFlags,
        timeout: Duration,
    ) -> io::Result<usize> {
        if self.feature_flags & features::EXT_ARG == 0 {
            return self.enter_and_poll(to_submit, want, flags, timeout);
        }
        let timespec = __kernel_timespec::from(timeout);
        let argument = io_uring_getevents_arg::timeout(&timespec);
        // SAFETY: the argument and the time that it points at live until the call returns.
        unsafe {
            self.enter_with(
                to_submit,
                want,
                (flags | EnterFlags::EXT_ARG).bits(),
                std::ptr::from_ref(&argument).cast(),
                size_of_val(&argument),
            )
        }
    }

    /// A bounded wait without `FEAT_EXT_ARG`: the ring's descriptor is readable when there are completions.
    fn enter_and_poll(
        &mut self,
        to_submit: u32,
        want: u32,
        flags: EnterFlags,
        timeout: Duration,
    ) -> io::Result<usize> {
        let taken = self.enter(to_submit, 0, flags.bits())?;
        if self.queues.cq_len() < want as usize {
            sys::wait_readable(self.queues.fd(), timeout)?;
            self.enter(0, 0, EnterFlags::GETEVENTS.bits())?;
        }
        Ok(taken)
    }

    /// Lets completions arrive that only wait for this thread to enter the kernel.
    ///
    /// # Errors
    ///
    /// As for [`submit`](Self::submit).
    pub fn get_events(&mut self) -> io::Result<()> {
        self.enter(0, 0, EnterFlags::GETEVENTS.bits()).map(drop)
    }

    fn mixed(&self) -> bool {
        self.setup_flags & setup::CQE_MIXED != 0
    }

    /// The oldest completion, taken. Enters no kernel.
    pub fn pop(&mut self) -> Option<Completion> {
        let mut oldest = None;
        self.reap(1, |completion| oldest = Some(completion));
        oldest
    }

    /// The oldest completion, left where it is.
    pub fn peek(&mut self) -> Option<Completion> {
        let mixed = self.mixed();
        self.queues.peek(mixed)
    }

    /// Takes up to `most` completions, oldest first, and says how many. Enters no kernel.
    #[inline]
    pub fn reap(&mut self, most: usize, mut each: impl FnMut(Completion)) -> usize {
        let mixed = self.mixed();
        let in_flight = &mut self.in_flight;
        self.queues.take(most, mixed, |completion| {
            // Before `each` has it: if that panics, the completion is taken all the same.
            *in_flight = in_flight.saturating_sub(u64::from(is_last(&completion)));
            each(completion);
        })
    }
}

/// Entry flags that tie an entry to the next one.
const LINKS: u8 = flags::IO_LINK | flags::IO_HARDLINK;

/// Whether a completion ends a submission of this ring.
#[inline]
fn is_last(completion: &Completion) -> bool {
    completion.user_data & FOREIGN == 0 && !completion.more()
}

impl AsRawFd for Ring {
    fn as_raw_fd(&self) -> RawFd {
        self.queues.fd()
    }
}

#[cfg(test)]
mod tests;

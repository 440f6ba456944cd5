//! Making a ring: the kernel's setup flags, and the best mode that it takes.

use std::io;
use std::os::fd::RawFd;
use std::time::Duration;

use io_uring::{IoUring, cqueue, squeue};

use crate::queues::Queues;
use crate::ring::Ring;
use crate::sys::{self, Params, setup};

/// What a ring is made with. `Setup::default()` is what most programs want.
///
/// ```
/// # use typed_uring::Setup;
/// let ring = Setup { entries: 64, ..Setup::default() }.build()?;
/// assert_eq!(ring.entries(), 64);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Setup {
    /// Entries of the submission queue: 1 to 32768, rounded up to a power of two.
    pub entries: u32,
    /// Entries of the completion queue; absent, four times `entries`, as far as the kernel's limit.
    pub cq_entries: Option<u32>,
    /// Setup flags beside the mode ([`sys::setup`]). Those that other fields stand for (`CQSIZE`) are set by them.
    pub flags: u32,
    /// The mode: `SINGLE_ISSUER`, `DEFER_TASKRUN`, `COOP_TASKRUN`, `TASKRUN_FLAG` and `SUBMIT_ALL`. Absent, the best
    /// that the kernel takes; given, exactly this or an error.
    pub mode: Option<u32>,
    /// Milliseconds after which an idle polling thread sleeps, with `SQPOLL`.
    pub sq_thread_idle: u32,
    /// Processor of the polling thread, with `SQ_AFF`.
    pub sq_thread_cpu: u32,
    /// Descriptor of the ring whose kernel workers are shared, with `ATTACH_WQ`.
    pub wq_fd: RawFd,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            entries: 256,
            cq_entries: None,
            flags: 0,
            mode: None,
            sq_thread_idle: 1000,
            sq_thread_cpu: 0,
            wq_fd: -1,
        }
    }
}

/// What the submission queue can have at most.
pub const MAX_ENTRIES: u32 = 32768;
/// What the completion queue can have at most.
pub const MAX_CQ_ENTRIES: u32 = 2 * MAX_ENTRIES;

/// The flags of [`Setup::mode`].
pub const MODE: u32 = setup::SINGLE_ISSUER
    | setup::DEFER_TASKRUN
    | setup::COOP_TASKRUN
    | setup::TASKRUN_FLAG
    | setup::SUBMIT_ALL;

/// Best first. `NO_SQARRAY` comes along where the kernel has it: resizing needs it, and it saves an indirection.
const MODES: [u32; 6] = [
    setup::SINGLE_ISSUER | setup::DEFER_TASKRUN | setup::TASKRUN_FLAG | setup::SUBMIT_ALL | setup::NO_SQARRAY, // 6.6
    setup::SINGLE_ISSUER | setup::DEFER_TASKRUN | setup::TASKRUN_FLAG | setup::SUBMIT_ALL, // 6.1
    setup::SINGLE_ISSUER | setup::COOP_TASKRUN | setup::TASKRUN_FLAG | setup::SUBMIT_ALL,  // 6.0
    setup::COOP_TASKRUN | setup::TASKRUN_FLAG | setup::SUBMIT_ALL,                         // 5.19
    setup::SUBMIT_ALL,                                                                     // 5.18
    0,
];

/// With a polling thread there is no task work to defer.
const SQPOLL_MODES: [u32; 4] = [
    setup::SINGLE_ISSUER | setup::SUBMIT_ALL | setup::NO_SQARRAY, // 6.6
    setup::SINGLE_ISSUER | setup::SUBMIT_ALL,                     // 6.0
    setup::SUBMIT_ALL,                                            // 5.18
    0,
];

/// Flags that the queues of this crate cannot follow: memory or a descriptor of the caller's, and a submission queue
/// that starts over with every call.
const NOT_OURS: u32 = setup::NO_MMAP | setup::REGISTERED_FD_ONLY | setup::SQ_REWIND;

impl Setup {
    /// Makes the ring.
    ///
    /// # Errors
    ///
    /// What `io_uring_setup(2)` answers: `EINVAL` for sizes and combinations of flags that this kernel refuses,
    /// `ENOMEM` above the memory-lock limit, `EPERM` where io_uring is switched off, `ENOSYS` where there is none.
    pub fn build(&self) -> io::Result<Ring> {
        let modes: &[u32] = match self.mode {
            Some(ref mode) => std::slice::from_ref(mode),
            None if self.flags & setup::SQPOLL != 0 => &SQPOLL_MODES,
            None => &MODES,
        };
        let mut result = Err(io::Error::from_raw_os_error(libc::EINVAL));
        for mode in modes {
            result = self.queues(mode | self.flags);
            // Only EINVAL says that a flag is unknown; any other answer would be the same without it.
            if !matches!(&result, Err(error) if error.raw_os_error() == Some(libc::EINVAL)) {
                break;
            }
        }
        result.map(Ring::over)
    }

    /// Tries one set of flags. The memory of a closed ring is given back to the memory-lock limit a little later, so
    /// programs that open and close rings meet an `ENOMEM` that passes.
    fn queues(&self, flags: u32) -> io::Result<Queues> {
        let mut pause = Duration::from_millis(1);
        loop {
            match self.queues_once(flags) {
                Err(error)
                    if error.raw_os_error() == Some(libc::ENOMEM) && pause < Duration::from_millis(64) =>
                {
                    std::thread::sleep(pause);
                    pause *= 2;
                }
                result => return result,
            }
        }
    }

    fn queues_once(&self, flags: u32) -> io::Result<Queues> {
        if flags & NOT_OURS != 0 {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        match (flags & setup::SQE128 != 0, flags & setup::CQE32 != 0) {
            (false, false) => self.plain(flags).map(Queues::Plain),
            (true, false) => self
                .wide::<squeue::Entry128, cqueue::Entry>(flags)
                .map(Queues::WideEntries),
            (false, true) => self
                .wide::<squeue::Entry, cqueue::Entry32>(flags)
                .map(Queues::WideCompletions),
            (true, true) => self
                .wide::<squeue::Entry128, cqueue::Entry32>(flags)
                .map(Queues::Wide),
        }
    }

    fn cq_entries(&self) -> u32 {
        let entries = self.entries.checked_next_power_of_two().unwrap_or(self.entries);
        self.cq_entries
            .unwrap_or_else(|| entries.saturating_mul(4).min(MAX_CQ_ENTRIES).max(entries))
    }

    /// Entries of 64 and completions of 16 bytes: every flag can be given.
    fn plain(&self, flags: u32) -> io::Result<IoUring> {
        let mut params = Params {
            cq_entries: self.cq_entries(),
            flags: flags | setup::CQSIZE,
            sq_thread_cpu: self.sq_thread_cpu,
            sq_thread_idle: self.sq_thread_idle,
            wq_fd: self.wq_fd as u32,
            ..Params::default()
        };
        // SAFETY: one structure, borrowed for the call, which points at nothing.
        let fd = unsafe { sys::io_uring_setup(self.entries, &raw mut params)? };
        // SAFETY: the descriptor was just made and is owned by nothing else; the parameters are what the kernel
        // filled in for it.
        unsafe { IoUring::from_fd(fd, params.parameters()) }
    }

    /// Wide entries or completions: the crate makes these by type, and has a setter for all flags but the two that
    /// are refused here.
    fn wide<S: squeue::EntryMarker, C: cqueue::EntryMarker>(&self, flags: u32) -> io::Result<IoUring<S, C>> {
        let mut builder = IoUring::<S, C>::builder();
        builder.setup_cqsize(self.cq_entries());
        let mut left = flags & !(setup::SQE128 | setup::CQE32 | setup::CQSIZE);
        let mut take = |flag: u32| {
            let given = left & flag != 0;
            left &= !flag;
            given
        };
        if take(setup::IOPOLL) {
            builder.setup_iopoll();
        }
        if take(setup::SQPOLL) {
            builder.setup_sqpoll(self.sq_thread_idle);
        }
        if take(setup::SQ_AFF) {
            builder.setup_sqpoll_cpu(self.sq_thread_cpu);
        }
        if take(setup::CLAMP) {
            builder.setup_clamp();
        }
        if take(setup::ATTACH_WQ) {
            builder.setup_attach_wq(self.wq_fd);
        }
        if take(setup::R_DISABLED) {
            builder.setup_r_disabled();
        }
        if take(setup::SUBMIT_ALL) {
            builder.setup_submit_all();
        }
        if take(setup::COOP_TASKRUN) {
            builder.setup_coop_taskrun();
        }
        if take(setup::TASKRUN_FLAG) {
            builder.setup_taskrun_flag();
        }
        if take(setup::SINGLE_ISSUER) {
            builder.setup_single_issuer();
        }
        if take(setup::DEFER_TASKRUN) {
            builder.setup_defer_taskrun();
        }
        if take(setup::NO_SQARRAY) {
            builder.setup_no_sqarray();
        }
        if left != 0 {
            return Err(io::Error::from_raw_os_error(libc::EINVAL)); // HYBRID_IOPOLL or CQE_MIXED
        }
        builder.build(self.entries)
    }
}

impl Ring {
    /// A ring with `entries` in its submission queue, in the best mode that the kernel takes.
    ///
    /// # Errors
    ///
    /// As for [`Setup::build`].
    pub fn new(entries: u32) -> io::Result<Self> {
        Setup {
            entries,
            ..Setup::default()
        }
        .build()
    }
}

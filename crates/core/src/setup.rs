//! Options of a ring, and choosing the best mode that the kernel supports.

use std::io;
use std::os::fd::RawFd;
use std::time::Duration;

use io_uring::{IoUring, cqueue, squeue};

use crate::errno::{self, invalid};
use crate::queues::Queues;
use crate::ring::Ring;
use crate::sys::{self, Params, setup};

/// Options of a ring. `Setup::default()` suits most programs.
///
/// ```
/// # use typed_uring::Setup;
/// let ring = Setup { entries: 64, ..Setup::default() }.build()?;
/// assert_eq!(ring.entries(), 64);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Setup {
    /// Capacity of the submission queue in entries: 1 to [`MAX_ENTRIES`], rounded up to a power of two.
    pub entries: u32,
    /// Capacity of the completion queue in entries, at least `entries` and at most [`MAX_CQ_ENTRIES`], rounded up to a
    /// power of two. By default four times `entries`, up to the limit.
    pub cq_entries: Option<u32>,
    /// Setup flags in addition to the mode ([`sys::setup`]). `CQSIZE` is always set.
    pub flags: u32,
    /// The mode, a combination of [`MODE_FLAGS`]. By default the best mode that the kernel supports; a given mode is
    /// used exactly, or is an error.
    pub mode: Option<u32>,
    /// Milliseconds after which an idle SQPOLL thread sleeps.
    pub sq_thread_idle: u32,
    /// Processor that the SQPOLL thread runs on, with `SQ_AFF`.
    pub sq_thread_cpu: u32,
    /// Descriptor of the ring whose kernel workers this ring shares, with `ATTACH_WQ`.
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

/// Largest capacity of a submission queue, in entries.
pub const MAX_ENTRIES: u32 = 32768;
/// Largest capacity of a completion queue, in entries.
pub const MAX_CQ_ENTRIES: u32 = 2 * MAX_ENTRIES;

/// The setup flags that [`Setup::mode`] can have.
pub const MODE_FLAGS: u32 = setup::SINGLE_ISSUER
    | setup::DEFER_TASKRUN
    | setup::COOP_TASKRUN
    | setup::TASKRUN_FLAG
    | setup::SUBMIT_ALL;

/// The modes to try, best first, with the Linux version that has them. `NO_SQARRAY` is included because resizing needs
/// it and it saves an indirection.
const MODES: [u32; 6] = [
    setup::SINGLE_ISSUER | setup::DEFER_TASKRUN | setup::TASKRUN_FLAG | setup::SUBMIT_ALL | setup::NO_SQARRAY, // 6.6
    setup::SINGLE_ISSUER | setup::DEFER_TASKRUN | setup::TASKRUN_FLAG | setup::SUBMIT_ALL, // 6.1
    setup::SINGLE_ISSUER | setup::COOP_TASKRUN | setup::TASKRUN_FLAG | setup::SUBMIT_ALL,  // 6.0
    setup::COOP_TASKRUN | setup::TASKRUN_FLAG | setup::SUBMIT_ALL,                         // 5.19
    setup::SUBMIT_ALL,                                                                     // 5.18
    0,
];

/// The modes to try with `SQPOLL`, where there is no task work to defer.
const SQPOLL_MODES: [u32; 4] = [
    setup::SINGLE_ISSUER | setup::SUBMIT_ALL | setup::NO_SQARRAY, // 6.6
    setup::SINGLE_ISSUER | setup::SUBMIT_ALL,                     // 6.0
    setup::SUBMIT_ALL,                                            // 5.18
    0,
];

/// Setup flags that this crate does not support: queues in the program's memory, rings without a descriptor, and a
/// submission queue that starts at index 0 in every call.
const UNSUPPORTED: u32 = setup::NO_MMAP | setup::REGISTERED_FD_ONLY | setup::SQ_REWIND;

impl Setup {
    /// Makes a ring with these options. See io_uring_setup(2).
    ///
    /// # Errors
    ///
    /// * `EINVAL`: the kernel or this crate does not support a size, a flag or their combination.
    /// * `ENOMEM`: the queues would exceed the memory-lock limit.
    /// * `EPERM`: io_uring is disabled on this system.
    /// * `ENOSYS`: the kernel has no io_uring.
    pub fn build(&self) -> io::Result<Ring> {
        let modes: &[u32] = match self.mode {
            Some(ref mode) => std::slice::from_ref(mode),
            None if self.flags & setup::SQPOLL != 0 => &SQPOLL_MODES,
            None => &MODES,
        };
        let mut result = Err(invalid());
        for mode in modes {
            result = self.queues(mode | self.flags);
            // Only EINVAL can mean an unknown flag; other errors would be the same without it.
            if !matches!(&result, Err(error) if errno::is(error, &[libc::EINVAL])) {
                break;
            }
        }
        result.map(Ring::from_queues)
    }

    /// Makes queues with these flags. The kernel uncharges a closed ring from the memory-lock limit with a delay, so
    /// `ENOMEM` is retried for a short time.
    fn queues(&self, flags: u32) -> io::Result<Queues> {
        let mut pause = Duration::from_millis(1);
        loop {
            match self.queues_once(flags) {
                Err(error) if errno::is(&error, &[libc::ENOMEM]) && pause < Duration::from_millis(64) => {
                    std::thread::sleep(pause);
                    pause *= 2;
                }
                result => return result,
            }
        }
    }

    fn queues_once(&self, flags: u32) -> io::Result<Queues> {
        if flags & UNSUPPORTED != 0 {
            return Err(invalid());
        }
        match (flags & setup::SQE128 != 0, flags & setup::CQE32 != 0) {
            (false, false) => self.plain(flags).map(Queues::Plain),
            (true, false) => self
                .sized::<squeue::Entry128, cqueue::Entry>(flags)
                .map(Queues::Sqe128),
            (false, true) => self
                .sized::<squeue::Entry, cqueue::Entry32>(flags)
                .map(Queues::Cqe32),
            (true, true) => self
                .sized::<squeue::Entry128, cqueue::Entry32>(flags)
                .map(Queues::Sqe128Cqe32),
        }
    }

    fn cq_entries(&self) -> u32 {
        let entries = self.entries.checked_next_power_of_two().unwrap_or(self.entries);
        self.cq_entries
            .unwrap_or_else(|| entries.saturating_mul(4).min(MAX_CQ_ENTRIES).max(entries))
    }

    /// Makes queues with entries of 64 and completions of 16 bytes, with any flags.
    fn plain(&self, flags: u32) -> io::Result<IoUring> {
        let mut params = Params {
            cq_entries: self.cq_entries(),
            flags: flags | setup::CQSIZE,
            sq_thread_cpu: self.sq_thread_cpu,
            sq_thread_idle: self.sq_thread_idle,
            wq_fd: self.wq_fd as u32,
            ..Params::default()
        };
        // SAFETY: the kernel reads and writes one structure that is owned here. Without `NO_MMAP` it has no address in
        // it.
        let fd = unsafe { sys::io_uring_setup(self.entries, &raw mut params)? };
        // SAFETY: nothing else owns the descriptor that the kernel has just returned, and it filled in `params` for
        // this ring.
        unsafe { IoUring::from_fd(fd, params.to_parameters()) }
    }

    /// Makes queues with entries of 128 or completions of 32 bytes. The `io-uring` crate has setters for all flags but
    /// `HYBRID_IOPOLL` and `CQE_MIXED`, so these two are refused.
    fn sized<S: squeue::EntryMarker, C: cqueue::EntryMarker>(&self, flags: u32) -> io::Result<IoUring<S, C>> {
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
            return Err(invalid()); // HYBRID_IOPOLL or CQE_MIXED
        }
        builder.build(self.entries)
    }
}

impl Ring {
    /// Makes a ring whose submission queue has a capacity of `entries`, in the best mode that the kernel supports.
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

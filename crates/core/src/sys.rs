//! The kernel's interface under its own names: every constant and structure of `linux/io_uring.h`, and its three system
//! calls, for those who build their own. Nothing here is kept alive.
//!
//! [`setup`], [`features`] and [`completion`] have the flags that programs meet most under shorter names.

// What the `io-uring` crate has no call for, as raw system calls on the ring's descriptor. Each gap is named.

use std::ffi::c_void;
use std::io;
use std::os::fd::RawFd;
use std::time::Duration;

mod constants;
mod structs;
#[cfg(test)]
mod tests;

pub use constants::*;
pub use structs::*;

pub(crate) use structs::io_uring_params as Params;

/// Setup flags (`IORING_SETUP_*`).
#[allow(missing_docs)] // the names are the kernel's own
pub mod setup {
    pub const IOPOLL: u32 = 1 << 0;
    pub const SQPOLL: u32 = 1 << 1;
    pub const SQ_AFF: u32 = 1 << 2;
    pub const CQSIZE: u32 = 1 << 3;
    pub const CLAMP: u32 = 1 << 4;
    pub const ATTACH_WQ: u32 = 1 << 5;
    pub const R_DISABLED: u32 = 1 << 6;
    pub const SUBMIT_ALL: u32 = 1 << 7;
    pub const COOP_TASKRUN: u32 = 1 << 8;
    pub const TASKRUN_FLAG: u32 = 1 << 9;
    pub const SQE128: u32 = 1 << 10;
    pub const CQE32: u32 = 1 << 11;
    pub const SINGLE_ISSUER: u32 = 1 << 12;
    pub const DEFER_TASKRUN: u32 = 1 << 13;
    pub const NO_MMAP: u32 = 1 << 14;
    pub const REGISTERED_FD_ONLY: u32 = 1 << 15;
    pub const NO_SQARRAY: u32 = 1 << 16;
    pub const HYBRID_IOPOLL: u32 = 1 << 17;
    pub const CQE_MIXED: u32 = 1 << 18;
    pub const SQE_MIXED: u32 = 1 << 19;
    pub const SQ_REWIND: u32 = 1 << 20;
}

/// Feature flags (`IORING_FEAT_*`).
#[allow(missing_docs)] // the names are the kernel's own
pub mod features {
    pub const SINGLE_MMAP: u32 = 1 << 0;
    pub const NODROP: u32 = 1 << 1;
    pub const SUBMIT_STABLE: u32 = 1 << 2;
    pub const RW_CUR_POS: u32 = 1 << 3;
    pub const CUR_PERSONALITY: u32 = 1 << 4;
    pub const FAST_POLL: u32 = 1 << 5;
    pub const POLL_32BITS: u32 = 1 << 6;
    pub const SQPOLL_NONFIXED: u32 = 1 << 7;
    pub const EXT_ARG: u32 = 1 << 8;
    pub const NATIVE_WORKERS: u32 = 1 << 9;
    pub const RSRC_TAGS: u32 = 1 << 10;
    pub const CQE_SKIP: u32 = 1 << 11;
    pub const LINKED_FILE: u32 = 1 << 12;
    pub const REG_REG_RING: u32 = 1 << 13;
    pub const RECVSEND_BUNDLE: u32 = 1 << 14;
    pub const MIN_TIMEOUT: u32 = 1 << 15;
    pub const RW_ATTR: u32 = 1 << 16;
    pub const NO_IOWAIT: u32 = 1 << 17;
}

/// Completion flags (`IORING_CQE_F_*`).
#[allow(missing_docs)] // the names are the kernel's own
pub mod completion {
    pub const BUFFER: u32 = 1 << 0;
    pub const MORE: u32 = 1 << 1;
    pub const SOCK_NONEMPTY: u32 = 1 << 2;
    pub const NOTIF: u32 = 1 << 3;
    pub const BUF_MORE: u32 = 1 << 4;
    pub const SKIP: u32 = 1 << 5;
    pub const F_32: u32 = 1 << 15;
}

// `io_uring::Parameters` is documented as transparent over `struct io_uring_params` and as made from its memory.
const _: () = assert!(size_of::<Params>() == size_of::<io_uring::Parameters>());

impl io_uring_params {
    /// Where the flags of the completion queue are in its mapping.
    pub(crate) fn cq_flags_offset(&self) -> usize {
        self.cq_off.flags as usize
    }

    /// The crate's type for the same memory.
    pub(crate) fn parameters(self) -> io_uring::Parameters {
        // SAFETY: the same layout by the assertions above, and integers throughout.
        unsafe { std::mem::transmute(self) }
    }

    /// What is in the crate's type.
    pub(crate) fn of(parameters: &io_uring::Parameters) -> Self {
        // SAFETY: the same layout by the assertions above, and integers throughout; the reference is readable.
        unsafe { std::ptr::from_ref(parameters).cast::<Self>().read() }
    }
}

/// io_uring_setup(2): the descriptor of a ring.
///
/// # Errors
///
/// What the kernel answers.
///
/// # Safety
///
/// `params` points at the bytes of a structure, aligned or not, which are read and filled in during the call. What they
/// point at themselves (`IORING_SETUP_NO_MMAP`) belongs to the ring.
// Gap: setup flags without a setter (`HYBRID_IOPOLL`, `CQE_MIXED`, later ones).
pub unsafe fn io_uring_setup(entries: u32, params: *mut io_uring_params) -> io::Result<RawFd> {
    // SAFETY: by the contract of this function.
    let fd = unsafe { libc::syscall(libc::SYS_io_uring_setup, entries, params) };
    if fd < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(fd as RawFd)
    }
}

/// io_uring_enter(2): how many entries the kernel took.
///
/// # Errors
///
/// What the kernel answers.
///
/// # Safety
///
/// `argument` and `size` are what the flags make of them. What the entries point at is valid until they have completed.
// Gap: the index of a registered ring is lost with the crate's `Submitter`.
pub unsafe fn io_uring_enter(
    fd: RawFd,
    to_submit: u32,
    min_complete: u32,
    flags: u32,
    argument: *const c_void,
    size: usize,
) -> io::Result<usize> {
    // SAFETY: by the contract of this function.
    let result = unsafe {
        libc::syscall(
            libc::SYS_io_uring_enter,
            fd,
            to_submit,
            min_complete,
            flags,
            argument,
            size,
        )
    };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result as usize)
    }
}

/// io_uring_register(2): what the opcode returns.
///
/// # Errors
///
/// What the kernel answers.
///
/// # Safety
///
/// `argument` and `count` are what the opcode expects, for as long as it keeps them.
// Gap: opcodes that the crate has no method for, and the numbers that some of its methods discard.
pub unsafe fn io_uring_register(
    fd: RawFd,
    opcode: u32,
    argument: *mut c_void,
    count: u32,
) -> io::Result<u32> {
    // SAFETY: by the contract of this function.
    let result = unsafe { libc::syscall(libc::SYS_io_uring_register, fd, opcode, argument, count) };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result as u32) // counts and identifiers
    }
}

impl From<Duration> for __kernel_timespec {
    fn from(duration: Duration) -> Self {
        Self {
            tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(duration.subsec_nanos()),
        }
    }
}

/// Gap: the crate's own passes glibc's size of a signal mask, which the kernel refuses, and its calls leave `GETEVENTS`
/// out when they wait for nothing.
impl io_uring_getevents_arg {
    /// A wait that ends after `timespec`, which must live as long as this.
    pub(crate) fn timeout(timespec: &__kernel_timespec) -> Self {
        Self {
            sigmask_sz: 8, // bytes of the kernel's sigset_t
            ts: std::ptr::from_ref(timespec) as u64,
            ..Self::default()
        }
    }
}

/// Gap: a bounded wait on kernels without `FEAT_EXT_ARG` (before 5.11), where a ring's descriptor is readable when it
/// has completions.
pub(crate) fn wait_readable(fd: RawFd, timeout: Duration) -> io::Result<()> {
    let mut poll = libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    };
    poll_once(&mut poll, timeout)
}

/// Gives this thread a table of descriptors of its own, in which there is `fd` and nothing else.
pub(crate) fn own_descriptors(fd: RawFd) -> io::Result<()> {
    let fd = fd as u32;
    close_range(fd + 1, u32::MAX, libc::CLOSE_RANGE_UNSHARE)?; // the table is copied first
    if fd > 0 {
        close_range(0, fd - 1, 0)?;
    }
    Ok(())
}

/// For a thread that has a table of its own, or gets one by the flags.
fn close_range(first: u32, last: u32, flags: u32) -> io::Result<()> {
    // SAFETY: closes nothing that this thread shares.
    if unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Waits until the other side of a pipe is gone; `false` at the timeout.
pub(crate) fn wait_hangup(fd: RawFd, timeout: Duration) -> io::Result<bool> {
    let mut poll = libc::pollfd {
        fd,
        events: 0,
        revents: 0,
    };
    poll_once(&mut poll, timeout)?;
    Ok(poll.revents & libc::POLLHUP != 0)
}

fn poll_once(poll: &mut libc::pollfd, timeout: Duration) -> io::Result<()> {
    // Rounded up: a wait of half a millisecond must not become a busy loop.
    let milliseconds = i32::try_from(timeout.as_micros().div_ceil(1000)).unwrap_or(i32::MAX);
    // SAFETY: `poll` is one valid, writable `struct pollfd`.
    match unsafe { libc::poll(poll, 1, milliseconds) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

//! The kernel's interface under its own names: the constants and structures of `linux/io_uring.h`, and the three system
//! calls.
//!
//! [`setup`], [`features`] and [`completion`] have the most common flags under shorter names.

// System calls are made directly where the `io-uring` crate has no function for them; each such gap has a comment.

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
    use super::constants;

    pub const IOPOLL: u32 = constants::IORING_SETUP_IOPOLL;
    pub const SQPOLL: u32 = constants::IORING_SETUP_SQPOLL;
    pub const SQ_AFF: u32 = constants::IORING_SETUP_SQ_AFF;
    pub const CQSIZE: u32 = constants::IORING_SETUP_CQSIZE;
    pub const CLAMP: u32 = constants::IORING_SETUP_CLAMP;
    pub const ATTACH_WQ: u32 = constants::IORING_SETUP_ATTACH_WQ;
    pub const R_DISABLED: u32 = constants::IORING_SETUP_R_DISABLED;
    pub const SUBMIT_ALL: u32 = constants::IORING_SETUP_SUBMIT_ALL;
    pub const COOP_TASKRUN: u32 = constants::IORING_SETUP_COOP_TASKRUN;
    pub const TASKRUN_FLAG: u32 = constants::IORING_SETUP_TASKRUN_FLAG;
    pub const SQE128: u32 = constants::IORING_SETUP_SQE128;
    pub const CQE32: u32 = constants::IORING_SETUP_CQE32;
    pub const SINGLE_ISSUER: u32 = constants::IORING_SETUP_SINGLE_ISSUER;
    pub const DEFER_TASKRUN: u32 = constants::IORING_SETUP_DEFER_TASKRUN;
    pub const NO_MMAP: u32 = constants::IORING_SETUP_NO_MMAP;
    pub const REGISTERED_FD_ONLY: u32 = constants::IORING_SETUP_REGISTERED_FD_ONLY;
    pub const NO_SQARRAY: u32 = constants::IORING_SETUP_NO_SQARRAY;
    pub const HYBRID_IOPOLL: u32 = constants::IORING_SETUP_HYBRID_IOPOLL;
    pub const CQE_MIXED: u32 = constants::IORING_SETUP_CQE_MIXED;
    pub const SQE_MIXED: u32 = constants::IORING_SETUP_SQE_MIXED;
    pub const SQ_REWIND: u32 = constants::IORING_SETUP_SQ_REWIND;
}

/// Feature flags (`IORING_FEAT_*`).
#[allow(missing_docs)] // the names are the kernel's own
pub mod features {
    use super::constants;

    pub const SINGLE_MMAP: u32 = constants::IORING_FEAT_SINGLE_MMAP;
    pub const NODROP: u32 = constants::IORING_FEAT_NODROP;
    pub const SUBMIT_STABLE: u32 = constants::IORING_FEAT_SUBMIT_STABLE;
    pub const RW_CUR_POS: u32 = constants::IORING_FEAT_RW_CUR_POS;
    pub const CUR_PERSONALITY: u32 = constants::IORING_FEAT_CUR_PERSONALITY;
    pub const FAST_POLL: u32 = constants::IORING_FEAT_FAST_POLL;
    pub const POLL_32BITS: u32 = constants::IORING_FEAT_POLL_32BITS;
    pub const SQPOLL_NONFIXED: u32 = constants::IORING_FEAT_SQPOLL_NONFIXED;
    pub const EXT_ARG: u32 = constants::IORING_FEAT_EXT_ARG;
    pub const NATIVE_WORKERS: u32 = constants::IORING_FEAT_NATIVE_WORKERS;
    pub const RSRC_TAGS: u32 = constants::IORING_FEAT_RSRC_TAGS;
    pub const CQE_SKIP: u32 = constants::IORING_FEAT_CQE_SKIP;
    pub const LINKED_FILE: u32 = constants::IORING_FEAT_LINKED_FILE;
    pub const REG_REG_RING: u32 = constants::IORING_FEAT_REG_REG_RING;
    pub const RECVSEND_BUNDLE: u32 = constants::IORING_FEAT_RECVSEND_BUNDLE;
    pub const MIN_TIMEOUT: u32 = constants::IORING_FEAT_MIN_TIMEOUT;
    pub const RW_ATTR: u32 = constants::IORING_FEAT_RW_ATTR;
    pub const NO_IOWAIT: u32 = constants::IORING_FEAT_NO_IOWAIT;
}

/// Completion flags (`IORING_CQE_F_*`).
#[allow(missing_docs)] // the names are the kernel's own
pub mod completion {
    use super::constants;

    pub const BUFFER: u32 = constants::IORING_CQE_F_BUFFER;
    pub const MORE: u32 = constants::IORING_CQE_F_MORE;
    pub const SOCK_NONEMPTY: u32 = constants::IORING_CQE_F_SOCK_NONEMPTY;
    pub const NOTIF: u32 = constants::IORING_CQE_F_NOTIF;
    pub const BUF_MORE: u32 = constants::IORING_CQE_F_BUF_MORE;
    pub const SKIP: u32 = constants::IORING_CQE_F_SKIP;
    pub const F_32: u32 = constants::IORING_CQE_F_32;
}

// `io_uring::Parameters` is documented as a transparent wrapper of `struct io_uring_params`.
const _: () = assert!(size_of::<Params>() == size_of::<io_uring::Parameters>());

impl io_uring_params {
    /// Converts to the type of the `io-uring` crate.
    pub(crate) fn to_parameters(self) -> io_uring::Parameters {
        // SAFETY: both types have the size and the members of `struct io_uring_params`, by the assertion above and the
        // documentation of the crate. All members are integers, so every bit pattern is valid.
        unsafe { std::mem::transmute(self) }
    }

    /// Converts from the type of the `io-uring` crate.
    pub(crate) fn from_parameters(parameters: &io_uring::Parameters) -> Self {
        // SAFETY: as in `to_parameters`; a reference is readable, and `Self` needs no stricter alignment than the
        // struct that `Parameters` wraps.
        unsafe { std::ptr::from_ref(parameters).cast::<Self>().read() }
    }
}

/// Makes a ring and returns its descriptor. See io_uring_setup(2).
///
/// # Errors
///
/// Those of the system call.
///
/// # Safety
///
/// `params` points to the bytes of a `struct io_uring_params`, aligned or not, which the kernel reads and writes during
/// the call. The memory that they reference themselves (`IORING_SETUP_NO_MMAP`) is used by nothing else until the ring
/// is closed.
// Gap in the crate: it has no setter for some setup flags (`HYBRID_IOPOLL`, `CQE_MIXED`, later ones).
pub unsafe fn io_uring_setup(entries: u32, params: *mut io_uring_params) -> io::Result<RawFd> {
    // SAFETY: the caller promises that `params` is a structure that the kernel may write to.
    let fd = unsafe { libc::syscall(libc::SYS_io_uring_setup, entries, params) };
    if fd < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(fd as RawFd)
    }
}

/// Enters the kernel and returns how many entries it consumed. See io_uring_enter(2).
///
/// # Errors
///
/// Those of the system call.
///
/// # Safety
///
/// `argument` and `size` are what the kernel expects with `flags`: null, a readable structure, or an offset. The memory
/// that the submitted entries reference is valid until they have completed.
// Gap in the crate: its `Submitter` does not keep the index of a registered ring.
pub unsafe fn io_uring_enter(
    fd: RawFd,
    to_submit: u32,
    min_complete: u32,
    flags: u32,
    argument: *const c_void,
    size: usize,
) -> io::Result<usize> {
    // SAFETY: the caller promises that `argument` fits `flags`, and that the memory of the entries is valid.
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

/// Registers or unregisters a resource, or changes a setting, and returns the number that the opcode returns. See
/// io_uring_register(2).
///
/// # Errors
///
/// Those of the system call.
///
/// # Safety
///
/// `argument` and `count` are what the kernel expects with `opcode`, and stay valid for as long as it keeps them.
// Gap in the crate: it has no method for some opcodes, and some of its methods discard the returned number.
pub unsafe fn io_uring_register(
    fd: RawFd,
    opcode: u32,
    argument: *mut c_void,
    count: u32,
) -> io::Result<u32> {
    // SAFETY: the caller promises that `argument` and `count` fit `opcode`.
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

// Gap in the crate: its own type passes the size of glibc's signal mask, which the kernel refuses, and its calls leave
// out `GETEVENTS` when they wait for nothing.
impl io_uring_getevents_arg {
    /// Describes a wait that ends after `timespec`. The kernel reads `timespec` by its address, so it must live until
    /// the call returns.
    pub(crate) fn timeout(timespec: &__kernel_timespec) -> Self {
        Self {
            sigmask_sz: 8, // bytes of the kernel's sigset_t
            ts: std::ptr::from_ref(timespec) as u64,
            ..Self::default()
        }
    }
}

/// Returns the size of a page of memory in bytes.
#[must_use]
pub fn page_size() -> usize {
    // SAFETY: sysconf only takes a number. It knows the page size on every system, and it is a power of two.
    unsafe { libc::sysconf(libc::_SC_PAGESIZE) as usize }
}

/// Waits until a descriptor is readable, at most for `timeout`.
pub(crate) fn wait_readable(fd: RawFd, timeout: Duration) -> io::Result<()> {
    let mut poll = libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    };
    poll_once(&mut poll, timeout)
}

/// Gives this thread its own descriptor table, and closes all of its descriptors but `fd`.
pub(crate) fn own_descriptors(fd: RawFd) -> io::Result<()> {
    let fd = fd as u32;
    close_range(fd + 1, u32::MAX, libc::CLOSE_RANGE_UNSHARE)?; // unshares the table before it closes
    if fd > 0 {
        close_range(0, fd - 1, 0)?;
    }
    Ok(())
}

/// Closes a range of descriptors, of a thread that has its own descriptor table or gets one with `CLOSE_RANGE_UNSHARE`.
fn close_range(first: u32, last: u32, flags: u32) -> io::Result<()> {
    // SAFETY: the call takes only numbers. The descriptors are closed in this thread's own table, so no other thread's
    // are.
    if unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Waits until the other end of a pipe is closed. Returns false when the time is over.
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
    // Rounded up, so that a wait of less than a millisecond does not become a busy loop.
    let milliseconds = i32::try_from(timeout.as_micros().div_ceil(1000)).unwrap_or(i32::MAX);
    // SAFETY: `poll` is one valid `struct pollfd`, borrowed mutably for the call.
    match unsafe { libc::poll(poll, 1, milliseconds) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

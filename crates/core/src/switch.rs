//! What silences the eventfd of a ring.

use std::io;
use std::os::fd::RawFd;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, Ordering, fence};

use crate::sys::{IORING_CQ_EVENTFD_DISABLED, IORING_OFF_CQ_RING, Params};

/// The flags of the completion queue, which the kernel reads before it writes to the eventfd. Gap: the crate can read
/// them and not set them, so this is a mapping of our own.
#[derive(Debug)]
pub(crate) struct Switch {
    mapping: NonNull<libc::c_void>,
    length: usize,
    flags: NonNull<AtomicU32>,
}

impl Switch {
    pub(crate) fn new(fd: RawFd, params: &Params) -> io::Result<Self> {
        let at = params.cq_flags_offset();
        let length = at + size_of::<AtomicU32>();
        // SAFETY: a new mapping, at an address that the kernel chooses.
        let mapping = unsafe {
            libc::mmap(
                ptr::null_mut(),
                length,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                fd,
                IORING_OFF_CQ_RING as libc::off_t,
            )
        };
        if mapping == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: `at` is inside the mapping, where the kernel says that its aligned flags are.
        let flags = unsafe { NonNull::new_unchecked(mapping.cast::<u8>().add(at).cast()) };
        // SAFETY: a mapping that succeeded is not null.
        let mapping = unsafe { NonNull::new_unchecked(mapping) };
        Ok(Self {
            mapping,
            length,
            flags,
        })
    }

    pub(crate) fn is_set(&self) -> bool {
        // SAFETY: mapped for as long as this lives; the kernel and we access it atomically.
        unsafe { self.flags.as_ref() }.load(Ordering::SeqCst) & IORING_CQ_EVENTFD_DISABLED != 0
    }

    pub(crate) fn set(&self, silent: bool) {
        // SAFETY: mapped for as long as this lives; the kernel and we access it atomically.
        let flags = unsafe { self.flags.as_ref() };
        if silent {
            // Whoever sees it late wakes somebody once too often.
            flags.store(IORING_CQ_EVENTFD_DISABLED, Ordering::Relaxed);
        } else {
            flags.store(0, Ordering::Relaxed);
            // What is looked at next must be looked at after this has been seen.
            fence(Ordering::SeqCst);
        }
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        // SAFETY: mapped by `new` with this length, and nothing else points into it.
        unsafe { libc::munmap(self.mapping.as_ptr(), self.length) };
    }
}

//! Registrations: what a ring keeps from one operation to the next.

use std::ffi::c_void;
use std::io;
use std::os::fd::AsRawFd;

use crate::ring::Ring;
use crate::sys;

impl Ring {
    /// One `io_uring_register(2)` on this ring, as it is: what the opcode returns.
    ///
    /// # Errors
    ///
    /// What the kernel answers.
    ///
    /// # Safety
    ///
    /// `argument` and `count` are what the opcode expects, and what the kernel keeps of them stays valid until it is
    /// unregistered and every operation that uses it has completed. The queues themselves are not resized this way,
    /// nor is an eventfd registered: this ring would not know.
    pub unsafe fn register(&mut self, opcode: u32, argument: *mut c_void, count: u32) -> io::Result<u32> {
        // SAFETY: passed on.
        unsafe { sys::io_uring_register(self.as_raw_fd(), opcode, argument, count) }
    }
}

//! Messages to a ring from where there is none.

use std::io;
use std::os::fd::RawFd;

use super::invalid;
use crate::entry::{Entry, place};
use crate::ring::{FOREIGN, Ring};
use crate::sys::{self, IORING_MSG_RING_FLAGS_PASS, IORING_OP_MSG_RING, IORING_REGISTER_SEND_MSG_RING};

impl Ring {
    /// Posts a completion on a ring, from any thread and without a ring of one's own. `user_data` has to have
    /// [`FOREIGN`]: it answers no submission there, and would be counted as the end of one. `flags`, if given, are the
    /// completion's. Since Linux 6.13. See io_uring_register_sync_msg(3).
    ///
    /// # Errors
    ///
    /// `EINVAL` without [`FOREIGN`] and before 6.13, `EBADF`, `EBADFD` for what is no ring or one that is not enabled, `EOVERFLOW` if it cannot be kept there.
    pub fn send_message(target: RawFd, result: i32, user_data: u64, flags: Option<u32>) -> io::Result<()> {
        if user_data & FOREIGN == 0 {
            return Err(invalid());
        }
        let mut entry = Entry::new(IORING_OP_MSG_RING);
        entry.set_bits(place::fd, u64::from(target as u32));
        entry.set_bits(place::len, u64::from(result as u32));
        entry.set_bits(place::off, user_data);
        if let Some(flags) = flags {
            entry.set_bits(place::op_flags, IORING_MSG_RING_FLAGS_PASS.into());
            entry.set_bits(place::file_index, flags.into());
        }
        let pointer = std::ptr::from_mut(&mut entry).cast();
        // SAFETY: one entry is read during the call, and points at nothing.
        unsafe { sys::io_uring_register(-1, IORING_REGISTER_SEND_MSG_RING, pointer, 1)? };
        Ok(())
    }
}

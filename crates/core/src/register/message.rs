//! Messages to a ring, sent without a ring.

use std::io;
use std::os::fd::RawFd;

use crate::errno::invalid;
use crate::operations::MsgRingData;
use crate::ring::{Ring, UNSOLICITED};
use crate::sys::{self, IORING_MSG_RING_FLAGS_PASS, IORING_REGISTER_SEND_MSG_RING};

impl Ring {
    /// Posts a completion with this result and user data on a ring. Can be called on any thread, and needs no ring.
    /// `user_data` must have [`UNSOLICITED`]: the target would count the completion as the end of an operation
    /// otherwise. `flags` sets the flags of the completion. Since Linux 6.13. See io_uring_register_sync_msg(3).
    ///
    /// # Errors
    ///
    /// * `EINVAL`: `user_data` does not have [`UNSOLICITED`], or the kernel is older than 6.13.
    /// * `EBADF`: the descriptor is not open.
    /// * `EBADFD`: the descriptor is not a ring, or the ring is disabled.
    /// * `EOVERFLOW`: the target's completion queue is full and the completion cannot be kept.
    pub fn send_message(target: RawFd, result: i32, user_data: u64, flags: Option<u32>) -> io::Result<()> {
        if user_data & UNSOLICITED == 0 {
            return Err(invalid());
        }
        let mut message = MsgRingData::new(target, result, user_data);
        if let Some(flags) = flags {
            message = message
                .user_flags(flags)
                .msg_ring_flags(IORING_MSG_RING_FLAGS_PASS);
        }
        let mut entry = message.build();
        let pointer = std::ptr::from_mut(&mut entry).cast();
        // SAFETY: the kernel reads one entry during the call; an entry that sends data has no addresses in it.
        unsafe { sys::io_uring_register(-1, IORING_REGISTER_SEND_MSG_RING, pointer, 1)? };
        Ok(())
    }
}

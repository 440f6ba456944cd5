//! Registered credentials.

use std::io;

use crate::ring::Ring;
use crate::sys::{IORING_REGISTER_PERSONALITY, IORING_UNREGISTER_PERSONALITY};

impl Ring {
    /// Registers the current credentials of this thread and returns their id, for
    /// [`with_personality`](crate::EntryBytes::with_personality). Since Linux 5.6. See
    /// io_uring_register_personality(3).
    ///
    /// # Errors
    ///
    /// `ENOMEM`: the kernel does not have enough memory.
    pub fn register_personality(&mut self) -> io::Result<u16> {
        // Ids start at 1 and fit the 16 bits of the entry's field.
        Ok(self.register_nothing(IORING_REGISTER_PERSONALITY, 0)? as u16)
    }

    /// Unregisters credentials. Submitted operations keep them. See io_uring_unregister_personality(3).
    ///
    /// # Errors
    ///
    /// `EINVAL`: no credentials have this id.
    pub fn unregister_personality(&mut self, personality: u16) -> io::Result<()> {
        self.register_nothing(IORING_UNREGISTER_PERSONALITY, personality.into())
            .map(drop)
    }
}

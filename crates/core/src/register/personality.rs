//! Registered credentials.

use std::io;

use crate::ring::Ring;
use crate::sys::{IORING_REGISTER_PERSONALITY, IORING_UNREGISTER_PERSONALITY};

impl Ring {
    /// Registers the credentials that this thread has now, for
    /// [`with_personality`](crate::EntryBytes::with_personality). Since Linux 5.6. See
    /// io_uring_register_personality(3).
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn register_personality(&mut self) -> io::Result<u16> {
        // Numbers begin with 1 and end with the field that they are for.
        Ok(self.register_nothing(IORING_REGISTER_PERSONALITY, 0)? as u16)
    }

    /// Takes credentials away. Operations that were submitted keep them.
    ///
    /// # Errors
    ///
    /// `EINVAL` if there are none of this number.
    pub fn unregister_personality(&mut self, personality: u16) -> io::Result<()> {
        self.register_nothing(IORING_UNREGISTER_PERSONALITY, personality.into())
            .map(drop)
    }
}

//! The clock that waits are measured by.

use std::io;

use crate::ring::Ring;
use crate::sys::{IORING_REGISTER_CLOCK, io_uring_clock_register};

/// What waits are measured by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// Stands still while the system sleeps: how every ring begins.
    Monotonic,
    /// Goes on while the system sleeps.
    Boottime,
}

impl Ring {
    /// What the waits of this ring are measured by. Since Linux 6.12. See io_uring_register_clock(3).
    ///
    /// # Errors
    ///
    /// `EINVAL` before 6.12.
    pub fn register_clock(&mut self, clock: Clock) -> io::Result<()> {
        let clock = match clock {
            Clock::Monotonic => libc::CLOCK_MONOTONIC,
            Clock::Boottime => libc::CLOCK_BOOTTIME,
        };
        let mut argument = io_uring_clock_register {
            clockid: clock as u32,
            ..Default::default()
        };
        // SAFETY: it points at nothing. The count has to be 0.
        unsafe { self.register_struct(IORING_REGISTER_CLOCK, &mut argument, 0)? };
        Ok(())
    }
}

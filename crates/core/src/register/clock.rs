//! The clock for the timeouts of waits.

use std::io;

use crate::ring::Ring;
use crate::sys::{IORING_REGISTER_CLOCK, io_uring_clock_register};

/// A clock for the timeouts of waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// `CLOCK_MONOTONIC`, the clock of a new ring: stops while the system is suspended.
    Monotonic,
    /// `CLOCK_BOOTTIME`: continues while the system is suspended.
    Boottime,
}

impl Ring {
    /// Sets the clock for the timeouts of this ring's waits. Since Linux 6.12. See io_uring_register_clock(3).
    ///
    /// # Errors
    ///
    /// `EINVAL`: the kernel is older than 6.12.
    pub fn register_clock(&mut self, clock: Clock) -> io::Result<()> {
        let clock = match clock {
            Clock::Monotonic => libc::CLOCK_MONOTONIC,
            Clock::Boottime => libc::CLOCK_BOOTTIME,
        };
        let mut argument = io_uring_clock_register {
            clockid: clock as u32,
            ..Default::default()
        };
        self.register_plain(IORING_REGISTER_CLOCK, &mut argument)
            .map(drop)
    }
}

//! Credentials, kernel workers, the clock, and the ring's own descriptor.

use std::io;
use std::os::fd::AsRawFd;

use super::invalid;
use crate::ring::Ring;
use crate::sys::{
    IORING_REGISTER_CLOCK, IORING_REGISTER_IOWQ_AFF, IORING_REGISTER_IOWQ_MAX_WORKERS,
    IORING_REGISTER_PERSONALITY, IORING_REGISTER_RING_FDS, IORING_UNREGISTER_IOWQ_AFF,
    IORING_UNREGISTER_PERSONALITY, IORING_UNREGISTER_RING_FDS, io_uring_clock_register, io_uring_rsrc_update,
};

/// What waits are measured by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// Stands still while the system sleeps: how every ring begins.
    Monotonic,
    /// Goes on while the system sleeps.
    Boottime,
}

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

    /// Binds the kernel's workers for this thread to processors, instead of those that the thread may run on. Since
    /// Linux 5.14. See io_uring_register_iowq_aff(3).
    ///
    /// # Errors
    ///
    /// `EINVAL` for none at all, one that the system does not have, and one that the thread may not run on.
    pub fn register_iowq_affinity(&mut self, processors: &[usize]) -> io::Result<()> {
        // The kernel ignores bits beyond its last one, and would be left without any.
        let most = last_processor().unwrap_or(MOST_PROCESSORS);
        let last = processors.iter().max().copied().filter(|&last| last <= most);
        let words = last.ok_or_else(invalid)? / 64 + 1;
        let mut mask = vec![0_u64; words];
        for processor in processors {
            mask[processor / 64] |= 1 << (processor % 64);
        }
        let bytes = (words * size_of::<u64>()) as u32;
        // SAFETY: the mask has as many bytes as it says, and is read during the call.
        unsafe { self.register(IORING_REGISTER_IOWQ_AFF, mask.as_mut_ptr().cast(), bytes)? };
        Ok(())
    }

    /// Lets the kernel's workers run where the thread may.
    ///
    /// # Errors
    ///
    /// `EINVAL` where the thread has none yet.
    pub fn unregister_iowq_affinity(&mut self) -> io::Result<()> {
        self.register_nothing(IORING_UNREGISTER_IOWQ_AFF, 0).map(drop)
    }

    /// Limits the kernel's workers for this thread: those for work that ends in bounded time (files) and the others
    /// (sockets, pipes). 0 leaves a limit as it is. Gives the limits as they were. Since Linux 5.15. See
    /// io_uring_register_iowq_max_workers(3).
    ///
    /// # Errors
    ///
    /// `EINVAL` above 2³¹ − 1.
    pub fn register_iowq_max_workers(&mut self, bounded: u32, unbounded: u32) -> io::Result<(u32, u32)> {
        let mut limits = [bounded, unbounded];
        // SAFETY: two numbers are read and filled in.
        unsafe { self.register(IORING_REGISTER_IOWQ_MAX_WORKERS, limits.as_mut_ptr().cast(), 2)? };
        Ok(limits.into())
    }

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

    /// Registers the ring's own descriptor with this thread: entering the kernel is a little cheaper then. A thread has
    /// 16 places for all its rings; closing the ring gives this one back. Since Linux 5.18. See
    /// io_uring_register_ring_fd(3).
    ///
    /// # Errors
    ///
    /// `EEXIST` if it is registered already, `EBUSY` if no place is free.
    pub fn register_ring_fd(&mut self) -> io::Result<u32> {
        if let Some(index) = self.registered.index {
            if std::mem::take(&mut self.registered.unasked) {
                return Ok(index);
            }
            return Err(io::Error::from_raw_os_error(libc::EEXIST));
        }
        let mut argument = io_uring_rsrc_update {
            offset: u32::MAX, // any place
            data: self.as_raw_fd() as u64,
            ..Default::default()
        };
        // SAFETY: it points at nothing; the place that was chosen is filled in.
        unsafe { self.register_struct(IORING_REGISTER_RING_FDS, &mut argument, 1)? };
        self.registered.index = Some(argument.offset);
        Ok(argument.offset)
    }

    /// The same where nobody asked for it: calls then cost no count of references. A thread has few places, and without
    /// one everything works all the same.
    pub fn prefer_ring_fd(&mut self) {
        self.registered.unasked = self.registered.index.is_none() && self.register_ring_fd().is_ok();
    }

    /// Gives the place back.
    ///
    /// # Errors
    ///
    /// `ENXIO` if there is none.
    pub fn unregister_ring_fd(&mut self) -> io::Result<()> {
        let Some(index) = self.registered.index.filter(|_| !self.registered.unasked) else {
            return Err(io::Error::from_raw_os_error(libc::ENXIO));
        };
        unregister_place(self, index)?;
        self.registered.index = None;
        Ok(())
    }

    /// Gives the place back at the end of the ring, come what may: a ring that is restricted may forbid it, but places
    /// are the thread's, and any ring will do.
    pub(crate) fn give_place_back(&mut self) -> io::Result<()> {
        let Some(index) = self.registered.index.take() else {
            return Ok(());
        };
        unregister_place(self, index).or_else(|_| unregister_place(&mut Ring::new(1)?, index))
    }
}

/// More than any kernel has.
const MOST_PROCESSORS: usize = (1 << 16) - 1;

/// The highest number of a processor, from a list such as `0-3,8-11`.
fn last_processor() -> Option<usize> {
    let list = std::fs::read_to_string("/sys/devices/system/cpu/possible").ok()?;
    list.trim_end().rsplit([',', '-']).next()?.parse().ok()
}

fn unregister_place(ring: &mut Ring, index: u32) -> io::Result<()> {
    let mut argument = io_uring_rsrc_update {
        offset: index,
        ..Default::default()
    };
    // SAFETY: it points at nothing.
    unsafe { ring.register_struct(IORING_UNREGISTER_RING_FDS, &mut argument, 1)? };
    Ok(())
}

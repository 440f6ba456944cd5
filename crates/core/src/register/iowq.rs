//! The kernel's workers (io-wq).

use std::io;

use super::invalid;
use crate::ring::Ring;
use crate::sys::{IORING_REGISTER_IOWQ_AFF, IORING_REGISTER_IOWQ_MAX_WORKERS, IORING_UNREGISTER_IOWQ_AFF};

impl Ring {
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
}

/// More than any kernel has.
const MOST_PROCESSORS: usize = (1 << 16) - 1;

/// The highest number of a processor, from a list such as `0-3,8-11`.
fn last_processor() -> Option<usize> {
    let list = std::fs::read_to_string("/sys/devices/system/cpu/possible").ok()?;
    list.trim_end().rsplit([',', '-']).next()?.parse().ok()
}

//! The kernel's workers (io-wq).

use std::io;

use crate::errno::invalid;
use crate::ring::Ring;
use crate::sys::{IORING_REGISTER_IOWQ_AFF, IORING_REGISTER_IOWQ_MAX_WORKERS, IORING_UNREGISTER_IOWQ_AFF};

impl Ring {
    /// Binds this thread's kernel workers to processors. By default they run where the thread may run. Since Linux
    /// 5.14. See io_uring_register_iowq_aff(3).
    ///
    /// # Errors
    ///
    /// `EINVAL`: `processors` is empty, or has one that the system does not have or the thread may not run on.
    pub fn register_iowq_affinity(&mut self, processors: &[usize]) -> io::Result<()> {
        // The kernel ignores bits beyond its last processor, and would bind the workers to none.
        let most = last_processor().unwrap_or(MOST_PROCESSORS);
        let last = processors.iter().max().copied().filter(|&last| last <= most);
        let words = last.ok_or_else(invalid)? / 64 + 1;
        let mut mask = vec![0_u64; words];
        for processor in processors {
            mask[processor / 64] |= 1 << (processor % 64);
        }
        let bytes = (words * size_of::<u64>()) as u32;
        // SAFETY: the kernel reads `bytes` bytes during the call, which is the size of `mask`.
        unsafe { self.register(IORING_REGISTER_IOWQ_AFF, mask.as_mut_ptr().cast(), bytes)? };
        Ok(())
    }

    /// Lets this thread's kernel workers run where the thread may run. See io_uring_unregister_iowq_aff(3).
    ///
    /// # Errors
    ///
    /// `EINVAL`: the thread has no workers yet.
    pub fn unregister_iowq_affinity(&mut self) -> io::Result<()> {
        self.register_nothing(IORING_UNREGISTER_IOWQ_AFF, 0).map(drop)
    }

    /// Limits the number of this thread's kernel workers, and returns the previous limits: of workers for operations
    /// that end in bounded time (files), and of the others (sockets, pipes). 0 leaves a limit unchanged. Since Linux
    /// 5.15. See io_uring_register_iowq_max_workers(3).
    ///
    /// # Errors
    ///
    /// `EINVAL`: a limit is above 2³¹ − 1.
    pub fn register_iowq_max_workers(&mut self, bounded: u32, unbounded: u32) -> io::Result<(u32, u32)> {
        let mut limits = [bounded, unbounded];
        // SAFETY: the kernel reads and writes two numbers during the call, which is the size of `limits`.
        unsafe { self.register(IORING_REGISTER_IOWQ_MAX_WORKERS, limits.as_mut_ptr().cast(), 2)? };
        Ok(limits.into())
    }
}

/// An upper bound of processor numbers, used if the system's last one cannot be read.
const MOST_PROCESSORS: usize = (1 << 16) - 1;

/// Returns the highest processor number, from a list such as `0-3,8-11`.
fn last_processor() -> Option<usize> {
    let list = std::fs::read_to_string("/sys/devices/system/cpu/possible").ok()?;
    list.trim_end().rsplit([',', '-']).next()?.parse().ok()
}

//! A region of memory that the kernel shares, and waits that are described in it.

use std::io;
use std::time::Duration;

use super::invalid;
use crate::memory::Memory;
use crate::ring::Ring;
use crate::sys::{
    __kernel_timespec, IORING_MEM_REGION_REG_WAIT_ARG, IORING_MEM_REGION_TYPE_USER, IORING_REG_WAIT_TS,
    IORING_REGISTER_MEM_REGION, io_uring_mem_region_reg, io_uring_reg_wait, io_uring_region_desc,
};

impl Ring {
    /// Shares memory with the kernel, once and until the ring is closed: whole pages, from the start of one. With `waits`
    /// it describes waits, for a ring that is not enabled yet. Since Linux 6.13. See io_uring_register_region(3).
    ///
    /// # Errors
    ///
    /// `EBUSY` if there is a region already, `EINVAL` for memory that is not whole pages, and with `waits` for a ring
    /// that is enabled; `ENOMEM`.
    pub fn register_region(&mut self, memory: &Memory, waits: bool) -> io::Result<()> {
        let description = io_uring_region_desc {
            user_addr: memory.as_ptr() as u64,
            size: memory.len() as u64,
            flags: IORING_MEM_REGION_TYPE_USER,
            ..Default::default()
        };
        let mut argument = io_uring_mem_region_reg {
            region_uptr: std::ptr::from_ref(&description) as u64,
            flags: if waits { IORING_MEM_REGION_REG_WAIT_ARG } else { 0 },
            ..Default::default()
        };
        // SAFETY: the description lives until the kernel has read it, and the memory until the ring is closed.
        unsafe { self.register_struct(IORING_REGISTER_MEM_REGION, &mut argument, 1)? };
        self.retained.kept.push(memory.clone());
        Ok(())
    }

    /// Starts what was pushed and waits for `want` completions as the registered wait at `index` says. Since Linux
    /// 6.13.
    ///
    /// # Errors
    ///
    /// `EFAULT` if there is none, and as for [`submit_and_wait`](Self::submit_and_wait); the end of the time is none.
    pub fn submit_and_wait_registered(&mut self, want: u32, index: usize) -> io::Result<usize> {
        let offset = index.saturating_mul(size_of::<io_uring_reg_wait>());
        self.submit_by(want, |ring, to_submit, enter| {
            ring.enter_registered(to_submit, want, enter.bits(), offset)
        })
    }
}

/// Describes a wait in a region for waits: its place among them, how long it is at most, and how long it waits for
/// more than one completion. See io_uring_register_reg_wait(3).
///
/// # Errors
///
/// `EINVAL` beyond the end of the memory.
pub fn set_wait(
    memory: &Memory,
    index: usize,
    timeout: Option<Duration>,
    min_wait: Duration,
) -> io::Result<()> {
    let wait = io_uring_reg_wait {
        ts: timeout.map(__kernel_timespec::from).unwrap_or_default(),
        flags: if timeout.is_some() { IORING_REG_WAIT_TS } else { 0 },
        min_wait_usec: u32::try_from(min_wait.as_micros()).unwrap_or(u32::MAX),
        sigmask_sz: 0,
        ..Default::default()
    };
    // SAFETY: 64 initialised bytes without padding.
    let bytes: [u8; size_of::<io_uring_reg_wait>()] = unsafe { std::mem::transmute(wait) };
    let at = index.checked_mul(bytes.len()).ok_or_else(invalid)?;
    if memory.slice(at..at.saturating_add(bytes.len())).is_none() {
        return Err(invalid());
    }
    memory.write(at, &bytes);
    Ok(())
}

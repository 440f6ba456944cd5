//! A memory region shared with the kernel, and the waits that are described in it.

use std::io;
use std::time::Duration;

use crate::errno::invalid;
use crate::memory::MappedMemory;
use crate::ring::Ring;
use crate::sys::{
    __kernel_timespec, IORING_MEM_REGION_REG_WAIT_ARG, IORING_MEM_REGION_TYPE_USER, IORING_REG_WAIT_TS,
    IORING_REGISTER_MEM_REGION, io_uring_mem_region_reg, io_uring_reg_wait, io_uring_region_desc,
};

impl Ring {
    /// Registers a region of whole pages that the kernel shares until the ring is closed. With `waits` the region
    /// describes waits ([`set_wait`]), which needs a ring that is still disabled. Since Linux 6.13. See
    /// io_uring_register_region(3).
    ///
    /// # Errors
    ///
    /// * `EBUSY`: a region is registered already.
    /// * `EINVAL`: the memory is not whole pages, or the ring is enabled and `waits` is set.
    /// * `ENOMEM`: the region would exceed the memory-lock limit.
    pub fn register_region(&mut self, memory: &MappedMemory, waits: bool) -> io::Result<()> {
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
        // SAFETY: the kernel reads the description during the call only. It holds the pages of the memory, of which the
        // ring keeps a clone until it is closed.
        unsafe { self.register_struct(IORING_REGISTER_MEM_REGION, &mut argument, 1)? };
        self.retained.until_close.push(memory.clone());
        Ok(())
    }

    /// Submits the queued entries and waits for at least `want` completions, as described by the registered wait at
    /// `index`. Since Linux 6.13.
    ///
    /// # Errors
    ///
    /// `EFAULT`: the region has no wait at `index`. The others are those of [`submit_and_wait`](Self::submit_and_wait).
    pub fn submit_and_wait_registered(&mut self, want: u32, index: usize) -> io::Result<usize> {
        let offset = index.saturating_mul(size_of::<io_uring_reg_wait>());
        self.submit_using(want, |ring, to_submit, enter| {
            ring.enter_registered(to_submit, want, enter, offset)
        })
    }
}

/// Describes the wait at `index` of a region. The wait lasts at most for `timeout`. During `min_wait` only the wanted
/// number of completions ends it, and after that one completion does. See io_uring_register_reg_wait(3).
///
/// # Errors
///
/// `EINVAL`: `index` is beyond the end of the memory.
pub fn set_wait(
    memory: &MappedMemory,
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
    // SAFETY: the structure is integers without padding (its definition asserts that), so all of its 64 bytes are
    // initialised.
    let bytes: [u8; size_of::<io_uring_reg_wait>()] = unsafe { std::mem::transmute(wait) };
    let at = index.checked_mul(bytes.len()).ok_or_else(invalid)?;
    if memory.slice(at..at.saturating_add(bytes.len())).is_none() {
        return Err(invalid());
    }
    memory.write(at, &bytes);
    Ok(())
}

//! Zero-copy receive: a queue of a network device that writes into the program's memory.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};

use super::invalid;
use crate::memory::Memory;
use crate::ring::Ring;
use crate::sys::{
    IORING_MEM_REGION_TYPE_USER, IORING_REGISTER_ZCRX_IFQ, io_uring_region_desc, io_uring_zcrx_area_reg,
    io_uring_zcrx_ifq_reg, io_uring_zcrx_rqe,
};

/// What a queue for zero-copy receive is made with.
#[derive(Clone, Debug)]
pub struct ZeroCopySetup {
    /// Index of the network interface.
    pub interface: u32,
    /// Its queue.
    pub queue: u32,
    /// Entries of the queue by which memory goes back: a power of two.
    pub entries: u32,
    /// What is received into: whole pages.
    pub area: Memory,
}

/// A queue of a network device, registered with a ring until that is closed. Tried without such a device only: as far as
/// the kernel's refusal.
#[derive(Debug)]
pub struct ZeroCopyReceive {
    id: u32,
    token: u64,
    area: Memory,
    region: Memory,
    offsets: crate::sys::io_uring_zcrx_offsets,
    mask: u32,
    tail: u32,
}

impl Ring {
    /// Takes a queue of a network device. Needs `CAP_NET_ADMIN`, a device that can split headers from data, and a ring
    /// with `DEFER_TASKRUN` and wide completions. Since Linux 6.15. See io_uring_register_ifq(3).
    ///
    /// # Errors
    ///
    /// `EPERM`, `EINVAL` for another kind of ring, `ENODEV` for no such interface, `EOPNOTSUPP` for a device that cannot.
    pub fn register_zero_copy_receive(&mut self, setup: &ZeroCopySetup) -> io::Result<ZeroCopyReceive> {
        if !setup.entries.is_power_of_two() {
            return Err(invalid());
        }
        // SAFETY: a number, which is always known: a power of two.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize;
        let bytes = setup.entries as usize * size_of::<io_uring_zcrx_rqe>() + page;
        let region = Memory::new(bytes.next_multiple_of(page))?;
        let mut description = io_uring_region_desc {
            user_addr: region.as_ptr() as u64,
            size: region.len() as u64,
            flags: IORING_MEM_REGION_TYPE_USER,
            ..Default::default()
        };
        let mut area = io_uring_zcrx_area_reg {
            addr: setup.area.as_ptr() as u64,
            len: setup.area.len() as u64,
            ..Default::default()
        };
        let mut argument = io_uring_zcrx_ifq_reg {
            if_idx: setup.interface,
            if_rxq: setup.queue,
            rq_entries: setup.entries,
            area_ptr: std::ptr::from_mut(&mut area) as u64,
            region_ptr: std::ptr::from_mut(&mut description) as u64,
            ..Default::default()
        };
        // SAFETY: both descriptions live until the kernel has read and filled them in; the memory that they name is
        // kept until the ring is closed.
        unsafe { self.register_struct(IORING_REGISTER_ZCRX_IFQ, &mut argument, 1)? };
        self.retained.kept.extend([region.clone(), setup.area.clone()]);
        let read = size_of::<AtomicU32>();
        let aligned = [argument.offsets.head, argument.offsets.tail]
            .iter()
            .all(|offset| (*offset as usize).is_multiple_of(align_of::<AtomicU32>()));
        let inside =
            |offset: u32, length: usize| region.slice(offset as usize..offset as usize + length).is_some();
        let rqes = argument.rq_entries as usize * size_of::<io_uring_zcrx_rqe>();
        let offsets = argument.offsets;
        if !aligned
            || !inside(offsets.head, read)
            || !inside(offsets.tail, read)
            || !inside(offsets.rqes, rqes)
        {
            return Err(invalid());
        }
        Ok(ZeroCopyReceive {
            id: argument.zcrx_id,
            token: area.rq_area_token,
            area: setup.area.clone(),
            region,
            offsets,
            mask: argument.rq_entries.wrapping_sub(1),
            tail: 0,
        })
    }
}

impl ZeroCopyReceive {
    /// The queue's number, for `RecvZc`.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// What is received into.
    #[must_use]
    pub fn area(&self) -> &Memory {
        &self.area
    }

    /// What a completion received, from its offset (the first number of its second half) and its length; `None` if it
    /// is not in the area.
    #[must_use]
    pub fn received(&self, offset: u64, length: u32) -> Option<Memory> {
        let start = usize::try_from(offset & !crate::sys::IORING_ZCRX_AREA_MASK).ok()?;
        self.area.slice(start..start.checked_add(length as usize)?)
    }

    /// Gives memory back, from the same two numbers; `false` if the queue has no room.
    pub fn refill(&mut self, offset: u64, length: u32) -> bool {
        let head = self.counter(self.offsets.head).load(Ordering::Acquire);
        if self.tail.wrapping_sub(head) > self.mask {
            return false;
        }
        let offset = offset & !crate::sys::IORING_ZCRX_AREA_MASK | self.token;
        let at =
            self.offsets.rqes as usize + (self.tail & self.mask) as usize * size_of::<io_uring_zcrx_rqe>();
        self.region.write(at, &offset.to_ne_bytes());
        self.region.write(at + 8, &length.to_ne_bytes());
        self.tail = self.tail.wrapping_add(1);
        self.counter(self.offsets.tail)
            .store(self.tail, Ordering::Release);
        true
    }

    fn counter(&self, offset: u32) -> &AtomicU32 {
        // SAFETY: inside the region, which was looked at when it was made, and aligned, and
        // accessed atomically by both sides.
        unsafe { AtomicU32::from_ptr(self.region.as_ptr().add(offset as usize).cast()) }
    }
}

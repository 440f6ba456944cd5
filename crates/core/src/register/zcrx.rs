//! Zero-copy receive: a network device's queue that writes into the program's memory.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::errno::invalid;
use crate::memory::MappedMemory;
use crate::ring::Ring;
use crate::sys::{
    self, IORING_MEM_REGION_TYPE_USER, IORING_REGISTER_ZCRX_IFQ, IORING_ZCRX_AREA_MASK, io_uring_region_desc,
    io_uring_zcrx_area_reg, io_uring_zcrx_ifq_reg, io_uring_zcrx_offsets, io_uring_zcrx_rqe,
};

/// Options of [`Ring::register_zero_copy_receive`].
#[derive(Clone, Debug)]
pub struct ZeroCopySetup {
    /// Index of the network interface.
    pub interface: u32,
    /// Number of the interface's receive queue.
    pub queue: u32,
    /// Capacity of the refill queue in entries, a power of two.
    pub entries: u32,
    /// Memory to receive into: whole pages.
    pub area: MappedMemory,
}

/// A queue of a network device that is registered with a ring until the ring is closed.
///
/// This was tested only without a suitable device, up to the kernel's refusal.
#[derive(Debug)]
pub struct ZeroCopyReceive {
    id: u32,
    token: u64,
    area: MappedMemory,
    region: MappedMemory,
    offsets: io_uring_zcrx_offsets,
    mask: u32,
    tail: u32,
}

impl Ring {
    /// Registers a receive queue of a network device. Needs `CAP_NET_ADMIN`, a device that can split headers from data,
    /// and a ring with `DEFER_TASKRUN` and `CQE32`. Since Linux 6.15. See io_uring_register_ifq(3).
    ///
    /// # Errors
    ///
    /// * `EPERM`: the process does not have `CAP_NET_ADMIN`.
    /// * `EINVAL`: the ring does not have these flags, or `entries` is not a power of two.
    /// * `ENODEV`: there is no such interface.
    /// * `EOPNOTSUPP`: the device does not support zero-copy receive.
    pub fn register_zero_copy_receive(&mut self, setup: &ZeroCopySetup) -> io::Result<ZeroCopyReceive> {
        if !setup.entries.is_power_of_two() {
            return Err(invalid());
        }
        let page = sys::page_size();
        let bytes = setup.entries as usize * size_of::<io_uring_zcrx_rqe>() + page;
        let region = MappedMemory::new(bytes.next_multiple_of(page))?;
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
        // SAFETY: the kernel reads and writes the three structures during the call only. It uses the memory that they
        // describe until the ring is closed, and `until_close` keeps that for as long.
        unsafe { self.register_struct(IORING_REGISTER_ZCRX_IFQ, &mut argument, 1)? };
        self.retained
            .until_close
            .extend([region.clone(), setup.area.clone()]);
        let counter = size_of::<AtomicU32>();
        let aligned = [argument.offsets.head, argument.offsets.tail]
            .iter()
            .all(|offset| (*offset as usize).is_multiple_of(align_of::<AtomicU32>()));
        let inside =
            |offset: u32, length: usize| region.slice(offset as usize..offset as usize + length).is_some();
        let rqes = argument.rq_entries as usize * size_of::<io_uring_zcrx_rqe>();
        let offsets = argument.offsets;
        if !aligned
            || !inside(offsets.head, counter)
            || !inside(offsets.tail, counter)
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
    /// Returns the id of the queue, for [`RecvZc`](crate::operations::RecvZc).
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Returns the memory that data is received into.
    #[must_use]
    pub fn area(&self) -> &MappedMemory {
        &self.area
    }

    /// Returns the memory that a completion received, from the offset in its second 16 bytes and its length in bytes,
    /// or `None` if that is not inside the area.
    #[must_use]
    pub fn received(&self, offset: u64, length: u32) -> Option<MappedMemory> {
        let start = usize::try_from(offset & !IORING_ZCRX_AREA_MASK).ok()?;
        self.area.slice(start..start.checked_add(length as usize)?)
    }

    /// Returns received memory to the device, by the same offset and length. Returns false if the refill queue is full.
    pub fn refill(&mut self, offset: u64, length: u32) -> bool {
        let head = self.counter(self.offsets.head).load(Ordering::Acquire);
        if self.tail.wrapping_sub(head) > self.mask {
            return false;
        }
        let offset = offset & !IORING_ZCRX_AREA_MASK | self.token;
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
        // SAFETY: `offset` is that of the head or tail, which `register_zero_copy_receive` has checked to be aligned
        // and inside the region. The region is mapped as long as `self` lives, and both sides access it atomically.
        unsafe { AtomicU32::from_ptr(self.region.as_ptr().add(offset as usize).cast()) }
    }
}

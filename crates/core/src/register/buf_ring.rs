//! Buffer rings: groups of provided buffers, from which the kernel takes a buffer when data arrives.

use std::collections::VecDeque;
use std::io;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU16, Ordering};

use crate::errno::invalid;
use crate::memory::MappedMemory;
use crate::queues::Completion;
use crate::retained::RetainedGroup;
use crate::ring::Ring;
use crate::sys::{
    IORING_CQE_BUFFER_SHIFT, IORING_OFF_PBUF_RING, IORING_OFF_PBUF_SHIFT, IORING_REGISTER_PBUF_RING,
    IORING_REGISTER_PBUF_STATUS, IORING_UNREGISTER_PBUF_RING, IOU_PBUF_RING_INC, IOU_PBUF_RING_MMAP,
    completion, io_uring_buf, io_uring_buf_reg, io_uring_buf_ring, io_uring_buf_status,
};

/// Options of [`Ring::register_buffer_ring`].
#[derive(Clone, Debug)]
pub struct GroupSetup {
    /// Id of the buffer group, for [`Group`](crate::Group).
    pub group: u16,
    /// Number of buffers, 1 to 32768.
    pub count: u16,
    /// Size of each buffer in bytes.
    pub size: u32,
    /// Lets successive completions use a buffer until it is full (since Linux 6.12).
    pub incremental: bool,
    /// Lets the kernel allocate the ring of buffer addresses (since Linux 6.4). The buffers are the program's in any
    /// case.
    pub kernel_memory: bool,
    /// Memory of the buffers, `count` times `size` bytes. By default new memory.
    pub memory: Option<MappedMemory>,
}

impl Default for GroupSetup {
    fn default() -> Self {
        Self {
            group: 0,
            count: 64,
            size: 4096,
            incremental: false,
            kernel_memory: false,
            memory: None,
        }
    }
}

/// A group of provided buffers that is registered with a ring. See io_uring_setup_buf_ring(3).
///
/// The kernel has all buffers at first. Pass each completion that used buffers to [`take`](Self::take), in the order in
/// which the completions arrived, and return the buffers that are done with [`recycle`](Self::recycle).
///
/// Dropping a `BufferRing` leaves the group registered, and the ring keeps its memory; [`close`](Self::close)
/// unregisters it.
///
/// ```
/// use std::io::Write as _;
/// use std::os::fd::AsRawFd;
/// use typed_uring::{Ring, operations::RecvMulti, register::GroupSetup};
///
/// let (socket, mut peer) = std::os::unix::net::UnixStream::pair()?;
/// let mut ring = Ring::new(8)?;
/// let mut group = ring.register_buffer_ring(&GroupSetup { count: 4, size: 64, ..GroupSetup::default() })?;
///
/// // SAFETY: the ring keeps the memory of the buffer group.
/// unsafe { ring.push(&RecvMulti::new(socket.as_raw_fd(), group.group()).build())? };
/// for message in ["first", "second"] {
///     peer.write_all(message.as_bytes())?;
///     ring.submit_and_wait(1, None)?;
///     let completion = ring.pop().ok_or("no completion")?;
///     for filled in group.take(&ring, &completion)? {
///         assert_eq!(filled.bytes.to_vec(), message.as_bytes());
///         if filled.done {
///             group.recycle(filled.id);
///         }
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct BufferRing {
    group: u16,
    size: u32,
    incremental: bool,
    /// The ring of buffer addresses that the kernel reads; its number of entries is a power of two.
    entries: MappedMemory,
    mask: u16,
    memory: MappedMemory,
    /// Number of buffers that were ever added, modulo 2¹⁶, including those that are not published yet.
    tail: u16,
    buffers: Vec<Buffer>,
    /// The buffers that the kernel has, in the order in which they were added.
    order: VecDeque<u16>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Buffer {
    with_kernel: bool,
    /// The tail at which the buffer was added last.
    place: u16,
    /// Number of bytes that earlier completions have filled.
    filled: u32,
}

/// The part of a buffer that a completion filled.
#[derive(Clone, Debug)]
pub struct Filled {
    /// Id of the buffer.
    pub id: u16,
    /// The bytes that this completion filled.
    pub bytes: MappedMemory,
    /// True if the kernel is done with the buffer, so that it can be [recycled](BufferRing::recycle).
    pub done: bool,
}

/// Largest number of buffers of a group: a ring of their addresses has at most so many entries.
const MAX_BUFFERS: u16 = 1 << 15;

impl Ring {
    /// Registers a group of provided buffers and gives all of them to the kernel. Since Linux 5.19. See
    /// io_uring_register_buf_ring(3).
    ///
    /// # Errors
    ///
    /// * `EEXIST`: the group is registered already.
    /// * `EINVAL`: the number or size of the buffers is out of range, `memory` has another size, or the kernel does not
    ///   know an option.
    /// * `ENOMEM`: there is not enough memory.
    pub fn register_buffer_ring(&mut self, setup: &GroupSetup) -> io::Result<BufferRing> {
        let length = usize::from(setup.count) * setup.size as usize;
        let given = setup.memory.as_ref().map_or(length, MappedMemory::len);
        if length == 0 || setup.count > MAX_BUFFERS || given != length {
            return Err(invalid());
        }
        self.free_retired_groups();
        let memory = match &setup.memory {
            Some(memory) => memory.clone(),
            None => MappedMemory::new(length)?,
        };
        let number = u32::from(setup.count).next_power_of_two();
        let bytes = number as usize * size_of::<io_uring_buf>();
        let mut argument = io_uring_buf_reg {
            ring_entries: number,
            bgid: setup.group,
            flags: if setup.incremental { IOU_PBUF_RING_INC } else { 0 },
            ..Default::default()
        };
        let own_entries = if setup.kernel_memory {
            argument.flags |= IOU_PBUF_RING_MMAP;
            None
        } else {
            let entries = MappedMemory::new(bytes)?;
            argument.ring_addr = entries.as_ptr() as u64;
            Some(entries)
        };
        // SAFETY: the kernel reads the structure during the call. With `ring_addr` it holds the pages of `own_entries`,
        // which has the `bytes` of `ring_entries`; with `IOU_PBUF_RING_MMAP` it allocates the entries, and
        // `ring_addr` is 0.
        unsafe { self.register_struct(IORING_REGISTER_PBUF_RING, &mut argument, 1)? };
        let entries = if let Some(entries) = own_entries {
            entries
        } else {
            let offset = IORING_OFF_PBUF_RING | u64::from(setup.group) << IORING_OFF_PBUF_SHIFT;
            MappedMemory::of_ring(self.as_raw_fd(), offset, bytes).inspect_err(|_| {
                drop(self.unregister_group(setup.group)); // the first error is the cause
            })?
        };
        // Retained before the kernel can write to the buffers.
        let retained = RetainedGroup {
            memory: memory.clone(),
            entries: entries.clone(),
            maps_ring: setup.kernel_memory,
        };
        if let Some(before) = self.retained.groups.insert(setup.group, retained) {
            // That group was unregistered with a raw call, and an operation may still use one of its buffers.
            self.retained.retired.push(before.memory);
        }
        let mut ring = BufferRing {
            group: setup.group,
            size: setup.size,
            incremental: setup.incremental,
            entries,
            mask: (number - 1) as u16,
            memory,
            tail: 0,
            buffers: vec![Buffer::default(); setup.count.into()],
            order: VecDeque::with_capacity(setup.count.into()),
        };
        for id in 0..setup.count {
            ring.add(id);
        }
        ring.advance();
        Ok(ring)
    }

    /// Returns the number of buffers that the kernel has ever taken from a buffer ring, modulo 2¹⁶. Since Linux 6.8.
    /// See io_uring_buf_ring_head(3).
    ///
    /// # Errors
    ///
    /// * `ENOENT`: there is no such group.
    /// * `EINVAL`: the group is not a buffer ring.
    pub fn buffer_ring_head(&self, group: u16) -> io::Result<u16> {
        let mut argument = io_uring_buf_status {
            buf_group: group.into(),
            ..Default::default()
        };
        self.register_plain(IORING_REGISTER_PBUF_STATUS, &mut argument)?;
        Ok(argument.head as u16) // the kernel counts in 16 bits
    }

    fn unregister_group(&mut self, group: u16) -> io::Result<()> {
        let mut argument = io_uring_buf_reg {
            bgid: group,
            ..Default::default()
        };
        self.register_plain(IORING_UNREGISTER_PBUF_RING, &mut argument)
            .map(drop)
    }
}

impl BufferRing {
    /// Returns the id of the buffer group.
    #[must_use]
    pub fn group(&self) -> u16 {
        self.group
    }

    /// Returns the number of buffers.
    #[must_use]
    pub fn count(&self) -> u16 {
        self.buffers.len() as u16 // at most MAX_BUFFERS
    }

    /// Returns the size of each buffer in bytes.
    #[must_use]
    pub fn size(&self) -> u32 {
        self.size
    }

    /// Returns the memory of all buffers, one after the other.
    #[must_use]
    pub fn memory(&self) -> &MappedMemory {
        &self.memory
    }

    /// Returns the memory of one buffer, or `None` if there is no buffer with this id.
    #[must_use]
    pub fn buffer(&self, id: u16) -> Option<MappedMemory> {
        let start = usize::from(id) * self.size as usize;
        self.memory.slice(start..start + self.size as usize)
    }

    /// Adds a buffer to the ring; the kernel sees it after [`advance`](Self::advance). Returns false and does nothing
    /// if the kernel has the buffer already, or there is no such buffer.
    pub fn add(&mut self, id: u16) -> bool {
        let Some(memory) = self.buffer(id) else {
            return false;
        };
        let Some(buffer) = self.buffers.get_mut(usize::from(id)) else {
            return false;
        };
        if buffer.with_kernel {
            return false;
        }
        *buffer = Buffer {
            with_kernel: true,
            place: self.tail,
            filled: 0,
        };
        let mut entry = [0; std::mem::offset_of!(io_uring_buf, resv)];
        entry[..8].copy_from_slice(&(memory.as_ptr() as u64).to_ne_bytes());
        entry[8..12].copy_from_slice(&self.size.to_ne_bytes());
        entry[12..].copy_from_slice(&id.to_ne_bytes());
        // The last two bytes are left out: in the first entry they are the tail of the ring.
        let at = usize::from(self.tail & self.mask) * size_of::<io_uring_buf>();
        self.entries.write(at, &entry);
        self.order.push_back(id);
        self.tail = self.tail.wrapping_add(1);
        true
    }

    /// Publishes the added buffers to the kernel.
    pub fn advance(&mut self) {
        let at = std::mem::offset_of!(io_uring_buf_ring, tail);
        // SAFETY: `at` is inside the first entry of a mapping that `self.entries` keeps, and even, so the address is
        // aligned for 16 bits. Both sides access the tail atomically.
        let tail = unsafe { AtomicU16::from_ptr(self.entries.as_ptr().add(at).cast()) };
        tail.store(self.tail, Ordering::Release); // the kernel sees the entries before the tail
    }

    /// Returns a buffer to the kernel. Returns false if the kernel has it already.
    pub fn recycle(&mut self, id: u16) -> bool {
        let added = self.add(id);
        self.advance();
        added
    }

    /// Returns the number of buffers that the kernel has and has not begun to use, including those that are not
    /// published yet.
    ///
    /// # Errors
    ///
    /// As for [`Ring::buffer_ring_head`].
    pub fn available(&self, ring: &Ring) -> io::Result<u16> {
        self.check_ring(ring)?;
        Ok(self.tail.wrapping_sub(ring.buffer_ring_head(self.group)?))
    }

    /// Returns the parts of buffers that a completion of this group filled, in order: one, several for a bundle, or
    /// none.
    ///
    /// Pass each completion once, and those of an operation in order: the earlier ones determine where a part begins.
    ///
    /// # Errors
    ///
    /// * `EINVAL`: the kernel did not have the buffer, or this is not the ring of the group.
    /// * Those of [`Ring::buffer_ring_head`], which is called when only the kernel knows if it is done with a buffer.
    pub fn take(&mut self, ring: &Ring, completion: &Completion) -> io::Result<Vec<Filled>> {
        self.check_ring(ring)?;
        if completion.flags & completion::BUFFER == 0 {
            return Ok(Vec::new());
        }
        let first = (completion.flags >> IORING_CQE_BUFFER_SHIFT) as u16;
        let index = self
            .order
            .iter()
            .position(|&id| id == first)
            .ok_or_else(invalid)?;
        let mut left = u32::try_from(completion.result).unwrap_or(0);
        if left == 0 && self.incremental && completion.flags & completion::BUF_MORE == 0 {
            // Some kernels do not set BUF_MORE at the end of a stream although they keep the buffer.
            let place = self.buffers[usize::from(first)].place;
            let ahead = ring.buffer_ring_head(self.group)?.wrapping_sub(place);
            if ahead == 0 || ahead > self.mask.saturating_add(1) {
                return Ok(vec![self.filled(first, 0, false)?]);
            }
        }
        let mut all = Vec::with_capacity(1);
        loop {
            let id = *self.order.get(index).ok_or_else(invalid)?;
            let bytes = left.min(self.size - self.buffers[usize::from(id)].filled);
            left -= bytes;
            let kept = left == 0 && completion.flags & completion::BUF_MORE != 0;
            all.push(self.filled(id, bytes, !kept)?);
            if !kept {
                self.order.remove(index);
            }
            if left == 0 {
                return Ok(all);
            }
        }
    }

    fn filled(&mut self, id: u16, bytes: u32, done: bool) -> io::Result<Filled> {
        let buffer = &mut self.buffers[usize::from(id)];
        let from = buffer.filled as usize;
        buffer.filled += bytes;
        buffer.with_kernel = !done;
        let memory = self.buffer(id).ok_or_else(invalid)?;
        Ok(Filled {
            id,
            bytes: memory.slice(from..from + bytes as usize).ok_or_else(invalid)?,
            done,
        })
    }

    /// Unregisters the group. Filled parts stay readable; the ring keeps the memory until no operation is in flight
    /// that may have taken a buffer before. See io_uring_unregister_buf_ring(3).
    ///
    /// # Errors
    ///
    /// `EINVAL`: this is not the ring of the group.
    pub fn close(self, ring: &mut Ring) -> io::Result<()> {
        self.check_ring(ring)?;
        ring.unregister_group(self.group)?;
        ring.retained.groups.remove(&self.group);
        ring.retained.retired.push(self.memory);
        ring.free_retired_groups();
        Ok(())
    }

    fn check_ring(&self, ring: &Ring) -> io::Result<()> {
        match ring.retained.groups.get(&self.group) {
            Some(group) if group.entries.as_ptr() == self.entries.as_ptr() => Ok(()),
            _ => Err(invalid()),
        }
    }
}

//! Groups of provided buffers, mapped: the kernel picks a buffer when there is data for it, and says which.

use std::collections::VecDeque;
use std::io;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU16, Ordering};

use super::invalid;
use crate::memory::Memory;
use crate::queues::Completion;
use crate::retained::Provided;
use crate::ring::Ring;
use crate::sys::{
    self, IORING_CQE_BUFFER_SHIFT, IORING_OFF_PBUF_RING, IORING_OFF_PBUF_SHIFT, IORING_REGISTER_PBUF_RING,
    IORING_REGISTER_PBUF_STATUS, IORING_UNREGISTER_PBUF_RING, IOU_PBUF_RING_INC, IOU_PBUF_RING_MMAP,
    completion, io_uring_buf, io_uring_buf_reg, io_uring_buf_ring, io_uring_buf_status,
};

/// What a group of provided buffers is made with.
#[derive(Clone, Debug)]
pub struct GroupSetup {
    /// The group's number, for [`Group`](crate::Group).
    pub group: u16,
    /// Number of buffers: 1 to 32768.
    pub count: u16,
    /// Bytes of each.
    pub size: u32,
    /// Several completions share a buffer, one after the other, until it is full (since Linux 6.12).
    pub incremental: bool,
    /// The kernel allocates the ring of the buffers' addresses (since Linux 6.4). The buffers are ours all the same.
    pub kernel_memory: bool,
    /// The buffers, `count` times `size` bytes; absent, new memory.
    pub memory: Option<Memory>,
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

/// A group of provided buffers, registered with a ring. See io_uring_setup_buf_ring(3).
///
/// The buffers are the kernel's at first. Each completion that used some is given to [`take`](Self::take), in the order
/// in which they came; what it says is done with goes back with [`recycle`](Self::recycle).
///
/// Dropping this leaves the group registered, and the ring keeps the memory; [`close`](Self::close) ends it.
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
/// // SAFETY: the ring keeps the group's memory.
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
    /// Where the kernel reads the addresses: a power of two of entries.
    entries: Memory,
    mask: u16,
    memory: Memory,
    /// Where the next buffer goes, counted on without end; what is not published yet included.
    tail: u16,
    buffers: Vec<Buffer>,
    /// The buffers that the kernel has, in the order in which they were given to it.
    order: VecDeque<u16>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Buffer {
    with_kernel: bool,
    /// The tail at which it was given to the kernel.
    place: u16,
    /// Bytes that earlier completions have filled.
    filled: u32,
}

/// What a completion put into one buffer.
#[derive(Clone, Debug)]
pub struct Filled {
    /// The buffer.
    pub id: u16,
    /// The bytes that this completion filled.
    pub bytes: Memory,
    /// Whether the kernel is done with the buffer, so that it can be [recycled](BufferRing::recycle).
    pub done: bool,
}

impl Ring {
    /// Registers a group of provided buffers and gives all of them to the kernel. Since Linux 5.19.
    ///
    /// # Errors
    ///
    /// `EEXIST` if there is such a group, `EINVAL` for a number or size of buffers out of range, another size of memory
    /// or a flag that this kernel does not know, `ENOMEM`.
    pub fn register_buffer_ring(&mut self, setup: &GroupSetup) -> io::Result<BufferRing> {
        const LARGEST: u16 = 32768;
        let length = usize::from(setup.count) * setup.size as usize;
        let given = setup.memory.as_ref().map_or(length, Memory::len);
        if length == 0 || setup.count > LARGEST || given != length {
            return Err(invalid());
        }
        self.sweep();
        let memory = match &setup.memory {
            Some(memory) => memory.clone(),
            None => Memory::new(length)?,
        };
        let number = u32::from(setup.count).next_power_of_two();
        let bytes = number as usize * size_of::<io_uring_buf>();
        let mut argument = io_uring_buf_reg {
            ring_entries: number,
            bgid: setup.group,
            flags: if setup.incremental { IOU_PBUF_RING_INC } else { 0 },
            ..Default::default()
        };
        let entries = if setup.kernel_memory {
            argument.flags |= IOU_PBUF_RING_MMAP;
            // SAFETY: it points at nothing, and the kernel keeps memory of its own.
            unsafe { self.register_struct(IORING_REGISTER_PBUF_RING, &mut argument, 1)? };
            let offset = IORING_OFF_PBUF_RING | u64::from(setup.group) << IORING_OFF_PBUF_SHIFT;
            Memory::of_ring(self.as_raw_fd(), offset, bytes).inspect_err(|_| {
                drop(self.unregister_group(setup.group)); // the first error tells more
            })?
        } else {
            let entries = Memory::new(bytes)?;
            argument.ring_addr = entries.as_ptr() as u64;
            // SAFETY: the kernel holds the pages that it points at.
            unsafe { self.register_struct(IORING_REGISTER_PBUF_RING, &mut argument, 1)? };
            entries
        };
        // Before the kernel can write to it.
        let provided = Provided {
            memory: memory.clone(),
            entries: entries.clone(),
            of_ring: setup.kernel_memory,
        };
        if let Some(before) = self.retained.groups.insert(setup.group, provided) {
            // It was unregistered without our knowing, and may have a buffer in use.
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

    /// How far the kernel has read in a group's ring, counted on without end in 16 bits. Since Linux 6.8.
    ///
    /// # Errors
    ///
    /// `ENOENT` if there is no such group, `EINVAL` if it is not a mapped one.
    pub fn buffer_ring_head(&self, group: u16) -> io::Result<u16> {
        let mut argument = io_uring_buf_status {
            buf_group: group.into(),
            ..Default::default()
        };
        let pointer = std::ptr::from_mut(&mut argument).cast();
        // SAFETY: the kernel reads and fills in one structure, and keeps nothing of it.
        unsafe { sys::io_uring_register(self.as_raw_fd(), IORING_REGISTER_PBUF_STATUS, pointer, 1)? };
        Ok(argument.head as u16) // the kernel's own is of 16 bits
    }

    fn unregister_group(&mut self, group: u16) -> io::Result<()> {
        let mut argument = io_uring_buf_reg {
            bgid: group,
            ..Default::default()
        };
        // SAFETY: it points at nothing.
        unsafe { self.register_struct(IORING_UNREGISTER_PBUF_RING, &mut argument, 1)? };
        Ok(())
    }
}

impl BufferRing {
    /// The group's number.
    #[must_use]
    pub fn group(&self) -> u16 {
        self.group
    }

    /// Number of buffers.
    #[must_use]
    pub fn count(&self) -> u16 {
        self.buffers.len() as u16 // at most 32768
    }

    /// Bytes of each.
    #[must_use]
    pub fn size(&self) -> u32 {
        self.size
    }

    /// All buffers, one after the other.
    #[must_use]
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// One buffer; `None` for a number that none has.
    #[must_use]
    pub fn buffer(&self, id: u16) -> Option<Memory> {
        let start = usize::from(id) * self.size as usize;
        self.memory.slice(start..start + self.size as usize)
    }

    /// Puts a buffer into the ring without showing it to the kernel yet; `false`, and nothing is done, if the kernel
    /// has it or there is none.
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
        // Without the last two bytes: in the first entry they are the tail.
        let at = usize::from(self.tail & self.mask) * size_of::<io_uring_buf>();
        self.entries.write(at, &entry);
        self.order.push_back(id);
        self.tail = self.tail.wrapping_add(1);
        true
    }

    /// Shows the kernel what was added.
    pub fn advance(&mut self) {
        let at = std::mem::offset_of!(io_uring_buf_ring, tail);
        // SAFETY: inside the first entry, aligned as all of the page is, and accessed atomically by both sides.
        let tail = unsafe { AtomicU16::from_ptr(self.entries.as_ptr().add(at).cast()) };
        tail.store(self.tail, Ordering::Release); // after the entries before it
    }

    /// Gives a buffer back to the kernel; `false` if it has it already.
    pub fn recycle(&mut self, id: u16) -> bool {
        let added = self.add(id);
        self.advance();
        added
    }

    /// Buffers that the kernel has and has not begun to use, those included that it was not shown yet.
    ///
    /// # Errors
    ///
    /// As for [`Ring::buffer_ring_head`].
    pub fn available(&self, ring: &Ring) -> io::Result<u16> {
        self.belongs(ring)?;
        Ok(self.tail.wrapping_sub(ring.buffer_ring_head(self.group)?))
    }

    /// What a completion of this group filled, in order: one buffer, several for a bundle, none if it used none.
    ///
    /// Each completion has to be given once, and those of one operation in order: where the next begins follows from
    /// those before it.
    ///
    /// # Errors
    ///
    /// As for [`Ring::buffer_ring_head`], where only the kernel knows whether it is done with a buffer; `EINVAL` for a
    /// buffer that it did not have, or another ring.
    pub fn take(&mut self, ring: &Ring, completion: &Completion) -> io::Result<Vec<Filled>> {
        self.belongs(ring)?;
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
            // Some kernels do not say that they keep a buffer at the end of a stream.
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

    /// Unregisters the group. What was filled stays readable; the ring keeps the memory until nothing is in flight that
    /// may have taken a buffer before.
    ///
    /// # Errors
    ///
    /// `EINVAL` for another ring.
    pub fn close(self, ring: &mut Ring) -> io::Result<()> {
        self.belongs(ring)?;
        ring.unregister_group(self.group)?;
        ring.retained.groups.remove(&self.group);
        ring.retained.retired.push(self.memory);
        ring.sweep();
        Ok(())
    }

    fn belongs(&self, ring: &Ring) -> io::Result<()> {
        match ring.retained.groups.get(&self.group) {
            Some(group) if group.entries.as_ptr() == self.entries.as_ptr() => Ok(()),
            _ => Err(invalid()),
        }
    }
}

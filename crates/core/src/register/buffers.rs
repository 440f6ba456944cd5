//! Registered buffers: memory whose pages the kernel holds, for operations that name it by its index.

use std::io;
use std::os::fd::AsRawFd;

use super::{address, count, marked};
use crate::memory::Memory;
use crate::ring::Ring;
use crate::sys::{
    IORING_REGISTER_BUFFERS, IORING_REGISTER_BUFFERS_UPDATE, IORING_REGISTER_BUFFERS2,
    IORING_REGISTER_CLONE_BUFFERS, IORING_REGISTER_DST_REPLACE, IORING_RSRC_REGISTER_SPARSE,
    IORING_UNREGISTER_BUFFERS, io_uring_clone_buffers, io_uring_rsrc_register, io_uring_rsrc_update2,
};

/// Which buffers of another ring are registered here too. `CloneBuffers::default()` is all of them.
#[derive(Clone, Copy, Debug, Default)]
pub struct CloneBuffers {
    /// First index there.
    pub source_offset: u32,
    /// First index here.
    pub offset: u32,
    /// How many; 0 for all, without offsets.
    pub count: u32,
    /// Registers them beside and in place of what is registered here. Without it there must be nothing.
    pub replace: bool,
}

impl Ring {
    /// Registers memory as buffers of the indexes from 0 on; `None` leaves one empty. The ring keeps the memory until
    /// it is replaced or unregistered, and the kernel keeps its pages until the last operation that uses them has
    /// ended: whoever wants to see the data then keeps a clone.
    ///
    /// A tag, if there are any, comes back as the user data of a completion, with [`FOREIGN`](crate::FOREIGN) added,
    /// at that time. 0 is no tag. Tags since Linux 5.13. See io_uring_register_buffers(3).
    ///
    /// # Errors
    ///
    /// `EBUSY` if there are buffers already, `ENOMEM` above the memory-lock limit, `EFAULT` for more than a gibibyte in
    /// one, `EINVAL` for no buffers, more than 16384, another number of tags than buffers, a tag on an empty one or one
    /// that has [`FOREIGN`](crate::FOREIGN) already.
    pub fn register_buffers(&mut self, buffers: &[Option<Memory>], tags: &[u64]) -> io::Result<()> {
        let vectors = vectors(buffers);
        // SAFETY: the memory is held by the ring from now on.
        unsafe { self.register_buffers_raw(&vectors, tags)? };
        self.retained.buffers = buffers.to_vec();
        Ok(())
    }

    /// Registers memory of anyone's as buffers; see [`register_buffers`](Self::register_buffers).
    ///
    /// # Errors
    ///
    /// As for [`register_buffers`](Self::register_buffers); `EFAULT` for what cannot be written.
    ///
    /// # Safety
    ///
    /// The memory is not used for anything else until the buffers are unregistered, or replaced, here and wherever they
    /// were cloned to, and every operation that uses them has ended.
    pub unsafe fn register_buffers_raw(&mut self, buffers: &[libc::iovec], tags: &[u64]) -> io::Result<()> {
        let tags = marked(tags, buffers.len())?;
        if tags.is_empty() {
            // SAFETY: as many vectors as it says are read during the call; their memory is the caller's promise.
            unsafe {
                self.register(
                    IORING_REGISTER_BUFFERS,
                    buffers.as_ptr().cast_mut().cast(),
                    count(buffers)?,
                )?;
            }
        } else {
            let argument = io_uring_rsrc_register {
                nr: count(buffers)?,
                data: address(buffers),
                tags: address(&tags),
                ..Default::default()
            };
            // SAFETY: both slices have as many elements as it says, and are read during the call.
            unsafe { self.register_sized(IORING_REGISTER_BUFFERS2, argument)? };
        }
        self.retained.buffers = vec![None; buffers.len()];
        Ok(())
    }

    /// Registers a table of empty places. Since Linux 5.19.
    ///
    /// # Errors
    ///
    /// As for [`register_buffers`](Self::register_buffers).
    pub fn register_buffers_sparse(&mut self, places: u32) -> io::Result<()> {
        let argument = io_uring_rsrc_register {
            nr: places,
            flags: IORING_RSRC_REGISTER_SPARSE,
            ..Default::default()
        };
        // SAFETY: it points at nothing.
        unsafe { self.register_sized(IORING_REGISTER_BUFFERS2, argument)? };
        self.retained.buffers = vec![None; places as usize];
        Ok(())
    }

    /// Puts buffers into the places from `offset` on, and says how many it put: fewer than asked for if one of them is
    /// refused. `None` empties a place. Operations in flight go on with what was there. Tags as for
    /// [`register_buffers`](Self::register_buffers). Since Linux 5.13.
    ///
    /// # Errors
    ///
    /// `ENXIO` if there are none, `EINVAL` beyond the end, and those of [`register_buffers`](Self::register_buffers);
    /// then nothing has changed.
    pub fn update_buffers(
        &mut self,
        offset: u32,
        buffers: &[Option<Memory>],
        tags: &[u64],
    ) -> io::Result<u32> {
        let vectors = vectors(buffers);
        // SAFETY: the memory is held by the ring from now on.
        let done = unsafe { self.update_buffers_raw(offset, &vectors, tags)? };
        let places = self.retained.buffers.iter_mut().skip(offset as usize);
        for (place, buffer) in places.zip(&buffers[..done as usize]) {
            place.clone_from(buffer);
        }
        Ok(done)
    }

    /// Puts memory of anyone's into places; see [`update_buffers`](Self::update_buffers).
    ///
    /// # Errors
    ///
    /// As for [`update_buffers`](Self::update_buffers).
    ///
    /// # Safety
    ///
    /// As for [`register_buffers_raw`](Self::register_buffers_raw).
    pub unsafe fn update_buffers_raw(
        &mut self,
        offset: u32,
        buffers: &[libc::iovec],
        tags: &[u64],
    ) -> io::Result<u32> {
        let tags = marked(tags, buffers.len())?;
        let argument = io_uring_rsrc_update2 {
            offset,
            data: address(buffers),
            tags: address(&tags),
            nr: count(buffers)?,
            ..Default::default()
        };
        // SAFETY: the slices have as many elements as it says, and are read during the call; the memory of the vectors
        // is the caller's promise.
        let done = unsafe { self.register_sized(IORING_REGISTER_BUFFERS_UPDATE, argument)? };
        let places = self.retained.buffers.iter_mut().skip(offset as usize);
        places.take(done as usize).for_each(|place| *place = None);
        Ok(done)
    }

    /// Takes the buffers away. Operations in flight go on with them.
    ///
    /// # Errors
    ///
    /// `ENXIO` if there are none.
    pub fn unregister_buffers(&mut self) -> io::Result<()> {
        self.register_nothing(IORING_UNREGISTER_BUFFERS, 0)?;
        self.retained.buffers.clear();
        Ok(())
    }

    /// Registers buffers of another ring here too: the same pages, without mapping and counting them again. Since
    /// Linux 6.12, parts and `replace` since 6.13. See io_uring_clone_buffers(3).
    ///
    /// # Errors
    ///
    /// `EBUSY` if there are buffers here and they are not to be replaced, `ENXIO` if there are none there, `EINVAL` for
    /// more than there are or offsets without a count, `EOVERFLOW` beyond the end there.
    pub fn clone_buffers(&mut self, source: &Ring, which: CloneBuffers) -> io::Result<()> {
        let mut argument = io_uring_clone_buffers {
            src_fd: source.as_raw_fd() as u32,
            flags: if which.replace {
                IORING_REGISTER_DST_REPLACE
            } else {
                0
            },
            src_off: which.source_offset,
            dst_off: which.offset,
            nr: which.count,
            ..Default::default()
        };
        // SAFETY: it points at nothing. The count has to be 1.
        unsafe { self.register_struct(IORING_REGISTER_CLONE_BUFFERS, &mut argument, 1)? };
        let there = &source.retained.buffers;
        let number = match which.count {
            0 => there.len(),
            count => count as usize,
        };
        let (from, at) = (which.source_offset as usize, which.offset as usize);
        let here = &mut self.retained.buffers;
        here.resize(here.len().max(at + number), None);
        for (place, buffer) in here[at..].iter_mut().zip(there.iter().skip(from).take(number)) {
            place.clone_from(buffer);
        }
        Ok(())
    }

    /// The memory of a registered buffer, where the ring was given it as [`Memory`].
    #[must_use]
    pub fn buffer(&self, index: u32) -> Option<&Memory> {
        self.retained.buffers.get(index as usize)?.as_ref()
    }
}

fn vectors(buffers: &[Option<Memory>]) -> Vec<libc::iovec> {
    let empty = libc::iovec {
        iov_base: std::ptr::null_mut(),
        iov_len: 0,
    };
    buffers
        .iter()
        .map(|buffer| buffer.as_ref().map_or(empty, Memory::iovec))
        .collect()
}

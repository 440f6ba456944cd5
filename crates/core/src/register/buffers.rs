//! Registered buffers: memory whose pages the kernel holds, which operations name by index.

use std::io;
use std::os::fd::AsRawFd;

use super::{address, count, unsolicited_tags};
use crate::memory::MappedMemory;
use crate::ring::Ring;
use crate::sys::{
    IORING_REGISTER_BUFFERS, IORING_REGISTER_BUFFERS_UPDATE, IORING_REGISTER_BUFFERS2,
    IORING_REGISTER_CLONE_BUFFERS, IORING_REGISTER_DST_REPLACE, IORING_UNREGISTER_BUFFERS,
    io_uring_clone_buffers, io_uring_rsrc_register, io_uring_rsrc_update2,
};

/// The part of another ring's registered buffers to clone. `CloneBuffers::default()` is all of them.
#[derive(Clone, Copy, Debug, Default)]
pub struct CloneBuffers {
    /// First index in the source ring.
    pub source_offset: u32,
    /// First index in this ring.
    pub offset: u32,
    /// Number of buffers; 0 for all, where both offsets must be 0.
    pub count: u32,
    /// Keeps this ring's registered buffers, and replaces those at the same indexes. Without it this ring must have
    /// none.
    pub replace: bool,
}

impl Ring {
    /// Registers memory as the buffers with the indexes from 0 on; `None` leaves a place empty. The ring keeps the
    /// memory until the buffer is replaced or unregistered, and the kernel keeps its pages until the last operation
    /// that uses them has ended. Keep a clone of the memory to read the data after that.
    ///
    /// `tags` is empty, or has one tag for each buffer; 0 is no tag. When a buffer is gone and no operation uses it any
    /// more, a completion arrives whose user data is the tag with [`UNSOLICITED`](crate::UNSOLICITED) added. Tags since
    /// Linux 5.13. See io_uring_register_buffers(3).
    ///
    /// # Errors
    ///
    /// * `EBUSY`: buffers are registered already.
    /// * `ENOMEM`: the buffers would exceed the memory-lock limit.
    /// * `EFAULT`: a buffer is larger than 1 GiB.
    /// * `EINVAL`: there are no buffers or more than 16384, another number of tags than buffers, a tag for an empty
    ///   place, or a tag that has [`UNSOLICITED`](crate::UNSOLICITED) already.
    pub fn register_buffers(&mut self, buffers: &[Option<MappedMemory>], tags: &[u64]) -> io::Result<()> {
        let vectors = vectors(buffers);
        // SAFETY: the vectors describe mapped memory, of which the ring keeps clones until it is unregistered. After
        // that the kernel holds the pages until no operation uses them.
        unsafe { self.register_buffers_raw(&vectors, tags)? };
        self.retained.buffers = buffers.to_vec();
        Ok(())
    }

    /// Registers any memory as buffers; see [`register_buffers`](Self::register_buffers).
    ///
    /// # Errors
    ///
    /// As for [`register_buffers`](Self::register_buffers); also `EFAULT` if a buffer is not writable.
    ///
    /// # Safety
    ///
    /// The memory is used for nothing else until the buffers are unregistered or replaced, here and in every ring that
    /// they were cloned to, and every operation that uses them has ended.
    pub unsafe fn register_buffers_raw(&mut self, buffers: &[libc::iovec], tags: &[u64]) -> io::Result<()> {
        let tags = unsolicited_tags(tags, buffers.len())?;
        if tags.is_empty() {
            // SAFETY: the kernel reads `buffers.len()` vectors during the call; the caller vouches for their memory.
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
            // SAFETY: the kernel reads `nr` vectors and `nr` tags during the call, the lengths of both slices; the
            // caller vouches for the memory of the vectors.
            unsafe { self.register_sized(IORING_REGISTER_BUFFERS2, argument)? };
        }
        self.retained.buffers = vec![None; buffers.len()];
        Ok(())
    }

    /// Registers a table of empty places. Since Linux 5.19. See io_uring_register_buffers_sparse(3).
    ///
    /// # Errors
    ///
    /// As for [`register_buffers`](Self::register_buffers).
    pub fn register_buffers_sparse(&mut self, places: u32) -> io::Result<()> {
        self.register_sparse(IORING_REGISTER_BUFFERS2, places)?;
        self.retained.buffers = vec![None; places as usize];
        Ok(())
    }

    /// Replaces the buffers in the places from `offset` on, and returns how many: fewer than given if the kernel
    /// refuses one of them. `None` empties a place. Operations in flight continue with the old buffers. Tags as for
    /// [`register_buffers`](Self::register_buffers). Since Linux 5.13. See io_uring_register_buffers_update_tag(3).
    ///
    /// # Errors
    ///
    /// Nothing has changed then.
    ///
    /// * `ENXIO`: no buffers are registered.
    /// * `EINVAL`: a place is beyond the end of the table.
    /// * Those of [`register_buffers`](Self::register_buffers), if the first buffer is refused.
    pub fn update_buffers(
        &mut self,
        offset: u32,
        buffers: &[Option<MappedMemory>],
        tags: &[u64],
    ) -> io::Result<u32> {
        let vectors = vectors(buffers);
        // SAFETY: the vectors describe mapped memory, of which the ring keeps clones in the places of those that were
        // replaced. Those stay valid for operations in flight because the kernel holds their pages.
        let done = unsafe { self.update_buffers_raw(offset, &vectors, tags)? };
        let places = self.retained.buffers.iter_mut().skip(offset as usize);
        for (place, buffer) in places.zip(&buffers[..done as usize]) {
            place.clone_from(buffer);
        }
        Ok(done)
    }

    /// Replaces buffers with any memory; see [`update_buffers`](Self::update_buffers).
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
        let tags = unsolicited_tags(tags, buffers.len())?;
        let argument = io_uring_rsrc_update2 {
            offset,
            data: address(buffers),
            tags: address(&tags),
            nr: count(buffers)?,
            ..Default::default()
        };
        // SAFETY: the kernel reads `nr` vectors and, if there are any, `nr` tags during the call, the lengths of both
        // slices; the caller vouches for the memory of the vectors.
        let done = unsafe { self.register_sized(IORING_REGISTER_BUFFERS_UPDATE, argument)? };
        let places = self.retained.buffers.iter_mut().skip(offset as usize);
        places.take(done as usize).for_each(|place| *place = None);
        Ok(done)
    }

    /// Unregisters the buffers. Operations in flight continue with them. See io_uring_unregister_buffers(3).
    ///
    /// # Errors
    ///
    /// `ENXIO`: no buffers are registered.
    pub fn unregister_buffers(&mut self) -> io::Result<()> {
        self.register_nothing(IORING_UNREGISTER_BUFFERS, 0)?;
        self.retained.buffers.clear();
        Ok(())
    }

    /// Registers buffers of another ring with this ring. Both use the same pages, which are not charged again. Since
    /// Linux 6.12, parts and `replace` since 6.13. See io_uring_clone_buffers(3).
    ///
    /// # Errors
    ///
    /// * `EBUSY`: this ring has buffers, and `replace` is not set.
    /// * `ENXIO`: the source ring has no buffers.
    /// * `EINVAL`: the count is larger than the number of source buffers, or an offset is set without a count.
    /// * `EOVERFLOW`: the part ends beyond the source buffers.
    pub fn clone_buffers(&mut self, source: &Self, part: CloneBuffers) -> io::Result<()> {
        let mut argument = io_uring_clone_buffers {
            src_fd: source.as_raw_fd() as u32,
            flags: if part.replace {
                IORING_REGISTER_DST_REPLACE
            } else {
                0
            },
            src_off: part.source_offset,
            dst_off: part.offset,
            nr: part.count,
            ..Default::default()
        };
        self.register_plain(IORING_REGISTER_CLONE_BUFFERS, &mut argument)?;
        let there = &source.retained.buffers;
        let number = match part.count {
            0 => there.len(),
            count => count as usize,
        };
        let (from, at) = (part.source_offset as usize, part.offset as usize);
        let here = &mut self.retained.buffers;
        here.resize(here.len().max(at + number), None);
        for (place, buffer) in here[at..].iter_mut().zip(there.iter().skip(from).take(number)) {
            place.clone_from(buffer);
        }
        Ok(())
    }

    /// Returns the memory of a registered buffer, if it was registered as [`MappedMemory`].
    #[must_use]
    pub fn buffer(&self, index: u32) -> Option<&MappedMemory> {
        self.retained.buffers.get(index as usize)?.as_ref()
    }
}

fn vectors(buffers: &[Option<MappedMemory>]) -> Vec<libc::iovec> {
    let empty = libc::iovec {
        iov_base: std::ptr::null_mut(),
        iov_len: 0,
    };
    buffers
        .iter()
        .map(|buffer| buffer.as_ref().map_or(empty, MappedMemory::iovec))
        .collect()
}

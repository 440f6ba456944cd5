//! Registered files: a table of files that operations name by index.

use std::io;
use std::os::fd::RawFd;

use super::{address, count, unsolicited_tags};
use crate::ring::Ring;
use crate::sys::{
    IORING_REGISTER_FILE_ALLOC_RANGE, IORING_REGISTER_FILES, IORING_REGISTER_FILES_SKIP,
    IORING_REGISTER_FILES_UPDATE, IORING_REGISTER_FILES_UPDATE2, IORING_REGISTER_FILES2,
    IORING_UNREGISTER_FILES, io_uring_file_index_range, io_uring_rsrc_register, io_uring_rsrc_update,
    io_uring_rsrc_update2,
};

/// Leaves a slot unchanged in [`Ring::update_files`].
pub const SKIP_FILE: RawFd = IORING_REGISTER_FILES_SKIP;

impl Ring {
    /// Registers files in the slots from 0 on; -1 leaves a slot empty. The kernel keeps the files open, so their
    /// descriptors can be closed.
    ///
    /// `tags` is empty, or has one tag for each file; 0 is no tag. When a file is gone from the table and no operation
    /// uses it any more, a completion arrives whose user data is the tag with [`UNSOLICITED`](crate::UNSOLICITED)
    /// added. Tags since Linux 5.13. See io_uring_register_files(3).
    ///
    /// # Errors
    ///
    /// * `EBUSY`: files are registered already.
    /// * `EBADF`: a descriptor is not open, or is a ring's.
    /// * `EMFILE`: there are more files than the limit of open files.
    /// * `EINVAL`: there are no files, another number of tags than files, a tag for an empty slot, or a tag that has
    ///   [`UNSOLICITED`](crate::UNSOLICITED) already.
    pub fn register_files(&mut self, files: &[RawFd], tags: &[u64]) -> io::Result<()> {
        let tags = unsolicited_tags(tags, files.len())?;
        if tags.is_empty() {
            // SAFETY: the kernel reads `files.len()` descriptors during the call. It keeps the files, not the address.
            unsafe {
                self.register(
                    IORING_REGISTER_FILES,
                    files.as_ptr().cast_mut().cast(),
                    count(files)?,
                )?
            };
            return Ok(());
        }
        let argument = io_uring_rsrc_register {
            nr: count(files)?,
            data: address(files),
            tags: address(&tags),
            ..Default::default()
        };
        // SAFETY: the kernel reads `nr` descriptors and `nr` tags during the call, the lengths of both slices.
        unsafe { self.register_sized(IORING_REGISTER_FILES2, argument)? };
        Ok(())
    }

    /// Registers a table of empty slots. Since Linux 5.19. See io_uring_register_files_sparse(3).
    ///
    /// # Errors
    ///
    /// As for [`register_files`](Self::register_files).
    pub fn register_files_sparse(&mut self, slots: u32) -> io::Result<()> {
        self.register_sparse(IORING_REGISTER_FILES2, slots)
    }

    /// Replaces the files in the slots from `offset` on, and returns how many: fewer than given if the kernel refuses
    /// one of them. -1 empties a slot, [`SKIP_FILE`] leaves it unchanged. Operations in flight continue with the old
    /// files. Tags as for [`register_files`](Self::register_files). See io_uring_register_files_update(3).
    ///
    /// # Errors
    ///
    /// Nothing has changed then.
    ///
    /// * `ENXIO`: no files are registered.
    /// * `EINVAL`: a slot is beyond the end of the table, or a tag is refused as for
    ///   [`register_files`](Self::register_files).
    /// * `EBADF`: the first descriptor is not open, or is a ring's.
    pub fn update_files(&mut self, offset: u32, files: &[RawFd], tags: &[u64]) -> io::Result<u32> {
        let tags = unsolicited_tags(tags, files.len())?;
        if tags.is_empty() {
            let mut argument = io_uring_rsrc_update {
                offset,
                data: address(files),
                ..Default::default()
            };
            // SAFETY: the kernel reads `files.len()` descriptors at `data` during the call.
            return unsafe {
                self.register_struct(IORING_REGISTER_FILES_UPDATE, &mut argument, count(files)?)
            };
        }
        let argument = io_uring_rsrc_update2 {
            offset,
            data: address(files),
            tags: address(&tags),
            nr: count(files)?,
            ..Default::default()
        };
        // SAFETY: the kernel reads `nr` descriptors and `nr` tags during the call, the lengths of both slices.
        unsafe { self.register_sized(IORING_REGISTER_FILES_UPDATE2, argument) }
    }

    /// Unregisters the files. Operations in flight continue with them. See io_uring_unregister_files(3).
    ///
    /// # Errors
    ///
    /// `ENXIO`: no files are registered.
    pub fn unregister_files(&mut self) -> io::Result<()> {
        self.register_nothing(IORING_UNREGISTER_FILES, 0).map(drop)
    }

    /// Sets the range of slots that the kernel chooses from ([`Slot::Auto`](crate::Slot::Auto)). Since Linux 6.0. See
    /// io_uring_register_file_alloc_range(3).
    ///
    /// # Errors
    ///
    /// * `EINVAL`: the range ends beyond the table, or no files are registered.
    /// * `EOVERFLOW`: the end of the range does not fit 32 bits.
    pub fn register_file_alloc_range(&mut self, offset: u32, length: u32) -> io::Result<()> {
        let mut argument = io_uring_file_index_range {
            off: offset,
            len: length,
            ..Default::default()
        };
        self.register_plain(IORING_REGISTER_FILE_ALLOC_RANGE, &mut argument)
            .map(drop)
    }
}

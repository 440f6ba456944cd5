//! Registered files: a table that operations index instead of naming descriptors.

use std::io;
use std::os::fd::RawFd;

use super::{address, count, marked};
use crate::ring::Ring;
use crate::sys::{
    IORING_REGISTER_FILE_ALLOC_RANGE, IORING_REGISTER_FILES, IORING_REGISTER_FILES_SKIP,
    IORING_REGISTER_FILES_UPDATE, IORING_REGISTER_FILES_UPDATE2, IORING_REGISTER_FILES2,
    IORING_RSRC_REGISTER_SPARSE, IORING_UNREGISTER_FILES, io_uring_file_index_range, io_uring_rsrc_register,
    io_uring_rsrc_update, io_uring_rsrc_update2,
};

/// In [`Ring::update_files`]: this slot stays as it is.
pub const SKIP_FILE: RawFd = IORING_REGISTER_FILES_SKIP;

impl Ring {
    /// Registers files; -1 leaves a slot empty. The kernel has them open by itself from now on.
    ///
    /// A tag, if there are any, comes back as the user data of a completion, with [`FOREIGN`](crate::FOREIGN) added,
    /// when its file is gone from the table and the last operation that uses it has ended. 0 is no tag. Tags since
    /// Linux 5.13. See io_uring_register_files(3).
    ///
    /// # Errors
    ///
    /// `EBUSY` if there is a table already, `EBADF` for what is no open file or is itself a ring, `EMFILE` above the
    /// limit of open files, `EINVAL` for no files, another number of tags than files, a tag on an empty slot or one that
    /// has [`FOREIGN`](crate::FOREIGN) already.
    pub fn register_files(&mut self, files: &[RawFd], tags: &[u64]) -> io::Result<()> {
        let tags = marked(tags, files.len())?;
        if tags.is_empty() {
            // SAFETY: the kernel reads as many descriptors as there are, and keeps the files only.
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
        // SAFETY: both slices have as many elements as it says, and are read during the call.
        unsafe { self.register_sized(IORING_REGISTER_FILES2, argument)? };
        Ok(())
    }

    /// Registers a table of empty slots. Since Linux 5.19.
    ///
    /// # Errors
    ///
    /// As for [`register_files`](Self::register_files).
    pub fn register_files_sparse(&mut self, slots: u32) -> io::Result<()> {
        let argument = io_uring_rsrc_register {
            nr: slots,
            flags: IORING_RSRC_REGISTER_SPARSE,
            ..Default::default()
        };
        // SAFETY: it points at nothing.
        unsafe { self.register_sized(IORING_REGISTER_FILES2, argument)? };
        Ok(())
    }

    /// Puts files into the slots from `offset` on, and says how many it put: fewer than asked for if one of them is
    /// refused. -1 empties a slot, [`SKIP_FILE`] leaves it as it is. What operations in flight use stays open for
    /// them. Tags as for [`register_files`](Self::register_files).
    ///
    /// # Errors
    ///
    /// `ENXIO` without a table, `EINVAL` beyond its end and for tags as with [`register_files`](Self::register_files),
    /// `EBADF`; then nothing has changed.
    pub fn update_files(&mut self, offset: u32, files: &[RawFd], tags: &[u64]) -> io::Result<u32> {
        let tags = marked(tags, files.len())?;
        if tags.is_empty() {
            let mut argument = io_uring_rsrc_update {
                offset,
                data: address(files),
                ..Default::default()
            };
            // SAFETY: as many descriptors as it says are read during the call.
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
        // SAFETY: both slices have as many elements as it says, and are read during the call.
        unsafe { self.register_sized(IORING_REGISTER_FILES_UPDATE2, argument) }
    }

    /// Takes the table away. Operations in flight keep what they use.
    ///
    /// # Errors
    ///
    /// `ENXIO` if there is none.
    pub fn unregister_files(&mut self) -> io::Result<()> {
        self.register_nothing(IORING_UNREGISTER_FILES, 0).map(drop)
    }

    /// Where in the table the kernel may choose a slot ([`Slot::Auto`](crate::Slot::Auto)). Since Linux 6.0. See
    /// io_uring_register_file_alloc_range(3).
    ///
    /// # Errors
    ///
    /// `EINVAL` for a range beyond the end of the table, or without one, `EOVERFLOW` for one that no table has.
    pub fn register_file_alloc_range(&mut self, offset: u32, length: u32) -> io::Result<()> {
        let mut argument = io_uring_file_index_range {
            off: offset,
            len: length,
            ..Default::default()
        };
        // SAFETY: it points at nothing. The count has to be 0.
        unsafe { self.register_struct(IORING_REGISTER_FILE_ALLOC_RANGE, &mut argument, 0)? };
        Ok(())
    }
}

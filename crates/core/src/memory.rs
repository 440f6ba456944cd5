//! Memory that the program and the kernel share.

use std::io;
use std::ops::Range;
use std::os::fd::RawFd;
use std::ptr::{self, NonNull};
use std::rc::Rc;

/// Page-aligned, zeroed memory in a mapping of its own, for registered buffers, provided buffers and regions.
///
/// Clones and slices share the mapping, which is unmapped with the last of them. The kernel may write to this memory at
/// any time, so it is only copied from and to, never borrowed; pushing the operations that use it is `unsafe`.
#[derive(Clone, Debug)]
pub struct MappedMemory {
    mapping: Rc<Mapping>,
    start: usize,
    length: usize,
}

#[derive(Debug)]
struct Mapping {
    address: NonNull<u8>,
    length: usize,
}

impl MappedMemory {
    /// Maps `length` bytes of zeroed memory.
    ///
    /// # Errors
    ///
    /// * `EINVAL`: `length` is 0.
    /// * `ENOMEM`: there is not enough memory or address space.
    pub fn new(length: usize) -> io::Result<Self> {
        Self::map(length, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0)
    }

    /// Maps a part of a ring's file, at one of the `IORING_OFF_*`.
    pub(crate) fn of_ring(fd: RawFd, offset: u64, length: usize) -> io::Result<Self> {
        Self::map(length, libc::MAP_SHARED | libc::MAP_POPULATE, fd, offset)
    }

    fn map(length: usize, flags: i32, fd: RawFd, offset: u64) -> io::Result<Self> {
        // SAFETY: the kernel chooses the address of the new mapping, so no memory of the program is replaced.
        let address = unsafe {
            libc::mmap(
                ptr::null_mut(),
                length,
                libc::PROT_READ | libc::PROT_WRITE,
                flags,
                fd,
                offset as libc::off_t,
            )
        };
        match NonNull::new(address) {
            Some(address) if address.as_ptr() != libc::MAP_FAILED => Ok(Self {
                mapping: Rc::new(Mapping {
                    address: address.cast(),
                    length,
                }),
                start: 0,
                length,
            }),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Replaces the mapping with fresh anonymous memory at the same address; its contents are lost.
    pub(crate) fn replace(&self) -> io::Result<()> {
        let Mapping { address, length } = *self.mapping;
        // SAFETY: `MAP_FIXED` replaces exactly the range that this mapping owns. The new range has the same length and
        // protection, so all pointers into it stay valid.
        let replaced = unsafe {
            libc::mmap(
                address.as_ptr().cast(),
                length,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED,
                -1,
                0,
            )
        };
        if replaced == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }

    /// Returns the length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.length
    }

    /// Tells if the length is 0. Only a slice can be empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Returns the address of the first byte, for operations. It is valid as long as a clone or slice of this memory
    /// lives.
    #[must_use]
    pub fn as_ptr(&self) -> *mut u8 {
        // SAFETY: `slice` keeps `start` at most at the end of the mapping.
        unsafe { self.mapping.address.as_ptr().add(self.start) }
    }

    /// Returns a part of this memory, or `None` if `range` is not inside it.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> Option<Self> {
        (range.start <= range.end && range.end <= self.length).then(|| Self {
            mapping: Rc::clone(&self.mapping),
            start: self.start + range.start,
            length: range.end - range.start,
        })
    }

    /// Copies bytes from offset `at` into `into`, and returns how many: fewer than its length at the end of the memory.
    pub fn read(&self, at: usize, into: &mut [u8]) -> usize {
        let count = into.len().min(self.length.saturating_sub(at));
        if count > 0 {
            // SAFETY: `at + count` is at most the length. `into` is a borrowed slice and cannot overlap: there are no
            // references to this memory, only pointers.
            unsafe { ptr::copy_nonoverlapping(self.as_ptr().add(at), into.as_mut_ptr(), count) };
        }
        count
    }

    /// Copies `from` to offset `at`, and returns how many bytes: fewer than its length at the end of the memory.
    #[allow(clippy::must_use_candidate)] // most callers know that everything fits
    pub fn write(&self, at: usize, from: &[u8]) -> usize {
        let count = from.len().min(self.length.saturating_sub(at));
        if count > 0 {
            // SAFETY: `at + count` is at most the length, and `from` cannot overlap, as in `read`.
            unsafe { ptr::copy_nonoverlapping(from.as_ptr(), self.as_ptr().add(at), count) };
        }
        count
    }

    /// Returns a copy of all bytes.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.length];
        self.read(0, &mut bytes);
        bytes
    }

    pub(crate) fn iovec(&self) -> libc::iovec {
        libc::iovec {
            iov_base: self.as_ptr().cast(),
            iov_len: self.length,
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: `map` mapped this range. This is the last clone or slice, so the pointers from `as_ptr` are invalid
        // by its contract.
        unsafe { libc::munmap(self.address.as_ptr().cast(), self.length) };
    }
}

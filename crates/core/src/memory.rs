//! Memory that the kernel uses beside the program.

use std::io;
use std::ops::Range;
use std::os::fd::RawFd;
use std::ptr::{self, NonNull};
use std::rc::Rc;

/// Page-aligned memory of its own mapping, zeroed at first: for registered buffers, provided buffers and regions.
///
/// A clone is the same memory; it goes with the last of them. What the kernel does with it is the affair of who
/// pushes such an operation, so reading and writing it here is safe: pushing is not.
#[derive(Clone, Debug)]
pub struct Memory {
    mapping: Rc<Mapping>,
    start: usize,
    length: usize,
}

#[derive(Debug)]
struct Mapping {
    address: NonNull<u8>,
    length: usize,
}

impl Memory {
    /// Memory of `length` bytes.
    ///
    /// # Errors
    ///
    /// `EINVAL` for no bytes at all, `ENOMEM`.
    pub fn new(length: usize) -> io::Result<Self> {
        Self::map(length, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0)
    }

    /// What a ring's descriptor has at an offset.
    pub(crate) fn of_ring(fd: RawFd, offset: u64, length: usize) -> io::Result<Self> {
        Self::map(length, libc::MAP_SHARED | libc::MAP_POPULATE, fd, offset)
    }

    fn map(length: usize, flags: i32, fd: RawFd, offset: u64) -> io::Result<Self> {
        // SAFETY: a new mapping, at an address that the kernel chooses.
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

    /// Puts memory of nobody's in the place of what is mapped here, of which nothing is left then.
    pub(crate) fn replace(&self) -> io::Result<()> {
        let Mapping { address, length } = *self.mapping;
        // SAFETY: the whole of a mapping that is ours and stays one: of the same length, readable and writable.
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

    /// Bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there are no bytes: only a slice can be empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The first byte, for operations. Valid as long as any clone or slice of this memory lives.
    #[must_use]
    pub fn as_ptr(&self) -> *mut u8 {
        // SAFETY: `start` is inside the mapping, or at its end where nothing is left.
        unsafe { self.mapping.address.as_ptr().add(self.start) }
    }

    /// A part of this memory; `None` if it is not inside.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> Option<Self> {
        (range.start <= range.end && range.end <= self.length).then(|| Self {
            mapping: Rc::clone(&self.mapping),
            start: self.start + range.start,
            length: range.end - range.start,
        })
    }

    /// Copies what is at `at` and says how many bytes that were: fewer than asked for at the end.
    pub fn read(&self, at: usize, into: &mut [u8]) -> usize {
        let count = into.len().min(self.length.saturating_sub(at));
        if count > 0 {
            // SAFETY: `count` bytes at `at` are inside; `into` is borrowed, so it cannot be here: nothing gives
            // references to this memory.
            unsafe { ptr::copy_nonoverlapping(self.as_ptr().add(at), into.as_mut_ptr(), count) };
        }
        count
    }

    /// Copies `from` to `at` and says how many bytes there was room for.
    #[allow(clippy::must_use_candidate)] // most know that there is room
    pub fn write(&self, at: usize, from: &[u8]) -> usize {
        let count = from.len().min(self.length.saturating_sub(at));
        if count > 0 {
            // SAFETY: as for `read`.
            unsafe { ptr::copy_nonoverlapping(from.as_ptr(), self.as_ptr().add(at), count) };
        }
        count
    }

    /// A copy of all of it.
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
        // SAFETY: mapped with this length, and the last reference to it is gone.
        unsafe { libc::munmap(self.address.as_ptr().cast(), self.length) };
    }
}

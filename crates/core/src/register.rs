//! Registrations: resources and settings that a ring keeps between operations.
//!
//! [`Ring`] has a typed method for each opcode of io_uring_register(2) up to Linux 6.18. [`Ring::register`] calls any
//! opcode. Memory that stays in use is [`MappedMemory`](crate::MappedMemory), which the ring keeps for as long.
//!
//! | subject | methods |
//! | --- | --- |
//! | files | [`register_files`](Ring::register_files), [`_sparse`](Ring::register_files_sparse), [`update_files`](Ring::update_files), [`register_file_alloc_range`](Ring::register_file_alloc_range), [`unregister_files`](Ring::unregister_files) |
//! | buffers | [`register_buffers`](Ring::register_buffers), [`_sparse`](Ring::register_buffers_sparse), [`update_buffers`](Ring::update_buffers), [`clone_buffers`](Ring::clone_buffers), [`unregister_buffers`](Ring::unregister_buffers) |
//! | provided buffers | [`register_buffer_ring`](Ring::register_buffer_ring), [`buffer_ring_head`](Ring::buffer_ring_head), [`BufferRing`] |
//! | eventfd | [`register_eventfd`](Ring::register_eventfd), [`register_unmanaged_eventfd`](Ring::register_unmanaged_eventfd), [`unregister_eventfd`](Ring::unregister_eventfd) |
//! | credentials | [`register_personality`](Ring::register_personality), [`unregister_personality`](Ring::unregister_personality) |
//! | restrictions | [`register_restrictions`](Ring::register_restrictions), [`enable`](Ring::enable) |
//! | support | [`probe`](Ring::probe), [`query_operations`], [`query_zero_copy`], [`query_queues`] |
//! | kernel workers | [`register_iowq_affinity`](Ring::register_iowq_affinity), [`unregister_iowq_affinity`](Ring::unregister_iowq_affinity), [`register_iowq_max_workers`](Ring::register_iowq_max_workers) |
//! | the ring itself | [`resize`](Ring::resize), [`register_ring_fd`](Ring::register_ring_fd), [`unregister_ring_fd`](Ring::unregister_ring_fd), [`register_clock`](Ring::register_clock), [`register_region`](Ring::register_region) |
//! | without an entry | [`cancel_sync`](Ring::cancel_sync), [`send_message`](Ring::send_message) |
//! | network devices | [`register_napi`](Ring::register_napi), [`unregister_napi`](Ring::unregister_napi), [`register_zero_copy_receive`](Ring::register_zero_copy_receive) |
//!
//! ```
//! use std::os::fd::AsRawFd;
//! use typed_uring::{File, MappedMemory, Ring, operations::ReadFixed};
//!
//! let file = std::fs::File::open("/proc/self/exe")?;
//! let memory = MappedMemory::new(4096)?;
//! let mut ring = Ring::new(8)?;
//! ring.register_files(&[file.as_raw_fd()], &[])?;
//! ring.register_buffers(&[Some(memory.clone())], &[])?;
//!
//! let read = ReadFixed::new(File::Fixed(0), memory.as_ptr(), 4, 0).offset(0).build();
//! // SAFETY: the kernel holds the registered file and the pages of the registered buffer.
//! unsafe { ring.push(&read)? };
//! ring.submit_and_wait(1, None)?;
//! assert_eq!(ring.pop().map(|completion| completion.result), Some(4));
//! let mut magic = [0; 4];
//! memory.read(0, &mut magic);
//! assert_eq!(&magic, b"\x7fELF");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The completion of a tag shows that no operation uses the file or buffer any more:
//!
//! ```
//! # use typed_uring::{MappedMemory, Ring, UNSOLICITED};
//! let mut ring = Ring::new(8)?;
//! ring.register_buffers(&[Some(MappedMemory::new(4096)?)], &[7])?;
//! ring.unregister_buffers()?;
//! ring.submit_and_wait(1, None)?;
//! assert_eq!(ring.pop().map(|completion| completion.user_data), Some(UNSOLICITED | 7));
//! # Ok::<(), std::io::Error>(())
//! ```

use std::ffi::c_void;
use std::io;
use std::os::fd::AsRawFd;

use crate::errno::invalid;
use crate::ring::{Ring, UNSOLICITED};
use crate::sys::{self, IORING_RSRC_REGISTER_SPARSE, io_uring_rsrc_register};

mod buf_ring;
mod buffers;
mod cancel;
mod clock;
mod files;
mod iowq;
mod message;
mod napi;
mod personality;
mod plain;
mod probe;
mod query;
mod region;
mod restrict;
mod ring_fd;
mod zcrx;

pub use buf_ring::{BufferRing, Filled, GroupSetup};
pub use buffers::CloneBuffers;
pub use cancel::CancelMatch;
pub use clock::Clock;
pub use files::SKIP_FILE;
pub use napi::{Napi, Tracking};
pub use probe::Probe;
pub use query::{query_operations, query_queues, query_zero_copy};
pub use region::set_wait;
pub use restrict::Restriction;
pub use zcrx::{ZeroCopyReceive, ZeroCopySetup};

impl Ring {
    /// Calls io_uring_register(2) on this ring with these arguments, and returns the number that the opcode returns.
    ///
    /// # Errors
    ///
    /// Those of the system call.
    ///
    /// # Safety
    ///
    /// * `argument` and `count` are what the kernel expects with `opcode`. What the kernel keeps of them stays valid
    ///   until it is unregistered and every operation that uses it has completed.
    /// * Tags of files and buffers, and the user data of messages, have [`UNSOLICITED`]; otherwise they would be
    ///   counted as the end of an operation.
    /// * The opcode does not resize the queues, register an eventfd or the ring's own descriptor, or unregister the
    ///   buffer group of a [`BufferRing`]: this ring keeps track of these, and would not see the change.
    pub unsafe fn register(&mut self, opcode: u32, argument: *mut c_void, count: u32) -> io::Result<u32> {
        // SAFETY: the caller promises that `argument` and `count` fit `opcode`.
        unsafe { sys::io_uring_register(self.as_raw_fd(), opcode, argument, count) }
    }

    /// Calls [`register`](Self::register) with a structure.
    ///
    /// # Safety
    ///
    /// As for [`register`](Self::register); the structure is what the kernel reads and writes with `opcode`.
    unsafe fn register_struct<T>(&mut self, opcode: u32, argument: &mut T, count: u32) -> io::Result<u32> {
        // SAFETY: the caller promises that the structure fits `opcode`; it is borrowed until the call returns.
        unsafe { self.register(opcode, std::ptr::from_mut(argument).cast(), count) }
    }

    /// Calls [`register`](Self::register) with a structure whose size in bytes is the count.
    ///
    /// # Safety
    ///
    /// As for [`register_struct`](Self::register_struct).
    unsafe fn register_sized<T>(&mut self, opcode: u32, mut argument: T) -> io::Result<u32> {
        let size = size_of::<T>() as u32; // a few dozen bytes
        // SAFETY: the caller promises that the structure fits `opcode`.
        unsafe { self.register_struct(opcode, &mut argument, size) }
    }

    /// Registers a table of `count` empty places.
    fn register_sparse(&mut self, opcode: u32, count: u32) -> io::Result<()> {
        let argument = io_uring_rsrc_register {
            nr: count,
            flags: IORING_RSRC_REGISTER_SPARSE,
            ..Default::default()
        };
        // SAFETY: the callers pass one of the two opcodes that read this structure. It has no addresses: `data` and
        // `tags` are 0, as a sparse table requires.
        unsafe { self.register_sized(opcode, argument)? };
        Ok(())
    }

    /// Calls [`register`](Self::register) with an opcode that takes no argument but a number.
    pub(crate) fn register_nothing(&mut self, opcode: u32, count: u32) -> io::Result<u32> {
        // SAFETY: the callers pass opcodes that use no memory, so a null argument is right.
        unsafe { self.register(opcode, std::ptr::null_mut(), count) }
    }

    /// Frees the memory of unregistered buffer groups if no operation in flight can have taken one of their buffers.
    fn free_retired_groups(&mut self) {
        if self.in_flight() == 0 && self.in_flight_is_exact() {
            self.retained.retired.clear();
        }
    }
}

/// Returns the tags as the kernel gets them, with [`UNSOLICITED`] because they belong to no submission. There are no
/// tags, or one for each of `count` resources; 0 is no tag.
fn unsolicited_tags(tags: &[u64], count: usize) -> io::Result<Vec<u64>> {
    if !tags.is_empty() && tags.len() != count || tags.iter().any(|tag| tag & UNSOLICITED != 0) {
        return Err(invalid());
    }
    Ok(tags
        .iter()
        .map(|&tag| if tag == 0 { 0 } else { tag | UNSOLICITED })
        .collect())
}

/// Returns the address of a slice, or 0 for an empty one.
fn address<T>(slice: &[T]) -> u64 {
    if slice.is_empty() {
        0
    } else {
        slice.as_ptr() as u64
    }
}

fn count<T>(slice: &[T]) -> io::Result<u32> {
    u32::try_from(slice.len()).map_err(|_| invalid())
}

//! Registrations: what a ring keeps from one operation to the next.
//!
//! Each opcode of io_uring_register(2) up to Linux 6.18 has a method of [`Ring`] with types of its own; what is later,
//! or wanted as it is, goes through [`Ring::register`]. What the kernel goes on using is [`Memory`](crate::Memory), which the ring keeps
//! as long as that is so.
//!
//! | what | methods |
//! | --- | --- |
//! | files | [`register_files`](Ring::register_files), [`_sparse`](Ring::register_files_sparse), [`update_files`](Ring::update_files), [`register_file_alloc_range`](Ring::register_file_alloc_range), [`unregister_files`](Ring::unregister_files) |
//! | buffers | [`register_buffers`](Ring::register_buffers), [`_sparse`](Ring::register_buffers_sparse), [`update_buffers`](Ring::update_buffers), [`clone_buffers`](Ring::clone_buffers), [`unregister_buffers`](Ring::unregister_buffers) |
//! | provided buffers | [`register_buffer_ring`](Ring::register_buffer_ring), [`buffer_ring_head`](Ring::buffer_ring_head), [`BufferRing`] |
//! | eventfd | [`register_eventfd`](Ring::register_eventfd), [`register_open_eventfd`](Ring::register_open_eventfd), [`unregister_eventfd`](Ring::unregister_eventfd) |
//! | credentials | [`register_personality`](Ring::register_personality), [`unregister_personality`](Ring::unregister_personality) |
//! | what a ring may do | [`register_restrictions`](Ring::register_restrictions), [`enable`](Ring::enable), [`probe`](Ring::probe), [`query_operations`] |
//! | kernel workers | [`register_iowq_affinity`](Ring::register_iowq_affinity), [`unregister_iowq_affinity`](Ring::unregister_iowq_affinity), [`register_iowq_max_workers`](Ring::register_iowq_max_workers) |
//! | the ring itself | [`resize`](Ring::resize), [`register_ring_fd`](Ring::register_ring_fd), [`unregister_ring_fd`](Ring::unregister_ring_fd), [`register_clock`](Ring::register_clock), [`register_region`](Ring::register_region) |
//! | without an entry | [`cancel_sync`](Ring::cancel_sync), [`send_message`](Ring::send_message) |
//! | network devices | [`register_napi`](Ring::register_napi), [`unregister_napi`](Ring::unregister_napi), [`register_zero_copy_receive`](Ring::register_zero_copy_receive) |
//!
//! ```
//! use std::os::fd::AsRawFd;
//! use typed_uring::{File, Memory, Ring, operations::ReadFixed};
//!
//! let file = std::fs::File::open("/proc/self/exe")?;
//! let memory = Memory::new(4096)?;
//! let mut ring = Ring::new(8)?;
//! ring.register_files(&[file.as_raw_fd()], &[])?;
//! ring.register_buffers(&[Some(memory.clone())], &[])?;
//!
//! let read = ReadFixed::new(File::Fixed(0), memory.as_ptr(), 4, 0).offset(0).build();
//! // SAFETY: the kernel has the file and the pages of the buffer by itself.
//! unsafe { ring.push(&read)? };
//! ring.submit_and_wait(1, None)?;
//! assert_eq!(ring.pop().map(|completion| completion.result), Some(4));
//! let mut magic = [0; 4];
//! memory.read(0, &mut magic);
//! assert_eq!(&magic, b"\x7fELF");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A tag tells when a file or a buffer is really free:
//!
//! ```
//! # use typed_uring::{FOREIGN, Memory, Ring};
//! let mut ring = Ring::new(8)?;
//! ring.register_buffers(&[Some(Memory::new(4096)?)], &[7])?;
//! ring.unregister_buffers()?;
//! ring.submit_and_wait(1, None)?;
//! assert_eq!(ring.pop().map(|completion| completion.user_data), Some(FOREIGN | 7));
//! # Ok::<(), std::io::Error>(())
//! ```

use std::ffi::c_void;
use std::io;
use std::os::fd::AsRawFd;

use crate::ring::{FOREIGN, Ring};
use crate::sys;

mod buf_ring;
mod buffers;
mod cancel;
mod clock;
mod files;
mod iowq;
mod message;
mod napi;
mod personality;
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
pub use query::{query_operations, query_queues, query_zero_copy};
pub use region::set_wait;
pub use restrict::Restriction;
pub use zcrx::{ZeroCopyReceive, ZeroCopySetup};

impl Ring {
    /// One `io_uring_register(2)` on this ring, as it is: what the opcode returns.
    ///
    /// # Errors
    ///
    /// What the kernel answers.
    ///
    /// # Safety
    ///
    /// `argument` and `count` are what the opcode expects, and what the kernel keeps of them stays valid until it is
    /// unregistered and every operation that uses it has completed. No file, buffer or message is given a tag or user
    /// data without [`FOREIGN`], which would be counted as the end of an operation. The queues themselves are not
    /// resized this way, nor is an eventfd or the ring's own descriptor registered, nor a group of provided buffers
    /// unregistered that a [`BufferRing`] is of: this ring would not know.
    pub unsafe fn register(&mut self, opcode: u32, argument: *mut c_void, count: u32) -> io::Result<u32> {
        // SAFETY: passed on.
        unsafe { sys::io_uring_register(self.as_raw_fd(), opcode, argument, count) }
    }

    /// A registration with a structure.
    ///
    /// # Safety
    ///
    /// As for [`register`](Self::register).
    unsafe fn register_struct<T>(&mut self, opcode: u32, argument: &mut T, count: u32) -> io::Result<u32> {
        // SAFETY: passed on; the structure is borrowed for the call.
        unsafe { self.register(opcode, std::ptr::from_mut(argument).cast(), count) }
    }

    /// A registration with a structure that is counted by its bytes.
    ///
    /// # Safety
    ///
    /// As for [`register`](Self::register).
    unsafe fn register_sized<T>(&mut self, opcode: u32, mut argument: T) -> io::Result<u32> {
        let size = size_of::<T>() as u32; // a few dozen bytes
        // SAFETY: passed on.
        unsafe { self.register_struct(opcode, &mut argument, size) }
    }

    /// A registration without an argument, of which the kernel keeps no memory.
    fn register_nothing(&mut self, opcode: u32, count: u32) -> io::Result<u32> {
        // SAFETY: without an argument there is no memory; the callers' opcodes take none.
        unsafe { self.register(opcode, std::ptr::null_mut(), count) }
    }

    /// Lets go of the memory of groups that are gone, if nothing can have a buffer of theirs.
    fn sweep(&mut self) {
        if self.in_flight() == 0 && !self.may_be_silent() {
            self.retained.retired.clear();
        }
    }
}

/// Tags as the kernel gets them: marked as foreign, since they answer no submission. None at all, or as many as there
/// are resources; 0 is no tag.
fn marked(tags: &[u64], count: usize) -> io::Result<Vec<u64>> {
    if !tags.is_empty() && tags.len() != count || tags.iter().any(|tag| tag & FOREIGN != 0) {
        return Err(invalid());
    }
    Ok(tags
        .iter()
        .map(|&tag| if tag == 0 { 0 } else { tag | FOREIGN })
        .collect())
}

/// The address of a slice; null for an empty one.
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

fn invalid() -> io::Error {
    io::Error::from_raw_os_error(libc::EINVAL)
}

//! Registrations: what a ring keeps from one operation to the next.

use std::collections::BTreeMap;
use std::ffi::c_void;
use std::io;
use std::os::fd::AsRawFd;

use crate::memory::Memory;
use crate::ring::{FOREIGN, Ring};
use crate::sys;

mod buffers;
mod cancel;
mod files;
pub(crate) mod group;
mod message;
mod misc;
mod napi;
mod query;
mod region;
mod restrict;
mod zcrx;

pub use buffers::CloneBuffers;
pub use cancel::CancelMatch;
pub use files::SKIP_FILE;
pub use group::{BufferRing, Filled, GroupSetup};
pub use misc::Clock;
pub use napi::{Napi, Tracking};
pub use query::{query_operations, query_queues, query_zero_copy};
pub use region::set_wait;
pub use restrict::Restriction;
pub use zcrx::{ZeroCopyReceive, ZeroCopySetup};

/// What is kept for the kernel.
#[derive(Debug, Default)]
pub(crate) struct Registered {
    /// By index, as far as the memory is ours. The kernel holds the pages itself until the last operation that uses
    /// them has ended: this keeps their addresses from meaning anything else.
    buffers: Vec<Option<Memory>>,
    /// By group. The kernel holds no pages of these and writes to the addresses.
    groups: BTreeMap<u16, Memory>,
    /// Of groups that are gone, until nothing is in flight that may have taken a buffer before.
    retired: Vec<Memory>,
    /// Until the ring is closed.
    kept: Vec<Memory>,
    /// Under which the task has the ring's descriptor.
    pub(crate) index: Option<u32>,
}

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
    /// unregistered and every operation that uses it has completed. The queues themselves are not resized this way,
    /// nor is an eventfd or the ring's own descriptor registered, nor a group of provided buffers unregistered that a
    /// [`BufferRing`] is of: this ring would not know.
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
            self.registered.retired.clear();
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

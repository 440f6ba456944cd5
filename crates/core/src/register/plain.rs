//! Registrations whose argument has no address in it, so that calling them is safe.

use std::io;
use std::os::fd::AsRawFd;

use crate::errno::invalid;
use crate::ring::Ring;
use crate::sys::{
    self, IORING_REGISTER_CLOCK, IORING_REGISTER_CLONE_BUFFERS, IORING_REGISTER_FILE_ALLOC_RANGE,
    IORING_REGISTER_NAPI, IORING_REGISTER_PBUF_STATUS, IORING_REGISTER_RING_FDS, IORING_REGISTER_SYNC_CANCEL,
    IORING_UNREGISTER_NAPI, IORING_UNREGISTER_PBUF_RING, IORING_UNREGISTER_RING_FDS, io_uring_buf_reg,
    io_uring_buf_status, io_uring_clock_register, io_uring_clone_buffers, io_uring_file_index_range,
    io_uring_napi, io_uring_rsrc_update, io_uring_sync_cancel_reg,
};

/// A structure that some opcodes of io_uring_register(2) read and write, without addresses.
///
/// # Safety
///
/// With each opcode in [`CALLS`](Self::CALLS) and its count, the kernel reads and writes no memory but one structure of
/// this type, only during the call, and takes no member for an address.
pub(super) unsafe trait PlainArgument {
    /// The opcodes, and the count that each expects.
    const CALLS: &[(u32, u32)];
}

macro_rules! plain_arguments {
    ($($argument:ty: $($opcode:ident = $count:literal),+;)*) => {
        $(
            // SAFETY: the man page of each opcode names this structure and count; the members are numbers, descriptors
            // and flags. (`ring_addr` of `io_uring_buf_reg` is ignored when a group is unregistered, and `data` of
            // `io_uring_rsrc_update` is the ring's descriptor.)
            unsafe impl PlainArgument for $argument {
                const CALLS: &[(u32, u32)] = &[$(($opcode, $count)),+];
            }
        )*
    };
}
plain_arguments! {
    io_uring_buf_reg: IORING_UNREGISTER_PBUF_RING = 1;
    io_uring_buf_status: IORING_REGISTER_PBUF_STATUS = 1;
    io_uring_clock_register: IORING_REGISTER_CLOCK = 0;
    io_uring_clone_buffers: IORING_REGISTER_CLONE_BUFFERS = 1;
    io_uring_file_index_range: IORING_REGISTER_FILE_ALLOC_RANGE = 0;
    io_uring_napi: IORING_REGISTER_NAPI = 1, IORING_UNREGISTER_NAPI = 1;
    io_uring_rsrc_update: IORING_REGISTER_RING_FDS = 1, IORING_UNREGISTER_RING_FDS = 1;
    io_uring_sync_cancel_reg: IORING_REGISTER_SYNC_CANCEL = 1;
}

impl Ring {
    /// Calls io_uring_register(2) with an argument that has no addresses. `EINVAL` if `opcode` does not take it.
    pub(super) fn register_plain<T: PlainArgument>(&self, opcode: u32, argument: &mut T) -> io::Result<u32> {
        let &(_, count) = T::CALLS
            .iter()
            .find(|(known, _)| *known == opcode)
            .ok_or_else(invalid)?;
        let pointer = std::ptr::from_mut(argument).cast();
        // SAFETY: `opcode` and `count` are in `T::CALLS`, so the kernel uses only the structure, which is borrowed
        // until the call returns.
        unsafe { sys::io_uring_register(self.as_raw_fd(), opcode, pointer, count) }
    }
}

//! What a kernel can do, asked without a ring.

use std::io;

use crate::sys::{
    self, IO_URING_QUERY_OPCODES, IO_URING_QUERY_SCQ, IO_URING_QUERY_ZCRX, IORING_REGISTER_QUERY,
    io_uring_query_hdr, io_uring_query_opcode, io_uring_query_scq, io_uring_query_zcrx,
};

/// How many operations, registrations and flags this kernel has. Since Linux 6.18. See io_uring_register_query(3).
///
/// # Errors
///
/// `EINVAL` before 6.18, `EPERM` and `ENOSYS` where there is no io_uring.
pub fn query_operations() -> io::Result<io_uring_query_opcode> {
    query(IO_URING_QUERY_OPCODES)
}

/// What this kernel has for zero-copy receive. Since Linux 6.19.
///
/// # Errors
///
/// `EOPNOTSUPP` where it has no such query, and as for [`query_operations`].
pub fn query_zero_copy() -> io::Result<io_uring_query_zcrx> {
    query(IO_URING_QUERY_ZCRX)
}

/// How the heads of queues are laid out whose memory is the program's. Since Linux 6.19.
///
/// # Errors
///
/// As for [`query_zero_copy`].
pub fn query_queues() -> io::Result<io_uring_query_scq> {
    query(IO_URING_QUERY_SCQ)
}

fn query<T: Default>(query_op: u32) -> io::Result<T> {
    let mut answer = T::default();
    let mut header = io_uring_query_hdr {
        query_data: std::ptr::from_mut(&mut answer) as u64,
        query_op,
        size: size_of::<T>() as u32, // a few dozen bytes
        ..Default::default()
    };
    let pointer = std::ptr::from_mut(&mut header).cast();
    // SAFETY: the kernel fills in at most as many bytes of the answer as it says; both live until it returns, and the
    // answers are integers throughout.
    unsafe { sys::io_uring_register(-1, IORING_REGISTER_QUERY, pointer, 0)? };
    if header.result < 0 {
        return Err(io::Error::from_raw_os_error(-header.result));
    }
    Ok(answer)
}

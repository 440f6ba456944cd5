//! Queries of what the kernel supports, without a ring.

use std::io;

use crate::sys::{
    self, IO_URING_QUERY_OPCODES, IO_URING_QUERY_SCQ, IO_URING_QUERY_ZCRX, IORING_REGISTER_QUERY,
    io_uring_query_hdr, io_uring_query_opcode, io_uring_query_scq, io_uring_query_zcrx,
};

/// Returns the numbers of operations and registrations that the kernel has, and all flags that it knows. Since Linux
/// 6.18. See io_uring_register_query(3).
///
/// # Errors
///
/// * `EINVAL`: the kernel is older than 6.18.
/// * `EPERM`: io_uring is disabled on this system.
/// * `ENOSYS`: the kernel has no io_uring.
pub fn query_operations() -> io::Result<io_uring_query_opcode> {
    query(IO_URING_QUERY_OPCODES)
}

/// Returns what the kernel supports for zero-copy receive. Since Linux 6.19.
///
/// # Errors
///
/// `EOPNOTSUPP`: the kernel does not know this query. The others are those of [`query_operations`].
pub fn query_zero_copy() -> io::Result<io_uring_query_zcrx> {
    query(IO_URING_QUERY_ZCRX)
}

/// Returns the size and alignment of the queue headers of rings with `NO_MMAP`. Since Linux 6.19.
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
    // SAFETY: the kernel writes at most `size` bytes at `query_data`, which is all of `answer`, during the call only.
    // The callers' types have only integers, for which every bit pattern is valid.
    unsafe { sys::io_uring_register(-1, IORING_REGISTER_QUERY, pointer, 0)? };
    if header.result < 0 {
        return Err(io::Error::from_raw_os_error(-header.result));
    }
    Ok(answer)
}

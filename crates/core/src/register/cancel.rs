//! Cancelling operations with a registration instead of an entry.

use std::io;
use std::time::Duration;

use crate::field::File;
use crate::ring::Ring;
use crate::sys::{
    __kernel_timespec, IORING_ASYNC_CANCEL_ALL, IORING_ASYNC_CANCEL_ANY, IORING_ASYNC_CANCEL_FD,
    IORING_ASYNC_CANCEL_FD_FIXED, IORING_ASYNC_CANCEL_OP, IORING_ASYNC_CANCEL_USERDATA,
    IORING_REGISTER_SYNC_CANCEL, io_uring_sync_cancel_reg,
};

/// Selects the operations to cancel: those that match every key that is set, or all operations if none is set.
#[derive(Clone, Copy, Debug, Default)]
pub struct CancelMatch {
    /// User data of the entry.
    pub user_data: Option<u64>,
    /// File of the operation.
    pub file: Option<File>,
    /// Opcode of the operation (since Linux 6.6).
    pub opcode: Option<u8>,
    /// Cancels all operations that match instead of the first that is found.
    pub all: bool,
}

impl Ring {
    /// Cancels operations, waits until those that are running have ended, at most for `timeout`, and returns how many
    /// were found. The cancelled operations still complete. Since Linux 6.0. See io_uring_register_sync_cancel(3).
    ///
    /// # Errors
    ///
    /// * `ENOENT`: no operation matches, and `all` is not set.
    /// * `ETIME`: some operations are still running when the time is over.
    /// * `EALREADY`: some operations are still running, and `timeout` is zero.
    /// * `EINTR`: a signal ended the wait.
    /// * `EINVAL`: the kernel does not know a key.
    pub fn cancel_sync(&mut self, which: CancelMatch, timeout: Option<Duration>) -> io::Result<u32> {
        let mut argument = io_uring_sync_cancel_reg {
            timeout: timeout.map_or(
                __kernel_timespec {
                    tv_sec: -1,
                    tv_nsec: -1,
                },
                __kernel_timespec::from,
            ),
            fd: -1,
            ..Default::default()
        };
        if let Some(user_data) = which.user_data {
            argument.addr = user_data;
            argument.flags |= IORING_ASYNC_CANCEL_USERDATA;
        }
        match which.file {
            Some(File::Fd(fd)) => {
                argument.fd = fd;
                argument.flags |= IORING_ASYNC_CANCEL_FD;
            }
            Some(File::Fixed(slot)) => {
                argument.fd = slot as i32;
                argument.flags |= IORING_ASYNC_CANCEL_FD | IORING_ASYNC_CANCEL_FD_FIXED;
            }
            None => {}
        }
        if let Some(opcode) = which.opcode {
            argument.opcode = opcode;
            argument.flags |= IORING_ASYNC_CANCEL_OP;
        }
        // Kernels before 6.6 match by user data without a flag, and do not know the flag.
        if argument.flags == IORING_ASYNC_CANCEL_USERDATA {
            argument.flags = 0;
        } else if argument.flags == 0 {
            argument.flags = IORING_ASYNC_CANCEL_ANY;
        }
        let any = argument.flags == IORING_ASYNC_CANCEL_ANY;
        if which.all {
            argument.flags |= IORING_ASYNC_CANCEL_ALL;
        }
        let found = self.register_plain(IORING_REGISTER_SYNC_CANCEL, &mut argument)?;
        // The kernel returns 0 for one operation that was found, unless all were asked for.
        Ok(if which.all || any { found } else { found.max(1) })
    }
}

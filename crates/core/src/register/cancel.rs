//! Cancelling without an entry of its own.

use std::io;
use std::time::Duration;

use crate::field::File;
use crate::ring::Ring;
use crate::sys::{
    __kernel_timespec, IORING_ASYNC_CANCEL_ALL, IORING_ASYNC_CANCEL_ANY, IORING_ASYNC_CANCEL_FD,
    IORING_ASYNC_CANCEL_FD_FIXED, IORING_ASYNC_CANCEL_OP, IORING_ASYNC_CANCEL_USERDATA,
    IORING_REGISTER_SYNC_CANCEL, io_uring_sync_cancel_reg,
};

/// Which operations are meant: those that match every key that is given. Without any key, all.
#[derive(Clone, Copy, Debug, Default)]
pub struct CancelMatch {
    /// The number that the entry was pushed with.
    pub user_data: Option<u64>,
    /// The file that it works on.
    pub file: Option<File>,
    /// Its opcode (since Linux 6.6).
    pub opcode: Option<u8>,
    /// All that match, and not the first that is found.
    pub all: bool,
}

impl Ring {
    /// Cancels operations and waits until those that are running have ended, at most for `timeout`. Says how many were
    /// found. Their completions come all the same. Since Linux 6.0. See io_uring_register_sync_cancel(3).
    ///
    /// # Errors
    ///
    /// `ENOENT` if there are none and not `all` were meant, `ETIME` if some are still running at the end, `EALREADY` if
    /// they are and `timeout` is zero, `EINTR` on a signal, `EINVAL` for keys that this kernel does not know.
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
        // The only key of the kernels that do not know its flag yet (before 6.6).
        if argument.flags == IORING_ASYNC_CANCEL_USERDATA {
            argument.flags = 0;
        } else if argument.flags == 0 {
            argument.flags = IORING_ASYNC_CANCEL_ANY;
        }
        let any = argument.flags == IORING_ASYNC_CANCEL_ANY;
        if which.all {
            argument.flags |= IORING_ASYNC_CANCEL_ALL;
        }
        // SAFETY: it points at nothing.
        let found = unsafe { self.register_struct(IORING_REGISTER_SYNC_CANCEL, &mut argument, 1)? };
        // One that was found is 0, where not all were meant.
        Ok(if which.all || any { found } else { found.max(1) })
    }
}

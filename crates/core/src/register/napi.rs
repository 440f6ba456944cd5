//! Busy polling of network devices.

use std::io;
use std::time::Duration;

use crate::ring::Ring;
use crate::sys::{
    IO_URING_NAPI_REGISTER_OP, IO_URING_NAPI_STATIC_ADD_ID, IO_URING_NAPI_STATIC_DEL_ID,
    IO_URING_NAPI_TRACKING_DYNAMIC, IO_URING_NAPI_TRACKING_INACTIVE, IO_URING_NAPI_TRACKING_STATIC,
    IORING_REGISTER_NAPI, IORING_UNREGISTER_NAPI, io_uring_napi,
};

/// How a ring polls network devices itself instead of waiting for their interrupts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Napi {
    /// How long a wait polls, in whole microseconds.
    pub busy_poll: Duration,
    /// Rather polling than interrupts.
    pub prefer: bool,
    /// Which queues of devices are polled.
    pub tracking: Tracking,
}

/// Which queues of devices a ring polls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tracking {
    /// Those of the sockets that the ring works on.
    #[default]
    Dynamic,
    /// Those that were added (since Linux 6.13).
    Static,
    /// None.
    Inactive,
}

impl Ring {
    /// Polls from now on, and gives what was set before. Since Linux 6.9. See io_uring_register_napi(3).
    ///
    /// # Errors
    ///
    /// `EINVAL` for a ring with `IOPOLL`, and a kernel that does not poll.
    pub fn register_napi(&mut self, napi: Napi) -> io::Result<Napi> {
        let tracking = match napi.tracking {
            Tracking::Dynamic => IO_URING_NAPI_TRACKING_DYNAMIC,
            Tracking::Static => IO_URING_NAPI_TRACKING_STATIC,
            Tracking::Inactive => IO_URING_NAPI_TRACKING_INACTIVE,
        };
        self.napi(
            IORING_REGISTER_NAPI,
            io_uring_napi {
                busy_poll_to: u32::try_from(napi.busy_poll.as_micros()).unwrap_or(u32::MAX),
                prefer_busy_poll: napi.prefer.into(),
                opcode: IO_URING_NAPI_REGISTER_OP,
                op_param: tracking,
                ..Default::default()
            },
        )
    }

    /// Stops polling, and gives what was set before: how long, and whether rather than interrupts. Kernels do not tell
    /// the tracking here.
    ///
    /// # Errors
    ///
    /// As for [`register_napi`](Self::register_napi).
    pub fn unregister_napi(&mut self) -> io::Result<(Duration, bool)> {
        let was = self.napi(IORING_UNREGISTER_NAPI, io_uring_napi::default())?;
        Ok((was.busy_poll, was.prefer))
    }

    /// Polls a queue, with [`Tracking::Static`]. Its number is a socket's `SO_INCOMING_NAPI_ID`. Since Linux 6.13.
    ///
    /// # Errors
    ///
    /// `EINVAL` without static tracking, for what is no number of a queue, and before 6.13; `EEXIST`.
    pub fn napi_add(&mut self, id: u32) -> io::Result<()> {
        self.napi_id(IO_URING_NAPI_STATIC_ADD_ID, id)
    }

    /// Polls a queue no more, with [`Tracking::Static`]. Since Linux 6.13.
    ///
    /// # Errors
    ///
    /// `ENOENT` if it was not added, and as for [`napi_add`](Self::napi_add).
    pub fn napi_remove(&mut self, id: u32) -> io::Result<()> {
        self.napi_id(IO_URING_NAPI_STATIC_DEL_ID, id)
    }

    fn napi_id(&mut self, opcode: u8, id: u32) -> io::Result<()> {
        let argument = io_uring_napi {
            opcode,
            op_param: id,
            ..Default::default()
        };
        self.napi(IORING_REGISTER_NAPI, argument).map(drop)
    }

    fn napi(&mut self, opcode: u32, mut argument: io_uring_napi) -> io::Result<Napi> {
        // SAFETY: it points at nothing.
        unsafe { self.register_struct(opcode, &mut argument, 1)? };
        Ok(Napi {
            busy_poll: Duration::from_micros(argument.busy_poll_to.into()),
            prefer: argument.prefer_busy_poll != 0,
            tracking: match argument.op_param {
                IO_URING_NAPI_TRACKING_DYNAMIC => Tracking::Dynamic,
                IO_URING_NAPI_TRACKING_STATIC => Tracking::Static,
                _ => Tracking::Inactive,
            },
        })
    }
}

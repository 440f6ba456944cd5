//! Busy polling of network devices (NAPI).

use std::io;
use std::time::Duration;

use crate::ring::Ring;
use crate::sys::{
    IO_URING_NAPI_REGISTER_OP, IO_URING_NAPI_STATIC_ADD_ID, IO_URING_NAPI_STATIC_DEL_ID,
    IO_URING_NAPI_TRACKING_DYNAMIC, IO_URING_NAPI_TRACKING_INACTIVE, IO_URING_NAPI_TRACKING_STATIC,
    IORING_REGISTER_NAPI, IORING_UNREGISTER_NAPI, io_uring_napi,
};

/// Settings for polling network devices instead of waiting for their interrupts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Napi {
    /// Time that a wait polls for, in whole microseconds.
    pub busy_poll: Duration,
    /// Prefers polling to interrupts.
    pub prefer: bool,
    /// Selects the device queues to poll.
    pub tracking: Tracking,
}

/// Selects the device queues that a ring polls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tracking {
    /// The queues of the sockets that the ring's operations use.
    #[default]
    Dynamic,
    /// The queues that [`napi_add`](Ring::napi_add) added (since Linux 6.13).
    Static,
    /// No queues.
    Inactive,
}

impl Ring {
    /// Starts polling with these settings, and returns the previous ones. Since Linux 6.9. See
    /// io_uring_register_napi(3).
    ///
    /// # Errors
    ///
    /// `EINVAL`: the ring has `IOPOLL`, or the kernel does not support busy polling.
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

    /// Stops polling, and returns the previous polling time and whether polling was preferred to interrupts. The kernel
    /// does not return the tracking here. See io_uring_unregister_napi(3).
    ///
    /// # Errors
    ///
    /// As for [`register_napi`](Self::register_napi).
    pub fn unregister_napi(&mut self) -> io::Result<(Duration, bool)> {
        let was = self.napi(IORING_UNREGISTER_NAPI, io_uring_napi::default())?;
        Ok((was.busy_poll, was.prefer))
    }

    /// Adds a queue to poll with [`Tracking::Static`]. Its id is a socket's `SO_INCOMING_NAPI_ID`. Since Linux 6.13.
    ///
    /// # Errors
    ///
    /// * `EINVAL`: the tracking is not static, `id` is not the id of a queue, or the kernel is older than 6.13.
    /// * `EEXIST`: the queue was added already.
    pub fn napi_add(&mut self, id: u32) -> io::Result<()> {
        self.napi_id(IO_URING_NAPI_STATIC_ADD_ID, id)
    }

    /// Removes a queue that [`napi_add`](Self::napi_add) added. Since Linux 6.13.
    ///
    /// # Errors
    ///
    /// * `ENOENT`: the queue was not added.
    /// * `EINVAL`: as for [`napi_add`](Self::napi_add).
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
        self.register_plain(opcode, &mut argument)?;
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

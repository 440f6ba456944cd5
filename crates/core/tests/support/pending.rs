//! Requests that stay pending, and rings for them.

use std::io::{PipeReader, PipeWriter, Read as _, Write as _};
use std::os::fd::AsRawFd;

use typed_uring::operations::{AsyncCancel, Nop, Read};
use typed_uring::register::Restriction;
use typed_uring::sys;
use typed_uring::sys::setup::{COOP_TASKRUN, R_DISABLED, SQE128, SQPOLL, SUBMIT_ALL, TASKRUN_FLAG};
use typed_uring::{Ring, Setup};

use super::Result;

pub(crate) const PATTERN: u8 = 0xa5;

/// Reads of one pipe that stay pending, each with its own buffer.
pub(crate) struct Reads {
    pub(crate) reader: PipeReader,
    pub(crate) writer: PipeWriter,
    pub(crate) buffers: Vec<[u8; 8]>,
}

impl Reads {
    pub(crate) fn new(count: usize) -> Result<Self> {
        let (reader, writer) = std::io::pipe()?;
        Ok(Self {
            reader,
            writer,
            buffers: vec![[PATTERN; 8]; count],
        })
    }

    pub(crate) fn push(&mut self, ring: &mut Ring, flags: u8, user_data: u64) -> Result {
        for buffer in &mut self.buffers {
            let read = Read::new(self.reader.as_raw_fd(), buffer.as_mut_ptr(), 8).build();
            // SAFETY: each test drops its ring, which waits for the reads, before the buffers.
            unsafe { ring.push(&read.with_flags(flags).with_user_data(user_data))? };
        }
        Ok(())
    }

    /// Asserts that no read is pending: bytes that are written now stay in the pipe, and the buffers are unchanged.
    pub(crate) fn are_over(mut self) -> Result {
        let bytes = vec![b'x'; 8 * self.buffers.len()];
        self.writer.write_all(&bytes)?;
        drop(self.writer);
        let mut left = Vec::new();
        self.reader.read_to_end(&mut left)?;
        assert_eq!(
            left, bytes,
            "a request read bytes that were written after the drop"
        );
        assert_eq!(self.buffers.concat(), vec![PATTERN; 8 * self.buffers.len()]);
        Ok(())
    }
}

/// Makes a ring of each mode.
pub(crate) fn rings(entries: u32) -> std::io::Result<Vec<Ring>> {
    let plain = |flags, mode| {
        Setup {
            entries,
            flags,
            mode,
            ..Setup::default()
        }
        .build()
    };
    Ok(vec![
        plain(0, None)?,
        plain(SQE128, None)?,
        plain(SQPOLL, None)?,
        plain(0, Some(COOP_TASKRUN | TASKRUN_FLAG))?,
        plain(0, Some(SUBMIT_ALL))?,
        plain(0, Some(0))?,
    ])
}

pub(crate) fn submit(ring: &mut Ring) -> Result {
    ring.submit()?;
    // An SQPOLL thread consumes entries by itself; the queue shows when it has.
    while ring.sq_ready() > 0 {
        std::thread::yield_now();
    }
    Ok(())
}

pub(crate) const SEND_ZC: u8 = 47;
pub(crate) const READ: u8 = Read::OPCODE;
pub(crate) const NOP: u8 = Nop::OPCODE;
pub(crate) const CANCEL: u8 = AsyncCancel::OPCODE;

/// Makes a ring that allows these operations, every entry flag, and no registration.
pub(crate) fn restricted(mode: u32, operations: &[u8]) -> Result<Ring> {
    let mut ring = Setup {
        entries: 8,
        flags: R_DISABLED,
        mode: Some(mode),
        ..Setup::default()
    }
    .build()?;
    let mut restrictions: Vec<sys::io_uring_restriction> = operations
        .iter()
        .map(|&opcode| Restriction::Operation(opcode).into())
        .collect();
    restrictions.push(Restriction::FlagsAllowed(0xff).into());
    let count = u32::try_from(restrictions.len())?;
    let argument = restrictions.as_mut_ptr().cast();
    // A raw call, because `Ring::register_restrictions` would allow cancelling too.
    // SAFETY: the kernel reads as many structures as the vector has, during the call.
    unsafe { ring.register(sys::IORING_REGISTER_RESTRICTIONS, argument, count)? };
    ring.enable()?;
    Ok(ring)
}

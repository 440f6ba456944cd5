//! The operations that a kernel supports.

use std::io;
use std::os::fd::AsRawFd;

use crate::ring::Ring;
use crate::sys::{self, IO_URING_OP_SUPPORTED, IORING_REGISTER_PROBE, io_uring_probe, io_uring_probe_op};

/// Opcodes are 8 bits.
const OPCODES: usize = 256;

/// The operations that a kernel supports, from [`Ring::probe`].
#[derive(Clone, Debug)]
pub struct Probe {
    supported: Vec<bool>,
}

impl Probe {
    /// Tells if the kernel supports the operation with this opcode.
    #[must_use]
    pub fn is_supported(&self, opcode: u8) -> bool {
        self.supported
            .get(usize::from(opcode))
            .is_some_and(|&supported| supported)
    }
}

/// The argument of the registration: a head, and the operations after it.
#[derive(Debug)]
#[repr(C)]
struct Argument {
    head: io_uring_probe,
    operations: [io_uring_probe_op; OPCODES],
}

// The kernel expects the operations right behind the head.
const _: () = assert!(size_of::<Argument>() == 16 + OPCODES * 8);

impl Ring {
    /// Asks the kernel which operations it supports. Since Linux 5.6. See io_uring_register(2).
    ///
    /// # Errors
    ///
    /// * `EINVAL`: the kernel is older than 5.6.
    /// * `EACCES`: the ring's restrictions forbid it.
    pub fn probe(&self) -> io::Result<Probe> {
        let mut argument = Argument {
            head: io_uring_probe::default(),
            operations: [io_uring_probe_op::default(); OPCODES],
        };
        // SAFETY: the opcode writes a head and at most as many operations as the count says, during the call only. The
        // structure has room for both, and is zeroed as the kernel requires.
        unsafe {
            sys::io_uring_register(
                self.as_raw_fd(),
                IORING_REGISTER_PROBE,
                std::ptr::from_mut(&mut argument).cast(),
                OPCODES as u32,
            )?;
        }
        let supported = argument.operations[..usize::from(argument.head.ops_len)]
            .iter()
            .map(|operation| operation.flags & IO_URING_OP_SUPPORTED != 0)
            .collect();
        Ok(Probe { supported })
    }
}

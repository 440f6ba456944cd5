//! What a ring may do.

use std::io;

use super::count;
use crate::entry::flags::{ASYNC, FIXED_FILE};
use crate::ring::Ring;
use crate::sys::{
    IORING_OP_ASYNC_CANCEL, IORING_REGISTER_ENABLE_RINGS, IORING_REGISTER_RESTRICTIONS,
    IORING_REGISTER_SYNC_CANCEL, IORING_RESTRICTION_REGISTER_OP, IORING_RESTRICTION_SQE_FLAGS_ALLOWED,
    IORING_RESTRICTION_SQE_FLAGS_REQUIRED, IORING_RESTRICTION_SQE_OP, io_uring_restriction,
};

/// Something that a restricted ring may do, or has to. What is not named it may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restriction {
    /// An opcode of io_uring_register(2) is allowed.
    Register(u8),
    /// An operation is allowed.
    Operation(u8),
    /// These entry flags are allowed ([`flags`](crate::entry::flags)).
    FlagsAllowed(u8),
    /// These entry flags have to be there.
    FlagsRequired(u8),
}

impl Ring {
    /// Restricts a ring that was made with [`R_DISABLED`](crate::sys::setup::R_DISABLED), once. It may cancel whatever
    /// is said here: a ring that may not cannot be closed safely. Since Linux 5.10. See
    /// io_uring_register_restrictions(3).
    ///
    /// # Errors
    ///
    /// `EBADFD` if the ring is enabled, `EBUSY` if it is restricted already, `EINVAL` for opcodes that this kernel does
    /// not know.
    pub fn register_restrictions(&mut self, restrictions: &[Restriction]) -> io::Result<()> {
        let mut all: Vec<io_uring_restriction> = restrictions
            .iter()
            .map(|&restriction| restriction.into())
            .collect();
        all.push(Restriction::Operation(IORING_OP_ASYNC_CANCEL).into());
        let required = restrictions
            .iter()
            .fold(0, |flags, restriction| match restriction {
                Restriction::FlagsRequired(more) => flags | more,
                _ => flags,
            });
        if required != 0 {
            // An entry of ours that cancels may not have them.
            all.push(Restriction::Register(IORING_REGISTER_SYNC_CANCEL as u8).into());
        }
        let pointer = all.as_mut_ptr();
        // SAFETY: as many restrictions as it says are read during the call.
        unsafe { self.register(IORING_REGISTER_RESTRICTIONS, pointer.cast(), count(&all)?)? };
        self.require_flags(required & (FIXED_FILE | ASYNC)); // others tie entries to their neighbours
        Ok(())
    }

    /// Enables a ring that was made with [`R_DISABLED`](crate::sys::setup::R_DISABLED): it then belongs to this thread.
    /// Since Linux 5.10. See io_uring_enable_rings(3).
    ///
    /// # Errors
    ///
    /// `EBADFD` if it is enabled.
    pub fn enable(&mut self) -> io::Result<()> {
        self.register_nothing(IORING_REGISTER_ENABLE_RINGS, 0).map(drop)
    }
}

impl From<Restriction> for io_uring_restriction {
    fn from(restriction: Restriction) -> Self {
        let (opcode, register_op) = match restriction {
            Restriction::Register(opcode) => (IORING_RESTRICTION_REGISTER_OP, opcode),
            Restriction::Operation(opcode) => (IORING_RESTRICTION_SQE_OP, opcode),
            Restriction::FlagsAllowed(flags) => (IORING_RESTRICTION_SQE_FLAGS_ALLOWED, flags),
            Restriction::FlagsRequired(flags) => (IORING_RESTRICTION_SQE_FLAGS_REQUIRED, flags),
        };
        Self {
            opcode,
            register_op,
            ..Self::default()
        }
    }
}

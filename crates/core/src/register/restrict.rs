//! Restrictions of a ring, and enabling it.

use std::io;

use super::count;
use crate::entry::flags::{ASYNC, FIXED_FILE};
use crate::ring::Ring;
use crate::sys::{
    IORING_OP_ASYNC_CANCEL, IORING_REGISTER_ENABLE_RINGS, IORING_REGISTER_RESTRICTIONS,
    IORING_REGISTER_SYNC_CANCEL, IORING_RESTRICTION_REGISTER_OP, IORING_RESTRICTION_SQE_FLAGS_ALLOWED,
    IORING_RESTRICTION_SQE_FLAGS_REQUIRED, IORING_RESTRICTION_SQE_OP, io_uring_restriction,
};

/// A permission or requirement of a restricted ring. Everything without a permission is forbidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restriction {
    /// Allows an opcode of io_uring_register(2).
    Register(u8),
    /// Allows an operation.
    Operation(u8),
    /// Allows entry flags ([`flags`](crate::entry::flags)).
    FlagsAllowed(u8),
    /// Requires entry flags of every entry.
    FlagsRequired(u8),
}

impl Ring {
    /// Restricts a ring that was made with [`R_DISABLED`](crate::sys::setup::R_DISABLED). This can be done once.
    /// Cancelling is always allowed in addition, because a ring that cannot cancel cannot be closed safely. Since Linux
    /// 5.10. See io_uring_register_restrictions(3).
    ///
    /// # Errors
    ///
    /// * `EBADFD`: the ring is enabled.
    /// * `EBUSY`: the ring is restricted already.
    /// * `EINVAL`: the kernel does not know an opcode.
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
            // The ring's own cancel entries may lack these flags, so cancelling by registration is allowed too.
            all.push(Restriction::Register(IORING_REGISTER_SYNC_CANCEL as u8).into());
        }
        let pointer = all.as_mut_ptr();
        // SAFETY: the kernel reads `all.len()` structures at `pointer` during the call.
        unsafe { self.register(IORING_REGISTER_RESTRICTIONS, pointer.cast(), count(&all)?)? };
        // Other flags would link the cancel entry to its neighbours.
        self.require_flags(required & (FIXED_FILE | ASYNC));
        Ok(())
    }

    /// Declares the entry flags that the ring's restrictions require, for a ring that was restricted with
    /// [`register`](Self::register): the cancel entries of [`cancel_all`](Self::cancel_all) get these flags too.
    pub fn require_flags(&mut self, flags: u8) {
        self.required_flags = flags;
    }

    /// Enables a ring that was made with [`R_DISABLED`](crate::sys::setup::R_DISABLED). The ring belongs to the thread
    /// that enables it. Since Linux 5.10. See io_uring_enable_rings(3).
    ///
    /// # Errors
    ///
    /// `EBADFD`: the ring is enabled already.
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

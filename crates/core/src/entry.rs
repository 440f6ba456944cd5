//! The submission queue entry of 64 or 128 bytes, and the places of its fields.

/// Flags of a submission queue entry, which every operation can have (`IOSQE_*`).
pub mod flags {
    use crate::sys;

    /// The file is an index into the registered files.
    pub const FIXED_FILE: u8 = sys::IOSQE_FIXED_FILE;
    /// Starts after all earlier entries have completed; later entries start after this one has completed.
    pub const IO_DRAIN: u8 = sys::IOSQE_IO_DRAIN;
    /// Starts the next entry after this one has succeeded, and cancels it if this one fails.
    pub const IO_LINK: u8 = sys::IOSQE_IO_LINK;
    /// Starts the next entry after this one has completed, even if it failed.
    pub const IO_HARDLINK: u8 = sys::IOSQE_IO_HARDLINK;
    /// Runs the operation on a kernel worker, without an attempt to complete it inline.
    pub const ASYNC: u8 = sys::IOSQE_ASYNC;
    /// The kernel takes the buffer from a group of provided buffers.
    pub const BUFFER_SELECT: u8 = sys::IOSQE_BUFFER_SELECT;
    /// Posts no completion on success.
    pub const CQE_SKIP_SUCCESS: u8 = sys::IOSQE_CQE_SKIP_SUCCESS;
}

/// The bytes of an entry that a field has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Offset of the first byte.
    pub at: usize,
    /// Number of bytes: 1, 2, 4 or 8.
    pub size: usize,
}

/// The fields of `struct io_uring_sqe`. Fields that share the same bytes in the kernel's unions share a name here;
/// fields that split a word in another way have their own.
#[allow(missing_docs, non_upper_case_globals)] // the names are the kernel's own
pub mod place {
    use super::Place;

    const fn place(at: usize, size: usize) -> Place {
        Place { at, size }
    }

    pub const opcode: Place = place(0, 1);
    pub const flags: Place = place(1, 1);
    pub const ioprio: Place = place(2, 2);
    pub const fd: Place = place(4, 4);
    pub const off: Place = place(8, 8);
    pub const cmd_op: Place = place(8, 4);
    pub const addr: Place = place(16, 8);
    pub const level: Place = place(16, 4);
    pub const optname: Place = place(20, 4);
    pub const len: Place = place(24, 4);
    pub const op_flags: Place = place(28, 4);
    pub const user_data: Place = place(32, 8);
    pub const buf_index: Place = place(40, 2);
    pub const personality: Place = place(42, 2);
    pub const file_index: Place = place(44, 4);
    pub const addr_len: Place = place(44, 2);
    pub const write_stream: Place = place(44, 1);
    pub const addr3: Place = place(48, 8);
    pub const pad2: Place = place(56, 8);
    // Data of a command, in the second half of an entry of 128 bytes.
    pub const data2: Place = place(64, 8);
    pub const data3: Place = place(72, 8);
    pub const data4: Place = place(80, 8);
    pub const data5: Place = place(88, 8);
    pub const data6: Place = place(96, 8);
    pub const data7: Place = place(104, 8);
    pub const data8: Place = place(112, 8);
    pub const data9: Place = place(120, 8);
}

/// A submission queue entry as the kernel reads it.
///
/// Every bit pattern is a valid entry, so an entry can be made from any bytes. The kernel fails those that make no
/// sense.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(C, align(8))]
pub struct EntryBytes<const SIZE: usize>([u8; SIZE]);

/// An entry of 64 bytes, which nearly all operations have.
pub type Entry = EntryBytes<64>;

/// An entry of 128 bytes, for a ring with `SQE128`.
pub type Entry128 = EntryBytes<128>;

impl<const SIZE: usize> EntryBytes<SIZE> {
    /// Size of an entry in bytes.
    pub const SIZE: usize = SIZE;

    /// Returns an entry with this opcode whose other bytes are 0.
    #[must_use]
    pub const fn new(opcode: u8) -> Self {
        let mut bytes = [0; SIZE];
        bytes[place::opcode.at] = opcode;
        Self(bytes)
    }

    /// Makes an entry from its bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; SIZE]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes of the entry.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; SIZE] {
        &self.0
    }

    /// Sets bits in a field. Bits that are set already stay set, so flags from several sources add up.
    #[inline]
    pub fn set_bits(&mut self, place: Place, value: u64) {
        let bytes = value.to_le_bytes();
        debug_assert!(place.size == 8 || value >> (8 * place.size) == 0);
        for (index, byte) in bytes.iter().enumerate().take(place.size) {
            let at = if cfg!(target_endian = "big") {
                place.at + place.size - 1 - index
            } else {
                place.at + index
            };
            self.0[at] |= byte;
        }
    }

    /// Returns the value of a field.
    #[must_use]
    pub fn get(&self, place: Place) -> u64 {
        (0..place.size).fold(0, |value, index| {
            let at = if cfg!(target_endian = "big") {
                place.at + place.size - 1 - index
            } else {
                place.at + index
            };
            value | u64::from(self.0[at]) << (8 * index)
        })
    }

    /// Adds entry flags ([`flags`]) to those that the operation has set.
    #[must_use]
    pub fn with_flags(mut self, flags: u8) -> Self {
        self.set_bits(place::flags, u64::from(flags));
        self
    }

    /// Sets the user data, which the completion returns.
    #[must_use]
    pub fn with_user_data(mut self, user_data: u64) -> Self {
        let at = place::user_data.at;
        self.0[at..at + 8].copy_from_slice(&user_data.to_ne_bytes());
        self
    }

    /// Runs the operation with registered credentials
    /// ([`register_personality`](crate::Ring::register_personality)).
    #[must_use]
    pub fn with_personality(mut self, personality: u16) -> Self {
        let at = place::personality.at;
        self.0[at..at + 2].copy_from_slice(&personality.to_ne_bytes());
        self
    }

    /// Returns the entry flags.
    #[must_use]
    pub const fn flags(&self) -> u8 {
        self.0[place::flags.at]
    }
}

impl<const SIZE: usize> std::fmt::Debug for EntryBytes<SIZE> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entry")
            .field("opcode", &self.get(place::opcode))
            .field("flags", &self.flags())
            .field("fd", &(self.get(place::fd) as i32))
            .field("off", &self.get(place::off))
            .field("addr", &self.get(place::addr))
            .field("len", &self.get(place::len))
            .field("op_flags", &self.get(place::op_flags))
            .field("user_data", &self.get(place::user_data))
            .finish_non_exhaustive()
    }
}

//! The submission queue entry: 64 bytes or 128, and one place that knows which byte means what.

use io_uring::squeue;

/// Flags of a submission queue entry (`IOSQE_*`), the same for every operation.
pub mod flags {
    /// The file is an index into the registered files.
    pub const FIXED_FILE: u8 = 1 << 0;
    /// Starts after everything before it has completed, and holds back everything after it.
    pub const IO_DRAIN: u8 = 1 << 1;
    /// The next entry starts when this one has succeeded, and is cancelled when it has not.
    pub const IO_LINK: u8 = 1 << 2;
    /// The next entry starts when this one has completed, whatever came of it.
    pub const IO_HARDLINK: u8 = 1 << 3;
    /// Goes to a kernel worker at once instead of being tried inline.
    pub const ASYNC: u8 = 1 << 4;
    /// The kernel takes the buffer from a group of provided buffers.
    pub const BUFFER_SELECT: u8 = 1 << 5;
    /// No completion on success.
    pub const CQE_SKIP_SUCCESS: u8 = 1 << 6;
}

/// A run of bytes in an entry: where it starts and how many it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// First byte.
    pub at: usize,
    /// Number of bytes: 1, 2, 4 or 8.
    pub size: usize,
}

/// Every field of `struct io_uring_sqe`, halves included. Fields that share bytes in the kernel's unions share a
/// name here; the ones that split a word differently have their own.
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
    // The data of a command goes on into the second half of an entry of 128 bytes.
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
/// Every bit pattern is a valid entry, if not a sensible one, so it can be made from any bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(C, align(8))]
pub struct EntryBytes<const SIZE: usize>([u8; SIZE]);

/// An entry of 64 bytes, as nearly all are.
pub type Entry = EntryBytes<64>;

/// An entry of 128 bytes, for a ring with `SQE128`.
pub type WideEntry = EntryBytes<128>;

// `squeue::Entry` is `repr(C)` over `io_uring_sqe`: plain integers, 64 bytes. `raw` below relies on both sizes.
const _: () = assert!(size_of::<Entry>() == size_of::<squeue::Entry>());
const _: () = assert!(align_of::<Entry>() >= align_of::<squeue::Entry>());

impl<const SIZE: usize> EntryBytes<SIZE> {
    /// Bytes of an entry.
    pub const SIZE: usize = SIZE;

    /// An entry of zeros but for its opcode.
    #[must_use]
    pub const fn new(opcode: u8) -> Self {
        let mut bytes = [0; SIZE];
        bytes[place::opcode.at] = opcode;
        Self(bytes)
    }

    /// An entry from its bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; SIZE]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; SIZE] {
        &self.0
    }

    /// Sets bits in a field: what is there stays, so flags from several sources add up.
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

    /// A field's value.
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

    /// Adds entry flags ([`flags`]); those that the operation itself needs stay.
    #[must_use]
    pub fn with_flags(mut self, flags: u8) -> Self {
        self.set_bits(place::flags, u64::from(flags));
        self
    }

    /// Sets the number that comes back with the completion.
    #[must_use]
    pub fn with_user_data(mut self, user_data: u64) -> Self {
        let at = place::user_data.at;
        self.0[at..at + 8].copy_from_slice(&user_data.to_ne_bytes());
        self
    }

    /// Runs the operation with registered credentials.
    #[must_use]
    pub fn with_personality(mut self, personality: u16) -> Self {
        let at = place::personality.at;
        self.0[at..at + 2].copy_from_slice(&personality.to_ne_bytes());
        self
    }

    /// The entry flags.
    #[must_use]
    pub const fn flags(&self) -> u8 {
        self.0[place::flags.at]
    }
}

impl Entry {
    /// The same entry in the type of the `io-uring` crate.
    #[must_use]
    pub fn raw(&self) -> squeue::Entry {
        // SAFETY: both are `repr(C)`, 64 bytes, and integers throughout, so every bit pattern is valid in either.
        unsafe { std::mem::transmute_copy(&self.0) }
    }
}

impl From<squeue::Entry> for Entry {
    fn from(entry: squeue::Entry) -> Self {
        // SAFETY: as in `raw`; the source is moved in and has no destructor.
        unsafe { std::mem::transmute(entry) }
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

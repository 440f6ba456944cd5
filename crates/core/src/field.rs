//! Values of an operation's fields, and writing them into an entry.

use crate::entry::{EntryBytes, Place, flags, place};

/// A value that can be written into an entry.
pub(crate) trait Field {
    fn put<const SIZE: usize>(self, entry: &mut EntryBytes<SIZE>, place: Place);
}

macro_rules! integers {
    ($($ty:ty => $unsigned:ty),* $(,)?) => {
        $(impl Field for $ty {
            #[inline]
            fn put<const SIZE: usize>(self, entry: &mut EntryBytes<SIZE>, place: Place) {
                entry.set_bits(place, u64::from(self as $unsigned));
            }
        })*
    };
}
integers! { u8 => u8, u16 => u16, u32 => u32, u64 => u64, i32 => u32 }

/// A file of an operation: a descriptor, or an index into the registered files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum File {
    /// A file descriptor.
    Fd(i32),
    /// Index of a registered file.
    Fixed(u32),
}

impl From<i32> for File {
    fn from(fd: i32) -> Self {
        Self::Fd(fd)
    }
}

impl Field for File {
    #[inline]
    fn put<const SIZE: usize>(self, entry: &mut EntryBytes<SIZE>, place: Place) {
        match self {
            Self::Fd(fd) => fd.put(entry, place),
            Self::Fixed(index) => {
                index.put(entry, place);
                flags::FIXED_FILE.put(entry, place::flags);
            }
        }
    }
}

/// Address of memory that the kernel reads or writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address(pub u64);

impl<T> From<*const T> for Address {
    fn from(pointer: *const T) -> Self {
        Self(pointer as u64)
    }
}

impl<T> From<*mut T> for Address {
    fn from(pointer: *mut T) -> Self {
        Self(pointer as u64)
    }
}

impl From<u64> for Address {
    fn from(address: u64) -> Self {
        Self(address)
    }
}

impl Field for Address {
    #[inline]
    fn put<const SIZE: usize>(self, entry: &mut EntryBytes<SIZE>, place: Place) {
        self.0.put(entry, place);
    }
}

/// Id of the group of provided buffers that the kernel takes the buffer from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group(pub u16);

impl From<u16> for Group {
    fn from(id: u16) -> Self {
        Self(id)
    }
}

impl Field for Group {
    #[inline]
    fn put<const SIZE: usize>(self, entry: &mut EntryBytes<SIZE>, place: Place) {
        self.0.put(entry, place);
        flags::BUFFER_SELECT.put(entry, place::flags);
    }
}

/// Fixed-file slot that an operation puts its new file into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// The slot with this index. A file that is in it is replaced.
    Index(u32),
    /// A free slot, which the kernel chooses; the result of the completion is its index.
    Auto,
}

impl From<u32> for Slot {
    fn from(index: u32) -> Self {
        Self::Index(index)
    }
}

impl Field for Slot {
    #[inline]
    fn put<const SIZE: usize>(self, entry: &mut EntryBytes<SIZE>, place: Place) {
        // The field holds the index plus one, because zero means an ordinary descriptor. Indexes that would become zero
        // or `Auto` become an index that no table has.
        match self {
            Self::Index(index) => index.saturating_add(1).min(u32::MAX - 1),
            Self::Auto => u32::MAX,
        }
        .put(entry, place);
    }
}

/// An optional field: stays zero unless it has a value.
impl<T: Field> Field for Option<T> {
    #[inline]
    fn put<const SIZE: usize>(self, entry: &mut EntryBytes<SIZE>, place: Place) {
        if let Some(value) = self {
            value.put(entry, place);
        }
    }
}

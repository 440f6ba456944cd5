//! What an operation's field can hold, and how each kind is written into an entry.

use crate::entry::{EntryBytes, Place, flags, place};

/// A value that knows how to write itself into an entry.
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

/// A file: a descriptor, or an index into the registered files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum File {
    /// A file descriptor.
    Fd(i32),
    /// A registered file.
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

/// An address that the kernel reads from or writes to.
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

/// A group of provided buffers that the kernel takes the buffer from.
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

/// Where among the registered files a new descriptor goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// This index, replacing what is there.
    Index(u32),
    /// A free one; the completion's result is its index.
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
        // The field holds the index plus one, so that zero can mean an ordinary descriptor. Indexes that would become
        // zero or `Auto` become one that no table has.
        match self {
            Self::Index(index) => index.saturating_add(1).min(u32::MAX - 1),
            Self::Auto => u32::MAX,
        }
        .put(entry, place);
    }
}

/// A field that stays as it was, zero, until it is given.
impl<T: Field> Field for Option<T> {
    #[inline]
    fn put<const SIZE: usize>(self, entry: &mut EntryBytes<SIZE>, place: Place) {
        if let Some(value) = self {
            value.put(entry, place);
        }
    }
}

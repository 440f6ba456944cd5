//! The two sides of a comparison, and what it takes to make the crate's side.

use std::ops::BitOr;

use io_uring::{squeue, types};
use typed_uring::{Entry, EntryBytes, Slot, WideEntry};

use crate::values::Values;

pub(crate) struct Sides<const SIZE: usize> {
    pub(crate) ours: EntryBytes<SIZE>,
    pub(crate) theirs: EntryBytes<SIZE>,
}

/// The name of a row, and what makes both sides of it.
pub(crate) type Case<const SIZE: usize = 64> = (&'static str, fn(&Values) -> Sides<SIZE>);

pub(crate) fn sides<const SIZE: usize>(
    ours: EntryBytes<SIZE>,
    theirs: impl Into<EntryBytes<SIZE>>,
) -> Sides<SIZE> {
    Sides {
        ours,
        theirs: theirs.into(),
    }
}

/// Calls the setters of those fields that have a value.
macro_rules! given {
    ($builder:expr, $($method:ident: $value:expr),* $(,)?) => {{
        let builder = $builder;
        $(let builder = match $value {
            Some(value) => builder.$method(value),
            None => builder,
        };)*
        builder
    }};
}
pub(crate) use given;

/// The crate tells a descriptor from a registered file by type.
macro_rules! with_file {
    ($file:expr, $name:ident => $build:expr) => {
        match $file {
            ::typed_uring::File::Fd(fd) => {
                let $name = ::io_uring::types::Fd(fd);
                $build
            }
            ::typed_uring::File::Fixed(index) => {
                let $name = ::io_uring::types::Fixed(index);
                $build
            }
        }
    };
}
pub(crate) use with_file;

/// Flags as the signed number that the crate takes.
pub(crate) fn flags(word: Option<u32>) -> Option<i32> {
    word.map(u32::cast_signed)
}

/// Flags together with one that the crate's builder sets by itself.
pub(crate) fn also<T: BitOr<Output = T> + Default>(flags: Option<T>, flag: Option<T>) -> Option<T> {
    match flag {
        Some(flag) => Some(flags.unwrap_or_default() | flag),
        None => flags,
    }
}

/// The crate's entry, with `BUFFER_SELECT` where there is a group: its callers set that themselves.
pub(crate) fn select(entry: squeue::Entry, group: Option<u16>) -> Entry {
    Entry::from(if group.is_some() {
        entry.flags(squeue::Flags::BUFFER_SELECT)
    } else {
        entry
    })
}

pub(crate) fn destination(slot: Option<Slot>) -> Option<types::DestinationSlot> {
    match slot? {
        Slot::Auto => Some(types::DestinationSlot::auto_target()),
        Slot::Index(index) => types::DestinationSlot::try_from_slot_target(index).ok(),
    }
}

/// The crate's wide entry in our type.
pub(crate) fn wide(entry: squeue::Entry128) -> WideEntry {
    // SAFETY: `Entry128` is `repr(C)`: the integers of an `io_uring_sqe`, then the 64 bytes after it.
    WideEntry::from_bytes(unsafe { std::mem::transmute::<squeue::Entry128, [u8; 128]>(entry) })
}

/// A number that can be laid over an entry.
pub(crate) trait Number {
    fn bytes(self) -> Vec<u8>;
}

macro_rules! numbers {
    ($($ty:ty),*) => {
        $(impl Number for $ty {
            fn bytes(self) -> Vec<u8> {
                self.to_ne_bytes().to_vec()
            }
        })*
    };
}
numbers!(u8, u16, u32, i32, u64);

/// Changes the crate's entry at a byte offset of `struct io_uring_sqe`, where there is a value.
pub(crate) trait Lay {
    /// Replaces what is there.
    fn lay(self, at: usize, value: Option<impl Number>) -> Self;
    /// Sets bits, and leaves those that are there.
    fn add(self, at: usize, value: Option<impl Number>) -> Self;
}

impl<const SIZE: usize> Lay for EntryBytes<SIZE> {
    fn lay(self, at: usize, value: Option<impl Number>) -> Self {
        let mut bytes = *self.as_bytes();
        for (old, new) in bytes[at..]
            .iter_mut()
            .zip(value.map_or_else(Vec::new, Number::bytes))
        {
            *old = new;
        }
        Self::from_bytes(bytes)
    }

    fn add(self, at: usize, value: Option<impl Number>) -> Self {
        let mut bytes = *self.as_bytes();
        for (old, new) in bytes[at..]
            .iter_mut()
            .zip(value.map_or_else(Vec::new, Number::bytes))
        {
            *old |= new;
        }
        Self::from_bytes(bytes)
    }
}

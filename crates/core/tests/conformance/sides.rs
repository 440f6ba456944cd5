//! The two sides of a comparison, and helpers that make the `io-uring` crate's side.

use std::ops::BitOr;

use io_uring::{squeue, types};
use typed_uring::{Entry, Entry128, EntryBytes, Slot};

use crate::values::Values;

pub(crate) struct Sides<const SIZE: usize> {
    pub(crate) ours: EntryBytes<SIZE>,
    pub(crate) theirs: EntryBytes<SIZE>,
}

/// The name of a row, and the function that makes both sides of it.
pub(crate) type Case<const SIZE: usize = 64> = (&'static str, fn(&Values) -> Sides<SIZE>);

pub(crate) fn sides<const SIZE: usize>(ours: EntryBytes<SIZE>, theirs: impl IntoEntry<SIZE>) -> Sides<SIZE> {
    Sides {
        ours,
        theirs: theirs.into_entry(),
    }
}

/// An entry of the `io-uring` crate or of this one.
pub(crate) trait IntoEntry<const SIZE: usize> {
    fn into_entry(self) -> EntryBytes<SIZE>;
}

impl IntoEntry<64> for squeue::Entry {
    fn into_entry(self) -> Entry {
        // SAFETY: `squeue::Entry` is `repr(C)`: the 64 bytes of an `io_uring_sqe`, which are integers without padding.
        Entry::from_bytes(unsafe { std::mem::transmute::<squeue::Entry, [u8; 64]>(self) })
    }
}

impl<const SIZE: usize> IntoEntry<SIZE> for EntryBytes<SIZE> {
    fn into_entry(self) -> Self {
        self
    }
}

/// Converts an entry of the `io-uring` crate.
pub(crate) fn from_crate(entry: squeue::Entry) -> Entry {
    entry.into_entry()
}

/// Converts an entry to the type of the `io-uring` crate.
pub(crate) fn to_crate(entry: Entry) -> squeue::Entry {
    // SAFETY: `squeue::Entry` is `repr(C)`: the integers of an `io_uring_sqe`, so any 64 bytes are valid.
    unsafe { std::mem::transmute::<[u8; 64], squeue::Entry>(*entry.as_bytes()) }
}

/// Calls the setters of the fields that have a value.
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

/// Evaluates `$build` with the crate's type for a descriptor or for a registered file.
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

/// Returns flags as the signed number that the crate expects.
pub(crate) fn flags(word: Option<u32>) -> Option<i32> {
    word.map(u32::cast_signed)
}

/// Returns flags together with one that the crate's builder always sets.
pub(crate) fn also<T: BitOr<Output = T> + Default>(flags: Option<T>, flag: Option<T>) -> Option<T> {
    match flag {
        Some(flag) => Some(flags.unwrap_or_default() | flag),
        None => flags,
    }
}

/// Returns the crate's entry, with `BUFFER_SELECT` if there is a buffer group: the crate leaves that to its users.
pub(crate) fn select(entry: squeue::Entry, group: Option<u16>) -> Entry {
    from_crate(if group.is_some() {
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

/// Converts an entry of 128 bytes of the `io-uring` crate.
pub(crate) fn from_crate_128(entry: squeue::Entry128) -> Entry128 {
    // SAFETY: `squeue::Entry128` is `repr(C)`: the integers of an `io_uring_sqe`, then 64 bytes, without padding.
    Entry128::from_bytes(unsafe { std::mem::transmute::<squeue::Entry128, [u8; 128]>(entry) })
}

/// A number that can replace bytes of an entry.
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

/// Changes an entry at a byte offset of `struct io_uring_sqe`, if there is a value.
pub(crate) trait Lay {
    /// Replaces the bytes.
    fn lay(self, at: usize, value: Option<impl Number>) -> Self;
    /// Sets bits, and keeps those that are set.
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

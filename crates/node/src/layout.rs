//! The numbers that both sides of the boundary know. They stand in `ts/ring/boundary.ts` too, and a spec compares both
//! with the help of [`boundary_layout`].
#![allow(unreachable_pub)] // `#[napi]` needs public items, and a cdylib has no Rust interface

use std::collections::HashMap;

use napi_derive::napi;

/// Defines constants, and a list of them.
macro_rules! numbers {
    ($type:ty { $($(#[$comment:meta])* $name:ident = $value:expr;)* }) => {
        $(
            $(#[$comment])*
            pub(crate) const $name: $type = $value;
        )*

        /// All of these constants by their names.
        pub(super) const ALL: &[(&str, $type)] = &[$((stringify!($name), $name),)*];
    };
}

/// Words of the status header, of 32 bits each. JavaScript writes the words of a request, and Rust writes all others.
pub(crate) mod status {
    numbers! { usize {
        /// Completions that were appended to the completion area since it was last empty, modulo 2^32.
        TAIL = 0;
        /// Completions that JavaScript has consumed from the area since then, modulo 2^32.
        HEAD = 1;
        /// Request: the submission area ([`area`](super::area)).
        AREA = 2;
        /// Request: number of entries in the submission area.
        COUNT = 3;
        /// Request: number of completions to wait for.
        WANT = 4;
        /// Request: longest time to wait, in microseconds.
        SLICE = 5;
        /// Error of the call: 0, or a negative `errno`.
        ERRNO = 6;
        /// Entries that were copied from the submission area into the ring.
        COPIED = 7;
        /// Entries that the kernel consumed.
        TAKEN = 8;
        /// 1 if completions are left that did not fit into the completion area, or wait in the kernel.
        MORE = 9;
        /// Operations in flight.
        IN_FLIGHT = 10;
        /// Entries in the submission queue that the kernel has not consumed.
        SQ_READY = 11;
        /// Calls of io_uring_enter(2) since the ring was made, modulo 2^32.
        ENTERS = 12;
        /// Request: what stays alive, [`keep`](super::keep).
        KEEP = 13;
        /// Entries that the kernel has consumed since the ring was made, in two words, low word first.
        SUBMITTED = 14;
        /// Completions since the ring was made, in two words.
        COMPLETED = 16;
        /// Completions with `ECANCELED` since the ring was made, in two words.
        CANCELLED = 18;
        /// Calls that found the completion queue overflowed, in two words.
        OVERFLOWED = 20;
    } }

    /// Number of words.
    pub(crate) const WORDS: usize = 22;
}

/// Submission areas, in the word `AREA`.
pub(crate) mod area {
    numbers! { usize {
        /// Entries that were pushed.
        PUSHED = 0;
        /// Entries that were run. They have an area of their own so that an `await` between two linked pushes does not
        /// cut the chain.
        RUN = 1;
        /// No area: get events without submitting.
        NOTHING = 2;
        /// No system call: only apply the word `KEEP`.
        NO_CALL = 3;
    } }
}

/// Flags of the word `KEEP`.
pub(crate) mod keep {
    numbers! { u32 {
        /// The waker keeps the event loop open.
        LOOP = 1 << 0;
        /// The waker holds its callback strongly, so that it is not garbage-collected.
        CALLBACK = 1 << 1;
    } }
}

/// Size of a completion record in bytes, and of a record on a ring with `CQE32` or `CQE_MIXED`.
pub(crate) const RECORD: usize = 16;
pub(crate) const RECORD_32: usize = 32;

/// The numbers that both sides of the boundary know, by their names.
#[derive(Debug)]
#[napi(object)]
pub struct BoundaryLayout {
    /// Words of the status header.
    pub status: HashMap<String, u32>,
    /// Number of words of the status header.
    pub status_words: u32,
    /// Submission areas.
    pub area: HashMap<String, u32>,
    /// Flags of what stays alive.
    pub keep: HashMap<String, u32>,
}

/// Returns the numbers that both sides of the boundary know, for a spec that compares them.
#[napi(catch_unwind)]
#[must_use]
pub fn boundary_layout() -> BoundaryLayout {
    let words = |all: &[(&str, usize)]| {
        all.iter()
            .map(|&(name, number)| (name.to_owned(), number as u32))
            .collect()
    };
    BoundaryLayout {
        status: words(status::ALL),
        status_words: status::WORDS as u32,
        area: words(area::ALL),
        keep: keep::ALL
            .iter()
            .map(|&(name, flag)| (name.to_owned(), flag))
            .collect(),
    }
}

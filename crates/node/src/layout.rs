//! The numbers that both sides of the boundary know. They stand in `ts/ring/boundary.ts` too, and a spec reads this file
//! to compare both.

/// Words of the status header, of 32 bits each. JavaScript writes the words of a request, and Rust writes all others.
pub(crate) mod status {
    /// Completions that were appended to the completion area since it was last empty, modulo 2^32.
    pub(crate) const TAIL: usize = 0;
    /// Completions that JavaScript has consumed from the area since then, modulo 2^32.
    pub(crate) const HEAD: usize = 1;
    /// Request: the submission area ([`area`](super::area)).
    pub(crate) const AREA: usize = 2;
    /// Request: number of entries in the submission area.
    pub(crate) const COUNT: usize = 3;
    /// Request: number of completions to wait for.
    pub(crate) const WANT: usize = 4;
    /// Request: longest time to wait, in microseconds.
    pub(crate) const SLICE: usize = 5;
    /// Error of the call: 0, or a negative `errno`.
    pub(crate) const ERRNO: usize = 6;
    /// Entries that were copied from the submission area into the ring.
    pub(crate) const COPIED: usize = 7;
    /// Entries that the kernel consumed.
    pub(crate) const TAKEN: usize = 8;
    /// 1 if completions are left that did not fit into the completion area, or wait in the kernel.
    pub(crate) const MORE: usize = 9;
    /// Operations in flight.
    pub(crate) const IN_FLIGHT: usize = 10;
    /// Entries in the submission queue that the kernel has not consumed.
    pub(crate) const SQ_READY: usize = 11;
    /// Calls of io_uring_enter(2) since the ring was made, modulo 2^32.
    pub(crate) const ENTERS: usize = 12;
    /// Request: what stays alive, [`keep`](super::keep).
    pub(crate) const KEEP: usize = 13;
    /// Entries that the kernel has consumed since the ring was made, in two words, low word first.
    pub(crate) const SUBMITTED: usize = 14;
    /// Completions since the ring was made, in two words.
    pub(crate) const COMPLETED: usize = 16;
    /// Completions with `ECANCELED` since the ring was made, in two words.
    pub(crate) const CANCELLED: usize = 18;
    /// Calls that found the completion queue overflowed, in two words.
    pub(crate) const OVERFLOWED: usize = 20;

    /// Number of words.
    pub(crate) const WORDS: usize = 22;
}

/// Submission areas, in the word `AREA`.
pub(crate) mod area {
    /// Entries that were pushed.
    pub(crate) const PUSHED: usize = 0;
    /// Entries that were run. They have an area of their own so that an `await` between two linked pushes does not
    /// cut the chain.
    pub(crate) const RUN: usize = 1;
    /// No area: get events without submitting.
    pub(crate) const NOTHING: usize = 2;
    /// No system call: only apply the word `KEEP`.
    pub(crate) const NO_CALL: usize = 3;
}

/// Flags of the word `KEEP`.
pub(crate) mod keep {
    /// The waker keeps the event loop open.
    pub(crate) const LOOP: u32 = 1 << 0;
    /// The waker holds its callback strongly, so that it is not garbage-collected.
    pub(crate) const CALLBACK: u32 = 1 << 1;
}

/// Size of a completion record in bytes, and of a record on a ring with `CQE32` or `CQE_MIXED`.
pub(crate) const RECORD: usize = 16;
pub(crate) const RECORD_32: usize = 32;

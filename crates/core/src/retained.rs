//! What is kept for the kernel while it is registered.

use std::collections::BTreeMap;
use std::io;

use crate::memory::Memory;

/// What is kept for the kernel.
#[derive(Debug, Default)]
pub(crate) struct Retained {
    /// By index, as far as the memory is ours. The kernel holds the pages itself until the last operation that uses
    /// them has ended: this keeps their addresses from meaning anything else.
    pub(crate) buffers: Vec<Option<Memory>>,
    /// By group.
    pub(crate) groups: BTreeMap<u16, Provided>,
    /// Of groups that are gone, until nothing is in flight that may have taken a buffer before.
    pub(crate) retired: Vec<Memory>,
    /// Until the ring is closed.
    pub(crate) kept: Vec<Memory>,
    /// Under which the task has the ring's descriptor.
    pub(crate) index: Option<u32>,
    /// Whether nobody asked for that.
    pub(crate) unasked: bool,
}

/// A group of provided buffers.
#[derive(Debug)]
pub(crate) struct Provided {
    /// The kernel holds no pages of it and writes to the addresses.
    pub(crate) memory: Memory,
    /// Where the kernel reads the addresses; it has the pages.
    pub(crate) entries: Memory,
    /// Whether they are a part of the ring.
    pub(crate) of_ring: bool,
}

impl Retained {
    /// Before the end of the ring: a mapping of it would keep its file open, and a [`BufferRing`](crate::register::BufferRing) may outlive it.
    pub(crate) fn leave(&self) -> io::Result<()> {
        let mapped = self.groups.values().filter(|group| group.of_ring);
        mapped
            .map(|group| group.entries.replace())
            .fold(Ok(()), io::Result::and)
    }
}

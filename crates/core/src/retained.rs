//! Memory and numbers that are kept while they are registered with the kernel.

use std::collections::BTreeMap;
use std::io;

use crate::memory::MappedMemory;

/// Everything that a ring keeps while it is registered.
#[derive(Debug, Default)]
pub(crate) struct Retained {
    /// The registered buffers by index, as far as the ring was given their memory. The kernel holds the pages itself
    /// until the last operation that uses them has ended; keeping the mapping keeps the addresses from being reused.
    pub(crate) buffers: Vec<Option<MappedMemory>>,
    /// The buffer groups by their id.
    pub(crate) groups: BTreeMap<u16, RetainedGroup>,
    /// Memory of unregistered buffer groups, until no operation is in flight that may have taken a buffer before.
    pub(crate) retired: Vec<MappedMemory>,
    /// Memory that is registered until the ring is closed.
    pub(crate) until_close: Vec<MappedMemory>,
    /// The registration of the ring's own descriptor with its thread.
    pub(crate) ring_fd: Option<RegisteredRingFd>,
}

/// The registration of a ring's own descriptor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RegisteredRingFd {
    /// Index among the thread's registered rings.
    pub(crate) index: u32,
    /// True if the ring registered it as an optimization, and the program did not ask for it.
    pub(crate) automatic: bool,
}

/// The memory of a group of provided buffers.
#[derive(Debug)]
pub(crate) struct RetainedGroup {
    /// The buffers. The kernel holds no pages of them: it writes to their addresses.
    pub(crate) memory: MappedMemory,
    /// The ring of buffer addresses that the kernel reads; it holds these pages.
    pub(crate) entries: MappedMemory,
    /// True if `entries` is a mapping of the ring's file.
    pub(crate) maps_ring: bool,
}

impl Retained {
    /// Replaces the mappings of the ring's file with anonymous memory, before the ring is closed: they would keep the
    /// file open, and a [`BufferRing`](crate::register::BufferRing) that uses them may outlive the ring.
    pub(crate) fn detach_from_ring(&self) -> io::Result<()> {
        self.groups
            .values()
            .filter(|group| group.maps_ring)
            .map(|group| group.entries.replace())
            .fold(Ok(()), io::Result::and)
    }
}

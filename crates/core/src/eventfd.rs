//! Eventfds that completions write to, and pausing them.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, Ordering, fence};

use crate::ring::Ring;
use crate::sys::{
    IORING_CQ_EVENTFD_DISABLED, IORING_OFF_CQ_RING, IORING_REGISTER_EVENTFD, IORING_REGISTER_EVENTFD_ASYNC,
    IORING_UNREGISTER_EVENTFD, Params,
};

/// Selects the completions that write to an eventfd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventfdMode {
    /// All completions.
    All,
    /// Completions of operations that a kernel worker runs.
    Workers,
}

impl Ring {
    /// Registers an eventfd that the kernel writes to whenever completions arrive, in every mode of a ring. (The ring's
    /// own descriptor is no substitute: with `DEFER_TASKRUN` it does not become readable for later completions.)
    ///
    /// The ring manages this eventfd: [`pause_eventfd`](Self::pause_eventfd) disables and enables it. See
    /// io_uring_register_eventfd(3).
    ///
    /// # Errors
    ///
    /// * `EBUSY`: an eventfd is registered already.
    /// * `EBADF`: the descriptor is not open.
    /// * `EINVAL`: the descriptor is not an eventfd.
    pub fn register_eventfd(&mut self, fd: RawFd) -> io::Result<()> {
        self.eventfd_switch()?; // an error here must leave nothing registered
        self.register_unmanaged_eventfd(fd, EventfdMode::All)?;
        self.managed_eventfd = true;
        self.eventfd_switch()?.set_disabled(false); // it may be disabled since an earlier eventfd
        Ok(())
    }

    /// Registers an eventfd that [`pause_eventfd`](Self::pause_eventfd) leaves alone. See io_uring_register_eventfd(3).
    ///
    /// # Errors
    ///
    /// As for [`register_eventfd`](Self::register_eventfd).
    pub fn register_unmanaged_eventfd(&mut self, fd: RawFd, mode: EventfdMode) -> io::Result<()> {
        let opcode = match mode {
            EventfdMode::All => IORING_REGISTER_EVENTFD,
            EventfdMode::Workers => IORING_REGISTER_EVENTFD_ASYNC,
        };
        // SAFETY: both opcodes read one descriptor during the call and keep its file, not the address.
        unsafe { self.register(opcode, ptr::from_ref(&fd).cast_mut().cast(), 1)? };
        Ok(())
    }

    /// Unregisters the eventfd, managed or not.
    ///
    /// # Errors
    ///
    /// `ENXIO`: no eventfd is registered.
    pub fn unregister_eventfd(&mut self) -> io::Result<()> {
        self.register_nothing(IORING_UNREGISTER_EVENTFD, 0)?;
        self.managed_eventfd = false;
        Ok(())
    }

    /// Tells if an eventfd is registered that the ring manages ([`register_eventfd`](Self::register_eventfd)).
    #[must_use]
    pub fn has_managed_eventfd(&self) -> bool {
        self.managed_eventfd
    }

    /// Disables the managed eventfd for a call that consumes the completions itself, or enables it again. Does nothing
    /// without one.
    ///
    /// After enabling it the caller has to look for completions once more: those that arrived during the pause have
    /// written nothing.
    pub fn pause_eventfd(&mut self, paused: bool) {
        if let (true, Some(switch)) = (self.managed_eventfd, &self.eventfd_switch) {
            switch.set_disabled(paused);
        }
    }

    /// Tells if completions write to the eventfd, managed or not: the inverse of the kernel's
    /// `IORING_CQ_EVENTFD_DISABLED`.
    ///
    /// # Errors
    ///
    /// Those of mmap(2), if the queue's flags cannot be mapped.
    pub fn eventfd_enabled(&mut self) -> io::Result<bool> {
        Ok(!self.eventfd_switch()?.is_disabled())
    }

    /// Enables or disables writes to the eventfd, managed or not, by the kernel's `IORING_CQ_EVENTFD_DISABLED`. Since
    /// Linux 5.8.
    ///
    /// # Errors
    ///
    /// As for [`eventfd_enabled`](Self::eventfd_enabled).
    pub fn enable_eventfd(&mut self, enabled: bool) -> io::Result<()> {
        self.eventfd_switch()?.set_disabled(!enabled);
        Ok(())
    }

    fn eventfd_switch(&mut self) -> io::Result<&EventfdSwitch> {
        let switch = match self.eventfd_switch.take() {
            Some(switch) => switch,
            None => EventfdSwitch::new(self.as_raw_fd(), &self.queues.params())?,
        };
        Ok(self.eventfd_switch.insert(switch))
    }
}

/// The flags of the completion queue, which the kernel reads before it writes to the eventfd.
///
/// This is a mapping of its own because the `io-uring` crate can read these flags but not set them.
#[derive(Debug)]
pub(crate) struct EventfdSwitch {
    mapping: NonNull<libc::c_void>,
    length: usize,
    flags: NonNull<AtomicU32>,
}

impl EventfdSwitch {
    pub(crate) fn new(fd: RawFd, params: &Params) -> io::Result<Self> {
        let at = params.cq_off.flags as usize;
        let length = at + size_of::<AtomicU32>();
        // SAFETY: the kernel chooses the address of the new mapping, so no memory of the program is replaced.
        let mapping = unsafe {
            libc::mmap(
                ptr::null_mut(),
                length,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                fd,
                IORING_OFF_CQ_RING as libc::off_t,
            )
        };
        if mapping == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: `at` is four bytes before the end of the mapping, and the sum is not null because the mapping is not.
        // The kernel keeps its 32-bit flags there, aligned.
        let flags = unsafe { NonNull::new_unchecked(mapping.cast::<u8>().add(at).cast()) };
        // SAFETY: mmap returned an address that is not `MAP_FAILED`, and never maps address 0 unless asked to.
        let mapping = unsafe { NonNull::new_unchecked(mapping) };
        Ok(Self {
            mapping,
            length,
            flags,
        })
    }

    pub(crate) fn is_disabled(&self) -> bool {
        self.flags().load(Ordering::SeqCst) & IORING_CQ_EVENTFD_DISABLED != 0
    }

    pub(crate) fn set_disabled(&self, disabled: bool) {
        let flags = self.flags();
        if disabled {
            // If the kernel sees this late, it only wakes the program once too often.
            flags.store(IORING_CQ_EVENTFD_DISABLED, Ordering::Relaxed);
        } else {
            flags.store(0, Ordering::Relaxed);
            // The caller's next look at the queue must come after the kernel can see this store.
            fence(Ordering::SeqCst);
        }
    }

    fn flags(&self) -> &AtomicU32 {
        // SAFETY: the address is mapped until `self` is dropped, and the kernel accesses these flags atomically too.
        unsafe { self.flags.as_ref() }
    }
}

impl Drop for EventfdSwitch {
    fn drop(&mut self) {
        // SAFETY: `new` mapped this range, and only `self.flags` points into it.
        unsafe { libc::munmap(self.mapping.as_ptr(), self.length) };
    }
}

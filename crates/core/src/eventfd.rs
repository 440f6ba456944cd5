//! Completions announced by an eventfd, which can be silenced.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, Ordering, fence};

use crate::ring::Ring;
use crate::sys::{IORING_CQ_EVENTFD_DISABLED, IORING_OFF_CQ_RING, Params};

/// Which completions write to an eventfd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Announce {
    /// All of them.
    All,
    /// Those of the kernel's workers only.
    Workers,
}

impl Ring {
    /// Writes to an eventfd whenever completions arrive, in every mode of a ring. Its own descriptor never becomes
    /// readable for those that come later where completions wait for their thread (`DEFER_TASKRUN`).
    ///
    /// [`silence_eventfd`](Self::silence_eventfd) turns it off and on.
    ///
    /// # Errors
    ///
    /// `EBUSY` if there is one already, `EBADF`, `EINVAL` for what is no eventfd.
    pub fn register_eventfd(&mut self, fd: RawFd) -> io::Result<()> {
        self.switch()?;
        self.submitter().register_eventfd(fd)?;
        self.silences = true;
        self.switch()?.set(false); // whoever had turned it off is gone
        Ok(())
    }

    /// The same for an eventfd that hears of everything: [`silence_eventfd`](Self::silence_eventfd) leaves it alone.
    ///
    /// # Errors
    ///
    /// As for [`register_eventfd`](Self::register_eventfd).
    pub fn register_open_eventfd(&mut self, fd: RawFd, announce: Announce) -> io::Result<()> {
        match announce {
            Announce::All => self.submitter().register_eventfd(fd),
            Announce::Workers => self.submitter().register_eventfd_async(fd),
        }
    }

    /// Takes the eventfd away.
    ///
    /// # Errors
    ///
    /// `ENXIO` if there is none.
    pub fn unregister_eventfd(&mut self) -> io::Result<()> {
        self.submitter().unregister_eventfd()?;
        self.silences = false;
        Ok(())
    }

    /// Whether [`register_eventfd`](Self::register_eventfd) has one.
    #[must_use]
    pub fn has_eventfd(&self) -> bool {
        self.silences
    }

    /// Keeps the eventfd silent, for a call that takes the completions itself. Afterwards, once it may speak again,
    /// whoever silenced it has to look whether something came meanwhile: nobody was told.
    pub fn silence_eventfd(&mut self, silent: bool) {
        if let (true, Some(switch)) = (self.silences, &self.switch) {
            switch.set(silent);
        }
    }

    /// Whether completions are announced, if there is an eventfd: the kernel's own switch.
    ///
    /// # Errors
    ///
    /// When the ring cannot be mapped.
    pub fn eventfd_enabled(&mut self) -> io::Result<bool> {
        Ok(!self.switch()?.is_set())
    }

    /// Turns the kernel's own switch, whosever the eventfd is.
    ///
    /// # Errors
    ///
    /// As for [`eventfd_enabled`](Self::eventfd_enabled).
    pub fn enable_eventfd(&mut self, enabled: bool) -> io::Result<()> {
        self.switch()?.set(!enabled);
        Ok(())
    }

    fn switch(&mut self) -> io::Result<&Switch> {
        if self.switch.is_none() {
            self.switch = Some(Switch::new(self.as_raw_fd(), &self.queues.params())?);
        }
        self.switch
            .as_ref()
            .ok_or_else(|| io::Error::from_raw_os_error(libc::EBADF))
    }

    /// Entry flags without which the ring's restrictions let nothing in: entries that cancel what is in flight, which a
    /// polling thread needs, have them too from now on.
    pub fn require_flags(&mut self, flags: u8) {
        self.required = flags;
    }
}

/// The flags of the completion queue, which the kernel reads before it writes to the eventfd. Gap: the crate can read
/// them and not set them, so this is a mapping of our own.
#[derive(Debug)]
pub(crate) struct Switch {
    mapping: NonNull<libc::c_void>,
    length: usize,
    flags: NonNull<AtomicU32>,
}

impl Switch {
    pub(crate) fn new(fd: RawFd, params: &Params) -> io::Result<Self> {
        let at = params.cq_flags_offset();
        let length = at + size_of::<AtomicU32>();
        // SAFETY: a new mapping, at an address that the kernel chooses.
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
        // SAFETY: `at` is inside the mapping, where the kernel says that its aligned flags are.
        let flags = unsafe { NonNull::new_unchecked(mapping.cast::<u8>().add(at).cast()) };
        // SAFETY: a mapping that succeeded is not null.
        let mapping = unsafe { NonNull::new_unchecked(mapping) };
        Ok(Self {
            mapping,
            length,
            flags,
        })
    }

    pub(crate) fn is_set(&self) -> bool {
        // SAFETY: mapped for as long as this lives; the kernel and we access it atomically.
        unsafe { self.flags.as_ref() }.load(Ordering::SeqCst) & IORING_CQ_EVENTFD_DISABLED != 0
    }

    pub(crate) fn set(&self, silent: bool) {
        // SAFETY: mapped for as long as this lives; the kernel and we access it atomically.
        let flags = unsafe { self.flags.as_ref() };
        if silent {
            // Whoever sees it late wakes somebody once too often.
            flags.store(IORING_CQ_EVENTFD_DISABLED, Ordering::Relaxed);
        } else {
            flags.store(0, Ordering::Relaxed);
            // What is looked at next must be looked at after this has been seen.
            fence(Ordering::SeqCst);
        }
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        // SAFETY: mapped by `new` with this length, and nothing else points into it.
        unsafe { libc::munmap(self.mapping.as_ptr(), self.length) };
    }
}

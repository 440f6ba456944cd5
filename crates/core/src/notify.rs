//! Completions announced by an eventfd, which can be silenced.

use std::io;
use std::os::fd::{AsRawFd, RawFd};

use crate::ring::Ring;
use crate::switch::Switch;

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

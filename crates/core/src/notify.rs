//! Completions announced by an eventfd, which can be silenced.

use std::io;
use std::os::fd::{AsRawFd, RawFd};

use crate::ring::Ring;
use crate::switch::Switch;

impl Ring {
    /// Writes to an eventfd whenever completions arrive, in every mode of a ring. Its own descriptor never becomes
    /// readable for those that come later where completions wait for their thread (`DEFER_TASKRUN`).
    ///
    /// # Errors
    ///
    /// `EBUSY` if there is one already, `EBADF`, `EINVAL` for what is no eventfd.
    pub fn register_eventfd(&mut self, fd: RawFd) -> io::Result<()> {
        let switch = Switch::new(self.as_raw_fd(), &self.queues.params())?;
        self.submitter().register_eventfd(fd)?;
        self.switch = Some(switch);
        Ok(())
    }

    /// The same for completions that did not come with the call that submitted them only (`EVENTFD_ASYNC`). Since Linux
    /// 5.6.
    ///
    /// # Errors
    ///
    /// As for [`register_eventfd`](Self::register_eventfd).
    pub fn register_eventfd_async(&mut self, fd: RawFd) -> io::Result<()> {
        let switch = Switch::new(self.as_raw_fd(), &self.queues.params())?;
        self.submitter().register_eventfd_async(fd)?;
        self.switch = Some(switch);
        Ok(())
    }

    /// Takes the eventfd away.
    ///
    /// # Errors
    ///
    /// `ENXIO` if there is none.
    pub fn unregister_eventfd(&mut self) -> io::Result<()> {
        self.submitter().unregister_eventfd()?;
        self.switch = None;
        Ok(())
    }

    /// Whether [`register_eventfd`](Self::register_eventfd) has one.
    #[must_use]
    pub fn has_eventfd(&self) -> bool {
        self.switch.is_some()
    }

    /// Keeps the eventfd silent, for a call that takes the completions itself. Afterwards, once it may speak again,
    /// whoever silenced it has to look whether something came meanwhile: nobody was told.
    pub fn silence_eventfd(&mut self, silent: bool) {
        if let Some(switch) = &self.switch {
            switch.set(silent);
        }
    }
}

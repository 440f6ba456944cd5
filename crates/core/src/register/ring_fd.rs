//! Registering the ring's own descriptor with its thread.

use std::io;
use std::os::fd::AsRawFd;

use crate::retained::RegisteredRingFd;
use crate::ring::Ring;
use crate::sys::{IORING_REGISTER_RING_FDS, IORING_UNREGISTER_RING_FDS, io_uring_rsrc_update};

impl Ring {
    /// Registers the ring's own descriptor with this thread, which makes entering the kernel a little cheaper, and
    /// returns its index. A thread has 16 places for all its rings; closing the ring releases the place. Since Linux
    /// 5.18. See io_uring_register_ring_fd(3).
    ///
    /// # Errors
    ///
    /// * `EEXIST`: the descriptor is registered already, and not only by
    ///   [`try_register_ring_fd`](Self::try_register_ring_fd).
    /// * `EBUSY`: the thread has no free place.
    pub fn register_ring_fd(&mut self) -> io::Result<u32> {
        match &mut self.retained.ring_fd {
            Some(ring_fd) if ring_fd.automatic => {
                ring_fd.automatic = false;
                Ok(ring_fd.index)
            }
            Some(_) => Err(io::Error::from_raw_os_error(libc::EEXIST)),
            None => self.register_ring_fd_as(false),
        }
    }

    /// Registers the ring's own descriptor if it is not registered and the thread has a free place. This is an
    /// automatic registration, only an optimization: [`register_ring_fd`](Self::register_ring_fd) and
    /// [`unregister_ring_fd`](Self::unregister_ring_fd) behave as if it had not happened.
    pub fn try_register_ring_fd(&mut self) {
        if self.retained.ring_fd.is_none() {
            drop(self.register_ring_fd_as(true)); // without it the ring is only a little slower
        }
    }

    fn register_ring_fd_as(&mut self, automatic: bool) -> io::Result<u32> {
        let mut argument = io_uring_rsrc_update {
            offset: u32::MAX, // any free place; the kernel replaces it with the index
            data: self.as_raw_fd() as u64,
            ..Default::default()
        };
        self.register_plain(IORING_REGISTER_RING_FDS, &mut argument)?;
        let index = argument.offset;
        self.retained.ring_fd = Some(RegisteredRingFd { index, automatic });
        Ok(index)
    }

    /// Unregisters the ring's own descriptor. See io_uring_unregister_ring_fd(3).
    ///
    /// # Errors
    ///
    /// `ENXIO`: the descriptor is not registered.
    pub fn unregister_ring_fd(&mut self) -> io::Result<()> {
        match self.retained.ring_fd {
            Some(ring_fd) if !ring_fd.automatic => {
                self.unregister_index(ring_fd.index)?;
                self.retained.ring_fd = None;
                Ok(())
            }
            _ => Err(io::Error::from_raw_os_error(libc::ENXIO)),
        }
    }

    /// Unregisters the ring's own descriptor before the ring is closed. The restrictions of this ring may forbid that,
    /// but the place belongs to the thread, so a temporary ring can do it too.
    pub(crate) fn release_ring_fd(&mut self) -> io::Result<()> {
        let Some(RegisteredRingFd { index, .. }) = self.retained.ring_fd.take() else {
            return Ok(());
        };
        self.unregister_index(index)
            .or_else(|_| Self::new(1)?.unregister_index(index))
    }

    fn unregister_index(&self, index: u32) -> io::Result<()> {
        let mut argument = io_uring_rsrc_update {
            offset: index,
            ..Default::default()
        };
        self.register_plain(IORING_UNREGISTER_RING_FDS, &mut argument)
            .map(drop)
    }
}

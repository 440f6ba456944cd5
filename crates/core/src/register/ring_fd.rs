//! The ring's own descriptor, registered with the thread.

use std::io;
use std::os::fd::AsRawFd;

use crate::ring::Ring;
use crate::sys::{IORING_REGISTER_RING_FDS, IORING_UNREGISTER_RING_FDS, io_uring_rsrc_update};

impl Ring {
    /// Registers the ring's own descriptor with this thread: entering the kernel is a little cheaper then. A thread has
    /// 16 places for all its rings; closing the ring gives this one back. Since Linux 5.18. See
    /// io_uring_register_ring_fd(3).
    ///
    /// # Errors
    ///
    /// `EEXIST` if it is registered already, `EBUSY` if no place is free.
    pub fn register_ring_fd(&mut self) -> io::Result<u32> {
        if let Some(index) = self.retained.index {
            if std::mem::take(&mut self.retained.unasked) {
                return Ok(index);
            }
            return Err(io::Error::from_raw_os_error(libc::EEXIST));
        }
        let mut argument = io_uring_rsrc_update {
            offset: u32::MAX, // any place
            data: self.as_raw_fd() as u64,
            ..Default::default()
        };
        // SAFETY: it points at nothing; the place that was chosen is filled in.
        unsafe { self.register_struct(IORING_REGISTER_RING_FDS, &mut argument, 1)? };
        self.retained.index = Some(argument.offset);
        Ok(argument.offset)
    }

    /// The same where nobody asked for it: calls then cost no count of references. A thread has few places, and without
    /// one everything works all the same.
    pub fn prefer_ring_fd(&mut self) {
        self.retained.unasked = self.retained.index.is_none() && self.register_ring_fd().is_ok();
    }

    /// Gives the place back.
    ///
    /// # Errors
    ///
    /// `ENXIO` if there is none.
    pub fn unregister_ring_fd(&mut self) -> io::Result<()> {
        let Some(index) = self.retained.index.filter(|_| !self.retained.unasked) else {
            return Err(io::Error::from_raw_os_error(libc::ENXIO));
        };
        unregister_place(self, index)?;
        self.retained.index = None;
        Ok(())
    }

    /// Gives the place back at the end of the ring, come what may: a ring that is restricted may forbid it, but places
    /// are the thread's, and any ring will do.
    pub(crate) fn give_place_back(&mut self) -> io::Result<()> {
        let Some(index) = self.retained.index.take() else {
            return Ok(());
        };
        unregister_place(self, index).or_else(|_| unregister_place(&mut Ring::new(1)?, index))
    }
}

fn unregister_place(ring: &mut Ring, index: u32) -> io::Result<()> {
    let mut argument = io_uring_rsrc_update {
        offset: index,
        ..Default::default()
    };
    // SAFETY: it points at nothing.
    unsafe { ring.register_struct(IORING_UNREGISTER_RING_FDS, &mut argument, 1)? };
    Ok(())
}

//! Entering the kernel: submitting entries and waiting for completions.

use std::ffi::c_void;
use std::io;
use std::os::fd::RawFd;
use std::time::Duration;

use super::Ring;
use crate::errno;
use crate::sys::{
    self, __kernel_timespec, IORING_ENTER_EXT_ARG, IORING_ENTER_EXT_ARG_REG, IORING_ENTER_GETEVENTS,
    IORING_ENTER_REGISTERED_RING, IORING_ENTER_SQ_WAKEUP, features, io_uring_getevents_arg, setup,
};

impl Ring {
    /// Submits the queued entries and returns how many the kernel consumed (with `SQPOLL`, how many were queued since
    /// the last submit). Never waits. Completions that are ready are in the completion queue afterwards.
    ///
    /// # Errors
    ///
    /// Entries that were not consumed stay queued.
    ///
    /// * `EAGAIN`: the kernel has no memory for a request now; submit again later.
    /// * `EBUSY`: too many completions have overflowed; consume completions, and submit again.
    /// * `EINTR`: a signal arrived; submit again.
    /// * `EBADFD`: the ring is disabled.
    /// * `EEXIST`: the ring has `SINGLE_ISSUER` and belongs to another thread.
    ///
    /// See io_uring_enter(2) for the others.
    pub fn submit(&mut self) -> io::Result<usize> {
        self.submit_and_wait(0, Some(Duration::ZERO))
    }

    /// Submits the queued entries and waits for at least `want` completions, at most for `timeout`.
    ///
    /// The wait may end early: when a signal arrives, or when a [`Timeout`](crate::operations::Timeout) expires. Look
    /// at the completion queue rather than at the number of entries that this returns.
    ///
    /// # Errors
    ///
    /// As for [`submit`](Self::submit). The end of `timeout` is not an error.
    pub fn submit_and_wait(&mut self, want: u32, timeout: Option<Duration>) -> io::Result<usize> {
        self.submit_using(want, |ring, to_submit, enter| match timeout {
            Some(timeout) if want > 0 => ring.enter_for(to_submit, want, enter, timeout),
            _ => ring.enter(to_submit, want, enter),
        })
    }

    /// Submits the queued entries with a call of `enter`, which gets the number of entries and the `IORING_ENTER_*`
    /// that the ring needs now. Makes no call if an `SQPOLL` thread is awake and nothing is waited for.
    pub(crate) fn submit_using(
        &mut self,
        want: u32,
        enter: impl FnOnce(&mut Self, u32, u32) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let to_submit = self.queues.sq_len() as u32; // at most MAX_ENTRIES
        let mut flags = IORING_ENTER_GETEVENTS;
        let polling = self.setup_flags & setup::SQPOLL != 0;
        if polling {
            flags = 0;
            if want > 0 || self.queues.overflow() || self.queues.task_work() {
                flags |= IORING_ENTER_GETEVENTS;
            }
            if self.queues.need_wakeup() {
                flags |= IORING_ENTER_SQ_WAKEUP;
            }
            if flags == 0 {
                return Ok(std::mem::take(&mut self.unreported));
            }
        }
        let consumed = match enter(self, to_submit, flags) {
            Err(error) if errno::is(&error, &[libc::ETIME]) => 0,
            consumed => consumed?,
        };
        let queued = std::mem::take(&mut self.unreported);
        Ok(if polling { queued } else { consumed })
    }

    /// Makes one io_uring_enter(2) call with these arguments, and returns how many entries the kernel consumed.
    ///
    /// # Errors
    ///
    /// Those of io_uring_enter(2), as they are.
    pub fn enter(&mut self, to_submit: u32, min_complete: u32, flags: u32) -> io::Result<usize> {
        // SAFETY: the argument is null with size 0, and the kernel does not read a null argument, whatever the flags
        // are.
        unsafe { self.enter_with(to_submit, min_complete, flags, std::ptr::null(), 0) }
    }

    /// Makes one io_uring_enter(2) call that waits as described at `offset`, in bytes, of the memory that
    /// [`register_region`](Self::register_region) registered for waits.
    ///
    /// # Errors
    ///
    /// Those of io_uring_enter(2), among them:
    ///
    /// * `EFAULT`: there is no wait at this offset.
    /// * `ETIME`: the time of the wait is over.
    pub fn enter_registered(
        &mut self,
        to_submit: u32,
        min_complete: u32,
        flags: u32,
        offset: usize,
    ) -> io::Result<usize> {
        let flags = flags | IORING_ENTER_EXT_ARG | IORING_ENTER_EXT_ARG_REG;
        let size = size_of::<sys::io_uring_reg_wait>();
        let argument = std::ptr::without_provenance(offset);
        // SAFETY: with `EXT_ARG_REG` the argument is an offset and not an address; the kernel checks it against the
        // region's size.
        unsafe { self.enter_with(to_submit, min_complete, flags, argument, size) }
    }

    /// Makes one io_uring_enter(2) call, by the ring's registered index if it has one.
    ///
    /// # Safety
    ///
    /// `argument` and `size` are what the kernel expects with `flags`: null and any size, a readable structure of
    /// `size` bytes, or an offset.
    unsafe fn enter_with(
        &mut self,
        to_submit: u32,
        min_complete: u32,
        flags: u32,
        argument: *const c_void,
        size: usize,
    ) -> io::Result<usize> {
        let (fd, flags) = match self.retained.ring_fd {
            Some(ring_fd) => (ring_fd.index as RawFd, flags | IORING_ENTER_REGISTERED_RING),
            None => (self.queues.fd(), flags),
        };
        // SAFETY: this function has the same contract for `argument` and `size`; the callers of `push` promised that
        // the memory of the queued entries is valid.
        unsafe { sys::io_uring_enter(fd, to_submit, min_complete, flags, argument, size) }
    }

    pub(crate) fn enter_for(
        &mut self,
        to_submit: u32,
        want: u32,
        flags: u32,
        timeout: Duration,
    ) -> io::Result<usize> {
        if self.feature_flags & features::EXT_ARG == 0 {
            return self.enter_and_poll(to_submit, want, flags, timeout);
        }
        let timespec = __kernel_timespec::from(timeout);
        let argument = io_uring_getevents_arg::timeout(&timespec);
        // SAFETY: with `EXT_ARG` the kernel reads `argument` and the time that it points to; both live until the call
        // returns.
        unsafe {
            self.enter_with(
                to_submit,
                want,
                flags | IORING_ENTER_EXT_ARG,
                std::ptr::from_ref(&argument).cast(),
                size_of_val(&argument),
            )
        }
    }

    /// Waits with a timeout on a kernel without `FEAT_EXT_ARG` (before 5.11): polls the ring's descriptor, which is
    /// readable when there are completions.
    fn enter_and_poll(
        &mut self,
        to_submit: u32,
        want: u32,
        flags: u32,
        timeout: Duration,
    ) -> io::Result<usize> {
        let consumed = self.enter(to_submit, 0, flags)?;
        if self.queues.cq_len() < want as usize {
            sys::wait_readable(self.queues.fd(), timeout)?;
            self.get_events()?;
        }
        Ok(consumed)
    }

    /// Enters the kernel so that completions arrive which wait for this thread or have overflowed. Submits nothing and
    /// does not wait.
    ///
    /// # Errors
    ///
    /// As for [`submit`](Self::submit).
    pub fn get_events(&mut self) -> io::Result<()> {
        self.enter(0, 0, IORING_ENTER_GETEVENTS).map(drop)
    }
}

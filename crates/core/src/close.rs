//! Closing a ring: no memory is freed before the kernel has released it.

use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use crate::errno;
use crate::operations::AsyncCancel;
use crate::register::CancelMatch;
use crate::ring::{Ring, UNSOLICITED};
use crate::sys::{
    self, IORING_ASYNC_CANCEL_ALL, IORING_ASYNC_CANCEL_ANY, IORING_ENTER_GETEVENTS, IORING_ENTER_SQ_WAIT,
    setup,
};

/// Duration of one wait. After each the rest is cancelled again, because a cancellation misses requests that are about
/// to start.
const STEP: Duration = Duration::from_millis(100);
/// Time after which a message says what the close is waiting for.
const PATIENCE: Duration = Duration::from_secs(5);

/// User data of the cancel entries that the ring itself pushes. They are not counted as in flight.
const CANCEL: u64 = UNSOLICITED | 0xCA;

impl Ring {
    /// Asks the kernel to cancel everything in flight. The outcome shows in the operations' completions only.
    ///
    /// With `SQPOLL`, before Linux 6.0 and on some restricted rings this queues and submits a cancel entry, whose
    /// completion has [`UNSOLICITED`] in its user data.
    ///
    /// # Errors
    ///
    /// * `EBADFD`: the ring is disabled.
    /// * `EEXIST`: the ring belongs to another thread.
    pub fn cancel_all(&mut self) -> io::Result<()> {
        let cancelled = self.cancel_sync(CancelMatch::default(), Some(Duration::ZERO));
        if self.setup_flags() & setup::SQPOLL != 0 {
            // Only an entry that runs on the SQPOLL thread reaches the workers of that thread.
            return self.push_cancel();
        }
        match cancelled {
            // None was found, or some have not ended yet, or a signal ended the wait for them.
            Err(error) if errno::is(&error, &[libc::ENOENT, libc::ETIME, libc::EALREADY, libc::EINTR]) => {
                Ok(())
            }
            // Kernels before 6.0 have no such registration, and a restricted ring may forbid it.
            Err(error) if errno::is(&error, &[libc::EINVAL, libc::EACCES]) => self.push_cancel(),
            result => result.map(drop),
        }
    }

    fn push_cancel(&mut self) -> io::Result<()> {
        let entry = AsyncCancel::new()
            .cancel_flags(IORING_ASYNC_CANCEL_ALL | IORING_ASYNC_CANCEL_ANY)
            .build()
            .with_user_data(CANCEL)
            .with_flags(self.required_flags);
        if self.sq_space_left() == 0 {
            self.submit()?;
            if self.setup_flags() & setup::SQPOLL != 0 {
                self.enter(0, 0, IORING_ENTER_SQ_WAIT)?; // until the SQPOLL thread has consumed an entry
            }
        }
        // SAFETY: a cancel entry matches by flags only; it references no memory.
        if unsafe { self.push(&entry) }.is_ok() {
            self.uncounted -= 1; // closing need not wait for this one
            self.cancels += 1;
        }
        self.submit().map(drop)
    }

    /// Returns an upper bound of the operations that the kernel holds: those in flight, less the entries that it has
    /// not consumed. How many of these entries are counted as in flight is not known, and an SQPOLL thread may consume
    /// them at any time.
    fn held(&mut self) -> u64 {
        let waiting = if self.setup_flags() & setup::SQPOLL == 0 {
            let uncounted = self.uncounted + self.cancels;
            (self.queues.sq_len() as u64).saturating_sub(uncounted)
        } else {
            0
        };
        self.in_flight.saturating_sub(waiting)
    }

    /// Consumes and discards all completions, and tells if the kernel still holds operations, whose memory it may use.
    /// Does not wait.
    ///
    /// # Errors
    ///
    /// As for [`get_events`](Ring::get_events).
    pub fn discard_completions(&mut self) -> io::Result<bool> {
        self.reap(usize::MAX, drop);
        if self.held() > 0 {
            self.get_events()?;
            self.reap(usize::MAX, drop);
        }
        Ok(self.held() > 0)
    }

    /// Cancels everything and waits until every counted operation has completed.
    fn drain(&mut self, patience: &mut Patience) -> io::Result<()> {
        let mut cancelled: Option<Instant> = None;
        while self.discard_completions()? {
            // Not after every completion: a cancel entry completes too, so this would be a busy loop.
            if cancelled.is_none_or(|at| at.elapsed() >= STEP) {
                self.cancel_all()?;
                cancelled = Some(Instant::now());
            }
            self.wait_step()?;
            patience.check(self.queues.fd(), || format!("{} operation(s)", self.in_flight));
        }
        Ok(())
    }

    /// Waits for one completion, at most for one step. Entries that the kernel has not consumed must not start now.
    /// An SQPOLL thread starts them in any case, and has to be awake to finish them.
    fn wait_step(&mut self) -> io::Result<()> {
        let waited = if self.setup_flags() & setup::SQPOLL == 0 {
            self.enter_for(0, 1, IORING_ENTER_GETEVENTS, STEP)
        } else {
            self.submit_and_wait(1, Some(STEP))
        };
        match waited {
            Err(error) if errno::is(&error, &errno::TRANSIENT) => Ok(()),
            waited => waited.map(drop),
        }
    }

    /// Closes the ring: cancels everything in flight, and waits without limit until the kernel has released it.
    ///
    /// # Errors
    ///
    /// If the operations cannot be waited for, for example after a fork, where the ring belongs to another process, or
    /// on a restricted ring with entries that do not complete. The ring then stays open, and the memory of its
    /// operations must not be freed or reused.
    pub fn close(mut self) -> io::Result<()> {
        self.shut()
    }

    fn shut(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.closed, true) {
            return Ok(());
        }
        // Each of these would keep the ring's file open: the mappings, and the registered descriptor.
        self.eventfd_switch = None;
        let detached = self.retained.detach_from_ring();
        let file_can_close = self.release_ring_fd().and(detached);
        let shut = self.shut_queues(file_can_close);
        if shut.is_err() {
            std::mem::forget(std::mem::take(&mut self.retained)); // the kernel may still use this memory
        }
        shut
    }

    fn shut_queues(&mut self, file_can_close: io::Result<()>) -> io::Result<()> {
        let mut patience = Patience::new();
        if self.in_flight_is_exact() && self.drain(&mut patience).is_ok() {
            // SAFETY: `closed` was false, so the queues have not been dropped before. Nothing uses them afterwards: the
            // ring is consumed by `close`, or this runs in its destructor.
            unsafe { ManuallyDrop::drop(&mut self.queues) };
            return Ok(());
        }
        // Completions cannot show the end: some are skipped or not counted, or waiting for them is refused. The kernel
        // closes the ring's registered files after its last request, so register the write end of a pipe, close every
        // other copy of it, and wait until the pipe hangs up.
        file_can_close?;
        let (read, write) = pipe()?;
        match self.unregister_files() {
            Err(error) if !errno::is(&error, &[libc::ENXIO]) => return Err(error),
            _ => {}
        }
        self.register_files(&[write.as_raw_fd()], &[])?;
        drop(write);
        let fd = self.queues.fd();
        // SAFETY: as for the other drop, from which this function has returned.
        unsafe { ManuallyDrop::drop(&mut self.queues) };
        while !matches!(sys::wait_hangup(read.as_raw_fd(), STEP), Ok(true)) {
            patience.check(fd, || "operations that do not complete".to_owned());
        }
        Ok(())
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        if let Err(error) = self.shut() {
            // The queues stay mapped: the kernel may still use the memory of this ring's operations.
            eprintln!(
                "uring: ring {} stays open because waiting for its operations failed: {error}",
                self.queues.fd()
            );
        }
    }
}

/// Decides when to report that closing takes long; reports once.
struct Patience {
    since: Instant,
    reported: bool,
}

impl Patience {
    fn new() -> Self {
        Self {
            since: Instant::now(),
            reported: false,
        }
    }

    fn check(&mut self, fd: RawFd, pending: impl FnOnce() -> String) {
        if !self.reported && self.since.elapsed() >= PATIENCE {
            self.reported = true;
            eprintln!(
                "uring: closing ring {fd} waits for {}: the kernel may still use their memory",
                pending()
            );
        }
    }
}

fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut fds = [-1; 2];
    // SAFETY: the kernel writes two descriptors, and the array has two elements.
    if unsafe { libc::pipe2(fds.as_mut_ptr(), libc::O_CLOEXEC) } < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: pipe2 has just opened both descriptors, so nothing else owns them.
    Ok(unsafe { (OwnedFd::from_raw_fd(fds[0]), OwnedFd::from_raw_fd(fds[1])) })
}

//! The end of a ring: nothing is given back before the kernel has let go of it.

use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use io_uring::EnterFlags;
use io_uring::types::CancelBuilder;

use crate::entry::{Entry, place};
use crate::ring::{FOREIGN, Ring};
use crate::sys::{self, setup};

/// One step of waiting; then what is left is cancelled again, because work that was about to start escapes a cancel.
const STEP: Duration = Duration::from_millis(100);
/// After this long one line says what is being waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// `IORING_ASYNC_CANCEL_ALL | IORING_ASYNC_CANCEL_ANY`.
const CANCEL_EVERYTHING: u64 = 1 << 0 | 1 << 2;

/// User data of our own cancel entries: marked as foreign, so that they are not counted.
const CANCEL: u64 = FOREIGN | 0xCA;

impl Ring {
    /// Asks the kernel to cancel everything in flight. What was asked shows in completions only. With a polling thread,
    /// before 6.0 and on some restricted rings this takes an entry of its own, whose completion has [`FOREIGN`] in its
    /// user data.
    ///
    /// # Errors
    ///
    /// When the kernel can be reached in no way: the ring is disabled, or belongs to another thread.
    pub fn cancel_all(&mut self) -> io::Result<()> {
        let now = io_uring::types::Timespec::new();
        let cancelled = self
            .submitter()
            .register_sync_cancel(Some(now), CancelBuilder::any());
        if self.setup_flags() & setup::SQPOLL != 0 {
            // The polling thread has workers of its own, which only an entry that runs on it reaches.
            return self.push_cancel();
        }
        match cancelled {
            // Found none, or found some that have not ended yet; a signal keeps it from waiting for them.
            Err(error)
                if matches!(
                    error.raw_os_error(),
                    Some(libc::ENOENT | libc::ETIME | libc::EALREADY | libc::EINTR)
                ) =>
            {
                Ok(())
            }
            // Before 6.0 there is no such registration, and a restricted ring may forbid it.
            Err(error) if matches!(error.raw_os_error(), Some(libc::EINVAL | libc::EACCES)) => {
                self.push_cancel()
            }
            result => result,
        }
    }

    fn push_cancel(&mut self) -> io::Result<()> {
        let mut entry = Entry::new(14).with_user_data(CANCEL).with_flags(self.required);
        entry.set_bits(place::fd, u64::from(u32::MAX));
        entry.set_bits(place::op_flags, CANCEL_EVERYTHING);
        if self.sq_space_left() == 0 {
            self.submit()?;
            if self.setup_flags() & setup::SQPOLL != 0 {
                self.enter(0, 0, EnterFlags::SQ_WAIT.bits())?; // the polling thread makes room when it gets to it
            }
        }
        // SAFETY: the entry points at no memory.
        if unsafe { self.push(&entry) }.is_ok() {
            self.uncounted -= 1; // nothing has to wait for this one
            self.cancels += 1;
        }
        self.submit().map(drop)
    }

    /// Operations that the kernel holds: in flight, less what it has not taken from the submission queue. Which of
    /// those are counted is not known, so this is too high rather than too low; and with a polling thread it may take
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

    /// Whether the kernel may still touch memory that was handed to it. Takes and discards what has completed.
    ///
    /// # Errors
    ///
    /// As for [`get_events`](Ring::get_events).
    pub fn is_busy(&mut self) -> io::Result<bool> {
        self.reap(usize::MAX, drop);
        if self.held() > 0 {
            self.get_events()?;
            self.reap(usize::MAX, drop);
        }
        Ok(self.held() > 0)
    }

    /// Cancels and waits until everything that answers has answered.
    fn drain(&mut self, patience: &mut Patience) -> io::Result<()> {
        let mut cancelled: Option<Instant> = None;
        while self.is_busy()? {
            // Not with every completion: a cancel entry has one itself, and would be waited for in a busy loop.
            if cancelled.is_none_or(|at| at.elapsed() >= STEP) {
                self.cancel_all()?;
                cancelled = Some(Instant::now());
            }
            self.wait_step()?;
            patience.look(self.queues.fd(), || format!("{} operation(s)", self.in_flight));
        }
        Ok(())
    }

    /// Waits for one completion. What the kernel has not taken from the queue shall not start now; only a polling
    /// thread starts it whatever we do, and has to be awake to finish it.
    fn wait_step(&mut self) -> io::Result<()> {
        let waited = if self.setup_flags() & setup::SQPOLL == 0 {
            self.enter_for(0, 1, EnterFlags::GETEVENTS, STEP).map(drop)
        } else {
            self.submit_and_wait(1, Some(STEP)).map(drop)
        };
        match waited {
            Err(error)
                if matches!(
                    error.raw_os_error(),
                    Some(libc::ETIME | libc::EINTR | libc::EAGAIN | libc::EBUSY)
                ) =>
            {
                Ok(())
            }
            waited => waited,
        }
    }

    /// Closes the ring: cancels what is in flight, and waits until the kernel has let go of all of it.
    ///
    /// # Errors
    ///
    /// When that cannot be waited for: the ring belongs to another process after a fork, say, or it is restricted and
    /// has entries that answer nothing. The ring is then left open, and the memory of its operations must not be
    /// given back.
    pub fn close(mut self) -> io::Result<()> {
        self.shut()
    }

    fn shut(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.closed, true) {
            return Ok(());
        }
        self.switch = None; // its mapping would keep the ring's file open
        let left = self.retained.leave(); // as would those of groups
        let given_back = self.give_place_back().and(left); // the thread would keep it open too
        let shut = self.shut_queues(given_back);
        if shut.is_err() {
            std::mem::forget(std::mem::take(&mut self.retained)); // the kernel may still use the memory
        }
        shut
    }

    fn shut_queues(&mut self, can_hang_up: io::Result<()>) -> io::Result<()> {
        let mut patience = Patience::new();
        if !self.skipped && self.uncounted == 0 && self.drain(&mut patience).is_ok() {
            // SAFETY: `closed` was false, so this is the first and only time, and nothing uses the queues afterwards:
            // the callers have the ring by value, or are its destructor.
            unsafe { ManuallyDrop::drop(&mut self.queues) };
            return Ok(());
        }
        // Completions cannot tell: some are skipped or not counted, or the kernel does not let us wait for them. It
        // closes the ring's files when its last request is gone, so a pipe whose only write end is one of them can.
        can_hang_up?;
        let (read, write) = pipe()?;
        match self.submitter().unregister_files() {
            Err(error) if error.raw_os_error() != Some(libc::ENXIO) => return Err(error),
            _ => {}
        }
        self.submitter().register_files(&[write.as_raw_fd()])?;
        drop(write);
        let fd = self.queues.fd();
        // SAFETY: as above.
        unsafe { ManuallyDrop::drop(&mut self.queues) };
        while !matches!(sys::wait_hangup(read.as_raw_fd(), STEP), Ok(true)) {
            patience.look(fd, || "operations that do not answer".to_owned());
        }
        Ok(())
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        if let Err(error) = self.shut() {
            // The queues are left as they are: a ring that cannot be asked must not take memory away from the kernel.
            eprintln!(
                "uring: ring {} is left open, its operations cannot be waited for: {error}",
                self.queues.fd()
            );
        }
    }
}

/// When to say that a drain takes long, once.
struct Patience {
    since: Instant,
    said: bool,
}

impl Patience {
    fn new() -> Self {
        Self {
            since: Instant::now(),
            said: false,
        }
    }

    fn look(&mut self, fd: RawFd, what: impl FnOnce() -> String) {
        if !self.said && self.since.elapsed() >= PATIENCE {
            self.said = true;
            eprintln!(
                "uring: closing ring {fd} waits for {}: the kernel may still use their memory",
                what()
            );
        }
    }
}

fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut fds = [-1; 2];
    // SAFETY: room for two descriptors.
    if unsafe { libc::pipe2(fds.as_mut_ptr(), libc::O_CLOEXEC) } < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: both were just made and have no other owner.
    Ok(unsafe { (OwnedFd::from_raw_fd(fds[0]), OwnedFd::from_raw_fd(fds[1])) })
}

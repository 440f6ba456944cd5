//! Other sizes for the queues of a ring that runs.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Builder, JoinHandle};

use io_uring::IoUring;

use crate::eventfd::Switch;
use crate::queues::Queues;
use crate::ring::Ring;
use crate::sys::{self, Params, setup};

impl Ring {
    /// Gives the queues other sizes, each rounded up to a power of two. What waits in them stays, in order, and so do
    /// the descriptor's number, the eventfd and everything registered. Whoever has mapped the queues by himself has
    /// the old ones afterwards.
    ///
    /// Since Linux 6.13. Only rings with `DEFER_TASKRUN` and `NO_SQARRAY` and entries and completions of the plain
    /// width can be resized; the default mode asks for both.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a ring that cannot be resized and for sizes that [`Setup`](crate::Setup) would refuse,
    /// `EOVERFLOW` if what waits in a queue does not fit into the new one, `EEXIST` on another thread than the ring's,
    /// `ENOMEM` above the memory-lock limit, `EAGAIN` where no thread can be started. Nothing has changed then. Only if the new queues cannot be mapped although
    /// the kernel has made them is the ring good for nothing but to be closed.
    pub fn resize(&mut self, entries: u32, cq_entries: u32) -> io::Result<()> {
        // The kernel resizes rings with an SQ array, and the crate beneath would then write such an array over the
        // queues; and it can take hold of a descriptor for plain widths only.
        if self.setup_flags() & setup::NO_SQARRAY == 0 || !matches!(*self.queues, Queues::Plain(_)) {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        let before = self.queues.params();
        let aside = Aside::start(self.as_raw_fd())?;
        let mut params = Params {
            sq_entries: entries,
            cq_entries,
            flags: setup::CQSIZE,
            ..Params::default()
        };
        // SAFETY: the opcode reads and fills in one `struct io_uring_params`, and keeps nothing of it.
        unsafe {
            sys::io_uring_register(
                self.as_raw_fd(),
                sys::IORING_REGISTER_RESIZE_RINGS,
                ptr::from_mut(&mut params).cast(),
                1,
            )?;
        }
        // What the ring was made with stays as it is, but the kernel reports little of it here.
        params.flags |= before.flags;
        params.features = before.features;
        let result = self.follow(params, aside);
        // Without the queues nothing tells what is in flight, and closing must not ask them.
        self.skipped |= result.is_err();
        result
    }

    /// Goes over to the queues that the kernel has now.
    fn follow(&mut self, params: Params, aside: Aside) -> io::Result<()> {
        let switch = match &self.switch {
            // Whether it is silent is a flag in the queue itself, which the kernel has taken along.
            Some(_) => Some(Switch::new(self.as_raw_fd(), &params)?),
            None => None,
        };
        let queues = aside.map(params)?;
        let old = std::mem::replace(&mut *self.queues, Queues::Plain(queues));
        self.switch = switch;
        aside.unmap(old);
        Ok(())
    }
}

/// A thread with a table of descriptors of its own, in which the ring has its number too.
///
/// The crate beneath closes the descriptor with the mappings, and when it cannot map. On this thread that does not
/// close the ring for the process, so its number is never free for another thread's file, not even for a moment.
///
/// It hears no signal: a handler would not find the descriptors that it needs.
struct Aside {
    /// Dropped to end the thread.
    to_thread: Option<(Sender<Params>, Sender<Queues>)>,
    queues: Receiver<io::Result<IoUring>>,
    thread: Option<JoinHandle<()>>,
}

impl Aside {
    fn start(fd: RawFd) -> io::Result<Self> {
        let (ready, is_ready) = channel();
        let (params, take_params) = channel::<Params>();
        let (give_queues, queues) = channel();
        let (old, take_old) = channel::<Queues>();
        let deaf = Deaf::new(); // the thread is from its start
        let thread = Builder::new().name("uring-resize".into()).spawn(move || {
            let alone = sys::own_descriptors(fd);
            let proceed = alone.is_ok();
            if ready.send(alone).is_err() || !proceed {
                return;
            }
            let Ok(params) = take_params.recv() else {
                // The kernel refused.
                // SAFETY: in this thread's table the descriptor is owned by nothing else.
                return drop(unsafe { OwnedFd::from_raw_fd(fd) });
            };
            // SAFETY: in this thread's table the descriptor is owned by nothing, and the parameters are what the
            // kernel filled in for its queues. The value is given away and then owns the number in the table of the
            // process, as the old one did before it.
            let queues = unsafe { IoUring::from_fd(fd, params.parameters()) };
            if give_queues.send(queues).is_ok() {
                drop(take_old.recv());
            }
        });
        drop(deaf);
        let aside = Self {
            to_thread: Some((params, old)),
            queues,
            thread: Some(thread?),
        };
        is_ready.recv().map_err(io::Error::other)??;
        Ok(aside)
    }

    /// Maps the queues that the kernel describes.
    fn map(&self, params: Params) -> io::Result<IoUring> {
        if let Some((to_thread, _)) = &self.to_thread {
            to_thread.send(params).map_err(io::Error::other)?;
        }
        self.queues.recv().map_err(io::Error::other)?
    }

    /// Takes the mappings of `old` away, and leaves its descriptor open.
    fn unmap(self, old: Queues) {
        let Some((_, to_thread)) = &self.to_thread else {
            return std::mem::forget(old);
        };
        if let Err(returned) = to_thread.send(old) {
            // Dropping it here would close the ring.
            std::mem::forget(returned.0);
        }
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        self.to_thread = None;
        if let Some(thread) = self.thread.take() {
            // Only a panic makes this an error, and there is nothing in the thread that panics.
            drop(thread.join());
        }
    }
}

/// While this lives, the thread and those that it starts hear no signals.
struct Deaf(libc::sigset_t);

impl Deaf {
    fn new() -> Self {
        let mut before = MaybeUninit::<libc::sigset_t>::zeroed();
        let mut all = MaybeUninit::<libc::sigset_t>::zeroed();
        // SAFETY: room for two sets; zeros are an empty one, and stay so if these calls could fail.
        unsafe {
            libc::sigfillset(all.as_mut_ptr());
            libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
            Self(before.assume_init())
        }
    }
}

impl Drop for Deaf {
    fn drop(&mut self) {
        // SAFETY: the set that was there before.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, ptr::null_mut()) };
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_thread_has_the_ring_and_no_other_descriptor_and_hears_no_signal() -> io::Result<()> {
        let ring = Ring::new(4)?;
        let signals = |thread: &Path| -> io::Result<String> {
            let status = std::fs::read_to_string(thread.join("status"))?;
            let mask = status.lines().find_map(|line| line.strip_prefix("SigBlk:"));
            Ok(mask.unwrap_or_default().trim().to_owned())
        };
        let here = Path::new("/proc/thread-self");
        let before = signals(here)?;
        let aside = Aside::start(ring.as_raw_fd())?;
        assert_eq!(signals(here)?, before);

        let mut found = false;
        for thread in std::fs::read_dir("/proc/self/task")? {
            let thread = thread?.path();
            // Threads of other tests come and go.
            if !matches!(std::fs::read_to_string(thread.join("comm")), Ok(name) if name == "uring-resize\n") {
                continue;
            }
            found = true;
            let mask = u64::from_str_radix(&signals(&thread)?, 16).map_err(io::Error::other)?;
            for signal in [
                libc::SIGHUP,
                libc::SIGCHLD,
                libc::SIGTERM,
                libc::SIGUSR2,
                libc::SIGRTMAX(),
            ] {
                assert_ne!(mask & 1 << (signal - 1), 0, "{signal}");
            }
            let descriptors: Vec<_> = std::fs::read_dir(thread.join("fd"))?
                .map(|entry| entry.map(|entry| entry.file_name()))
                .collect::<io::Result<_>>()?;
            assert_eq!(descriptors, [ring.as_raw_fd().to_string().as_str()]);
        }
        assert!(found);
        drop(aside);
        Ok(())
    }
}

//! Resizing the queues of a ring that is in use.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Builder, JoinHandle};

use io_uring::IoUring;

use crate::errno::invalid;
use crate::eventfd::EventfdSwitch;
use crate::queues::Queues;
use crate::ring::Ring;
use crate::sys::{self, Params, setup};

impl Ring {
    /// Resizes the queues, each to the next power of two. Queued entries and completions stay, in order, and so do the
    /// descriptor's number, the eventfd and everything that is registered. A program's own mappings of the queues show
    /// the old ones afterwards.
    ///
    /// Only rings with `DEFER_TASKRUN` and `NO_SQARRAY`, entries of 64 bytes and completions of 16 can be resized; the
    /// default mode asks for both flags. Since Linux 6.13. See io_uring_resize_rings(3).
    ///
    /// # Errors
    ///
    /// The ring is as before, unless the kernel has made the new queues and mapping them fails: then it can only be
    /// closed.
    ///
    /// * `EINVAL`: the ring cannot be resized, or [`Setup`](crate::Setup) would refuse these sizes.
    /// * `EOVERFLOW`: the entries in a queue do not fit into the new one.
    /// * `EEXIST`: the ring belongs to another thread.
    /// * `ENOMEM`: the new queues would exceed the memory-lock limit.
    /// * `EAGAIN`: no thread can be started.
    pub fn resize(&mut self, entries: u32, cq_entries: u32) -> io::Result<()> {
        // The kernel would resize a ring with an SQ array too, but the `io-uring` crate would then write that array
        // over the queues. And the crate can map existing queues only for entries of 64 and completions of 16 bytes.
        if self.setup_flags() & setup::NO_SQARRAY == 0 || !matches!(*self.queues, Queues::Plain(_)) {
            return Err(invalid());
        }
        let before = self.queues.params();
        let helper = MappingThread::start(self.as_raw_fd())?;
        let mut params = Params {
            sq_entries: entries,
            cq_entries,
            flags: setup::CQSIZE,
            ..Params::default()
        };
        // SAFETY: the opcode reads and writes one `struct io_uring_params` during the call, and keeps no address.
        unsafe {
            sys::io_uring_register(
                self.as_raw_fd(),
                sys::IORING_REGISTER_RESIZE_RINGS,
                ptr::from_mut(&mut params).cast(),
                1,
            )?;
        }
        // The kernel does not report the other flags and features here; they have not changed.
        params.flags |= before.flags;
        params.features = before.features;
        let result = self.switch_queues(params, helper);
        // Without the new queues completions cannot be seen, so closing must not wait for them.
        self.skip_success |= result.is_err();
        result
    }

    /// Maps the new queues and unmaps the old ones.
    fn switch_queues(&mut self, params: Params, helper: MappingThread) -> io::Result<()> {
        let eventfd_switch = match &self.eventfd_switch {
            // The flag that disables the eventfd is in the queue itself; the kernel has copied it.
            Some(_) => Some(EventfdSwitch::new(self.as_raw_fd(), &params)?),
            None => None,
        };
        let queues = helper.map(params)?;
        let old = std::mem::replace(&mut *self.queues, Queues::Plain(queues));
        self.eventfd_switch = eventfd_switch;
        helper.unmap(old);
        Ok(())
    }
}

/// A thread with its own descriptor table, in which the ring's descriptor has the same number.
///
/// The `io-uring` crate closes the descriptor together with the mappings, and also when mapping fails. On this thread
/// that does not close the ring for the process, so its number cannot be reused for another thread's file in between.
///
/// The thread blocks all signals: a handler would not find the process's descriptors.
struct MappingThread {
    /// Takes the parameters to map by and the queues to unmap. Dropping them ends the thread.
    to_thread: Option<(Sender<Params>, Sender<Queues>)>,
    queues: Receiver<io::Result<IoUring>>,
    thread: Option<JoinHandle<()>>,
}

impl MappingThread {
    fn start(fd: RawFd) -> io::Result<Self> {
        let (ready, is_ready) = channel();
        let (params, take_params) = channel::<Params>();
        let (give_queues, queues) = channel();
        let (old, take_old) = channel::<Queues>();
        let blocked = BlockedSignals::new(); // the thread inherits the mask
        let thread = Builder::new().name("uring-resize".into()).spawn(move || {
            let alone = sys::own_descriptors(fd);
            let proceed = alone.is_ok();
            if ready.send(alone).is_err() || !proceed {
                return;
            }
            let Ok(params) = take_params.recv() else {
                // The kernel refused the new sizes.
                // SAFETY: this thread's table has its own entry for `fd`, which nothing else on this thread owns or
                // uses.
                return drop(unsafe { OwnedFd::from_raw_fd(fd) });
            };
            // SAFETY: nothing on this thread owns `fd` in its own table, and the kernel filled in `params` for the
            // queues of this ring. When the value moves to the ring's thread it owns `fd` in the process's table, in
            // place of the old queues, which `unmap` sends here without closing `fd` there.
            let queues = unsafe { IoUring::from_fd(fd, params.to_parameters()) };
            if give_queues.send(queues).is_ok() {
                drop(take_old.recv());
            }
        });
        drop(blocked);
        let helper = Self {
            to_thread: Some((params, old)),
            queues,
            thread: Some(thread?),
        };
        is_ready.recv().map_err(io::Error::other)??;
        Ok(helper)
    }

    /// Maps the queues that the kernel describes.
    fn map(&self, params: Params) -> io::Result<IoUring> {
        if let Some((to_thread, _)) = &self.to_thread {
            to_thread.send(params).map_err(io::Error::other)?;
        }
        self.queues.recv().map_err(io::Error::other)?
    }

    /// Unmaps the old queues, and leaves their descriptor open.
    fn unmap(self, old: Queues) {
        let Some((_, to_thread)) = &self.to_thread else {
            return std::mem::forget(old);
        };
        if let Err(returned) = to_thread.send(old) {
            // Dropping the queues on this thread would close the ring.
            std::mem::forget(returned.0);
        }
    }
}

impl Drop for MappingThread {
    fn drop(&mut self) {
        self.to_thread = None;
        if let Some(thread) = self.thread.take() {
            // An error would mean a panic of the thread, and nothing in it panics.
            drop(thread.join());
        }
    }
}

/// Blocks all signals for this thread, and for threads that it starts, until dropped. Holds the mask to restore.
struct BlockedSignals(libc::sigset_t);

impl BlockedSignals {
    fn new() -> Self {
        let mut before = MaybeUninit::<libc::sigset_t>::zeroed();
        let mut all = MaybeUninit::<libc::sigset_t>::zeroed();
        // SAFETY: both calls write to one `sigset_t` that is owned here. All-zero bytes are a valid empty set, so
        // `before` is initialised even if they failed.
        unsafe {
            libc::sigfillset(all.as_mut_ptr());
            libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
            Self(before.assume_init())
        }
    }
}

impl Drop for BlockedSignals {
    fn drop(&mut self) {
        // SAFETY: `self.0` is the valid mask that `new` read; a null third argument is allowed.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, ptr::null_mut()) };
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn mapping_thread_has_only_the_rings_descriptor_and_blocks_all_signals() -> io::Result<()> {
        let ring = Ring::new(4)?;
        let signals = |thread: &Path| -> io::Result<String> {
            let status = std::fs::read_to_string(thread.join("status"))?;
            let mask = status.lines().find_map(|line| line.strip_prefix("SigBlk:"));
            Ok(mask.unwrap_or_default().trim().to_owned())
        };
        let here = Path::new("/proc/thread-self");
        let before = signals(here)?;
        let helper = MappingThread::start(ring.as_raw_fd())?;
        assert_eq!(signals(here)?, before);

        let mut found = false;
        for thread in std::fs::read_dir("/proc/self/task")? {
            let thread = thread?.path();
            // Threads of other tests start and end meanwhile.
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
        drop(helper);
        Ok(())
    }
}

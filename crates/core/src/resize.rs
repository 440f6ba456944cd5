//! Other sizes for the queues of a ring that runs.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Builder, JoinHandle};

use io_uring::IoUring;

use crate::queues::Queues;
use crate::ring::Ring;
use crate::switch::Switch;
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
    /// `ENOMEM` above the memory-lock limit. Nothing has changed then. Only if the new queues cannot be mapped although
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
                std::ptr::from_mut(&mut params).cast(),
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
struct Aside {
    params: Sender<Params>,
    queues: Receiver<io::Result<IoUring>>,
    old: Sender<Queues>,
    thread: JoinHandle<()>,
}

impl Aside {
    fn start(fd: RawFd) -> io::Result<Self> {
        let (ready, is_ready) = channel();
        let (params, take_params) = channel::<Params>();
        let (give_queues, queues) = channel();
        let (old, take_old) = channel::<Queues>();
        let thread = Builder::new().name("uring-resize".into()).spawn(move || {
            let alone = sys::own_descriptors(fd);
            let proceed = alone.is_ok();
            if ready.send(alone).is_err() || !proceed {
                return;
            }
            let Ok(params) = take_params.recv() else {
                return; // the kernel refused
            };
            // SAFETY: in this thread's table the descriptor is owned by nothing, and the parameters are what the
            // kernel filled in for its queues. The value is given away and then owns the number in the table of the
            // process, as the old one did before it.
            let queues = unsafe { IoUring::from_fd(fd, params.parameters()) };
            if give_queues.send(queues).is_ok() {
                drop(take_old.recv());
            }
        })?;
        is_ready.recv().map_err(io::Error::other)??;
        Ok(Self {
            params,
            queues,
            old,
            thread,
        })
    }

    /// Maps the queues that the kernel describes.
    fn map(&self, params: Params) -> io::Result<IoUring> {
        self.params.send(params).map_err(io::Error::other)?;
        self.queues.recv().map_err(io::Error::other)?
    }

    /// Takes the mappings of `old` away, and leaves its descriptor open.
    fn unmap(self, old: Queues) {
        if let Err(returned) = self.old.send(old) {
            // Dropping it here would close the ring.
            std::mem::forget(returned.0);
        }
        // Only a panic makes this an error, and there is nothing in the thread that panics.
        drop(self.thread.join());
    }
}

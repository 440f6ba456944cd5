//! A ring and what is held for it, until the kernel has let go of both.

use std::cell::{Cell, OnceCell, RefCell};
use std::os::fd::{AsRawFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::{Rc, Weak};

use napi::{CleanupEnvHook, Env, Result, sys};
use typed_uring::Ring;

use crate::area::status;
use crate::boundary::{Boundary, negative};
use crate::waker::{self, Backend, Callback, Held, Waker};

/// What the class and the hot closure share.
pub(crate) struct Handle {
    /// Gone once the ring is closed.
    ring: RefCell<Option<Ring>>,
    pub(crate) boundary: OnceCell<Boundary>,
    /// Alive for as long as this: the class and the closure are the environment's, and its end runs the hook first.
    env: sys::napi_env,
    hook: Cell<Option<CleanupEnvHook<Weak<Self>>>>,
    alarm: RefCell<Option<Alarm>>,
}

/// What wakes the event loop for this ring.
#[derive(Debug)]
struct Alarm {
    waker: Box<dyn Waker>,
    callback: Held,
    /// What was last asked of both, as in the status header.
    kept: Cell<u32>,
    /// The kernel writes to it, and the waker watches it: closed last.
    eventfd: OwnedFd,
}

impl Handle {
    pub(crate) fn new(env: &Env, ring: Ring) -> Result<Rc<Self>> {
        let handle = Rc::new(Self {
            ring: RefCell::new(Some(ring)),
            boundary: OnceCell::new(),
            env: env.raw(),
            hook: Cell::new(None),
            alarm: RefCell::new(None),
        });
        // Weak: the hook must not keep alive what it is there to end.
        let hook = env.add_env_cleanup_hook(Rc::downgrade(&handle), |handle| {
            if let Some(handle) = handle.upgrade() {
                handle.hook.take(); // it is running: nothing is left to remove
                // A panic here has no caller; what it left undone is the process's to clean up.
                let _ = catch_unwind(AssertUnwindSafe(|| handle.close()));
            }
        })?;
        handle.hook.set(Some(hook));
        Ok(handle)
    }

    /// Does something with the open ring. Nothing in here runs JavaScript, so the ring is never busy with another
    /// call.
    pub(crate) fn with<T>(&self, f: impl FnOnce(&mut Ring) -> T) -> std::result::Result<T, i32> {
        match self.ring.try_borrow_mut() {
            Ok(mut ring) => ring.as_mut().map(f).ok_or(-libc::EBADF),
            Err(_) => Err(-libc::EDEADLK),
        }
    }

    /// Does something with the open ring and its areas. Once the ring is closed the areas are not ours any more.
    pub(crate) fn across<T>(&self, f: impl FnOnce(&mut Ring, &Boundary) -> T) -> std::result::Result<T, i32> {
        let boundary = self.boundary.get().ok_or(-libc::EBADF)?;
        self.with(|ring| f(ring, boundary))
    }

    /// Does what the status header asks for, with the open ring and its areas.
    pub(crate) fn submit(&self) -> std::result::Result<(), i32> {
        self.keep();
        self.across(|ring, boundary| boundary.submit(ring))
    }

    /// Keeps the event loop open and the callback alive, or not.
    fn keep(&self) {
        let (Some(boundary), alarm) = (self.boundary.get(), self.alarm.borrow()) else {
            return;
        };
        let Some(alarm) = alarm.as_ref() else { return };
        alarm.waker.taken();
        let keep = boundary.status.get(status::KEEP);
        let changed = keep ^ alarm.kept.replace(keep);
        if changed & status::KEEP_LOOP != 0 {
            alarm.waker.keep_loop(keep & status::KEEP_LOOP != 0);
        }
        if changed & status::KEEP_CALLBACK != 0 {
            alarm.callback.hold(keep & status::KEEP_CALLBACK != 0);
        }
    }

    /// Lets `callback` be called when completions are ready: 0, or a negative `errno`. `ENOSYS` if this process has no
    /// libuv for it.
    pub(crate) fn start_waker(&self, env: Env, backend: Backend, callback: Callback) -> Result<i32> {
        let eventfd = match waker::eventfd() {
            Ok(eventfd) => eventfd,
            Err(error) => return Ok(negative(&error)),
        };
        let held = callback.handle();
        let Some(waker) = waker::start(env, backend, &eventfd, callback)? else {
            return Ok(-libc::ENOSYS);
        };
        let registered = self.with(|ring| ring.register_eventfd(eventfd.as_raw_fd()));
        let error = match registered {
            Ok(Ok(())) => {
                *self.alarm.borrow_mut() = Some(Alarm {
                    waker,
                    callback: held,
                    kept: Cell::new(0),
                    eventfd,
                });
                return Ok(0);
            }
            Ok(Err(error)) => negative(&error),
            Err(error) => error,
        };
        waker.stop();
        Ok(error)
    }

    /// Waits for the kernel, then lets go of everything that was held for it. The order is the point.
    pub(crate) fn close(&self) {
        let Ok(mut ring) = self.ring.try_borrow_mut() else {
            return;
        };
        let Some(ring) = ring.take() else { return };
        // First of all: a handle that is open at the end of an environment ends the process.
        let alarm = self.alarm.take().map(|alarm| {
            alarm.waker.stop();
            alarm.eventfd
        });
        if let Some(hook) = self.hook.take() {
            // It cannot be missing, and a failure would leave a hook that finds nothing to do.
            let _ = Env::from_raw(self.env).remove_env_cleanup_hook(hook);
        }
        match ring.close() {
            Ok(()) => {
                if let Some(boundary) = self.boundary.get() {
                    boundary.end(self.env);
                }
            }
            // Whatever the kernel may still write is held for ever.
            Err(error) => {
                eprintln!("uring: a ring is left open, its operations cannot be waited for: {error}");
            }
        }
        drop(alarm);
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.close();
    }
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handle")
            .field("ring", &self.ring)
            .finish_non_exhaustive()
    }
}

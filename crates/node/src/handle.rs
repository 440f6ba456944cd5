//! A ring and everything that is held for it until the kernel has released both.

use std::cell::{Cell, OnceCell, RefCell};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::{Rc, Weak};

use napi::{CleanupEnvHook, Env, Result, sys};
use typed_uring::Ring;

use crate::boundary::Boundary;
use crate::errno::{Value, negative, number};
use crate::layout::{keep, status};
use crate::waker::{self, Backend, Callback, CallbackReference, Waker};

/// The state that the class and its `submit` function share.
pub(crate) struct Handle {
    /// `None` once the ring is closed.
    ring: RefCell<Option<Ring>>,
    pub(crate) boundary: OnceCell<Boundary>,
    /// Lives longer than `self`: the class and the function belong to the environment, which runs the hook first when
    /// it ends.
    env: sys::napi_env,
    hook: Cell<Option<CleanupEnvHook<Weak<Self>>>>,
    wakeup: RefCell<Option<Wakeup>>,
}

/// The parts that wake the event loop for this ring.
#[derive(Debug)]
struct Wakeup {
    waker: Box<dyn Waker>,
    callback: CallbackReference,
    /// The flags of the word `KEEP` that were applied last.
    kept: Cell<u32>,
    /// The kernel writes to it and the waker polls it, so it is closed last.
    eventfd: OwnedFd,
}

impl Handle {
    pub(crate) fn new(env: &Env, ring: Ring) -> Result<Rc<Self>> {
        let handle = Rc::new(Self {
            ring: RefCell::new(Some(ring)),
            boundary: OnceCell::new(),
            env: env.raw(),
            hook: Cell::new(None),
            wakeup: RefCell::new(None),
        });
        // Weak, because the hook must not keep the ring alive.
        let hook = env.add_env_cleanup_hook(Rc::downgrade(&handle), |handle| {
            if let Some(handle) = handle.upgrade() {
                handle.hook.take(); // a hook that runs is removed already
                // A panic cannot be reported to a caller here; the end of the process releases the rest.
                let _ = catch_unwind(AssertUnwindSafe(|| handle.close()));
            }
        })?;
        handle.hook.set(Some(hook));
        Ok(handle)
    }

    /// Calls `f` with the open ring. Returns `-EBADF` if the ring is closed. (Nothing in here runs JavaScript, so the
    /// ring is never in use by another call.)
    pub(crate) fn with<T>(&self, f: impl FnOnce(&mut Ring) -> T) -> std::result::Result<T, i32> {
        match self.ring.try_borrow_mut() {
            Ok(mut ring) => ring.as_mut().map(f).ok_or(-libc::EBADF),
            Err(_) => Err(-libc::EDEADLK),
        }
    }

    /// Calls `f` with the open ring, and returns its value as a number, or a negative `errno`.
    pub(crate) fn call<T: Value>(&self, f: impl FnOnce(&mut Ring) -> io::Result<T>) -> i32 {
        self.with(|ring| number(f(ring))).unwrap_or_else(|error| error)
    }

    /// Calls `f` with the open ring and its areas. The areas are released once the ring is closed.
    pub(crate) fn across<T>(&self, f: impl FnOnce(&mut Ring, &Boundary) -> T) -> std::result::Result<T, i32> {
        let boundary = self.boundary.get().ok_or(-libc::EBADF)?;
        self.with(|ring| f(ring, boundary))
    }

    /// Executes the request in the status header.
    pub(crate) fn submit(&self) -> std::result::Result<(), i32> {
        self.apply_keep();
        self.across(|ring, boundary| boundary.submit(ring))
    }

    /// Applies the flags of the word `KEEP` that have changed.
    fn apply_keep(&self) {
        let (Some(boundary), wakeup) = (self.boundary.get(), self.wakeup.borrow()) else {
            return;
        };
        let Some(wakeup) = wakeup.as_ref() else { return };
        wakeup.waker.completions_taken();
        let flags = boundary.status.get(status::KEEP);
        let changed = flags ^ wakeup.kept.replace(flags);
        if changed & keep::LOOP != 0 {
            wakeup.waker.keep_loop(flags & keep::LOOP != 0);
        }
        if changed & keep::CALLBACK != 0 {
            wakeup.callback.hold(flags & keep::CALLBACK != 0);
        }
    }

    /// Starts calling `callback` when completions are ready: 0, or a negative `errno`. `ENOSYS` if the backend needs
    /// libuv and this process has none.
    pub(crate) fn start_waker(&self, env: Env, backend: Backend, callback: Callback) -> Result<i32> {
        let eventfd = match waker::eventfd() {
            Ok(eventfd) => eventfd,
            Err(error) => return Ok(negative(&error)),
        };
        let reference = callback.reference();
        let Some(waker) = waker::start(env, backend, &eventfd, callback)? else {
            return Ok(-libc::ENOSYS);
        };
        let registered = self.with(|ring| ring.register_eventfd(eventfd.as_raw_fd()));
        let error = match registered {
            Ok(Ok(())) => {
                *self.wakeup.borrow_mut() = Some(Wakeup {
                    waker,
                    callback: reference,
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

    /// Closes the ring, and then releases everything that was held for it, in an order that matters.
    pub(crate) fn close(&self) {
        let Ok(mut ring) = self.ring.try_borrow_mut() else {
            return;
        };
        let Some(ring) = ring.take() else { return };
        // The waker comes first: a handle that is open when an environment ends aborts the process.
        let eventfd = self.wakeup.take().map(|wakeup| {
            wakeup.waker.stop();
            wakeup.eventfd
        });
        if let Some(hook) = self.hook.take() {
            // The hook is registered, so this does not fail; if it did, the hook would find the ring closed.
            let _ = Env::from_raw(self.env).remove_env_cleanup_hook(hook);
        }
        match ring.close() {
            Ok(()) => {
                if let Some(boundary) = self.boundary.get() {
                    boundary.end(self.env);
                }
            }
            // The kernel may still use the memory of the operations, so it is held until the process ends.
            Err(error) => {
                eprintln!("uring: a ring stays open because waiting for its operations failed: {error}");
            }
        }
        drop(eventfd);
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

//! Wakes the event loop when completions are ready.
//!
//! The kernel writes to an eventfd, and a waker turns that into a call of a JavaScript function. With libuv the event
//! loop polls the eventfd itself; in runtimes without it a thread waits for the eventfd.

mod poll;
mod thread;

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;

use napi::bindgen_prelude::Unknown;
use napi::{Env, JsValue, Result, sys};

use crate::area::release;

/// A way to wake the event loop.
pub(crate) trait Waker: std::fmt::Debug {
    /// Sets if the waker keeps the event loop open.
    fn keep_loop(&self, keep: bool);

    /// Notes that JavaScript consumes completions now: later completions need a new call.
    fn completions_taken(&self) {}

    /// Ends all calls, and releases everything.
    fn stop(self: Box<Self>);
}

/// The kinds of waker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    /// A `uv_poll_t` on the eventfd.
    Poll,
    /// A thread that reads the eventfd.
    Thread,
}

/// Starts a waker that calls `callback` after writes to `eventfd`. Returns `None` if the backend needs libuv and this
/// process has none.
pub(crate) fn start(
    env: Env,
    backend: Backend,
    eventfd: &OwnedFd,
    callback: Callback,
) -> Result<Option<Box<dyn Waker>>> {
    match backend {
        Backend::Poll => poll::start(env, eventfd.as_raw_fd(), callback),
        Backend::Thread => thread::start(env, eventfd, callback).map(Some),
    }
}

/// Makes a non-blocking eventfd that child processes do not inherit.
pub(crate) fn eventfd() -> io::Result<OwnedFd> {
    // SAFETY: the call takes only numbers.
    let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just opened the descriptor, so nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Reads an eventfd, so that it is not readable any more.
fn reset(eventfd: i32) {
    let mut count = 0_u64;
    // SAFETY: the kernel writes eight bytes, the size of `count`. The eventfd does not block, so an error only means
    // that it was not readable.
    unsafe { libc::read(eventfd, (&raw mut count).cast(), size_of::<u64>()) };
}

/// The JavaScript function that a waker calls. The reference is weak, so that an unused ring can be garbage-collected
/// together with it, and strong while something is in flight.
#[derive(Debug)]
pub(crate) struct Callback {
    env: sys::napi_env,
    function: sys::napi_ref,
}

impl Callback {
    pub(crate) fn new(env: Env, function: &Unknown<'_>) -> Result<Self> {
        let mut reference = ptr::null_mut();
        // SAFETY: `function` is a handle of the current scope, and the output is a local variable.
        let status = unsafe { sys::napi_create_reference(env.raw(), function.raw(), 0, &raw mut reference) };
        napi::check_status!(status, "Node-API could not make a reference to the callback")?;
        Ok(Self {
            env: env.raw(),
            function: reference,
        })
    }

    /// Returns a second handle of the reference, which makes it strong or weak.
    pub(crate) fn reference(&self) -> CallbackReference {
        CallbackReference {
            env: self.env,
            function: self.function,
        }
    }

    /// Returns the function, or `None` if it was garbage-collected. A handle scope must be open.
    fn function(&self) -> Option<sys::napi_value> {
        let mut function = ptr::null_mut();
        // SAFETY: the reference exists until `end`, and the environment is alive: it called this code.
        let status = unsafe { sys::napi_get_reference_value(self.env, self.function, &raw mut function) };
        (status == sys::Status::napi_ok && !function.is_null()).then_some(function)
    }

    /// Deletes the reference. Call it once, while the environment is alive.
    fn end(&self) {
        release(self.env, self.function);
    }
}

/// Makes the reference of a [`Callback`] strong or weak.
#[derive(Debug)]
pub(crate) struct CallbackReference {
    env: sys::napi_env,
    function: sys::napi_ref,
}

impl CallbackReference {
    /// Makes the reference strong or weak. The caller must alternate between both.
    pub(crate) fn hold(&self, hold: bool) {
        // SAFETY: the caller uses this only until it stops the waker, which deletes the reference. It alternates
        // between both calls, so the count is zero or one.
        unsafe {
            if hold {
                sys::napi_reference_ref(self.env, self.function, ptr::null_mut());
            } else {
                sys::napi_reference_unref(self.env, self.function, ptr::null_mut());
            }
        }
    }
}

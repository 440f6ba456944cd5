//! Tells the event loop that completions are ready.
//!
//! The kernel writes to an eventfd; a waker turns that into one call of a JavaScript function. Where libuv can be
//! reached the event loop polls the eventfd itself; elsewhere a thread waits for it.

mod poll;
mod thread;

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;

use napi::bindgen_prelude::Unknown;
use napi::{Env, JsValue, Result, sys};

use crate::area::release;

/// How the event loop is woken.
pub(crate) trait Waker: std::fmt::Debug {
    /// Keeps the event loop open, or lets it end.
    fn keep_loop(&self, keep: bool);

    /// JavaScript comes for completions now: what becomes ready from here on is worth a call again.
    fn taken(&self) {}

    /// Never calls again, and gives back what it has.
    fn stop(self: Box<Self>);
}

/// Which waker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    /// A `uv_poll_t` on the eventfd.
    Poll,
    /// A thread that reads the eventfd.
    Thread,
}

/// A waker that calls `callback` when something was written to `eventfd`; `None` if this process has no libuv.
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

/// An eventfd that is closed in programs that are started.
pub(crate) fn eventfd() -> io::Result<OwnedFd> {
    // SAFETY: two numbers.
    let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it was just made and has no other owner.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Takes what was written to an eventfd, so that it is not readable any more.
fn empty(eventfd: i32) {
    let mut count = 0_u64;
    // SAFETY: room for the eight bytes that an eventfd gives. It does not block; there is nothing to do about failures.
    unsafe { libc::read(eventfd, (&raw mut count).cast(), size_of::<u64>()) };
}

/// The JavaScript function that is called: held weakly, so that a ring which nobody uses can be collected with it, and
/// strongly while something is in flight.
#[derive(Debug)]
pub(crate) struct Callback {
    env: sys::napi_env,
    function: sys::napi_ref,
}

impl Callback {
    pub(crate) fn new(env: Env, function: &Unknown<'_>) -> Result<Self> {
        let mut reference = ptr::null_mut();
        // SAFETY: the value is a handle of the current scope; the output lives for the time of the call.
        let status = unsafe { sys::napi_create_reference(env.raw(), function.raw(), 0, &raw mut reference) };
        napi::check_status!(status, "no reference to the callback could be made")?;
        Ok(Self {
            env: env.raw(),
            function: reference,
        })
    }

    /// A second handle on the same reference, for holding and letting go of it.
    pub(crate) fn handle(&self) -> Held {
        Held {
            env: self.env,
            function: self.function,
        }
    }

    /// The function, if it is still there. A handle scope has to be open.
    fn function(&self) -> Option<sys::napi_value> {
        let mut function = ptr::null_mut();
        // SAFETY: the reference is ours until `end`, and the environment is alive, since it calls us.
        let status = unsafe { sys::napi_get_reference_value(self.env, self.function, &raw mut function) };
        (status == sys::Status::napi_ok && !function.is_null()).then_some(function)
    }

    /// Gives the reference back. To be called once, where the environment is alive.
    fn end(&self) {
        release(self.env, self.function);
    }
}

/// Whether the callback is held strongly.
#[derive(Debug)]
pub(crate) struct Held {
    env: sys::napi_env,
    function: sys::napi_ref,
}

impl Held {
    pub(crate) fn hold(&self, hold: bool) {
        // SAFETY: the reference lives as long as the waker, which is stopped last; the caller alternates between the
        // two, so the count stays between zero and one.
        unsafe {
            if hold {
                sys::napi_reference_ref(self.env, self.function, ptr::null_mut());
            } else {
                sys::napi_reference_unref(self.env, self.function, ptr::null_mut());
            }
        }
    }
}

//! A thread that waits for the eventfd, and asks the event loop to call: for runtimes without libuv.

use std::ffi::c_void;
use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use napi::{Env, Error, Result, Status, sys};

use super::{Callback, Waker, empty, eventfd as new_eventfd};

/// What the thread and the event loop share.
#[derive(Debug)]
struct Shared {
    /// A call was asked for, and JavaScript has not come for completions since.
    pending: AtomicBool,
    /// Written to when the thread is to end.
    end: OwnedFd,
    ended: AtomicBool,
}

#[derive(Debug)]
struct ThreadWaker {
    env: sys::napi_env,
    shared: Arc<Shared>,
    function: sys::napi_threadsafe_function,
    /// Belongs to the threadsafe function, whose finalizer frees it.
    callback: *const Callback,
    thread: Option<JoinHandle<()>>,
}

/// A threadsafe function can be called from every thread: that is what it is for.
struct Sendable(sys::napi_threadsafe_function);

// SAFETY: only `napi_call_threadsafe_function` is called with it on the other thread, which any thread may, until it is
// released, which `stop` does after the thread has ended.
unsafe impl Send for Sendable {}

pub(super) fn start(env: Env, eventfd: &OwnedFd, callback: Callback) -> Result<Box<dyn Waker>> {
    let failed = |error: std::io::Error| Error::new(Status::GenericFailure, error.to_string());
    let end = new_eventfd().map_err(failed)?;
    let eventfd = eventfd.try_clone().map_err(failed)?;
    let shared = Arc::new(Shared {
        pending: AtomicBool::new(false),
        end,
        ended: AtomicBool::new(false),
    });

    let mut name = ptr::null_mut();
    let text = "uring waker";
    let mut function = ptr::null_mut();
    let callback = Box::into_raw(Box::new(callback));
    // SAFETY: the text lives through the call. The callback is the function's context from here on: it is freed by the
    // finalizer, or below if there is no function.
    let status = unsafe {
        sys::napi_create_string_utf8(
            env.raw(),
            text.as_ptr().cast(),
            text.len() as isize,
            &raw mut name,
        );
        sys::napi_create_threadsafe_function(
            env.raw(),
            ptr::null_mut(),
            ptr::null_mut(),
            name,
            0,
            1,
            ptr::null_mut(),
            Some(finalize),
            callback.cast(),
            Some(call),
            &raw mut function,
        )
    };
    if status != sys::Status::napi_ok {
        // SAFETY: there is no function, so nobody else has it.
        unsafe { Box::from_raw(callback) }.end();
        return Err(Error::new(
            Status::from(status),
            "no threadsafe function could be made",
        ));
    }
    // SAFETY: on the environment's thread; a new function holds the loop open, this one shall not by itself.
    unsafe { sys::napi_unref_threadsafe_function(env.raw(), function) };

    let mut waker = ThreadWaker {
        env: env.raw(),
        shared: Arc::clone(&shared),
        function,
        callback,
        thread: None,
    };
    let target = Sendable(function);
    let thread = std::thread::Builder::new()
        .name("uring-waker".to_owned())
        .spawn(move || wait(&shared, &eventfd, &target));
    match thread {
        Ok(thread) => {
            waker.thread = Some(thread);
            Ok(Box::new(waker))
        }
        Err(error) => {
            Box::new(waker).stop();
            Err(failed(error))
        }
    }
}

/// The thread: one call for all that was written since JavaScript last came.
fn wait(shared: &Shared, eventfd: &OwnedFd, function: &Sendable) {
    let readable = |fd: i32| libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    };
    let mut polls = [readable(eventfd.as_raw_fd()), readable(shared.end.as_raw_fd())];
    while !shared.ended.load(Ordering::SeqCst) {
        // SAFETY: two valid, writable `struct pollfd`.
        if unsafe { libc::poll(polls.as_mut_ptr(), 2, -1) } < 0 {
            continue; // a signal
        }
        if polls[0].revents == 0 {
            continue;
        }
        empty(eventfd.as_raw_fd());
        if !shared.pending.swap(true, Ordering::SeqCst) {
            // SAFETY: not released before this thread has ended. It does not wait; a queue without a limit is not full.
            unsafe {
                sys::napi_call_threadsafe_function(
                    function.0,
                    ptr::null_mut(),
                    sys::ThreadsafeFunctionCallMode::nonblocking,
                );
            }
        }
    }
}

impl Waker for ThreadWaker {
    fn keep_loop(&self, keep: bool) {
        // SAFETY: on the environment's thread, with a function that is not released.
        unsafe {
            if keep {
                sys::napi_ref_threadsafe_function(self.env, self.function);
            } else {
                sys::napi_unref_threadsafe_function(self.env, self.function);
            }
        }
    }

    fn taken(&self) {
        self.shared.pending.store(false, Ordering::SeqCst);
    }

    fn stop(mut self: Box<Self>) {
        self.shared.ended.store(true, Ordering::SeqCst);
        let one = 1_u64;
        // SAFETY: the eight bytes that an eventfd takes.
        unsafe {
            libc::write(
                self.shared.end.as_raw_fd(),
                (&raw const one).cast(),
                size_of::<u64>(),
            )
        };
        if let Some(thread) = self.thread.take() {
            // It has no way to panic, and nothing that it left would be missed.
            let _ = thread.join();
        }
        // SAFETY: the callback is freed by the function's finalizer, which runs after this on this thread; its
        // reference is given back now, where the environment is alive, and no call follows an abort. The function is
        // released once, and its other user, the thread, has ended.
        unsafe {
            (*self.callback).end();
            sys::napi_release_threadsafe_function(self.function, sys::ThreadsafeFunctionReleaseMode::abort);
        }
    }
}

/// # Safety
///
/// Called by Node.js on the environment's thread for a call that [`wait`] asked for; without an environment when that
/// is ending.
unsafe extern "C" fn call(
    env: sys::napi_env,
    _function: sys::napi_value,
    context: *mut c_void,
    _data: *mut c_void,
) {
    if env.is_null() {
        return;
    }
    // SAFETY: the context is the callback, which lives until the finalizer. A handle scope is open. What is thrown is
    // reported by Node.js.
    unsafe {
        let Some(callback) = context.cast::<Callback>().as_ref() else {
            return;
        };
        let Some(function) = callback.function() else {
            return;
        };
        let mut global = ptr::null_mut();
        sys::napi_get_global(env, &raw mut global);
        sys::napi_call_function(env, global, function, 0, ptr::null(), ptr::null_mut());
    }
}

/// # Safety
///
/// Called by Node.js once, when the threadsafe function is gone.
unsafe extern "C" fn finalize(_env: sys::napi_env, _data: *mut c_void, context: *mut c_void) {
    // SAFETY: `start` gave it away as the context, and nobody calls any more.
    drop(unsafe { Box::from_raw(context.cast::<Callback>()) });
}

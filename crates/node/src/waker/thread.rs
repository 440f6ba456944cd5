//! A waker that is a thread which waits for the eventfd, for runtimes without libuv.

use std::ffi::c_void;
use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use napi::{Env, Error, Result, Status, sys};

use super::{Callback, Waker, eventfd as new_eventfd, reset};

/// The state that the thread and the event loop share.
#[derive(Debug)]
struct Shared {
    /// True if a call was requested and JavaScript has not consumed completions since.
    pending: AtomicBool,
    /// Eventfd that wakes the thread to end it.
    end: OwnedFd,
    /// True if the thread shall end.
    ended: AtomicBool,
}

#[derive(Debug)]
struct ThreadWaker {
    env: sys::napi_env,
    shared: Arc<Shared>,
    function: sys::napi_threadsafe_function,
    /// The context of the threadsafe function, whose finalizer frees it.
    callback: *const Callback,
    thread: Option<JoinHandle<()>>,
}

/// A threadsafe function that moves to the waker thread.
struct Sendable(sys::napi_threadsafe_function);

// SAFETY: the other thread only calls `napi_call_threadsafe_function`, which is allowed on any thread until the
// function is released. `stop` releases it after the thread has ended.
unsafe impl Send for Sendable {}

/// Starts a waker with a thread.
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
    // SAFETY: the text is static, and the outputs are local variables. The callback is the function's context from here
    // on: the finalizer frees it, or the code below if the function was not made.
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
        // SAFETY: the function was not made, so the finalizer does not run, and this is the only owner of the callback.
        unsafe { Box::from_raw(callback) }.end();
        return Err(Error::new(
            Status::from(status),
            "Node-API could not make a threadsafe function",
        ));
    }
    // SAFETY: this is the environment's thread, and the function was just made. It must not keep the event loop open
    // unless `keep_loop` says so.
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

/// Runs the thread: requests one call for all writes since JavaScript last consumed completions.
fn wait(shared: &Shared, eventfd: &OwnedFd, function: &Sendable) {
    let readable = |fd: i32| libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    };
    let mut polls = [readable(eventfd.as_raw_fd()), readable(shared.end.as_raw_fd())];
    while !shared.ended.load(Ordering::SeqCst) {
        // SAFETY: the array has two `struct pollfd`.
        if unsafe { libc::poll(polls.as_mut_ptr(), 2, -1) } < 0 {
            continue; // a signal
        }
        if polls[0].revents == 0 {
            continue;
        }
        reset(eventfd.as_raw_fd());
        if !shared.pending.swap(true, Ordering::SeqCst) {
            // SAFETY: `stop` releases the function only after this thread has ended. The call does not block, and the
            // queue has no limit, so it is never full.
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
        // SAFETY: this is the environment's thread, and the function is not released before `stop` consumes `self`.
        unsafe {
            if keep {
                sys::napi_ref_threadsafe_function(self.env, self.function);
            } else {
                sys::napi_unref_threadsafe_function(self.env, self.function);
            }
        }
    }

    fn completions_taken(&self) {
        self.shared.pending.store(false, Ordering::SeqCst);
    }

    fn stop(mut self: Box<Self>) {
        self.shared.ended.store(true, Ordering::SeqCst);
        let one = 1_u64;
        // SAFETY: the kernel reads eight bytes, the size of `one`.
        unsafe {
            libc::write(
                self.shared.end.as_raw_fd(),
                (&raw const one).cast(),
                size_of::<u64>(),
            )
        };
        if let Some(thread) = self.thread.take() {
            // An error would mean a panic of the thread, which has nothing to clean up.
            let _ = thread.join();
        }
        // SAFETY: the finalizer of the function frees the callback, and runs on this thread after this. The reference
        // is deleted now, while the environment is alive; after an abort the function is not called again. It is
        // released once, and its other user, the thread, has ended.
        unsafe {
            (*self.callback).end();
            sys::napi_release_threadsafe_function(self.function, sys::ThreadsafeFunctionReleaseMode::abort);
        }
    }
}

/// # Safety
///
/// Called by Node.js on the environment's thread for each call that [`wait`] requests. `env` is null when the
/// environment is ending.
unsafe extern "C" fn call(
    env: sys::napi_env,
    _function: sys::napi_value,
    context: *mut c_void,
    _data: *mut c_void,
) {
    if env.is_null() {
        return;
    }
    // SAFETY: the context is the callback, which the finalizer frees later. Node.js has opened a handle scope, and
    // reports exceptions of the function.
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
/// Called by Node.js once, after the threadsafe function was released.
unsafe extern "C" fn finalize(_env: sys::napi_env, _data: *mut c_void, context: *mut c_void) {
    // SAFETY: `context` is the pointer from `Box::into_raw` in `start`, and `call` does not run any more.
    drop(unsafe { Box::from_raw(context.cast::<Callback>()) });
}

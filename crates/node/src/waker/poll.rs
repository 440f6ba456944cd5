//! A `uv_poll_t` on the eventfd. The functions of libuv are looked up at run time: without them the binding could not
//! be loaded where there is no libuv.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::{self, NonNull};
use std::sync::OnceLock;

use napi::{Env, Result, sys};

use super::{Callback, Waker, empty};

const UV_POLL: c_int = 8;
const UV_READABLE: c_int = 1;

type Handle = *mut c_void;
type OnPoll = unsafe extern "C" fn(Handle, c_int, c_int);
type OnClose = unsafe extern "C" fn(Handle);
type Size = unsafe extern "C" fn(c_int) -> usize;
type SetData = unsafe extern "C" fn(Handle, *mut c_void);
type GetData = unsafe extern "C" fn(Handle) -> *mut c_void;
type Init = unsafe extern "C" fn(*mut c_void, Handle, c_int) -> c_int;
type Start = unsafe extern "C" fn(Handle, c_int, OnPoll) -> c_int;
type Close = unsafe extern "C" fn(Handle, OnClose);
type Reference = unsafe extern "C" fn(Handle);

/// What is needed of libuv.
struct Uv {
    handle_size: Size,
    set_data: SetData,
    get_data: GetData,
    poll_init: Init,
    poll_start: Start,
    close: Close,
    keep: Reference,
    let_go: Reference,
}

fn symbol(name: &CStr) -> Option<NonNull<c_void>> {
    // SAFETY: a name with a NUL at its end.
    NonNull::new(unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr().cast::<c_char>()) })
}

macro_rules! function {
    ($name:literal as $type:ty) => {
        std::mem::transmute::<*mut c_void, $type>(symbol($name)?.as_ptr())
    };
}

impl Uv {
    fn find() -> Option<Self> {
        // SAFETY: each is a function of libuv with this signature since version 1.19, where the accessors came; Node.js
        // exports them all.
        unsafe {
            Some(Self {
                handle_size: function!(c"uv_handle_size" as Size),
                set_data: function!(c"uv_handle_set_data" as SetData),
                get_data: function!(c"uv_handle_get_data" as GetData),
                poll_init: function!(c"uv_poll_init" as Init),
                poll_start: function!(c"uv_poll_start" as Start),
                close: function!(c"uv_close" as Close),
                keep: function!(c"uv_ref" as Reference),
                let_go: function!(c"uv_unref" as Reference),
            })
        }
    }

    fn get() -> Option<&'static Self> {
        static UV: OnceLock<Option<Uv>> = OnceLock::new();
        UV.get_or_init(Self::find).as_ref()
    }
}

/// What the handle's callback needs; the handle owns it, and its close callback frees it.
struct State {
    eventfd: c_int,
    callback: Callback,
}

struct PollWaker {
    uv: &'static Uv,
    handle: Handle,
}

impl std::fmt::Debug for PollWaker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PollWaker").finish_non_exhaustive()
    }
}

/// A waker on this thread's event loop; `None` where there is no libuv to be found.
pub(super) fn start(env: Env, eventfd: c_int, callback: Callback) -> Result<Option<Box<dyn Waker>>> {
    let Some(uv) = Uv::get() else {
        callback.end();
        return Ok(None);
    };
    let event_loop = env.get_uv_event_loop()?;
    // SAFETY: libuv says how many bytes its handle has, and they are zeroed. The loop is this thread's; the handle is
    // initialised before anything else is done with it, and freed only by its close callback.
    unsafe {
        let handle = libc::calloc(1, (uv.handle_size)(UV_POLL));
        if handle.is_null() || (uv.poll_init)(event_loop.cast(), handle, eventfd) != 0 {
            libc::free(handle);
            callback.end();
            return Ok(None);
        }
        (uv.set_data)(
            handle,
            Box::into_raw(Box::new(State { eventfd, callback })).cast(),
        );
        let waker = PollWaker { uv, handle };
        (uv.let_go)(handle);
        if (uv.poll_start)(handle, UV_READABLE, on_readable) != 0 {
            Box::new(waker).stop();
            return Ok(None);
        }
        Ok(Some(Box::new(waker)))
    }
}

impl Waker for PollWaker {
    fn keep_loop(&self, keep: bool) {
        // SAFETY: the handle is open until `stop` takes this away. Both are idempotent.
        unsafe {
            if keep {
                (self.uv.keep)(self.handle);
            } else {
                (self.uv.let_go)(self.handle);
            }
        }
    }

    fn stop(self: Box<Self>) {
        // SAFETY: the handle is open, and closed once: this takes the waker away. libuv stops polling the descriptor
        // before this returns, calls `on_closed` in a later turn or at the end of the loop, and the first callback never
        // again. The environment is alive here, and may not be there, so the reference goes now.
        unsafe {
            let state = (self.uv.get_data)(self.handle).cast::<State>();
            if let Some(state) = state.as_ref() {
                state.callback.end();
            }
            (self.uv.close)(self.handle, on_closed);
        }
    }
}

/// # Safety
///
/// Called by libuv for a handle that [`start`] made and that is open.
unsafe extern "C" fn on_readable(handle: Handle, _status: c_int, _events: c_int) {
    // A panic must not cross into libuv: it would abort the process.
    let _ = catch_unwind(AssertUnwindSafe(|| {
        let Some(uv) = Uv::get() else { return };
        // SAFETY: the data of an open handle is its state.
        let Some(state) = (unsafe { (uv.get_data)(handle).cast::<State>().as_ref() }) else {
            return;
        };
        empty(state.eventfd);
        // SAFETY: the environment is alive: its hook closes the handle.
        unsafe { call(state) };
    }));
}

/// # Safety
///
/// On the thread of the environment, outside of any of its calls. The state may be gone when this returns: what is
/// called may close the ring.
unsafe fn call(state: &State) {
    let env = state.callback.env;
    let mut scope = ptr::null_mut();
    // SAFETY: the scope is closed below; every handle that is made meanwhile is in it.
    unsafe {
        if sys::napi_open_handle_scope(env, &raw mut scope) != sys::Status::napi_ok {
            return;
        }
        if let Some(function) = state.callback.function() {
            let mut global = ptr::null_mut();
            sys::napi_get_global(env, &raw mut global);
            // It runs what was queued for the end of the call too: promises and process.nextTick.
            let status = sys::napi_make_callback(
                env,
                ptr::null_mut(),
                global,
                function,
                0,
                ptr::null(),
                ptr::null_mut(),
            );
            if status == sys::Status::napi_pending_exception {
                let mut error = ptr::null_mut();
                sys::napi_get_and_clear_last_exception(env, &raw mut error);
                sys::napi_fatal_exception(env, error);
            }
        }
        sys::napi_close_handle_scope(env, scope);
    }
}

/// # Safety
///
/// Called by libuv once, when a handle that [`start`] made is closed.
unsafe extern "C" fn on_closed(handle: Handle) {
    let Some(uv) = Uv::get() else { return };
    // SAFETY: the handle is closed, so nobody reads its state any more; both were allocated by `start` in this way.
    unsafe {
        drop(Box::from_raw((uv.get_data)(handle).cast::<State>()));
        libc::free(handle);
    }
}

//! A waker that is a `uv_poll_t` on the eventfd. The functions of libuv are looked up at run time, so that the binding
//! also loads in runtimes without libuv.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::{self, NonNull};
use std::sync::OnceLock;

use napi::{Env, Result, sys};

use super::{Callback, Waker, reset};

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

/// The functions of libuv that the waker needs.
struct Uv {
    handle_size: Size,
    set_data: SetData,
    get_data: GetData,
    poll_init: Init,
    poll_start: Start,
    close: Close,
    reference: Reference,
    unreference: Reference,
}

fn symbol(name: &CStr) -> Option<NonNull<c_void>> {
    // SAFETY: `name` ends with a NUL, and dlsym only reads it.
    NonNull::new(unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr().cast::<c_char>()) })
}

macro_rules! function {
    ($name:literal as $type:ty) => {
        std::mem::transmute::<*mut c_void, $type>(symbol($name)?.as_ptr())
    };
}

impl Uv {
    fn find() -> Option<Self> {
        // SAFETY: a symbol of this name is the function of libuv, which has had this signature since version 1.19. A
        // pointer to a function has the size of `*mut c_void` on Linux.
        unsafe {
            Some(Self {
                handle_size: function!(c"uv_handle_size" as Size),
                set_data: function!(c"uv_handle_set_data" as SetData),
                get_data: function!(c"uv_handle_get_data" as GetData),
                poll_init: function!(c"uv_poll_init" as Init),
                poll_start: function!(c"uv_poll_start" as Start),
                close: function!(c"uv_close" as Close),
                reference: function!(c"uv_ref" as Reference),
                unreference: function!(c"uv_unref" as Reference),
            })
        }
    }

    fn get() -> Option<&'static Self> {
        static UV: OnceLock<Option<Uv>> = OnceLock::new();
        UV.get_or_init(Self::find).as_ref()
    }
}

/// The data of a libuv handle. The handle owns it, and its close callback frees it.
struct PollData {
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

/// Starts a waker on this thread's event loop. Returns `None` if there is no libuv.
pub(super) fn start(env: Env, eventfd: c_int, callback: Callback) -> Result<Option<Box<dyn Waker>>> {
    let Some(uv) = Uv::get() else {
        callback.end();
        return Ok(None);
    };
    let event_loop = env.get_uv_event_loop()?;
    // SAFETY: the handle has the size that libuv reports, and is initialised before any other use. The event loop is
    // that of this thread. If `poll_init` succeeds the handle is freed only by its close callback, and it owns its
    // data.
    unsafe {
        let handle = libc::calloc(1, (uv.handle_size)(UV_POLL));
        if handle.is_null() || (uv.poll_init)(event_loop.cast(), handle, eventfd) != 0 {
            libc::free(handle);
            callback.end();
            return Ok(None);
        }
        (uv.set_data)(
            handle,
            Box::into_raw(Box::new(PollData { eventfd, callback })).cast(),
        );
        let waker = PollWaker { uv, handle };
        (uv.unreference)(handle);
        if (uv.poll_start)(handle, UV_READABLE, on_readable) != 0 {
            Box::new(waker).stop();
            return Ok(None);
        }
        Ok(Some(Box::new(waker)))
    }
}

impl Waker for PollWaker {
    fn keep_loop(&self, keep: bool) {
        // SAFETY: the handle is open until `stop` consumes `self`. Both calls are idempotent.
        unsafe {
            if keep {
                (self.uv.reference)(self.handle);
            } else {
                (self.uv.unreference)(self.handle);
            }
        }
    }

    fn stop(self: Box<Self>) {
        // SAFETY: the handle is open, and is closed once because this consumes `self`. libuv stops polling before
        // uv_close returns, never calls `on_readable` again, and calls `on_closed` in a later turn or at the end of the
        // loop. The environment is alive here but maybe not then, so the reference is deleted here.
        unsafe {
            let data = (self.uv.get_data)(self.handle).cast::<PollData>();
            if let Some(data) = data.as_ref() {
                data.callback.end();
            }
            (self.uv.close)(self.handle, on_closed);
        }
    }
}

/// # Safety
///
/// Called by libuv for a handle that [`start`] made and that is open.
unsafe extern "C" fn on_readable(handle: Handle, _status: c_int, _events: c_int) {
    // A panic that crosses into libuv would abort the process.
    let _ = catch_unwind(AssertUnwindSafe(|| {
        let Some(uv) = Uv::get() else { return };
        // SAFETY: `start` set the data of the handle, and only `on_closed` frees it.
        let Some(data) = (unsafe { (uv.get_data)(handle).cast::<PollData>().as_ref() }) else {
            return;
        };
        reset(data.eventfd);
        // SAFETY: libuv calls this from the event loop, outside of any call of the environment. The environment is
        // alive, because its cleanup hook closes the handle.
        unsafe { call(data) };
    }));
}

/// # Safety
///
/// Called on the thread of the environment, outside of any of its calls. The data may be freed when this returns: the
/// JavaScript function may close the ring.
unsafe fn call(data: &PollData) {
    let env = data.callback.env;
    let mut scope = ptr::null_mut();
    // SAFETY: the environment is alive by the contract. All handles are made in the scope, which is closed below.
    unsafe {
        if sys::napi_open_handle_scope(env, &raw mut scope) != sys::Status::napi_ok {
            return;
        }
        if let Some(function) = data.callback.function() {
            let mut global = ptr::null_mut();
            sys::napi_get_global(env, &raw mut global);
            // Unlike napi_call_function this also runs promise jobs and process.nextTick callbacks.
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
    // SAFETY: libuv does not use a closed handle any more. `start` allocated the data with `Box` and the handle with
    // calloc.
    unsafe {
        drop(Box::from_raw((uv.get_data)(handle).cast::<PollData>()));
        libc::free(handle);
    }
}

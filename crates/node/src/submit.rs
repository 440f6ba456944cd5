//! The one native function on the path of every batch.

use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::rc::Rc;

use napi::bindgen_prelude::{FromNapiValue, Function};
use napi::{Env, Error, Result, Status, sys};

use crate::handle::Handle;

/// `submit()` as a plain Node-API function: without arguments and without the wrapping that napi-rs gives a closure it
/// costs a third, which shows in small batches.
pub(crate) fn submit_function(env: &Env, handle: Rc<Handle>) -> Result<Function<'_, (), ()>> {
    let name = c"submit";
    let data = Rc::into_raw(handle).cast_mut().cast();
    let mut function = ptr::null_mut();
    // SAFETY: the callback reads `data` as what it is, and the finalizer below gives it back.
    let status = unsafe {
        sys::napi_create_function(
            env.raw(),
            name.as_ptr(),
            -1,
            Some(submit),
            data,
            &raw mut function,
        )
    };
    let status = match status {
        // SAFETY: the function was just made; the finalizer runs once, when it is collected.
        sys::Status::napi_ok => unsafe {
            sys::napi_add_finalizer(
                env.raw(),
                function,
                data,
                Some(forget),
                ptr::null_mut(),
                ptr::null_mut(),
            )
        },
        status => status,
    };
    if status != sys::Status::napi_ok {
        // A function without its finalizer is not handed out. What it holds is left for good: it may be called no
        // more, but whether it was made is not known.
        return Err(Error::new(
            Status::from(status),
            "the hot function could not be made",
        ));
    }
    // SAFETY: the value is a function of this environment, in the scope of the call that `env` was borrowed for.
    unsafe { Function::from_napi_value(env.raw(), function) }
}

/// # Safety
///
/// Called by Node.js for the function that [`submit_function`] made, which is alive.
unsafe extern "C" fn submit(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    let mut data = ptr::null_mut();
    // SAFETY: `info` belongs to this call; only the data pointer is asked for.
    unsafe {
        sys::napi_get_cb_info(
            env,
            info,
            ptr::null_mut(),
            ptr::null_mut(),
            ptr::null_mut(),
            &raw mut data,
        );
    }
    // SAFETY: `data` is what `submit_function` stored, a reference count that the living function holds.
    let Some(handle) = (unsafe { data.cast::<Handle>().as_ref() }) else {
        return ptr::null_mut();
    };
    // A panic must not cross into Node.js: it would abort the process.
    if catch_unwind(AssertUnwindSafe(|| {
        // Where the ring is closed there is nothing to do, and the facade knows.
        let _ = handle.submit();
    }))
    .is_err()
    {
        // SAFETY: both strings end with a NUL; the exception is thrown when this call returns.
        unsafe { sys::napi_throw_error(env, c"GenericFailure".as_ptr(), c"the binding panicked".as_ptr()) };
    }
    ptr::null_mut()
}

/// # Safety
///
/// Called by Node.js once, when the function that [`submit_function`] made is collected.
unsafe extern "C" fn forget(_env: sys::napi_env, data: *mut c_void, _hint: *mut c_void) {
    // SAFETY: the reference count that `submit_function` gave away, taken back once. Dropping it may close the ring, which
    // waits for the kernel and runs no JavaScript.
    drop(unsafe { Rc::from_raw(data.cast::<Handle>()) });
}

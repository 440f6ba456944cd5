//! The `submit` function, the one native call of every batch.

use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::rc::Rc;

use napi::bindgen_prelude::{FromNapiValue, Function};
use napi::{Env, Error, Result, Status, sys};

use crate::handle::Handle;

/// Makes `submit()` as a plain Node-API function. It costs a third of a napi-rs closure, which shows in small batches.
pub(crate) fn submit_function(env: &Env, handle: Rc<Handle>) -> Result<Function<'_, (), ()>> {
    let name = c"submit";
    let data = Rc::into_raw(handle).cast_mut().cast();
    let mut function = ptr::null_mut();
    // SAFETY: the name ends with a NUL, and `data` is the `Handle` that the callback `submit` expects. The finalizer
    // below keeps it alive as long as the function.
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
        // SAFETY: `function` is a handle of the current scope. Node-API calls the finalizer once with `data`, after the
        // function was garbage-collected.
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
        // A function without its finalizer is not returned. The reference count is leaked: it is not known if the
        // function was made, and the function would use it.
        return Err(Error::new(
            Status::from(status),
            "Node-API could not make the submit function",
        ));
    }
    // SAFETY: `function` is a function of this environment, in the handle scope of the call that `env` was borrowed
    // for.
    unsafe { Function::from_napi_value(env.raw(), function) }
}

/// # Safety
///
/// Called by Node.js for a function that [`submit_function`] made and that is alive.
unsafe extern "C" fn submit(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    let mut data = ptr::null_mut();
    // SAFETY: `info` belongs to this call. The output is a local variable, and null is allowed for those not needed.
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
    // SAFETY: `data` is the `Handle` that `submit_function` passed. The function is alive, and so is the reference
    // count that its finalizer releases.
    let Some(handle) = (unsafe { data.cast::<Handle>().as_ref() }) else {
        return ptr::null_mut();
    };
    // A panic that crosses into Node.js would abort the process.
    if catch_unwind(AssertUnwindSafe(|| {
        // An error means that the ring is closed, which the facade knows.
        let _ = handle.submit();
    }))
    .is_err()
    {
        // SAFETY: both strings end with a NUL. Node.js throws the exception when this callback returns.
        unsafe { sys::napi_throw_error(env, c"GenericFailure".as_ptr(), c"the binding panicked".as_ptr()) };
    }
    ptr::null_mut()
}

/// # Safety
///
/// Called by Node.js once, after a function that [`submit_function`] made was garbage-collected.
unsafe extern "C" fn forget(_env: sys::napi_env, data: *mut c_void, _hint: *mut c_void) {
    // SAFETY: `data` is the pointer from `Rc::into_raw` in `submit_function`, and this is the only call that takes it
    // back. Dropping it may close the ring, which runs no JavaScript.
    drop(unsafe { Rc::from_raw(data.cast::<Handle>()) });
}

//! Addresses of JavaScript memory.
#![allow(unreachable_pub)] // `#[napi]` needs public items, and a cdylib has no Rust interface

use std::ptr;

use napi::bindgen_prelude::{Function, Unknown};
use napi::{Env, JsValue, Result, sys};
use napi_derive::napi;

/// Largest integer up to which JavaScript numbers hold every integer exactly.
const MAX_SAFE: u64 = (1 << 53) - 1;

/// Returns the address and the length in bytes of a typed array's data, or `None` if the value is not a typed array.
///
/// This call moves the data of a small array out of V8's heap, so the address does not change as long as the array
/// buffer lives, is not detached and does not grow by copying.
pub(crate) fn bytes_of(env: sys::napi_env, value: sys::napi_value) -> Option<(*mut u8, usize)> {
    let (mut kind, mut length, mut data) = (0, 0, ptr::null_mut());
    // SAFETY: `value` is a handle of the current scope; the call fails if it is not a typed array. The outputs are
    // local variables, and null is allowed for the two that are not needed.
    let status = unsafe {
        sys::napi_get_typedarray_info(
            env,
            value,
            &raw mut kind,
            &raw mut length,
            &raw mut data,
            ptr::null_mut(),
            ptr::null_mut(),
        )
    };
    let width = match kind {
        sys::TypedarrayType::int8_array
        | sys::TypedarrayType::uint8_array
        | sys::TypedarrayType::uint8_clamped_array => 1,
        sys::TypedarrayType::int16_array | sys::TypedarrayType::uint16_array => 2,
        sys::TypedarrayType::int32_array
        | sys::TypedarrayType::uint32_array
        | sys::TypedarrayType::float32_array => 4,
        _ => 8,
    };
    (status == sys::Status::napi_ok).then(|| (data.cast(), length * width))
}

/// Makes a function that returns the address of a typed array's data as a number, or -1 if its argument is not a typed
/// array.
///
/// It is a closure instead of a `#[napi]` function because it is called for every new buffer, and a closure costs a
/// fifth.
#[napi(catch_unwind)]
pub fn create_address_of(env: &Env) -> Result<Function<'_, Unknown<'static>, f64>> {
    env.create_function_from_closure("addressOf", |context| {
        let array = context.get::<Unknown>(0)?;
        Ok(match bytes_of(context.env.raw(), array.raw()) {
            Some((data, _)) if data as u64 <= MAX_SAFE => data as u64 as f64,
            _ => -1.0,
        })
    })
}

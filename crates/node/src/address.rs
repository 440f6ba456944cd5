//! Where JavaScript memory is.
#![allow(unreachable_pub)] // `#[napi]` wants its items public, and a cdylib has no Rust interface

use std::ptr;

use napi::bindgen_prelude::{Function, Unknown};
use napi::{Env, JsValue, Result, sys};
use napi_derive::napi;

/// Largest integer that a JavaScript number holds exactly.
const MAX_SAFE: u64 = (1 << 53) - 1;

/// The data of a typed array: its address and its bytes.
///
/// `None` for anything else. Asking moves the data of a small array out of V8's heap, so the address does not change
/// as long as the array buffer lives, is not detached and does not grow by copying.
pub(crate) fn bytes_of(env: sys::napi_env, value: sys::napi_value) -> Option<(*mut u8, usize)> {
    let (mut kind, mut length, mut data) = (0, 0, ptr::null_mut());
    // SAFETY: `value` is a handle of the current scope, and the call says so if it is no typed array; the outputs
    // live for its time, and those left out may be null.
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

/// A function that gives the address of a typed array's data as a number, or -1 for anything else.
///
/// A closure and not a `#[napi]` function: it is called for every new buffer, and costs a fifth.
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

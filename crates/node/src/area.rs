//! The memory in which batches cross the boundary: JavaScript allocates it, the binding holds it, and both sides read
//! and write it on one thread.

use std::ptr;

use napi::bindgen_prelude::Unknown;
use napi::{Env, Error, JsValue, Result, Status, sys};
use typed_uring::Completion;

use crate::address::bytes_of;
use crate::layout::{RECORD, RECORD_32, status};

/// A typed array with a strong reference, so that its memory stays allocated and at its address.
#[derive(Debug)]
pub(crate) struct Area {
    /// Address of the array's data, which stays valid until `release`.
    data: *mut u8,
    /// Length of the data in bytes.
    bytes: usize,
    /// The strong reference to the array.
    reference: sys::napi_ref,
}

impl Area {
    /// Holds a typed array whose data is aligned to 8 bytes.
    ///
    /// Only the facade has these arrays, and it neither transfers nor resizes their buffers.
    pub(crate) fn hold(env: &Env, name: &str, array: &Unknown<'_>) -> Result<Self> {
        let invalid = || {
            Error::new(
                Status::InvalidArg,
                format!("\"{name}\" must be a typed array whose data is aligned to 8 bytes"),
            )
        };
        let (data, bytes) = bytes_of(env.raw(), array.raw()).ok_or_else(invalid)?;
        if data.is_null() || !data.addr().is_multiple_of(8) {
            return Err(invalid());
        }
        Ok(Self {
            data,
            bytes,
            reference: hold(env, array)?,
        })
    }

    pub(crate) fn data(&self) -> *mut u8 {
        self.data
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn release(&self, env: sys::napi_env) {
        release(env, self.reference);
    }
}

/// Makes a strong reference to an object.
pub(crate) fn hold(env: &Env, object: &Unknown<'_>) -> Result<sys::napi_ref> {
    let mut reference = ptr::null_mut();
    // SAFETY: `object` is a handle of the current scope, and the output is a local variable.
    match unsafe { sys::napi_create_reference(env.raw(), object.raw(), 1, &raw mut reference) } {
        sys::Status::napi_ok => Ok(reference),
        status => Err(Error::new(
            Status::from(status),
            "Node-API could not make a reference",
        )),
    }
}

/// Deletes a reference that [`hold`] made.
pub(crate) fn release(env: sys::napi_env, reference: sys::napi_ref) {
    // SAFETY: the caller has the reference from `napi_create_reference` and deletes it once. The environment is alive:
    // all callers run in one of its calls, finalizers or hooks. A failure would only leak the object.
    unsafe { sys::napi_delete_reference(env, reference) };
}

/// The status header.
#[derive(Debug)]
pub(crate) struct Header(Area);

impl Header {
    pub(crate) fn new(area: Area) -> Result<Self> {
        if area.bytes() < status::WORDS * 4 {
            return Err(Error::new(Status::InvalidArg, "\"status\" has too few words"));
        }
        Ok(Self(area))
    }

    pub(crate) fn get(&self, word: usize) -> u32 {
        debug_assert!(word < status::WORDS);
        // SAFETY: `word` is one of the constants in `status`, all below `WORDS`, and `new` checked that the area has so
        // many words. The area is held and aligned. JavaScript runs on this thread, so it does not write meanwhile.
        unsafe { self.0.data().cast::<u32>().add(word).read() }
    }

    pub(crate) fn set(&self, word: usize, value: u32) {
        debug_assert!(word < status::WORDS);
        // SAFETY: as in `get`; and no reference to these words exists.
        unsafe { self.0.data().cast::<u32>().add(word).write(value) }
    }

    /// Adds to a counter of two words.
    pub(crate) fn add(&self, counter: usize, count: usize) {
        let total = u64::from(self.get(counter)) | u64::from(self.get(counter + 1)) << 32;
        let total = total.wrapping_add(count as u64);
        self.set(counter, total as u32);
        self.set(counter + 1, (total >> 32) as u32);
    }

    pub(crate) fn release(&self, env: sys::napi_env) {
        self.0.release(env);
    }
}

/// The completion area: a circular buffer of records of 16 bytes, or 32 on a ring with `CQE32` or `CQE_MIXED`.
#[derive(Debug)]
pub(crate) struct Completions {
    area: Area,
    record: usize,
    mask: u32,
}

impl Completions {
    pub(crate) fn new(area: Area, cqe32: bool) -> Result<Self> {
        let record = if cqe32 { RECORD_32 } else { RECORD };
        let records = (area.bytes() / record) as u32; // far below 2^32
        if !records.is_power_of_two() {
            return Err(Error::new(
                Status::InvalidArg,
                "the number of records in \"completions\" must be a power of two",
            ));
        }
        Ok(Self {
            area,
            record,
            mask: records - 1,
        })
    }

    /// Returns the number of free records.
    pub(crate) fn capacity(&self, header: &Header) -> usize {
        let unread = header.get(status::TAIL).wrapping_sub(header.get(status::HEAD));
        (self.mask + 1).saturating_sub(unread) as usize
    }

    /// Writes a completion to the record of the number `tail`.
    pub(crate) fn write(&self, tail: u32, completion: &Completion) {
        let at = (tail & self.mask) as usize * self.record;
        // SAFETY: the mask keeps the index below the number of records, so the record is inside the area, which is held
        // and aligned to 8. JavaScript runs on this thread, so it does not read meanwhile.
        unsafe {
            let record = self.area.data().add(at).cast::<u64>();
            record.write(completion.user_data);
            record
                .add(1)
                .write(u64::from(completion.result as u32) | u64::from(completion.flags) << 32);
            if self.record == RECORD_32 {
                let [first, second] = completion.extra.unwrap_or_default();
                record.add(2).write(first);
                record.add(3).write(second);
            }
        }
    }

    pub(crate) fn release(&self, env: sys::napi_env) {
        self.area.release(env);
    }
}

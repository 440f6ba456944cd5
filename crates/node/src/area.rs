//! The memory that batches cross in: made by JavaScript, held by us, read and written by both on one thread.

use std::ptr;

use napi::bindgen_prelude::Unknown;
use napi::{Env, Error, JsValue, Result, Status, sys};
use typed_uring::Completion;

use crate::address::bytes_of;

/// Words of the status header: what JavaScript asks for, and what came of it.
pub(crate) mod status {
    /// Completions appended to the completion area since it was last empty, modulo 2^32.
    pub(crate) const TAIL: usize = 0;
    /// Completions that JavaScript has taken from it since then, modulo 2^32.
    pub(crate) const HEAD: usize = 1;
    /// Asked: the submission area; 2 for none, 3 for nothing but `KEEP`.
    pub(crate) const AREA: usize = 2;
    /// Asked: entries in it.
    pub(crate) const COUNT: usize = 3;
    /// Asked: completions to wait for.
    pub(crate) const WANT: usize = 4;
    /// Asked: microseconds to wait at most.
    pub(crate) const SLICE: usize = 5;
    /// What the call failed with: 0, or a negative `errno`.
    pub(crate) const ERRNO: usize = 6;
    /// Entries that were copied from the submission area into the ring: they are not staged again.
    pub(crate) const COPIED: usize = 7;
    /// Entries that the kernel took.
    pub(crate) const TAKEN: usize = 8;
    /// 1 if completions are left that found no room in the completion area, or wait in the kernel.
    pub(crate) const MORE: usize = 9;
    /// Operations in flight.
    pub(crate) const IN_FLIGHT: usize = 10;
    /// Entries in the submission queue that the kernel has not taken.
    pub(crate) const SQ_READY: usize = 11;
    /// Calls of `io_uring_enter` since the ring was made, modulo 2^32.
    pub(crate) const ENTERS: usize = 12;
    /// Asked: [`KEEP_LOOP`], [`KEEP_CALLBACK`].
    pub(crate) const KEEP: usize = 13;
    /// Entries that the kernel took since the ring was made, as two words.
    pub(crate) const SUBMITTED: usize = 14;
    /// Completions, likewise.
    pub(crate) const COMPLETED: usize = 16;
    /// Completions that say `ECANCELED`, likewise.
    pub(crate) const CANCELLED: usize = 18;
    /// Calls that found completions without room in the kernel's queue, likewise.
    pub(crate) const OVERFLOWED: usize = 20;
    /// How many there are.
    pub(crate) const WORDS: usize = 22;

    /// In `KEEP`: the event loop stays open.
    pub(crate) const KEEP_LOOP: u32 = 1 << 0;
    /// In `KEEP`: the waker's callback is not collected.
    pub(crate) const KEEP_CALLBACK: u32 = 1 << 1;
}

/// A typed array that is held strongly, so its memory stays where it is.
#[derive(Debug)]
pub(crate) struct Area {
    data: *mut u8,
    bytes: usize,
    reference: sys::napi_ref,
}

impl Area {
    /// Takes hold of a typed array whose data is aligned to 8 bytes.
    ///
    /// Nobody but the facade has these arrays, and it neither transfers nor resizes their buffers.
    pub(crate) fn hold(env: &Env, name: &str, array: &Unknown<'_>) -> Result<Self> {
        let invalid = || {
            Error::new(
                Status::InvalidArg,
                format!("\"{name}\" must be a typed array, aligned to 8 bytes"),
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

/// A strong reference to an object.
pub(crate) fn hold(env: &Env, object: &Unknown<'_>) -> Result<sys::napi_ref> {
    let mut reference = ptr::null_mut();
    // SAFETY: the value is a handle of the current scope; the output lives for the time of the call.
    match unsafe { sys::napi_create_reference(env.raw(), object.raw(), 1, &raw mut reference) } {
        sys::Status::napi_ok => Ok(reference),
        status => Err(Error::new(Status::from(status), "no reference could be made")),
    }
}

/// Lets go of what [`hold`] gave.
pub(crate) fn release(env: sys::napi_env, reference: sys::napi_ref) {
    // SAFETY: the reference is from `hold` and released once; the environment is alive, as all callers run in one of
    // its calls, finalizers or hooks. A failure would leak the object and nothing else.
    unsafe { sys::napi_delete_reference(env, reference) };
}

/// The status header.
#[derive(Debug)]
pub(crate) struct Header(Area);

impl Header {
    pub(crate) fn new(area: Area) -> Result<Self> {
        if area.bytes() < status::WORDS * 4 {
            return Err(Error::new(Status::InvalidArg, "\"status\" is too short"));
        }
        Ok(Self(area))
    }

    pub(crate) fn get(&self, word: usize) -> u32 {
        debug_assert!(word < status::WORDS);
        // SAFETY: inside the area by `new`, which is held and aligned; JavaScript runs on this thread, so not now.
        unsafe { self.0.data().cast::<u32>().add(word).read() }
    }

    pub(crate) fn set(&self, word: usize, value: u32) {
        debug_assert!(word < status::WORDS);
        // SAFETY: as in `get`.
        unsafe { self.0.data().cast::<u32>().add(word).write(value) }
    }

    /// Adds to a counter of two words, low word first.
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

/// The completion area: a circle of records. Each has 16 bytes, or 32 on a ring with wide completions.
#[derive(Debug)]
pub(crate) struct Completions {
    area: Area,
    record: usize,
    mask: u32,
}

impl Completions {
    pub(crate) fn new(area: Area, wide: bool) -> Result<Self> {
        let record = if wide { 32 } else { 16 };
        let records = (area.bytes() / record) as u32; // far below 2^32
        if !records.is_power_of_two() {
            return Err(Error::new(
                Status::InvalidArg,
                "\"completions\" must hold a power of two of records",
            ));
        }
        Ok(Self {
            area,
            record,
            mask: records - 1,
        })
    }

    /// Free records.
    pub(crate) fn room(&self, header: &Header) -> usize {
        let unread = header.get(status::TAIL).wrapping_sub(header.get(status::HEAD));
        (self.mask + 1).saturating_sub(unread) as usize
    }

    /// Writes the record that the completion with number `tail` has.
    pub(crate) fn write(&self, tail: u32, completion: &Completion) {
        let at = (tail & self.mask) as usize * self.record;
        // SAFETY: a masked number of records is inside the area, which is held and aligned to 8; JavaScript runs on
        // this thread, so not now.
        unsafe {
            let record = self.area.data().add(at).cast::<u64>();
            record.write(completion.user_data);
            record
                .add(1)
                .write(u64::from(completion.result as u32) | u64::from(completion.flags) << 32);
            if self.record == 32 {
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

//! Array buffers over the memory of a ring that JavaScript made with the raw system calls.
#![allow(unreachable_pub)] // `#[napi]` needs public items, and a cdylib has no Rust interface

use std::cell::Cell;
use std::ffi::c_void;
use std::io;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, Ordering};

use libc::c_int;
use napi::bindgen_prelude::{Either, FromNapiValue, Unknown};
use napi::{Env, JsValue, Result, sys};
use napi_derive::napi;

use crate::errno::negative;

/// `napi_no_external_buffers_allowed`: the status in Electron and other runtimes with V8's sandbox, which allow only
/// array buffers whose memory V8 has allocated.
const NO_EXTERNAL_BUFFERS: sys::napi_status = 22;

/// Returns the `errno` of the call that has just failed as a negative number.
fn last_errno() -> i32 {
    negative(&io::Error::last_os_error())
}

/// A mapping of a part of a ring's file.
///
/// The array buffer over the mapping and the JavaScript handle share it. It is unmapped when the array buffer is gone,
/// which some runtimes notice on a thread of their garbage collector, or by the handle.
#[derive(Debug)]
struct Memory {
    /// Address of the mapping; null once it is unmapped.
    address: AtomicPtr<c_void>,
    bytes: usize,
}

impl Memory {
    /// Maps `bytes` bytes of a ring's file from `offset` on, or returns a negative `errno`: `EOPNOTSUPP` if `fd` is not
    /// a ring, `EFAULT` if the ring has fewer bytes.
    fn map(fd: c_int, offset: u32, bytes: usize) -> std::result::Result<Self, i32> {
        // Other files must not be mapped: using the memory raises SIGBUS after they are truncated. Only a ring can be
        // entered.
        // SAFETY: the argument is null with size 0, and the call submits nothing and does not wait.
        let entered = unsafe {
            libc::syscall(
                libc::SYS_io_uring_enter,
                fd,
                0,
                0,
                0,
                ptr::null::<c_void>(),
                0usize,
            )
        };
        if entered < 0 {
            let error = last_errno();
            // Other errors mean a ring that is disabled or belongs to another thread, which can be mapped.
            if error == -libc::EBADF || error == -libc::EOPNOTSUPP {
                return Err(error);
            }
        }
        // SAFETY: the kernel chooses the address of the new mapping, so no memory of the program is replaced.
        let address = unsafe {
            libc::mmap(
                ptr::null_mut(),
                bytes,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | libc::MAP_POPULATE,
                fd,
                libc::off_t::from(offset),
            )
        };
        if address == libc::MAP_FAILED {
            return Err(last_errno());
        }
        let memory = Self {
            address: AtomicPtr::new(address),
            bytes,
        };
        // Newer kernels accept a length beyond the end of the ring's memory, and reading the rest would raise SIGBUS.
        // SAFETY: the range is the new mapping. This advice only reads the pages, and fails if that is not possible.
        if unsafe { libc::madvise(address, bytes, libc::MADV_POPULATE_READ) } < 0 {
            let error = last_errno();
            // Kernels that do not support this advice, at all or for such mappings, have checked the length in mmap.
            if error != -libc::EINVAL {
                return Err(error);
            }
        }
        Ok(memory)
    }

    fn address(&self) -> *mut c_void {
        self.address.load(Ordering::Acquire)
    }

    /// Unmaps the memory, once. No array buffer may refer to it any more.
    fn unmap(&self) {
        let address = self.address.swap(ptr::null_mut(), Ordering::AcqRel);
        if !address.is_null() {
            // SAFETY: the range is the mapping that `map` made, and the swap lets only one caller unmap it. The callers
            // have made sure that its array buffer is detached or gone, or was never made.
            unsafe { libc::munmap(address, self.bytes) };
        }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.unmap();
    }
}

/// A mapping of a ring's memory, without the safety that the facade adds.
#[derive(Debug)]
#[napi(js_name = "Mapping")]
pub struct BindingMapping {
    memory: Arc<Memory>,
    exposed: Cell<bool>,
}

#[napi]
impl BindingMapping {
    /// Maps `length` bytes of a ring from `offset` on (`IORING_OFF_*`), or returns a negative `errno`.
    #[napi(catch_unwind)]
    pub fn create(fd: i32, offset: u32, length: f64) -> Either<BindingMapping, i32> {
        match Memory::map(fd, offset, length as usize) {
            Ok(memory) => Either::A(Self {
                memory: Arc::new(memory),
                exposed: Cell::new(false),
            }),
            Err(error) => Either::B(error),
        }
    }

    /// Returns the memory as an array buffer, once: `null` after that, and if the runtime has no array buffers over
    /// external memory. The memory is unmapped when the array buffer is garbage-collected.
    #[napi(catch_unwind, ts_return_type = "ArrayBuffer | null")]
    pub fn buffer(&self, env: &Env) -> Result<Option<Unknown<'static>>> {
        if self.exposed.replace(true) {
            return Ok(None);
        }
        let hint = Arc::into_raw(Arc::clone(&self.memory));
        let mut buffer = ptr::null_mut();
        // SAFETY: the range is the mapping, which stays until the finalizer unmaps it, or `unmap` after the array
        // buffer was detached. The hint is a reference count that the finalizer releases.
        let status = unsafe {
            sys::napi_create_external_arraybuffer(
                env.raw(),
                self.memory.address(),
                self.memory.bytes,
                Some(collected),
                hint.cast_mut().cast(),
                &raw mut buffer,
            )
        };
        match status {
            // SAFETY: `buffer` is an array buffer of this environment, in the handle scope of this call.
            sys::Status::napi_ok => Ok(Some(unsafe { Unknown::from_napi_value(env.raw(), buffer) }?)),
            // The finalizer may have run or not, so the reference count is leaked. There is no array buffer, so the
            // memory is unmapped.
            status => {
                self.memory.unmap();
                if status == NO_EXTERNAL_BUFFERS {
                    return Ok(None);
                }
                Err(napi::Error::new(
                    napi::Status::from(status),
                    "Node-API could not make the array buffer",
                ))
            }
        }
    }

    /// Detaches the array buffer, for runtimes whose array buffers have no `transfer`. Returns `false` if it is not the
    /// array buffer of this mapping, or was transferred.
    #[napi(catch_unwind)]
    pub fn detach(&self, env: &Env, #[napi(ts_arg_type = "ArrayBuffer")] buffer: Unknown) -> bool {
        let (mut data, mut length) = (ptr::null_mut(), 0);
        // SAFETY: `buffer` is a handle of this call, and the outputs are local variables; the call fails if it is not
        // an array buffer. Only an array buffer whose data is this mapping is detached, and there is only one.
        unsafe {
            let status =
                sys::napi_get_arraybuffer_info(env.raw(), buffer.raw(), &raw mut data, &raw mut length);
            status == sys::Status::napi_ok
                && !data.is_null()
                && data == self.memory.address()
                && sys::napi_detach_arraybuffer(env.raw(), buffer.raw()) == sys::Status::napi_ok
        }
    }

    /// Unmaps the memory. The caller has detached the array buffer.
    #[napi(catch_unwind)]
    pub fn unmap(&self) {
        self.memory.unmap();
    }
}

/// # Safety
///
/// Called by the runtime once for an array buffer of [`BindingMapping::buffer`], when nothing refers to its memory any
/// more or the environment ends.
unsafe extern "C" fn collected(_env: sys::napi_env, _data: *mut c_void, hint: *mut c_void) {
    // SAFETY: `hint` is the pointer from `Arc::into_raw` in `buffer`, and only this call takes it back.
    let memory = unsafe { Arc::from_raw(hint.cast::<Memory>()) };
    memory.unmap();
}

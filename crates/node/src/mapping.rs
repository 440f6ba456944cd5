//! Memory of a ring that JavaScript made with the raw calls, as array buffers.
#![allow(unreachable_pub)] // `#[napi]` wants its items public, and a cdylib has no Rust interface

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

/// Electron and other runtimes with V8's sandbox say this of memory that is not V8's (`napi_no_external_buffers_allowed`).
const NO_EXTERNAL_BUFFERS: sys::napi_status = 22;

fn errno() -> i32 {
    -io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO)
}

/// A part of a ring's file in memory.
///
/// Shared by the array buffer over it and the handle: unmapped when the array buffer is gone, or by the handle. Some
/// runtimes let go of an array buffer's memory on a thread of their garbage collector.
#[derive(Debug)]
struct Memory {
    /// Null once it is unmapped.
    address: AtomicPtr<c_void>,
    bytes: usize,
}

impl Memory {
    /// Maps `bytes` of `fd` from `offset` on, or gives a negative `errno`: `EOPNOTSUPP` for what is no ring, `EFAULT`
    /// where the ring has fewer bytes.
    fn map(fd: c_int, offset: u32, bytes: usize) -> std::result::Result<Self, i32> {
        // Memory of other files can vanish when they are cut short. Only a ring can be entered.
        // SAFETY: numbers; nothing is submitted and nothing waited for.
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
            let error = errno();
            // The others say that a ring is disabled, or somebody else's: it is one.
            if error == -libc::EBADF || error == -libc::EOPNOTSUPP {
                return Err(error);
            }
        }
        // SAFETY: a new mapping, at a place that the kernel chooses.
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
            return Err(errno());
        }
        let memory = Self {
            address: AtomicPtr::new(address),
            bytes,
        };
        // Newer kernels take a length beyond what the ring has, and touching the rest would be a SIGBUS.
        // SAFETY: the mapping that was just made; reading it changes nothing.
        if unsafe { libc::madvise(address, bytes, libc::MADV_POPULATE_READ) } < 0 {
            let error = errno();
            // Kernels that do not know this advice, or not for this kind of mapping, have checked the length in mmap.
            if error != -libc::EINVAL {
                return Err(error);
            }
        }
        Ok(memory)
    }

    fn address(&self) -> *mut c_void {
        self.address.load(Ordering::Acquire)
    }

    /// Nobody may refer to the memory any more.
    fn unmap(&self) {
        let address = self.address.swap(ptr::null_mut(), Ordering::AcqRel);
        if !address.is_null() {
            // SAFETY: the whole of a mapping that is ours, and only once: the address was just given up. Its array
            // buffer is detached or gone, or was never made.
            unsafe { libc::munmap(address, self.bytes) };
        }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.unmap();
    }
}

/// A part of a ring's memory, without any of the safety that the facade adds.
#[derive(Debug)]
#[napi(js_name = "Mapping")]
pub struct BindingMapping {
    memory: Arc<Memory>,
    exposed: Cell<bool>,
}

#[napi]
impl BindingMapping {
    /// `length` bytes of a ring from `offset` on (`IORING_OFF_*`), or a negative `errno`.
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

    /// The memory as an array buffer, once: `null` after that, and where the runtime has none over foreign memory.
    /// It is unmapped when nothing refers to the array buffer any more.
    #[napi(catch_unwind, ts_return_type = "ArrayBuffer | null")]
    pub fn buffer(&self, env: &Env) -> Result<Option<Unknown<'static>>> {
        if self.exposed.replace(true) {
            return Ok(None);
        }
        let hint = Arc::into_raw(Arc::clone(&self.memory));
        let mut buffer = ptr::null_mut();
        // SAFETY: as many bytes as are mapped, which stay until the finalizer says otherwise. The hint is a reference
        // count of its own, which the finalizer takes back.
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
            // SAFETY: an array buffer of this environment, in the scope of this call.
            sys::Status::napi_ok => Ok(Some(unsafe { Unknown::from_napi_value(env.raw(), buffer) }?)),
            // Whether the finalizer has run is not known, so the reference count is left for good. There is no array
            // buffer, so the memory can go.
            status => {
                self.memory.unmap();
                if status == NO_EXTERNAL_BUFFERS {
                    return Ok(None);
                }
                Err(napi::Error::new(
                    napi::Status::from(status),
                    "the array buffer could not be made",
                ))
            }
        }
    }

    /// Detaches the array buffer, for runtimes whose array buffers have no `transfer`. `false` if it is not ours, or its
    /// content was moved to another.
    #[napi(catch_unwind)]
    pub fn detach(&self, env: &Env, #[napi(ts_arg_type = "ArrayBuffer")] buffer: Unknown) -> bool {
        let (mut data, mut length) = (ptr::null_mut(), 0);
        // SAFETY: a handle of this call, and room for two answers; anything but an array buffer is said to be so. What
        // is detached has our data, which no other array buffer has.
        unsafe {
            let status =
                sys::napi_get_arraybuffer_info(env.raw(), buffer.raw(), &raw mut data, &raw mut length);
            status == sys::Status::napi_ok
                && !data.is_null()
                && data == self.memory.address()
                && sys::napi_detach_arraybuffer(env.raw(), buffer.raw()) == sys::Status::napi_ok
        }
    }

    /// Unmaps the memory now. The caller has detached the array buffer.
    #[napi(catch_unwind)]
    pub fn unmap(&self) {
        self.memory.unmap();
    }
}

/// # Safety
///
/// Called by the runtime once, when nothing can refer to an array buffer's memory any more, or the environment ends.
unsafe extern "C" fn collected(_env: sys::napi_env, _data: *mut c_void, hint: *mut c_void) {
    // SAFETY: the reference count that `buffer` gave away, taken back once.
    let memory = unsafe { Arc::from_raw(hint.cast::<Memory>()) };
    memory.unmap();
}

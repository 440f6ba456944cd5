//! System calls without checks: those of io_uring, and others that its users need and Node.js has no function for.
//!
//! Each returns the kernel's number, or a negative `errno`. The caller is responsible for the memory that they use.
#![allow(unreachable_pub)] // `#[napi]` needs public items, and a cdylib has no Rust interface

use std::ptr;

use libc::{c_int, sockaddr_storage, socklen_t};
use napi::bindgen_prelude::{Either, Null, Uint8Array};
use napi_derive::napi;
use typed_uring::sys::{io_uring_enter, io_uring_register, io_uring_setup, page_size};

use crate::errno::{checked, number};

/// Bytes that the kernel reads and writes, or null.
pub(crate) type Argument = Either<Uint8Array, Null>;

/// Returns the address of the bytes, or a null pointer. It is valid as long as the argument lives.
pub(crate) fn pointer(argument: &mut Argument) -> *mut u8 {
    match argument {
        // SAFETY: the mutable slice lives only until its pointer is taken. JavaScript owns the bytes and runs on this
        // thread, so it does not use them meanwhile.
        Either::A(bytes) => unsafe { bytes.as_mut() }.as_mut_ptr(),
        Either::B(Null) => ptr::null_mut(),
    }
}

/// Calls io_uring_setup(2). `params` are the 120 bytes of a `struct io_uring_params`.
#[napi(catch_unwind)]
pub fn raw_setup(entries: u32, params: Uint8Array) -> i32 {
    let mut params = Either::A(params);
    // SAFETY: the facade checks that `params` has 120 bytes, which the kernel reads and writes during the call. The
    // caller answers for memory that they reference.
    number(unsafe { io_uring_setup(entries, pointer(&mut params).cast()) })
}

/// Calls io_uring_enter(2).
#[napi(catch_unwind)]
pub fn raw_enter(
    fd: i32,
    to_submit: u32,
    min_complete: u32,
    flags: u32,
    mut argument: Argument,
    size: u32,
) -> i32 {
    let argument = pointer(&mut argument).cast();
    // SAFETY: the facade passes the size of `argument`, which lives until the call returns. The caller is responsible
    // for the memory that the submitted entries reference.
    number(unsafe { io_uring_enter(fd, to_submit, min_complete, flags, argument, size as usize) })
}

/// Calls io_uring_enter(2) with the registered wait at `offset` of the registered region.
#[napi(catch_unwind)]
pub fn raw_enter_registered(
    fd: i32,
    to_submit: u32,
    min_complete: u32,
    flags: u32,
    offset: u32,
    size: u32,
) -> i32 {
    let argument = ptr::without_provenance(offset as usize);
    // SAFETY: the facade calls this only with `EXT_ARG_REG`, with which the kernel takes the argument for an offset and
    // checks it. The caller is responsible for the memory that the submitted entries reference.
    number(unsafe { io_uring_enter(fd, to_submit, min_complete, flags, argument, size as usize) })
}

/// Calls io_uring_register(2).
#[napi(catch_unwind)]
pub fn raw_register(fd: i32, opcode: u32, mut argument: Argument, count: u32) -> i32 {
    // SAFETY: the argument lives until the call returns. The caller is responsible for its size, for the memory that it
    // references, and for keeping both as long as the kernel does.
    number(unsafe { io_uring_register(fd, opcode, pointer(&mut argument).cast(), count) })
}

/// Calls madvise(2) on memory that starts and ends at page boundaries: 0, or a negative `errno`.
#[napi(catch_unwind)]
pub fn raw_madvise(mut memory: Uint8Array, advice: i32) -> i32 {
    // SAFETY: JavaScript owns the bytes and runs on this thread, so it does not use them while this slice lives.
    let bytes = unsafe { memory.as_mut() };
    // SAFETY: the range is exactly the array's memory. The facade decides which advice is allowed.
    number(checked(unsafe {
        libc::madvise(bytes.as_mut_ptr().cast(), bytes.len(), advice)
    }))
}

/// Returns the size of a page of memory in bytes.
#[napi(catch_unwind)]
pub fn raw_page_size() -> u32 {
    page_size() as u32
}

/// Calls close(2) on a descriptor that the runtime did not open. (A worker of Node.js warns when its own close gets
/// such a descriptor, and Deno does not know it.)
#[napi(catch_unwind)]
pub fn raw_close(fd: i32) -> i32 {
    // SAFETY: the call takes only a number. The facade closes only descriptors that it owns.
    number(checked(unsafe { libc::close(fd) }))
}

/// Tells if a descriptor is open in this process.
#[napi(catch_unwind)]
pub fn raw_is_open(fd: i32) -> bool {
    // SAFETY: F_GETFD takes only numbers.
    unsafe { libc::fcntl(fd, libc::F_GETFD) >= 0 }
}

/// Calls eventfd(2).
#[napi(catch_unwind)]
pub fn raw_eventfd(count: u32, flags: i32) -> i32 {
    // SAFETY: the call takes only numbers.
    number(checked(unsafe { libc::eventfd(count, flags) }))
}

/// Calls epoll_create1(2).
#[napi(catch_unwind)]
pub fn raw_epoll_create(flags: i32) -> i32 {
    // SAFETY: the call takes only a number.
    number(checked(unsafe { libc::epoll_create1(flags) }))
}

/// Calls socketpair(2): two descriptors, or one negative `errno`.
#[napi(catch_unwind)]
pub fn raw_socketpair(domain: i32, kind: i32, protocol: i32) -> Vec<i32> {
    let mut pair: [c_int; 2] = [-1; 2];
    // SAFETY: the kernel writes two descriptors, and the array has two elements.
    let result = number(checked(unsafe {
        libc::socketpair(domain, kind, protocol, pair.as_mut_ptr())
    }));
    if result < 0 { vec![result] } else { pair.to_vec() }
}

/// Calls getsockname(2) or getpeername(2): the bytes of the address, or a negative `errno`.
#[napi(catch_unwind)]
pub fn raw_socket_name(fd: i32, peer: bool) -> Either<Uint8Array, i32> {
    // SAFETY: `sockaddr_storage` is integers and arrays of them, so all-zero bytes are valid.
    let mut address: sockaddr_storage = unsafe { std::mem::zeroed() };
    let capacity = size_of::<sockaddr_storage>();
    let mut length = capacity as socklen_t;
    let call = if peer {
        libc::getpeername
    } else {
        libc::getsockname
    };
    // SAFETY: `length` is the size of `address`, and both are local variables.
    let result = number(checked(unsafe {
        call(fd, (&raw mut address).cast(), &raw mut length)
    }));
    if result < 0 {
        return Either::B(result);
    }
    // SAFETY: the slice is at most as long as `address`, all bytes of which are initialised.
    let bytes = unsafe {
        std::slice::from_raw_parts((&raw const address).cast::<u8>(), capacity.min(length as usize))
    };
    Either::A(bytes.to_vec().into())
}

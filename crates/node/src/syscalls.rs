//! System calls as they are: those of io_uring, and those that its users need and Node.js has no function for.
//!
//! Each gives the kernel's number, or a negative `errno`. What they are told to touch is the caller's affair.
#![allow(unreachable_pub)] // `#[napi]` wants its items public, and a cdylib has no Rust interface

use std::io;
use std::ptr;

use libc::{c_int, c_long, sockaddr_storage, socklen_t};
use napi::bindgen_prelude::{Either, Null, Uint8Array};
use napi_derive::napi;
use typed_uring::sys::{io_uring_enter, io_uring_register, io_uring_setup};

use crate::boundary::negative;

/// Bytes that the kernel reads and writes, or none.
pub(crate) type Argument = Either<Uint8Array, Null>;

pub(crate) fn pointer(argument: &mut Argument) -> *mut u8 {
    match argument {
        // SAFETY: only the pointer is taken. The bytes are JavaScript's, on whose thread this runs, and stay where they
        // are for the time of the call, which the argument lives through.
        Either::A(bytes) => unsafe { bytes.as_mut() }.as_mut_ptr(),
        Either::B(Null) => ptr::null_mut(),
    }
}

/// What a system call of io_uring gave, or a negative `errno`.
fn told<N: TryInto<i32>>(result: io::Result<N>) -> i32 {
    // Descriptors, counts and identifiers all fit.
    result.map_or_else(
        |error| negative(&error),
        |number| number.try_into().unwrap_or(i32::MAX),
    )
}

fn answer(result: impl Into<c_long>) -> i32 {
    let result = result.into();
    if result < 0 {
        -io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO)
    } else {
        result as i32 // descriptors and counts
    }
}

/// io_uring_setup(2): `params` are the 120 bytes of a `struct io_uring_params`.
#[napi(catch_unwind)]
pub fn raw_setup(entries: u32, params: Uint8Array) -> i32 {
    let mut params = Either::A(params);
    // SAFETY: the facade checks that there are 120 bytes.
    told(unsafe { io_uring_setup(entries, pointer(&mut params).cast()) })
}

/// io_uring_enter(2).
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
    // SAFETY: the facade gives the size of what the argument has; entries that are submitted are the caller's promise.
    told(unsafe { io_uring_enter(fd, to_submit, min_complete, flags, argument, size as usize) })
}

/// io_uring_enter(2) with a registered wait: `offset` says where in the registered region it is.
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
    // SAFETY: an offset is no pointer, and the kernel checks it; the facade gives it only with the flag that says so.
    // Entries that are submitted are the caller's promise.
    told(unsafe { io_uring_enter(fd, to_submit, min_complete, flags, argument, size as usize) })
}

/// io_uring_register(2).
#[napi(catch_unwind)]
pub fn raw_register(fd: i32, opcode: u32, mut argument: Argument, count: u32) -> i32 {
    // SAFETY: the argument's meaning, and so its size, are the caller's promise, as is what it points at.
    told(unsafe { io_uring_register(fd, opcode, pointer(&mut argument).cast(), count) })
}

/// madvise(2) of memory that starts and ends with a page: 0, or a negative `errno`.
#[napi(catch_unwind)]
pub fn raw_madvise(mut memory: Uint8Array, advice: i32) -> i32 {
    // SAFETY: only the pointer is taken, as in `pointer`.
    let bytes = unsafe { memory.as_mut() };
    // SAFETY: the range is the array's own memory; which advice keeps its content is the facade's affair.
    answer(unsafe { libc::madvise(bytes.as_mut_ptr().cast(), bytes.len(), advice) })
}

/// Bytes of a page of memory.
#[napi(catch_unwind)]
pub fn raw_page_size() -> u32 {
    // SAFETY: a number.
    unsafe { libc::sysconf(libc::_SC_PAGESIZE) as u32 } // a power of two, and always known
}

/// close(2), of what the runtime did not open: a worker of Node.js warns of such descriptors, and Deno does not know
/// them.
#[napi(catch_unwind)]
pub fn raw_close(fd: i32) -> i32 {
    // SAFETY: a number. That nobody else uses the descriptor is the facade's promise.
    answer(unsafe { libc::close(fd) })
}

/// Whether a descriptor is open, whoever opened it.
#[napi(catch_unwind)]
pub fn raw_is_open(fd: i32) -> bool {
    // SAFETY: numbers.
    unsafe { libc::fcntl(fd, libc::F_GETFD) >= 0 }
}

/// eventfd(2).
#[napi(catch_unwind)]
pub fn raw_eventfd(count: u32, flags: i32) -> i32 {
    // SAFETY: two numbers.
    answer(unsafe { libc::eventfd(count, flags) })
}

/// epoll_create1(2).
#[napi(catch_unwind)]
pub fn raw_epoll_create(flags: i32) -> i32 {
    // SAFETY: a number.
    answer(unsafe { libc::epoll_create1(flags) })
}

/// socketpair(2): two descriptors, or one negative `errno`.
#[napi(catch_unwind)]
pub fn raw_socketpair(domain: i32, kind: i32, protocol: i32) -> Vec<i32> {
    let mut pair: [c_int; 2] = [-1; 2];
    // SAFETY: room for two descriptors.
    let result = answer(unsafe { libc::socketpair(domain, kind, protocol, pair.as_mut_ptr()) });
    if result < 0 { vec![result] } else { pair.to_vec() }
}

/// getsockname(2), or getpeername(2): the bytes of the address, or a negative `errno`.
#[napi(catch_unwind)]
pub fn raw_socket_name(fd: i32, peer: bool) -> Either<Uint8Array, i32> {
    // SAFETY: any bytes are a `sockaddr_storage`, zeros too.
    let mut address: sockaddr_storage = unsafe { std::mem::zeroed() };
    let room = size_of::<sockaddr_storage>();
    let mut length = room as socklen_t;
    let call = if peer {
        libc::getpeername
    } else {
        libc::getsockname
    };
    // SAFETY: `length` says how much room `address` has, and both outlive the call.
    let result = answer(unsafe { call(fd, (&raw mut address).cast(), &raw mut length) });
    if result < 0 {
        return Either::B(result);
    }
    // SAFETY: as many bytes as the kernel has filled in, and no more than there are.
    let bytes =
        unsafe { std::slice::from_raw_parts((&raw const address).cast::<u8>(), room.min(length as usize)) };
    Either::A(bytes.to_vec().into())
}

//! The native binding of the npm package `uring`: Node-API handles, and the memory in which batches of entries and
//! completions cross between JavaScript and Rust. Everything that needs no JavaScript is in `typed-uring`.
//!
//! This interface is internal to the package. Addresses cross it as numbers, and the TypeScript facade keeps the memory
//! at these addresses alive.
#![cfg(target_os = "linux")]
#![cfg_attr(test, allow(dead_code))] // napi-rs registers nothing in test builds, which only the linter makes

#[cfg(target_endian = "big")]
compile_error!("the facade writes 64-bit fields as two words, low word first");

mod address;
mod area;
mod boundary;
mod errno;
mod handle;
mod integer;
mod layout;
mod mapping;
mod operations;
mod ring;
mod submit;
mod syscalls;
mod waker;

//! What the npm package `uring` binds to: the environment, handles and the areas that batches cross in. Everything
//! that needs no JavaScript is in `typed-uring`.
//!
//! This is the package's own boundary and not an interface for others: the numbers that cross it are addresses, and
//! the TypeScript facade keeps what they point at alive.
#![cfg(target_os = "linux")]
#![cfg_attr(test, allow(dead_code))] // napi-rs registers nothing in test builds, of which there is only the linter's

#[cfg(target_endian = "big")]
compile_error!("the facade writes 64-bit fields as two words, low word first");

mod address;
mod area;
mod boundary;
mod handle;
mod mapping;
mod number;
mod operations;
mod ring;
mod submit;
mod syscalls;
mod waker;

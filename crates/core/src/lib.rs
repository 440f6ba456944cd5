//! io_uring: a ring, typed operations made from one table, exact accounting of what is in flight, and a drop that
//! never gives memory back which the kernel may still write.
//!
//! ```
//! use std::os::fd::AsRawFd;
//! use typed_uring::{Ring, operations::Read};
//!
//! let file = std::fs::File::open("/proc/self/exe")?;
//! let mut magic = [0_u8; 4];
//! let mut ring = Ring::new(8)?;
//!
//! let read = Read::new(file.as_raw_fd(), magic.as_mut_ptr(), 4).offset(0).build().with_user_data(7);
//! // SAFETY: `magic` lives, and is left alone, until the completion below.
//! unsafe { ring.push(&read)? };
//! ring.submit_and_wait(1, None)?;
//!
//! let completion = ring.pop().ok_or("no completion")?;
//! assert_eq!((completion.user_data, completion.result), (7, 4));
//! assert_eq!(&magic, b"\x7fELF");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Files, buffers and all else that a ring keeps from one operation to the next are in [`register`]; the kernel's own
//! names for everything in [`sys`].
//!
//! Setup and queue memory come from the [`io-uring`](https://docs.rs/io-uring) crate; what it has no
//! call for is filled in with raw system calls.
#![cfg(target_os = "linux")]

mod close;
pub mod entry;
mod eventfd;
mod field;
mod memory;
pub mod operations;
mod queues;
pub mod register;
mod resize;
mod retained;
mod ring;
mod setup;
pub mod sys;
mod table;

pub use entry::{Entry, EntryBytes, WideEntry};
pub use eventfd::Announce;
pub use field::{Address, File, Group, Slot};
pub use memory::Memory;
pub use queues::{Completion, State};
pub use ring::{FOREIGN, QueueFull, Ring};
pub use setup::{MAX_CQ_ENTRIES, MAX_ENTRIES, MODE, Setup};

//! io_uring for Linux: rings, typed operations that one table defines, exact counting of operations in flight, and a
//! drop that never frees memory which the kernel may still write to.
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
//! // SAFETY: `magic` lives until the completion below, and is not used before it.
//! unsafe { ring.push(&read)? };
//! ring.submit_and_wait(1, None)?;
//!
//! let completion = ring.pop().ok_or("no completion")?;
//! assert_eq!((completion.user_data, completion.result), (7, 4));
//! assert_eq!(&magic, b"\x7fELF");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`mod@operations`] has a builder for each operation, [`register`] describes everything that can be registered with a
//! ring, and [`sys`] has the kernel's constants, structures and system calls.
//!
//! The [`io-uring`](https://docs.rs/io-uring) crate maps and accesses the queues; it does not appear in this interface.
#![cfg(target_os = "linux")]

mod close;
pub mod entry;
mod errno;
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

pub use entry::{Entry, Entry128, EntryBytes};
pub use eventfd::EventfdMode;
pub use field::{Address, File, Group, Slot};
pub use memory::MappedMemory;
pub use queues::{Completion, QueueState};
pub use ring::{QueueFull, Ring, UNSOLICITED};
pub use setup::{MAX_CQ_ENTRIES, MAX_ENTRIES, MODE_FLAGS, Setup};

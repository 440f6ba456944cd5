//! Helpers of all test files.

use std::fs::File;
use std::io;
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::os::fd::{FromRawFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use typed_uring::operations::Nop;
use typed_uring::{Completion, Entry, QueueFull, Ring, Setup};

pub(crate) mod fifo;
pub(crate) mod pending;

pub(crate) type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

/// `IORING_NOP_*`.
pub(crate) const INJECT_RESULT: u32 = 1 << 0;
pub(crate) const CQE32: u32 = 1 << 5;

pub(crate) fn nop(user_data: u64) -> Entry {
    Nop::new().build().with_user_data(user_data)
}

/// Returns a no-op that completes with `result`; a negative result breaks a chain.
pub(crate) fn nop_with_result(user_data: u64, result: i32) -> Entry {
    Nop::new()
        .nop_flags(INJECT_RESULT)
        .result(result)
        .build()
        .with_user_data(user_data)
}

/// Pushes entries that reference no memory.
pub(crate) fn push(ring: &mut Ring, entries: &[Entry]) -> std::result::Result<(), QueueFull> {
    // SAFETY: the callers pass entries that reference no memory, or that fail or are waited for before it is freed.
    unsafe { ring.push_all(entries) }
}

/// Consumes all completions that need no system call.
pub(crate) fn take(ring: &mut Ring) -> Vec<Completion> {
    let mut taken = Vec::new();
    ring.reap(usize::MAX, |completion| taken.push(completion));
    taken
}

/// Waits until there are `count` completions.
pub(crate) fn wait_for(ring: &mut Ring, count: usize) -> io::Result<Vec<Completion>> {
    let mut taken = take(ring);
    while taken.len() < count {
        ring.submit_and_wait(1, Some(LONG))?;
        let arrived = take(ring);
        assert!(
            !arrived.is_empty(),
            "only {} of {count} completions arrived",
            taken.len()
        );
        taken.extend(arrived);
    }
    Ok(taken)
}

pub(crate) fn user_data(completions: &[Completion]) -> Vec<u64> {
    completions
        .iter()
        .map(|completion| completion.user_data)
        .collect()
}

pub(crate) fn results(completions: &[Completion]) -> Vec<i32> {
    completions.iter().map(|completion| completion.result).collect()
}

/// A ring that stays open if an assertion fails. Dropping it would wait for operations that were miscounted, and the
/// test would hang instead of failing.
#[derive(Debug)]
pub(crate) struct Guarded(ManuallyDrop<Ring>);

impl From<Ring> for Guarded {
    fn from(ring: Ring) -> Self {
        Self(ManuallyDrop::new(ring))
    }
}

impl Deref for Guarded {
    type Target = Ring;

    fn deref(&self) -> &Ring {
        &self.0
    }
}

impl DerefMut for Guarded {
    fn deref_mut(&mut self) -> &mut Ring {
        &mut self.0
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: this is the destructor, so the ring is dropped once and not used afterwards.
            unsafe { ManuallyDrop::drop(&mut self.0) };
        }
    }
}

/// Makes a ring with exactly these mode flags.
pub(crate) fn exactly(entries: u32, flags: u32) -> io::Result<Guarded> {
    Setup {
        entries,
        mode: Some(flags),
        ..Setup::default()
    }
    .build()
    .map(Guarded::from)
}

pub(crate) fn errno<T>(result: io::Result<T>) -> Option<i32> {
    result.err().and_then(|error| error.raw_os_error())
}

/// Makes a file in memory, so that tests leave no files behind.
pub(crate) fn memory_file() -> io::Result<File> {
    // SAFETY: the name ends with a NUL.
    let fd = unsafe { libc::memfd_create(c"test".as_ptr(), libc::MFD_CLOEXEC) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor was just made, and nothing else owns it.
    Ok(unsafe { File::from_raw_fd(fd) })
}

/// Makes an eventfd.
pub(crate) fn event_descriptor() -> io::Result<File> {
    // SAFETY: the call takes only numbers.
    let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor was just made, and nothing else owns it.
    Ok(unsafe { File::from_raw_fd(fd) })
}

/// A timeout that only a failing test reaches.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// Waits until a descriptor is readable, without entering a ring.
pub(crate) fn readable(fd: RawFd) -> io::Result<bool> {
    let mut poll = libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: `poll` is one `struct pollfd`, a local variable.
    let ready = unsafe { libc::poll(&raw mut poll, 1, LONG.as_millis() as i32) };
    if ready < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(ready > 0)
    }
}

/// Tells if a descriptor is readable now.
pub(crate) fn is_readable(fd: RawFd) -> io::Result<bool> {
    let mut poll = libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: `poll` is one `struct pollfd`, a local variable.
    match unsafe { libc::poll(&raw mut poll, 1, 0) } {
        -1 => Err(io::Error::last_os_error()),
        ready => Ok(ready > 0),
    }
}

/// Sends signals to this thread until dropped, so that waiting system calls return early.
pub(crate) struct Signals {
    over: Arc<AtomicBool>,
    sender: Option<JoinHandle<()>>,
}

extern "C" fn ignore(_: libc::c_int) {}

impl Signals {
    pub(crate) fn start() -> io::Result<Self> {
        // SAFETY: all-zero bytes are a valid `struct sigaction`.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = ignore as extern "C" fn(libc::c_int) as usize;
        // SAFETY: the action is valid, and its handler does nothing, which is safe at any time.
        if unsafe { libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut()) } < 0 {
            return Err(io::Error::last_os_error());
        }
        let over = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&over);
        // SAFETY: the call has no arguments and always succeeds.
        let thread = unsafe { libc::pthread_self() };
        let sender = std::thread::spawn(move || {
            while !seen.load(Ordering::Relaxed) {
                // SAFETY: that thread joins this one in `drop`, so it still exists.
                unsafe { libc::pthread_kill(thread, libc::SIGUSR1) };
                std::thread::yield_now();
            }
        });
        Ok(Self {
            over,
            sender: Some(sender),
        })
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(sender) = self.sender.take() {
            drop(sender.join());
        }
    }
}

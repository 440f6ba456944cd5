//! What the test files share.

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

pub(crate) mod pending;

pub(crate) type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

/// `IORING_NOP_*`.
pub(crate) const INJECT_RESULT: u32 = 1 << 0;
pub(crate) const CQE32: u32 = 1 << 5;

pub(crate) fn nop(user_data: u64) -> Entry {
    Nop::new().build().with_user_data(user_data)
}

/// A no-op that completes with `result`; a negative one breaks a chain.
pub(crate) fn nop_with_result(user_data: u64, result: i32) -> Entry {
    Nop::new()
        .nop_flags(INJECT_RESULT)
        .result(result)
        .build()
        .with_user_data(user_data)
}

/// Pushes entries that point at no memory.
pub(crate) fn push(ring: &mut Ring, entries: &[Entry]) -> std::result::Result<(), QueueFull> {
    // SAFETY: such entries have nothing that could become invalid.
    unsafe { ring.push_all(entries) }
}

/// Everything that can be taken without a system call.
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
        assert!(!arrived.is_empty(), "{} of {count} completions came", taken.len());
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

/// A ring that a failed assertion leaves open: dropping it would wait for what was miscounted, and the test would
/// hang where it should fail.
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
            // SAFETY: once, and nothing can use it afterwards.
            unsafe { ManuallyDrop::drop(&mut self.0) };
        }
    }
}

/// A ring with exactly these flags, or the error.
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

/// A file in memory, so that no test leaves anything behind.
pub(crate) fn memory_file() -> io::Result<File> {
    // SAFETY: the name is a string with a NUL at its end.
    let fd = unsafe { libc::memfd_create(c"test".as_ptr(), libc::MFD_CLOEXEC) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: just made, and nothing else owns it.
    Ok(unsafe { File::from_raw_fd(fd) })
}

/// An event counter that a ring can signal.
pub(crate) fn event_descriptor() -> io::Result<File> {
    // SAFETY: has no preconditions.
    let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: just made, and nothing else owns it.
    Ok(unsafe { File::from_raw_fd(fd) })
}

/// Long enough that only a test that has failed sees its end.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// Waits until a descriptor is readable, without touching any ring.
pub(crate) fn readable(fd: RawFd) -> io::Result<bool> {
    let mut poll = libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: one valid, writable `struct pollfd`.
    let ready = unsafe { libc::poll(&raw mut poll, 1, LONG.as_millis() as i32) };
    if ready < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(ready > 0)
    }
}

/// Signals for this thread, one after the other until dropped: system calls that wait return early.
pub(crate) struct Signals {
    over: Arc<AtomicBool>,
    sender: Option<JoinHandle<()>>,
}

extern "C" fn ignore(_: libc::c_int) {}

impl Signals {
    pub(crate) fn start() -> io::Result<Self> {
        // SAFETY: zeros are a valid `struct sigaction`.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = ignore as extern "C" fn(libc::c_int) as usize;
        // SAFETY: the action is valid, its handler does nothing, and nothing else uses this signal.
        if unsafe { libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut()) } < 0 {
            return Err(io::Error::last_os_error());
        }
        let over = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&over);
        // SAFETY: has no preconditions.
        let thread = unsafe { libc::pthread_self() };
        let sender = std::thread::spawn(move || {
            while !seen.load(Ordering::Relaxed) {
                // SAFETY: that thread joins this one, so it is there.
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

//! The binding's ring: everything cold as methods.
#![allow(unreachable_pub)] // `#[napi]` wants its items public, and a cdylib has no Rust interface

use std::cell::RefCell;
use std::os::fd::AsRawFd;
use std::rc::Rc;

use napi::bindgen_prelude::{Either, Function, Unknown};
use napi::{Env, Error, Result, Status};
use napi_derive::napi;
use typed_uring::{Announce, Ring, Setup};

use crate::area::{Area, Completions, Header, hold};
use crate::boundary::{Boundary, negative, number};
use crate::handle::Handle;
use crate::submit::submit_function;
use crate::syscalls::{Argument, pointer};
use crate::waker::{Backend, Callback};

/// What a ring is made with.
#[derive(Debug)]
#[napi(object)]
pub struct BindingSetup {
    /// Entries of the submission queue.
    pub entries: u32,
    /// Entries of the completion queue.
    pub cq_entries: Option<u32>,
    /// Setup flags beside the mode.
    pub flags: u32,
    /// Exactly this mode, or the best that the kernel takes.
    pub mode: Option<u32>,
    /// Milliseconds until an idle polling thread sleeps.
    pub sq_thread_idle: Option<u32>,
    /// Processor of the polling thread.
    pub sq_thread_cpu: Option<u32>,
    /// Ring whose workers are handle.
    pub wq_fd: Option<i32>,
}

/// A ring, without any of the safety that the facade adds.
#[derive(Debug)]
#[napi(js_name = "Ring")]
pub struct BindingRing {
    handle: Rc<Handle>,
}

#[napi]
impl BindingRing {
    /// A ring, or a negative `errno`.
    #[napi(catch_unwind)]
    #[allow(clippy::needless_pass_by_value)] // `#[napi]` hands objects over by value
    pub fn create(env: Env, setup: BindingSetup) -> Result<Either<BindingRing, i32>> {
        let default = Setup::default();
        let ring = Setup {
            entries: setup.entries,
            cq_entries: setup.cq_entries,
            flags: setup.flags,
            mode: setup.mode,
            sq_thread_idle: setup.sq_thread_idle.unwrap_or(default.sq_thread_idle),
            sq_thread_cpu: setup.sq_thread_cpu.unwrap_or(default.sq_thread_cpu),
            wq_fd: setup.wq_fd.unwrap_or(default.wq_fd),
        }
        .build();
        Ok(match ring {
            Ok(ring) => Either::A(Self {
                handle: Handle::new(&env, ring)?,
            }),
            Err(error) => Either::B(negative(&error)),
        })
    }

    /// Takes hold of the areas, and gives the hot function `submit()`. What it is to do stands in the status header:
    /// it copies entries of a submission area into the ring, enters the kernel, waits for completions for a slice of
    /// time at most, and appends what completed to the completion area. What came of it is in the header too.
    ///
    /// `slots` is what keeps the memory of everything in flight alive.
    #[napi(catch_unwind)]
    #[allow(clippy::too_many_arguments)] // one call, once a ring
    pub fn start<'env>(
        &self,
        env: &'env Env,
        #[napi(ts_arg_type = "Uint8Array")] pushed: Unknown,
        #[napi(ts_arg_type = "Uint8Array")] run: Unknown,
        #[napi(ts_arg_type = "Uint8Array")] completions: Unknown,
        #[napi(ts_arg_type = "Uint32Array")] status: Unknown,
        #[napi(ts_arg_type = "object")] slots: Unknown,
    ) -> Result<Function<'env, (), ()>> {
        let wide = self.handle.with(|ring| ring.wide_completions()).unwrap_or(false);
        let boundary = Boundary {
            staged: RefCell::new([Area::hold(env, "pushed", &pushed)?, Area::hold(env, "run", &run)?]),
            completions: Completions::new(Area::hold(env, "completions", &completions)?, wide)?,
            status: Header::new(Area::hold(env, "status", &status)?)?,
            slots: hold(env, &slots)?,
        };
        if self.handle.boundary.set(boundary).is_err() {
            return Err(Error::new(Status::GenericFailure, "the ring is started already"));
        }
        // By its index in this thread the kernel finds the ring without counting references. A thread has few.
        let _ = self.handle.with(Ring::prefer_ring_fd);
        submit_function(env, Rc::clone(&self.handle))
    }

    /// Calls `callback` when completions are ready: 0, or a negative `errno`. With `thread` a thread waits for them,
    /// and not the event loop. The callback is held strongly, and the event loop kept open, only while the status header
    /// asks for it.
    #[napi(catch_unwind)]
    pub fn start_waker(
        &self,
        env: Env,
        #[napi(ts_arg_type = "() => void")] callback: Unknown,
        thread: bool,
    ) -> Result<i32> {
        let backend = if thread { Backend::Thread } else { Backend::Poll };
        self.handle
            .start_waker(env, backend, Callback::new(env, &callback)?)
    }

    /// Copies `count` entries of a submission area into the ring without a system call, and says how many fitted.
    #[napi(catch_unwind)]
    pub fn publish(&self, area: u32, count: u32) -> u32 {
        self.handle
            .across(|ring, boundary| boundary.publish(ring, area, count))
            .unwrap_or(0)
    }

    /// One `io_uring_enter`: entries taken, or a negative `errno`. `wait` is the offset of a registered wait.
    #[napi(catch_unwind)]
    pub fn enter(&self, to_submit: u32, min_complete: u32, flags: u32, wait: Option<u32>) -> i32 {
        self.handle
            .across(|ring, boundary| boundary.enter(ring, to_submit, min_complete, flags, wait))
            .unwrap_or_else(|error| error)
    }

    /// Registers the ring's descriptor with this thread: its index, or a negative `errno`.
    #[napi(catch_unwind)]
    pub fn register_ring_fd(&self) -> i32 {
        self.handle
            .with(|ring| number(ring.register_ring_fd().map(|index| index as usize)))
            .unwrap_or_else(|error| error)
    }

    /// Gives that index back: 0, or a negative `errno`.
    #[napi(catch_unwind)]
    pub fn unregister_ring_fd(&self) -> i32 {
        self.handle
            .with(|ring| number(ring.unregister_ring_fd().map(|()| 0)))
            .unwrap_or_else(|error| error)
    }

    /// The ring's descriptor.
    #[napi(getter, catch_unwind)]
    pub fn fd(&self) -> i32 {
        self.handle.with(|ring| ring.as_raw_fd()).unwrap_or(-1)
    }

    /// Entries of the submission queue.
    #[napi(getter, catch_unwind)]
    pub fn entries(&self) -> u32 {
        self.handle.with(|ring| ring.entries()).unwrap_or(0)
    }

    /// Entries of the completion queue.
    #[napi(getter, catch_unwind)]
    pub fn cq_entries(&self) -> u32 {
        self.handle.with(|ring| ring.cq_entries()).unwrap_or(0)
    }

    /// `IORING_SETUP_*` as the kernel took them.
    #[napi(getter, catch_unwind)]
    pub fn setup_flags(&self) -> u32 {
        self.handle.with(|ring| ring.setup_flags()).unwrap_or(0)
    }

    /// `IORING_FEAT_*`.
    #[napi(getter, catch_unwind)]
    pub fn features(&self) -> u32 {
        self.handle.with(|ring| ring.features()).unwrap_or(0)
    }

    /// Entries that the kernel has not taken.
    #[napi(catch_unwind)]
    pub fn sq_ready(&self) -> u32 {
        self.handle.with(|ring| ring.sq_ready() as u32).unwrap_or(0)
    }

    /// Whether what is published needs a system call to start.
    #[napi(catch_unwind)]
    pub fn sq_needs_enter(&self) -> bool {
        self.handle.with(Ring::sq_needs_enter).unwrap_or(false)
    }

    /// Completions in the kernel's queue.
    #[napi(catch_unwind)]
    pub fn cq_ready(&self) -> u32 {
        self.handle.with(|ring| ring.cq_ready() as u32).unwrap_or(0)
    }

    /// Completions that the kernel lost for want of memory.
    #[napi(catch_unwind)]
    pub fn cq_lost(&self) -> u32 {
        self.handle.with(Ring::cq_dropped).unwrap_or(0)
    }

    /// Whether the kernel keeps completions that found no room.
    #[napi(catch_unwind)]
    pub fn cq_needs_flush(&self) -> bool {
        self.handle.with(Ring::cq_needs_flush).unwrap_or(false)
    }

    /// Opcodes that this kernel has; `None` where it cannot be asked.
    #[napi(catch_unwind)]
    pub fn probe(&self) -> Option<Vec<u8>> {
        let probe = self.handle.with(|ring| ring.probe().ok()).ok()??;
        Some(
            (0..=u8::MAX)
                .filter(|&opcode| probe.is_supported(opcode))
                .collect(),
        )
    }

    /// Gives the queues other sizes, and goes over to other submission areas: 0, or a negative `errno`, and everything is
    /// as it was.
    #[napi(catch_unwind)]
    pub fn resize(
        &self,
        env: Env,
        entries: u32,
        cq_entries: u32,
        #[napi(ts_arg_type = "Uint8Array")] pushed: Unknown,
        #[napi(ts_arg_type = "Uint8Array")] run: Unknown,
    ) -> Result<i32> {
        let pushed = Area::hold(&env, "pushed", &pushed)?;
        let run = match Area::hold(&env, "run", &run) {
            Ok(run) => run,
            Err(error) => {
                pushed.release(env.raw());
                return Err(error);
            }
        };
        let areas = [pushed, run];
        let resized = self
            .handle
            .across(|ring, _| number(ring.resize(entries, cq_entries).map(|()| 0)))
            .unwrap_or_else(|error| error);
        match self.handle.boundary.get() {
            Some(boundary) if resized == 0 => boundary.stage_in(env.raw(), areas),
            _ => areas.iter().for_each(|area| area.release(env.raw())),
        }
        Ok(resized)
    }

    /// One `io_uring_register`: what the opcode gives, or a negative `errno`. What the kernel keeps of the argument, and
    /// of what that points at, the facade holds.
    #[napi(catch_unwind)]
    pub fn register(&self, opcode: u32, mut argument: Argument, count: u32) -> i32 {
        let argument = pointer(&mut argument);
        self.handle
            // SAFETY: the facade encodes what the opcode expects, and keeps alive what it keeps.
            .with(|ring| number(unsafe { ring.register(opcode, argument.cast(), count) }.map(|n| n as usize)))
            .unwrap_or_else(|error| error)
    }

    /// Registers an eventfd of the program's: 0, or a negative `errno`. With `workers` it hears of what kernel
    /// workers complete, and of nothing else.
    #[napi(catch_unwind)]
    pub fn register_eventfd(&self, fd: i32, workers: bool) -> i32 {
        let announce = if workers { Announce::Workers } else { Announce::All };
        self.handle
            .with(|ring| number(ring.register_open_eventfd(fd, announce).map(|()| 0)))
            .unwrap_or_else(|error| error)
    }

    /// Takes it away: 0, or a negative `errno`. The waker's is none of the program's.
    #[napi(catch_unwind)]
    pub fn unregister_eventfd(&self) -> i32 {
        self.handle
            .with(|ring| {
                if ring.has_eventfd() {
                    return -libc::ENXIO;
                }
                number(ring.unregister_eventfd().map(|()| 0))
            })
            .unwrap_or_else(|error| error)
    }

    /// The kernel's switch: 1 where completions are announced, 0 where not, or a negative `errno`.
    #[napi(catch_unwind)]
    pub fn eventfd_enabled(&self) -> i32 {
        self.handle
            .with(|ring| number(ring.eventfd_enabled().map(usize::from)))
            .unwrap_or_else(|error| error)
    }

    /// Turns it: 0, or a negative `errno`. `EBUSY` where the waker turns it.
    #[napi(catch_unwind)]
    pub fn enable_eventfd(&self, enabled: bool) -> i32 {
        self.handle
            .with(|ring| {
                if ring.has_eventfd() {
                    return -libc::EBUSY;
                }
                number(ring.enable_eventfd(enabled).map(|()| 0))
            })
            .unwrap_or_else(|error| error)
    }

    /// Tells of the entry flags that the ring's restrictions require.
    #[napi(catch_unwind)]
    pub fn require_flags(&self, flags: u8) {
        let _ = self.handle.with(|ring| ring.require_flags(flags)); // a closed ring cancels nothing
    }

    /// Asks the kernel to cancel everything: 0, or a negative `errno`.
    #[napi(catch_unwind)]
    pub fn cancel_all(&self) -> i32 {
        self.handle
            .with(|ring| number(ring.cancel_all().map(|()| 0)))
            .unwrap_or_else(|error| error)
    }

    /// Takes what has completed, discards it, and says whether more is to come. `false` where completions cannot tell:
    /// then `close` has to.
    #[napi(catch_unwind)]
    pub fn must_wait(&self) -> bool {
        self.handle
            .with(|ring| !ring.may_be_silent() && ring.is_busy().unwrap_or(true))
            .unwrap_or(false)
    }

    /// Cancels everything, waits until the kernel has let go of it, and closes the ring.
    #[napi(catch_unwind)]
    pub fn close(&self) {
        self.handle.close();
    }
}

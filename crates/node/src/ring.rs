//! The binding's `Ring` class: everything but the `submit` function.
#![allow(unreachable_pub)] // `#[napi]` needs public items, and a cdylib has no Rust interface

use std::cell::RefCell;
use std::io;
use std::os::fd::AsRawFd;
use std::rc::Rc;

use napi::bindgen_prelude::{Either, Function, Unknown};
use napi::{Env, Error, Result, Status};
use napi_derive::napi;
use typed_uring::{EventfdMode, Ring, Setup};

use crate::area::{Area, Completions, Header, hold};
use crate::boundary::Boundary;
use crate::errno::{negative, number};
use crate::handle::Handle;
use crate::submit::submit_function;
use crate::syscalls::{Argument, pointer};
use crate::waker::{Backend, Callback};

/// Options of a ring.
#[derive(Debug)]
#[napi(object)]
pub struct BindingSetup {
    /// Capacity of the submission queue in entries.
    pub entries: u32,
    /// Capacity of the completion queue in entries.
    pub cq_entries: Option<u32>,
    /// Setup flags in addition to the mode.
    pub flags: u32,
    /// The mode; by default the best that the kernel supports.
    pub mode: Option<u32>,
    /// Milliseconds after which an idle SQPOLL thread sleeps.
    pub sq_thread_idle: Option<u32>,
    /// Processor that the SQPOLL thread runs on.
    pub sq_thread_cpu: Option<u32>,
    /// Descriptor of the ring whose kernel workers are shared.
    pub wq_fd: Option<i32>,
}

/// A ring, without the safety that the facade adds.
#[derive(Debug)]
#[napi(js_name = "Ring")]
pub struct BindingRing {
    handle: Rc<Handle>,
}

#[napi]
impl BindingRing {
    /// Makes a ring, or returns a negative `errno`.
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

    /// Holds the areas, and returns the function `submit()`. It executes the request in the status header: copies
    /// entries of a submission area into the ring, enters the kernel, waits for completions, and appends them to the
    /// completion area. It writes the outcome to the header.
    ///
    /// `submissions` is the object that keeps the memory of everything in flight alive.
    #[napi(catch_unwind)]
    #[allow(clippy::too_many_arguments)] // called once for each ring
    pub fn start<'env>(
        &self,
        env: &'env Env,
        #[napi(ts_arg_type = "Uint8Array")] pushed: Unknown,
        #[napi(ts_arg_type = "Uint8Array")] run: Unknown,
        #[napi(ts_arg_type = "Uint8Array")] completions: Unknown,
        #[napi(ts_arg_type = "Uint32Array")] status: Unknown,
        #[napi(ts_arg_type = "object")] submissions: Unknown,
    ) -> Result<Function<'env, (), ()>> {
        let cqe32 = self.handle.with(|ring| ring.has_cqe32()).unwrap_or(false);
        let boundary = Boundary {
            submission_areas: RefCell::new([
                Area::hold(env, "pushed", &pushed)?,
                Area::hold(env, "run", &run)?,
            ]),
            completions: Completions::new(Area::hold(env, "completions", &completions)?, cqe32)?,
            status: Header::new(Area::hold(env, "status", &status)?)?,
            submissions: hold(env, &submissions)?,
        };
        if self.handle.boundary.set(boundary).is_err() {
            return Err(Error::new(
                Status::GenericFailure,
                "start() was called on this ring already",
            ));
        }
        // With its index in this thread the kernel finds the ring without counting references.
        let _ = self.handle.with(Ring::try_register_ring_fd);
        submit_function(env, Rc::clone(&self.handle))
    }

    /// Starts calling `callback` when completions are ready: 0, or a negative `errno`. With `thread` a thread waits for
    /// them instead of the event loop. The word `KEEP` of the status header decides if the callback is held strongly
    /// and if the event loop stays open.
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

    /// Copies up to `count` entries of a submission area into the ring without a system call, and returns how many fit.
    #[napi(catch_unwind)]
    pub fn publish(&self, area: u32, count: u32) -> u32 {
        self.handle
            .across(|ring, boundary| boundary.publish(ring, area, count))
            .unwrap_or(0)
    }

    /// Makes one io_uring_enter(2) call: entries consumed, or a negative `errno`. `wait` is the offset of a registered
    /// wait.
    #[napi(catch_unwind)]
    pub fn enter(&self, to_submit: u32, min_complete: u32, flags: u32, wait: Option<u32>) -> i32 {
        self.handle
            .across(|ring, boundary| boundary.enter(ring, to_submit, min_complete, flags, wait))
            .unwrap_or_else(|error| error)
    }

    /// Registers the ring's own descriptor with this thread: its index, or a negative `errno`.
    #[napi(catch_unwind)]
    pub fn register_ring_fd(&self) -> i32 {
        self.handle.call(Ring::register_ring_fd)
    }

    /// Unregisters the ring's own descriptor: 0, or a negative `errno`.
    #[napi(catch_unwind)]
    pub fn unregister_ring_fd(&self) -> i32 {
        self.handle.call(Ring::unregister_ring_fd)
    }

    /// Returns the ring's descriptor, or -1 if it is closed.
    #[napi(getter, catch_unwind)]
    pub fn fd(&self) -> i32 {
        self.handle.with(|ring| ring.as_raw_fd()).unwrap_or(-1)
    }

    /// Returns the capacity of the submission queue in entries.
    #[napi(getter, catch_unwind)]
    pub fn entries(&self) -> u32 {
        self.handle.with(|ring| ring.entries()).unwrap_or(0)
    }

    /// Returns the capacity of the completion queue in entries.
    #[napi(getter, catch_unwind)]
    pub fn cq_entries(&self) -> u32 {
        self.handle.with(|ring| ring.cq_entries()).unwrap_or(0)
    }

    /// Returns the setup flags of the ring, `IORING_SETUP_*`.
    #[napi(getter, catch_unwind)]
    pub fn setup_flags(&self) -> u32 {
        self.handle.with(|ring| ring.setup_flags()).unwrap_or(0)
    }

    /// Returns the features of the kernel, `IORING_FEAT_*`.
    #[napi(getter, catch_unwind)]
    pub fn features(&self) -> u32 {
        self.handle.with(|ring| ring.features()).unwrap_or(0)
    }

    /// Returns the number of entries that the kernel has not consumed.
    #[napi(catch_unwind)]
    pub fn sq_ready(&self) -> u32 {
        self.handle.with(|ring| ring.sq_ready() as u32).unwrap_or(0)
    }

    /// Tells if queued entries need a system call to start.
    #[napi(catch_unwind)]
    pub fn sq_needs_enter(&self) -> bool {
        self.handle.with(Ring::sq_needs_enter).unwrap_or(false)
    }

    /// Returns the number of completions in the completion queue.
    #[napi(catch_unwind)]
    pub fn cq_ready(&self) -> u32 {
        self.handle.with(|ring| ring.cq_ready() as u32).unwrap_or(0)
    }

    /// Returns the number of completions that the kernel lost because it had no memory.
    #[napi(catch_unwind)]
    pub fn cq_lost(&self) -> u32 {
        self.handle.with(Ring::cq_dropped).unwrap_or(0)
    }

    /// Tells if the completion queue has overflowed.
    #[napi(catch_unwind)]
    pub fn cq_needs_flush(&self) -> bool {
        self.handle.with(Ring::cq_needs_flush).unwrap_or(false)
    }

    /// Returns the opcodes that the kernel supports, or `null` if it cannot be asked.
    #[napi(catch_unwind)]
    pub fn probe(&self) -> Option<Vec<u8>> {
        let probe = self.handle.with(|ring| ring.probe().ok()).ok()??;
        Some(
            (0..=u8::MAX)
                .filter(|&opcode| probe.is_supported(opcode))
                .collect(),
        )
    }

    /// Resizes the queues and replaces the submission areas: 0, or a negative `errno`, and nothing has changed.
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
            .across(|ring, _| number(ring.resize(entries, cq_entries)))
            .unwrap_or_else(|error| error);
        match self.handle.boundary.get() {
            Some(boundary) if resized == 0 => boundary.replace_areas(env.raw(), areas),
            _ => areas.iter().for_each(|area| area.release(env.raw())),
        }
        Ok(resized)
    }

    /// Makes one io_uring_register(2) call: the number that the opcode returns, or a negative `errno`. The facade holds
    /// what the kernel keeps of the argument and of the memory that it references.
    #[napi(catch_unwind)]
    pub fn register(&self, opcode: u32, mut argument: Argument, count: u32) -> i32 {
        let argument = pointer(&mut argument);
        // SAFETY: the facade encodes the argument that the opcode expects, and keeps it and the memory that it
        // references alive for as long as the kernel uses them. It marks tags as unsolicited, and has methods of its
        // own for the opcodes that the ring must see.
        self.handle
            .call(|ring| unsafe { ring.register(opcode, argument.cast(), count) })
    }

    /// Registers an eventfd of the program: 0, or a negative `errno`. With `workers` only completions of operations
    /// that a kernel worker runs write to it.
    #[napi(catch_unwind)]
    pub fn register_eventfd(&self, fd: i32, workers: bool) -> i32 {
        let mode = if workers {
            EventfdMode::Workers
        } else {
            EventfdMode::All
        };
        self.handle.call(|ring| ring.register_unmanaged_eventfd(fd, mode))
    }

    /// Unregisters the eventfd of the program: 0, or a negative `errno`. `ENXIO` if the registered eventfd is the
    /// waker's.
    #[napi(catch_unwind)]
    pub fn unregister_eventfd(&self) -> i32 {
        self.handle.call(|ring| {
            if ring.has_managed_eventfd() {
                return Err(io::Error::from_raw_os_error(libc::ENXIO));
            }
            ring.unregister_eventfd()
        })
    }

    /// Returns 1 if completions write to the eventfd, 0 if not, or a negative `errno`.
    #[napi(catch_unwind)]
    pub fn eventfd_enabled(&self) -> i32 {
        self.handle.call(Ring::eventfd_enabled)
    }

    /// Enables or disables writes to the eventfd: 0, or a negative `errno`. `EBUSY` if the eventfd is the waker's.
    #[napi(catch_unwind)]
    pub fn enable_eventfd(&self, enabled: bool) -> i32 {
        self.handle.call(|ring| {
            if ring.has_managed_eventfd() {
                return Err(io::Error::from_raw_os_error(libc::EBUSY));
            }
            ring.enable_eventfd(enabled)
        })
    }

    /// Declares the entry flags that the ring's restrictions require.
    #[napi(catch_unwind)]
    pub fn require_flags(&self, flags: u8) {
        let _ = self.handle.with(|ring| ring.require_flags(flags)); // a closed ring cancels nothing
    }

    /// Asks the kernel to cancel everything in flight: 0, or a negative `errno`.
    #[napi(catch_unwind)]
    pub fn cancel_all(&self) -> i32 {
        self.handle.call(Ring::cancel_all)
    }

    /// Discards all completions, and tells if the kernel still holds operations. `false` also if completions cannot
    /// show that; then `close` waits.
    #[napi(catch_unwind)]
    pub fn must_wait(&self) -> bool {
        self.handle
            .with(|ring| ring.in_flight_is_exact() && ring.discard_completions().unwrap_or(true))
            .unwrap_or(false)
    }

    /// Cancels everything, waits until the kernel has released it, and closes the ring.
    #[napi(catch_unwind)]
    pub fn close(&self) {
        self.handle.close();
    }
}

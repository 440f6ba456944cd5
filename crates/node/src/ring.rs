//! The binding's ring: everything cold as methods, the hot path as one closure, and an end that drains.

use std::cell::{Cell, OnceCell, RefCell};
use std::ffi::c_void;
use std::os::fd::AsRawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::rc::{Rc, Weak};
use std::time::Duration;

use napi::bindgen_prelude::{Either, FromNapiValue, Function, Unknown};
use napi::{CleanupEnvHook, Env, Error, Result, Status, sys};
use napi_derive::napi;
use typed_uring::{Ring, Setup};

use crate::area::{Area, Completions, Header, hold, release, status};

/// The submission area that stands for none.
const NOTHING: usize = 2;

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
    /// Ring whose workers are shared.
    pub wq_fd: Option<i32>,
}

/// A ring, without any of the safety that the facade adds.
#[derive(Debug)]
#[napi(js_name = "Ring")]
pub struct BindingRing {
    shared: Rc<Shared>,
}

#[napi]
impl BindingRing {
    /// A ring, or a negative `errno`.
    #[napi(catch_unwind)]
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
                shared: Shared::new(&env, ring)?,
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
        let wide = self.shared.with(|ring| ring.wide_completions()).unwrap_or(false);
        let boundary = Boundary {
            staged: [Area::hold(env, "pushed", &pushed)?, Area::hold(env, "run", &run)?],
            completions: Completions::new(Area::hold(env, "completions", &completions)?, wide)?,
            status: Header::new(Area::hold(env, "status", &status)?)?,
            slots: hold(env, &slots)?,
        };
        if self.shared.boundary.set(boundary).is_err() {
            return Err(Error::new(Status::GenericFailure, "the ring is started already"));
        }
        hot_function(env, Rc::clone(&self.shared))
    }

    /// Copies `count` entries of a submission area into the ring without a system call, and says how many fitted.
    #[napi(catch_unwind)]
    pub fn publish(&self, area: u32, count: u32) -> u32 {
        self.shared
            .across(|ring, boundary| boundary.publish(ring, area, count))
            .unwrap_or(0)
    }

    /// One `io_uring_enter`: entries taken, or a negative `errno`.
    #[napi(catch_unwind)]
    pub fn enter(&self, to_submit: u32, min_complete: u32, flags: u32) -> i32 {
        self.shared
            .across(|ring, boundary| boundary.enter(ring, to_submit, min_complete, flags))
            .unwrap_or_else(|error| error)
    }

    /// The ring's descriptor.
    #[napi(getter, catch_unwind)]
    pub fn fd(&self) -> i32 {
        self.shared.with(|ring| ring.as_raw_fd()).unwrap_or(-1)
    }

    /// Entries of the submission queue.
    #[napi(getter, catch_unwind)]
    pub fn entries(&self) -> u32 {
        self.shared.with(|ring| ring.entries()).unwrap_or(0)
    }

    /// Entries of the completion queue.
    #[napi(getter, catch_unwind)]
    pub fn cq_entries(&self) -> u32 {
        self.shared.with(|ring| ring.cq_entries()).unwrap_or(0)
    }

    /// `IORING_SETUP_*` as the kernel took them.
    #[napi(getter, catch_unwind)]
    pub fn setup_flags(&self) -> u32 {
        self.shared.with(|ring| ring.setup_flags()).unwrap_or(0)
    }

    /// `IORING_FEAT_*`.
    #[napi(getter, catch_unwind)]
    pub fn features(&self) -> u32 {
        self.shared.with(|ring| ring.features()).unwrap_or(0)
    }

    /// Entries that the kernel has not taken.
    #[napi(catch_unwind)]
    pub fn sq_ready(&self) -> u32 {
        self.shared.with(|ring| ring.sq_ready() as u32).unwrap_or(0)
    }

    /// Whether what is published needs a system call to start.
    #[napi(catch_unwind)]
    pub fn sq_needs_enter(&self) -> bool {
        self.shared.with(Ring::sq_needs_enter).unwrap_or(false)
    }

    /// Completions in the kernel's queue.
    #[napi(catch_unwind)]
    pub fn cq_ready(&self) -> u32 {
        self.shared.with(|ring| ring.cq_ready() as u32).unwrap_or(0)
    }

    /// Completions that the kernel lost for want of memory.
    #[napi(catch_unwind)]
    pub fn cq_lost(&self) -> u32 {
        self.shared.with(Ring::cq_dropped).unwrap_or(0)
    }

    /// Whether the kernel keeps completions that found no room.
    #[napi(catch_unwind)]
    pub fn cq_needs_flush(&self) -> bool {
        self.shared.with(Ring::cq_needs_flush).unwrap_or(false)
    }

    /// Opcodes that this kernel has; `None` where it cannot be asked.
    #[napi(catch_unwind)]
    pub fn probe(&self) -> Option<Vec<u8>> {
        let probe = self.shared.with(|ring| ring.probe().ok()).ok()??;
        Some(
            (0..=u8::MAX)
                .filter(|&opcode| probe.is_supported(opcode))
                .collect(),
        )
    }

    /// Asks the kernel to cancel everything: 0, or a negative `errno`.
    #[napi(catch_unwind)]
    pub fn cancel_all(&self) -> i32 {
        self.shared
            .with(|ring| number(ring.cancel_all().map(|()| 0)))
            .unwrap_or_else(|error| error)
    }

    /// Takes what has completed, discards it, and says whether more is to come. `false` where completions cannot tell:
    /// then `close` has to.
    #[napi(catch_unwind)]
    pub fn must_wait(&self) -> bool {
        self.shared
            .with(|ring| ring.is_busy().unwrap_or(true))
            .unwrap_or(false)
    }

    /// Cancels everything, waits until the kernel has let go of it, and closes the ring.
    #[napi(catch_unwind)]
    pub fn close(&self) {
        self.shared.close();
    }
}

/// What the class and the hot closure share.
struct Shared {
    /// Gone once the ring is closed.
    ring: RefCell<Option<Ring>>,
    boundary: OnceCell<Boundary>,
    /// Alive for as long as this: the class and the closure are the environment's, and its end runs the hook first.
    env: sys::napi_env,
    hook: Cell<Option<CleanupEnvHook<Weak<Self>>>>,
}

/// JavaScript memory that is held until the ring is closed.
#[derive(Debug)]
struct Boundary {
    /// What was pushed, and what was run: an `await` between two linked pushes must not cut the chain.
    staged: [Area; 2],
    completions: Completions,
    status: Header,
    slots: sys::napi_ref,
}

impl Shared {
    fn new(env: &Env, ring: Ring) -> Result<Rc<Self>> {
        let shared = Rc::new(Self {
            ring: RefCell::new(Some(ring)),
            boundary: OnceCell::new(),
            env: env.raw(),
            hook: Cell::new(None),
        });
        // Weak: the hook must not keep alive what it is there to end.
        let hook = env.add_env_cleanup_hook(Rc::downgrade(&shared), |shared| {
            if let Some(shared) = shared.upgrade() {
                shared.hook.take(); // it is running: nothing is left to remove
                // A panic here has no caller; what it left undone is the process's to clean up.
                let _ = catch_unwind(AssertUnwindSafe(|| shared.close()));
            }
        })?;
        shared.hook.set(Some(hook));
        Ok(shared)
    }

    /// Does something with the open ring. Nothing in here runs JavaScript, so the ring is never busy with another
    /// call.
    fn with<T>(&self, f: impl FnOnce(&mut Ring) -> T) -> std::result::Result<T, i32> {
        match self.ring.try_borrow_mut() {
            Ok(mut ring) => ring.as_mut().map(f).ok_or(-libc::EBADF),
            Err(_) => Err(-libc::EDEADLK),
        }
    }

    /// Does something with the open ring and its areas. Once the ring is closed the areas are not ours any more.
    fn across<T>(&self, f: impl FnOnce(&mut Ring, &Boundary) -> T) -> std::result::Result<T, i32> {
        let boundary = self.boundary.get().ok_or(-libc::EBADF)?;
        self.with(|ring| f(ring, boundary))
    }

    /// Waits for the kernel, then lets go of everything that was held for it. The order is the point.
    fn close(&self) {
        let Ok(mut ring) = self.ring.try_borrow_mut() else {
            return;
        };
        let Some(ring) = ring.take() else { return };
        if let Some(hook) = self.hook.take() {
            // It cannot be missing, and a failure would leave a hook that finds nothing to do.
            let _ = Env::from_raw(self.env).remove_env_cleanup_hook(hook);
        }
        match ring.close() {
            Ok(()) => {
                if let Some(boundary) = self.boundary.get() {
                    boundary.status.set(status::IN_FLIGHT, 0);
                    boundary.release(self.env);
                }
            }
            // Whatever the kernel may still write is held for ever.
            Err(error) => {
                eprintln!("uring: a ring is left open, its operations cannot be waited for: {error}");
            }
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.close();
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("ring", &self.ring)
            .finish_non_exhaustive()
    }
}

impl Boundary {
    /// Copies entries `from..to` of an area into the ring, as many as fit without cutting a chain.
    fn copy(&self, ring: &mut Ring, area: usize, from: usize, to: usize) -> usize {
        let size = ring.entry_size();
        let Some(area) = self.staged.get(area) else {
            return 0;
        };
        let to = to.min(area.bytes() / size);
        if from >= to {
            return 0;
        }
        // SAFETY: inside the area, which is held and aligned to 8. The facade's slot table keeps what the entries
        // point at alive until they complete, and we hold the slot table until the ring is closed.
        unsafe { ring.push_bytes(area.data().add(from * size), to - from) }
    }

    fn publish(&self, ring: &mut Ring, area: u32, count: u32) -> u32 {
        let copied = self.copy(ring, area as usize, 0, count as usize);
        self.count_entries(ring);
        copied as u32
    }

    fn enter(&self, ring: &mut Ring, to_submit: u32, min_complete: u32, flags: u32) -> i32 {
        self.count_enter();
        let result = number(ring.enter(to_submit, min_complete, flags));
        self.count_entries(ring);
        result
    }

    /// What the hot function does.
    fn submit(&self, ring: &mut Ring) {
        let area = self.status.get(status::AREA) as usize;
        let error = if area == NOTHING {
            self.get_events(ring)
        } else {
            self.submit_area(ring, area)
        };
        self.status.set(status::ERRNO, error as u32);
        // Completions are taken even when the call failed: it may have been a signal that ended a wait.
        self.reap(ring);
    }

    fn get_events(&self, ring: &mut Ring) -> i32 {
        self.count_enter();
        ring.get_events().map_or_else(|error| negative(&error), |()| 0)
    }

    /// 0, or a negative `errno`.
    fn submit_area(&self, ring: &mut Ring, area: usize) -> i32 {
        let count = self.status.get(status::COUNT) as usize;
        let (mut error, mut taken) = (0, 0);
        let mut enter = |ring: &mut Ring, want: u32, timeout: Duration| {
            self.count_enter();
            match ring.submit_and_wait(want, Some(timeout)) {
                Ok(entries) => {
                    taken += entries as u32;
                    entries > 0
                }
                Err(failure) => {
                    error = negative(&failure);
                    false
                }
            }
        };

        let mut copied = self.copy(ring, area, 0, count);
        // What an earlier call could not hand over goes first, and makes room.
        while copied < count && enter(ring, 0, Duration::ZERO) {
            copied += self.copy(ring, area, copied, count);
        }
        if copied == count {
            let slice = Duration::from_micros(u64::from(self.status.get(status::SLICE)));
            enter(ring, self.status.get(status::WANT), slice);
        }
        self.status.set(status::COPIED, copied as u32);
        self.status.set(status::TAKEN, taken);
        error
    }

    /// Appends what has completed to the completion area, as far as there is room.
    fn reap(&self, ring: &mut Ring) {
        let mut room = self.completions.room(&self.status);
        let mut tail = self.status.get(status::TAIL);
        if tail == self.status.get(status::HEAD) {
            // All taken: starting over keeps the area in the processor's cache.
            tail = 0;
            self.status.set(status::HEAD, 0);
        }
        loop {
            let reaped = ring.reap(room, |completion| {
                self.completions.write(tail, &completion);
                tail = tail.wrapping_add(1);
            });
            room -= reaped;
            // Some wait in the kernel for room, or for this thread to come in (one call lets twenty arrive).
            if room == 0 || !(ring.cq_needs_flush() || ring.has_task_work()) {
                break;
            }
            self.count_enter();
            if ring.get_events().is_err() || ring.cq_ready() == 0 {
                break;
            }
        }
        self.status.set(status::TAIL, tail);
        self.status.set(
            status::MORE,
            u32::from(ring.cq_ready() > 0 || ring.cq_needs_flush()),
        );
        self.count_entries(ring);
    }

    fn count_entries(&self, ring: &mut Ring) {
        self.status.set(status::IN_FLIGHT, clamp(ring.in_flight()));
        self.status.set(status::SQ_READY, ring.sq_ready() as u32);
    }

    fn count_enter(&self) {
        self.status
            .set(status::ENTERS, self.status.get(status::ENTERS).wrapping_add(1));
    }

    fn release(&self, env: sys::napi_env) {
        self.staged.iter().for_each(|area| area.release(env));
        self.completions.release(env);
        self.status.release(env);
        release(env, self.slots);
    }
}

fn clamp(in_flight: u64) -> u32 {
    u32::try_from(in_flight).unwrap_or(u32::MAX)
}

fn negative(error: &std::io::Error) -> i32 {
    -error.raw_os_error().unwrap_or(libc::EIO)
}

fn number(result: std::io::Result<usize>) -> i32 {
    match result {
        Ok(entries) => entries as i32,
        Err(error) => negative(&error),
    }
}

/// `submit()` as a plain Node-API function: without arguments and without the wrapping that napi-rs gives a closure it
/// costs a third, which shows in small batches.
fn hot_function(env: &Env, shared: Rc<Shared>) -> Result<Function<'_, (), ()>> {
    let name = c"submit";
    let data = Rc::into_raw(shared).cast_mut().cast();
    let mut function = ptr::null_mut();
    // SAFETY: the callback reads `data` as what it is, and the finalizer below gives it back.
    let status = unsafe {
        sys::napi_create_function(
            env.raw(),
            name.as_ptr(),
            -1,
            Some(submit),
            data,
            &raw mut function,
        )
    };
    let status = match status {
        // SAFETY: the function was just made; the finalizer runs once, when it is collected.
        sys::Status::napi_ok => unsafe {
            sys::napi_add_finalizer(
                env.raw(),
                function,
                data,
                Some(forget),
                ptr::null_mut(),
                ptr::null_mut(),
            )
        },
        status => status,
    };
    if status != sys::Status::napi_ok {
        // A function without its finalizer is not handed out. What it holds is left for good: it may be called no
        // more, but whether it was made is not known.
        return Err(Error::new(
            Status::from(status),
            "the hot function could not be made",
        ));
    }
    // SAFETY: the value is a function of this environment, in the scope of the call that `env` was borrowed for.
    unsafe { Function::from_napi_value(env.raw(), function) }
}

/// # Safety
///
/// Called by Node.js for the function that [`hot_function`] made, which is alive.
unsafe extern "C" fn submit(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    let mut data = ptr::null_mut();
    // SAFETY: `info` belongs to this call; only the data pointer is asked for.
    unsafe {
        sys::napi_get_cb_info(
            env,
            info,
            ptr::null_mut(),
            ptr::null_mut(),
            ptr::null_mut(),
            &raw mut data,
        );
    }
    // SAFETY: `data` is what `hot_function` stored, a reference count that the living function holds.
    let Some(shared) = (unsafe { data.cast::<Shared>().as_ref() }) else {
        return ptr::null_mut();
    };
    // A panic must not cross into Node.js: it would abort the process.
    if catch_unwind(AssertUnwindSafe(|| {
        shared.across(|ring, boundary| boundary.submit(ring))
    }))
    .is_err()
    {
        // SAFETY: both strings end with a NUL; the exception is thrown when this call returns.
        unsafe { sys::napi_throw_error(env, c"GenericFailure".as_ptr(), c"the binding panicked".as_ptr()) };
    }
    ptr::null_mut()
}

/// # Safety
///
/// Called by Node.js once, when the function that [`hot_function`] made is collected.
unsafe extern "C" fn forget(_env: sys::napi_env, data: *mut c_void, _hint: *mut c_void) {
    // SAFETY: the reference count that `hot_function` gave away, taken back once. Dropping it may close the ring, which
    // waits for the kernel and runs no JavaScript.
    drop(unsafe { Rc::from_raw(data.cast::<Shared>()) });
}

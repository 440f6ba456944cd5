//! Moving batches across the boundary: entries into the ring, completions out of it.

use std::cell::RefCell;
use std::time::Duration;

use napi::sys;
use typed_uring::Ring;

use crate::area::{Area, Completions, Header, release};
use crate::errno::{negative, number};
use crate::layout::{area as areas, status};

// The submission areas are an array, indexed by these.
const _: () = assert!(areas::PUSHED == 0 && areas::RUN == 1);

/// Largest number of completions waiting for this thread that the kernel posts in one call.
const TASK_WORK_AT_ONCE: u64 = 20;

/// The JavaScript memory that is held until the ring is closed.
#[derive(Debug)]
pub(crate) struct Boundary {
    /// The submission areas, by their numbers in [`layout::area`](areas).
    pub(crate) submission_areas: RefCell<[Area; 2]>,
    pub(crate) completions: Completions,
    pub(crate) status: Header,
    /// The facade's table of submissions, which keeps the memory of everything in flight alive.
    pub(crate) submissions: sys::napi_ref,
}

impl Boundary {
    /// Copies as many of the entries `from..to` of an area into the ring as fit without cutting a chain, and returns
    /// their number.
    fn copy(&self, ring: &mut Ring, area: usize, from: usize, to: usize) -> usize {
        let size = ring.entry_size();
        let areas = self.submission_areas.borrow();
        let Some(area) = areas.get(area) else {
            return 0;
        };
        let to = to.min(area.bytes() / size);
        if from >= to {
            return 0;
        }
        // SAFETY: `to` is at most the number of entries in the area, which is held and aligned to 8. The facade's table
        // of submissions keeps the memory that the entries reference alive until they complete, and `self.submissions`
        // holds that table until the ring is closed.
        let copied = unsafe { ring.push_bytes(area.data().add(from * size), to - from) };
        // SAFETY: these are the entries that were just read, at most up to `to`. They are zeroed because the facade
        // sets only the fields that are not zero.
        unsafe { area.data().add(from * size).write_bytes(0, copied * size) };
        copied
    }

    /// Replaces the submission areas, and releases the old ones.
    pub(crate) fn replace_areas(&self, env: sys::napi_env, areas: [Area; 2]) {
        let before = self.submission_areas.replace(areas);
        for area in &before {
            area.release(env);
        }
    }

    /// Copies entries into the ring, and returns how many fit.
    pub(crate) fn publish(&self, ring: &mut Ring, area: u32, count: u32) -> u32 {
        let copied = self.copy(ring, area as usize, 0, count as usize);
        self.update_counts(ring);
        copied as u32
    }

    /// Makes one io_uring_enter(2) call: entries that the kernel consumed, or a negative `errno`.
    pub(crate) fn enter(
        &self,
        ring: &mut Ring,
        to_submit: u32,
        min_complete: u32,
        flags: u32,
        wait: Option<u32>,
    ) -> i32 {
        self.count_enter();
        let result = number(match wait {
            Some(offset) => ring.enter_registered(to_submit, min_complete, flags, offset as usize),
            None => ring.enter(to_submit, min_complete, flags),
        });
        self.update_counts(ring);
        result
    }

    /// Executes the request in the status header.
    pub(crate) fn submit(&self, ring: &mut Ring) {
        let area = self.status.get(status::AREA) as usize;
        if area == areas::NO_CALL {
            return;
        }
        // This call consumes the completions that arrive in it, so they need not wake the event loop. That does not
        // hold if the ring hides completions that wait for this thread: some may be left.
        ring.pause_eventfd(!ring.hides_task_work());
        let error = if area == areas::NOTHING {
            self.get_events(ring)
        } else {
            self.submit_area(ring, area)
        };
        self.status.set(status::ERRNO, error as u32);
        // Completions are consumed even if the call failed: a signal may have ended a wait.
        self.reap(ring);
        ring.pause_eventfd(false);
        if ring.has_managed_eventfd() {
            self.look_again(ring);
        }
    }

    /// Consumes the completions that arrived between the last look and the end of the pause: they have not woken the
    /// event loop.
    ///
    /// The kernel may set the flag for task work for good: it does so after it has queued the work, which may be done
    /// by then. So this ends after as many looks without a completion as all operations in flight could need.
    fn look_again(&self, ring: &mut Ring) {
        let most = ring.in_flight() / TASK_WORK_AT_ONCE + 2;
        let mut empty_looks = 0;
        while empty_looks < most && self.completions.capacity(&self.status) > 0 && has_more(ring) {
            self.count_enter();
            if ring.get_events().is_err() {
                break;
            }
            empty_looks = if self.reap(ring) > 0 { 0 } else { empty_looks + 1 };
        }
    }

    fn get_events(&self, ring: &mut Ring) -> i32 {
        self.count_enter();
        number(ring.get_events())
    }

    /// Submits the entries of an area and waits as requested: 0, or a negative `errno`.
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
        // Entries that are still in the submission queue from an earlier call go first, which makes space for these.
        while copied < count && enter(ring, 0, Duration::ZERO) {
            copied += self.copy(ring, area, copied, count);
        }
        if copied == count {
            let slice = Duration::from_micros(u64::from(self.status.get(status::SLICE)));
            enter(ring, self.status.get(status::WANT), slice);
        }
        self.status.set(status::COPIED, copied as u32);
        self.status.set(status::TAKEN, taken);
        self.status.add(status::SUBMITTED, taken as usize);
        error
    }

    /// Moves as many completions into the completion area as fit, and returns their number.
    fn reap(&self, ring: &mut Ring) -> usize {
        let mut capacity = self.completions.capacity(&self.status);
        let (mut completed, mut cancelled) = (0, 0);
        let mut state = ring.state();
        if state.overflow {
            self.status.add(status::OVERFLOWED, 1);
        }
        let mut tail = self.status.get(status::TAIL);
        if tail == self.status.get(status::HEAD) {
            // All were consumed: starting at the first record keeps the area in the processor's cache.
            tail = 0;
            self.status.set(status::HEAD, 0);
        }
        loop {
            let reaped = ring.reap(capacity, |completion| {
                self.completions.write(tail, &completion);
                tail = tail.wrapping_add(1);
                cancelled += usize::from(completion.result == -libc::ECANCELED);
            });
            capacity -= reaped;
            completed += reaped;
            state = ring.state();
            // Completions may have overflowed, or wait for this thread to enter (TASK_WORK_AT_ONCE arrive in one call).
            if capacity == 0 || !(state.overflow || state.task_work || must_look(ring)) {
                break;
            }
            self.count_enter();
            if ring.get_events().is_err() || ring.cq_ready() == 0 {
                break;
            }
        }
        self.status.set(status::TAIL, tail);
        self.status.add(status::COMPLETED, completed);
        if cancelled > 0 {
            self.status.add(status::CANCELLED, cancelled);
        }
        // A full area ends the loop above while completions are left, which only the facade can come back for.
        let more =
            state.overflow || ring.cq_ready() > 0 || (capacity == 0 && (state.task_work || must_look(ring)));
        self.status.set(status::MORE, u32::from(more));
        self.status.set(status::IN_FLIGHT, clamp(ring.in_flight()));
        self.status.set(status::SQ_READY, state.sq_ready as u32);
        completed
    }

    fn update_counts(&self, ring: &mut Ring) {
        self.status.set(status::IN_FLIGHT, clamp(ring.in_flight()));
        self.status.set(status::SQ_READY, ring.sq_ready() as u32);
    }

    fn count_enter(&self) {
        self.status
            .set(status::ENTERS, self.status.get(status::ENTERS).wrapping_add(1));
    }

    /// Releases everything, after the kernel has.
    pub(crate) fn end(&self, env: sys::napi_env) {
        self.status.set(status::IN_FLIGHT, 0);
        self.submission_areas
            .borrow()
            .iter()
            .for_each(|area| area.release(env));
        self.completions.release(env);
        self.status.release(env);
        release(env, self.submissions);
    }
}

/// True if there are completions in the queue, overflowed or waiting for this thread to enter the kernel.
fn has_more(ring: &mut Ring) -> bool {
    ring.cq_ready() > 0 || ring.cq_needs_flush() || ring.has_task_work()
}

/// True if the event loop waits for completions, and those that wait for this thread are not shown by a flag.
fn must_look(ring: &Ring) -> bool {
    ring.has_managed_eventfd() && ring.hides_task_work()
}

fn clamp(in_flight: u64) -> u32 {
    u32::try_from(in_flight).unwrap_or(u32::MAX)
}

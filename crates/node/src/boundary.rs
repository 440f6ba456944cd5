//! One batch over the boundary: entries into the ring, completions out of it.

use std::cell::RefCell;
use std::time::Duration;

use napi::sys;
use typed_uring::Ring;

use crate::area::{Area, Completions, Header, release, status};

/// The submission area that stands for none.
const NOTHING: usize = 2;
/// What one call lets arrive, at most, where completions wait for this thread.
const TASK_WORK_AT_ONCE: u64 = 20;
/// The submission area that stands for no call at all.
const NO_CALL: usize = 3;

/// JavaScript memory that is held until the ring is closed.
#[derive(Debug)]
pub(crate) struct Boundary {
    /// What was pushed, and what was run: an `await` between two linked pushes must not cut the chain.
    pub(crate) staged: RefCell<[Area; 2]>,
    pub(crate) completions: Completions,
    pub(crate) status: Header,
    pub(crate) slots: sys::napi_ref,
}

impl Boundary {
    /// Copies entries `from..to` of an area into the ring, as many as fit without cutting a chain.
    fn copy(&self, ring: &mut Ring, area: usize, from: usize, to: usize) -> usize {
        let size = ring.entry_size();
        let staged = self.staged.borrow();
        let Some(area) = staged.get(area) else {
            return 0;
        };
        let to = to.min(area.bytes() / size);
        if from >= to {
            return 0;
        }
        // SAFETY: inside the area, which is held and aligned to 8. The facade's slot table keeps what the entries
        // point at alive until they complete, and we hold the slot table until the ring is closed.
        let copied = unsafe { ring.push_bytes(area.data().add(from * size), to - from) };
        // SAFETY: the entries that were just read. The facade sets only what is not zero.
        unsafe { area.data().add(from * size).write_bytes(0, copied * size) };
        copied
    }

    /// Goes over to other submission areas, and lets go of the ones before.
    pub(crate) fn stage_in(&self, env: sys::napi_env, areas: [Area; 2]) {
        let before = self.staged.replace(areas);
        for area in &before {
            area.release(env);
        }
    }

    pub(crate) fn publish(&self, ring: &mut Ring, area: u32, count: u32) -> u32 {
        let copied = self.copy(ring, area as usize, 0, count as usize);
        self.count_entries(ring);
        copied as u32
    }

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
        self.count_entries(ring);
        result
    }

    /// What the hot function does.
    pub(crate) fn submit(&self, ring: &mut Ring) {
        let area = self.status.get(status::AREA) as usize;
        if area == NO_CALL {
            return;
        }
        // What completes in this call is taken by it, and nobody has to be woken. What cannot be seen may be left.
        ring.silence_eventfd(!ring.hides_task_work());
        let error = if area == NOTHING {
            self.get_events(ring)
        } else {
            self.submit_area(ring, area)
        };
        self.status.set(status::ERRNO, error as u32);
        // Completions are taken even when the call failed: it may have been a signal that ended a wait.
        self.reap(ring);
        ring.silence_eventfd(false);
        if ring.has_eventfd() {
            self.look_again(ring);
        }
    }

    /// What came between the last look and the end of the silence has woken nobody.
    ///
    /// The kernel may say for ever that there is task work: it sets the flag after it has handed the work over, and by
    /// then that may be done. So this ends when as many looks have brought nothing as all work that there can be needs.
    fn look_again(&self, ring: &mut Ring) {
        let most = ring.in_flight() / TASK_WORK_AT_ONCE + 2;
        let mut fruitless = 0;
        while fruitless < most && self.completions.room(&self.status) > 0 && has_more(ring) {
            self.count_enter();
            if ring.get_events().is_err() {
                break;
            }
            fruitless = if self.reap(ring) > 0 { 0 } else { fruitless + 1 };
        }
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
        self.status.add(status::SUBMITTED, taken as usize);
        error
    }

    /// Appends what has completed to the completion area, as far as there is room, and says how much that was.
    fn reap(&self, ring: &mut Ring) -> usize {
        let mut room = self.completions.room(&self.status);
        let (mut completed, mut cancelled) = (0, 0);
        let mut state = ring.state();
        if state.overflow {
            self.status.add(status::OVERFLOWED, 1);
        }
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
                cancelled += usize::from(completion.result == -libc::ECANCELED);
            });
            room -= reaped;
            completed += reaped;
            state = ring.state();
            // Some wait in the kernel for room, or for this thread to come in (one call lets twenty arrive).
            if room == 0 || !(state.overflow || state.task_work || must_look(ring)) {
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
        // A full area ends the loop above with work left, and nothing else would come back for it.
        let more =
            state.overflow || ring.cq_ready() > 0 || (room == 0 && (state.task_work || must_look(ring)));
        self.status.set(status::MORE, u32::from(more));
        self.status.set(status::IN_FLIGHT, clamp(ring.in_flight()));
        self.status.set(status::SQ_READY, state.left as u32);
        completed
    }

    fn count_entries(&self, ring: &mut Ring) {
        self.status.set(status::IN_FLIGHT, clamp(ring.in_flight()));
        self.status.set(status::SQ_READY, ring.sq_ready() as u32);
    }

    fn count_enter(&self) {
        self.status
            .set(status::ENTERS, self.status.get(status::ENTERS).wrapping_add(1));
    }

    /// Lets go of everything: the kernel has.
    pub(crate) fn end(&self, env: sys::napi_env) {
        self.status.set(status::IN_FLIGHT, 0);
        self.staged.borrow().iter().for_each(|area| area.release(env));
        self.completions.release(env);
        self.status.release(env);
        release(env, self.slots);
    }
}

/// Whether the kernel has completions, in its queue or on their way to it.
fn has_more(ring: &mut Ring) -> bool {
    ring.cq_ready() > 0 || ring.cq_needs_flush() || ring.has_task_work()
}

/// Whether an event loop waits for completions that nothing tells of.
fn must_look(ring: &Ring) -> bool {
    ring.has_eventfd() && ring.hides_task_work()
}

fn clamp(in_flight: u64) -> u32 {
    u32::try_from(in_flight).unwrap_or(u32::MAX)
}

pub(crate) fn negative(error: &std::io::Error) -> i32 {
    -error.raw_os_error().unwrap_or(libc::EIO)
}

pub(crate) fn number(result: std::io::Result<usize>) -> i32 {
    match result {
        Ok(entries) => entries as i32,
        Err(error) => negative(&error),
    }
}

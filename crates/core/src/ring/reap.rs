//! Consuming completions, without a system call.

use super::{Ring, UNSOLICITED};
use crate::queues::Completion;
use crate::sys::setup;

impl Ring {
    /// Consumes the oldest completion and returns it. Makes no system call.
    pub fn pop(&mut self) -> Option<Completion> {
        let mut oldest = None;
        self.reap(1, |completion| oldest = Some(completion));
        oldest
    }

    /// Returns the oldest completion and leaves it in the queue. Makes no system call.
    pub fn peek(&mut self) -> Option<Completion> {
        let mixed = self.mixed();
        self.queues.peek(mixed)
    }

    /// Consumes up to `most` completions, oldest first, and returns their number. Makes no system call.
    #[inline]
    pub fn reap(&mut self, most: usize, mut each: impl FnMut(Completion)) -> usize {
        let mixed = self.mixed();
        let in_flight = &mut self.in_flight;
        self.queues.take(most, mixed, |completion| {
            // Counted before the call of `each`: if that panics, the completion is consumed all the same.
            *in_flight = in_flight.saturating_sub(u64::from(is_last(&completion)));
            each(completion);
        })
    }

    fn mixed(&self) -> bool {
        self.setup_flags & setup::CQE_MIXED != 0
    }
}

/// True if the completion is the last one of a submission of this ring.
#[inline]
fn is_last(completion: &Completion) -> bool {
    completion.user_data & UNSOLICITED == 0 && !completion.more()
}

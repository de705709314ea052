//! Messages of several events: when they are full, and what follows from them.
//!
//! What the receiver says of such a message it says of all its events, and one of them may be the
//! reason. So a message that was refused comes apart: its events go one by one, and only what fails
//! by itself becomes a block. One that got no answer, or one that is about the endpoint, is sent
//! again as it was, a few times, while the endpoint is left alone in between.

use std::time::Instant;

use super::{Again, Backlog, Filling, Now, Outcome, Source, Task, Ticket, Together};
use crate::dispatch::window::Load;
use crate::endpoint::Ordering;
use crate::schedule::{Failure, RetrySchedule};

/// How often a message is sent as it was before its events go one by one.
const ATTEMPTS_MAX: u32 = 3;

impl Backlog {
    /// Takes what came of sending several events in one message.
    pub fn finished_together(&mut self, mut together: Together, outcome: Outcome, now: Now) {
        self.in_flight = self.in_flight.saturating_sub(1);
        match outcome {
            Outcome::Delivered => {
                self.note_success(together.events.len() as u64);
                self.window.settle_all(&together.numbers);
            }
            Outcome::Hopeless(_) => {
                self.failed += together.events.len() as u64;
                self.breaker.not_sent();
                self.window.put_back_apart(&together.numbers);
            }
            Outcome::Untried => {
                self.breaker.not_sent();
                self.again.push_front(together);
            }
            Outcome::Failed(again) => {
                self.note_failure(&together.events, now);
                if again.is_about_message() || together.attempt >= ATTEMPTS_MAX {
                    return self.window.put_back_apart(&together.numbers);
                }
                self.rest(&together, &again, now);
                together.attempt += 1;
                self.again.push_back(together);
            }
        }
    }

    /// Takes several events for one message; one alone when there is no other.
    pub(super) fn together(&mut self, load: Load) -> Option<Task> {
        self.filling_since = None;
        let taken = self.window.take_together(load);
        if let [(number, event)] = taken.as_slice() {
            let ticket = Ticket { from: Source::Window(*number), is_early: false };
            return Some(Task::Send { ticket, event: event.clone(), attempt: 1 });
        }
        let (numbers, events): (Vec<_>, Vec<_>) = taken.into_iter().unzip();
        let together = Together { numbers, events, attempt: 1 };
        (!together.events.is_empty()).then_some(Task::SendTogether(together))
    }

    /// Returns whether something of the window may be sent.
    pub(super) fn has_fresh(&self) -> bool {
        self.window.has_ready() || !self.again.is_empty()
    }

    /// Returns whether the next message waits for more events.
    pub(super) fn is_filling(&mut self, now: Instant) -> bool {
        let Some(Filling { load, wait }) = self.rules.filling else { return false };
        if wait.is_zero() || !self.again.is_empty() || !self.window.has_ready() {
            return false;
        }
        let since = *self.filling_since.get_or_insert(now);
        now < since + wait && !self.window.has_full_message(load)
    }

    /// Returns when the message that waits for more events is sent all the same.
    pub(super) fn ripe_at(&self) -> Option<Instant> {
        let is_held = self.rules.ordering == Ordering::Strict && !self.blocks.is_empty();
        let since = self.filling_since.filter(|_| self.window.has_ready() && !is_held)?;
        Some(since + self.rules.filling?.wait)
    }

    /// Leaves the endpoint alone for as long as the first retry of an event would wait.
    fn rest(&mut self, together: &Together, again: &Again, now: Now) {
        let seed = together.events.first();
        let failure = Failure {
            attempt: 1,
            seed: seed.map_or(0, |event| RetrySchedule::seed(event.id(), together.attempt)),
            throttled: again.is_throttled,
            retry_after: again.retry_after,
        };
        let wait = self.rules.retry.after(failure).unwrap_or_default();
        self.breaker.rest(now.tick + wait);
    }
}

impl Again {
    /// Returns whether the receiver may have refused what the message says, rather than its sender
    /// or all messages.
    const fn is_about_message(&self) -> bool {
        match self.last.status {
            Some(401 | 403 | 404 | 405 | 408 | 410 | 429) => false,
            Some(400..=500) => !self.is_throttled,
            _ => false,
        }
    }
}

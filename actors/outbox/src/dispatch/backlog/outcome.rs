//! What follows from what was sent or read.

use std::time::Duration;

use headwater::event::RecordedEvent;

use super::{Again, Backlog, Fetched, Now, Outcome, Source, Ticket, later};
use crate::dispatch::block::{Block, BlockPhase, Head, LastFailure};
use crate::dispatch::failing::Failing;
use crate::dispatch::window::Line;
use crate::endpoint::Ordering;
use crate::schedule::{Failure, RetrySchedule, with_retry_after};

/// The wait before events that could not be read are read again.
const FETCH_AGAIN: Duration = Duration::from_secs(1);

impl Backlog {
    /// Takes what was read for a block.
    pub fn fetched(&mut self, line: &Line, fetched: Fetched) {
        self.in_flight = self.in_flight.saturating_sub(1);
        let frontier = self.window.frontier();
        let Some(block) = self.blocks.get_mut(line) else { return };
        let count = fetched.events.len();
        // What lies beyond the frontier comes through the window.
        block.queue = fetched.events.into_iter().filter(|own| own.position() <= frontier).collect();
        let is_cut = block.queue.len() < count;
        // What was offered since it was read waits for the next page.
        let is_whole = is_cut || (fetched.is_end && fetched.considered >= block.seen);
        if block.queue.is_empty() && is_whole {
            return self.unblock(line);
        }
        match block.queue.front() {
            None => block.after = fetched.considered,
            Some(first) if block.attempts == 0 => block.head = Head::of(first),
            // The filter lets the one through no more that failed.
            Some(first) if first.position() != block.head.position => {
                (block.head, block.attempts) = (Head::of(first), 0);
            }
            Some(_) => {}
        }
        let BlockPhase::Busy(at, wall) = block.phase else { return };
        // A retry before its time stays one.
        self.set_due(line, (at, wall));
        if self.fetching_early.remove(line) {
            self.early.push_front(line.clone());
        }
    }

    /// Takes what could not be read for a block: it is read again after a while, and not before
    /// it is due.
    pub fn not_fetched(&mut self, line: &Line, now: Now) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.fetching_early.remove(line);
        let soon = (now.tick + FETCH_AGAIN, later(now.wall, FETCH_AGAIN));
        let due = match self.blocks.get(line).map(|block| block.phase) {
            Some(BlockPhase::Busy(at, wall)) if at > soon.0 => (at, wall),
            _ => soon,
        };
        self.set_due(line, due);
    }

    /// Takes what came of sending an event.
    pub fn finished(&mut self, ticket: Ticket, event: &RecordedEvent, outcome: Outcome, now: Now) {
        self.in_flight = self.in_flight.saturating_sub(1);
        let ticket = self.relocated(ticket);
        match outcome {
            Outcome::Delivered => self.succeeded(ticket.from, event, now),
            Outcome::Failed(again) => {
                self.note_failure(std::slice::from_ref(event), now);
                self.leave_alone(event, &again, now);
                self.failed(ticket, event, again, now);
            }
            Outcome::Hopeless(last) => {
                self.failed += 1;
                self.breaker.not_sent();
                self.give_up(ticket.from, event, last, now);
            }
            Outcome::Untried => self.untried(ticket.from, event),
        }
    }

    fn untried(&mut self, from: Source, event: &RecordedEvent) {
        self.breaker.not_sent();
        let line = match from {
            Source::Block(line) => line,
            Source::Window(number) => {
                self.window.put_back(number);
                self.block_line(event)
            }
        };
        if let Some(BlockPhase::Busy(at, wall)) = self.blocks.get(&line).map(|block| block.phase) {
            self.set_due(&line, (at, wall));
        }
    }

    fn succeeded(&mut self, from: Source, event: &RecordedEvent, now: Now) {
        self.note_success(1);
        match from {
            Source::Window(number) => {
                self.window.settle(number);
                if self.rules.ordering == Ordering::Strict && !self.blocks.is_empty() {
                    self.unblock(&"".into());
                }
            }
            Source::Block(line) if self.rules.ordering == Ordering::None => self.unblock(&line),
            Source::Block(line) => self.go_on(&line, event, now),
        }
    }

    /// Goes on with a stream whose first event was delivered at last.
    fn go_on(&mut self, line: &Line, event: &RecordedEvent, now: Now) {
        let Some(block) = self.blocks.get_mut(line) else { return };
        block.queue.pop_front();
        block.head = Head::of(block.queue.front().unwrap_or(event));
        block.after = event.revision();
        block.waiting = block.waiting.saturating_sub(1);
        block.attempts = 0;
        // A page is sent to its end before the next stream's is read.
        let due = match block.phase {
            BlockPhase::Busy(at, wall) if !block.queue.is_empty() && block.pace.is_none() => {
                (at.min(now.tick), wall.min(now.wall))
            }
            _ => self.slot(line, now),
        };
        self.set_due(line, due);
    }

    pub(super) fn note_success(&mut self, events: u64) {
        self.delivered += events;
        self.failing = None;
        if self.breaker.succeeded() {
            self.hasten();
        }
    }

    /// Lets everything that waits for a retry be tried once before its time: the endpoint works
    /// again. What fails then waits as long as it would have, and it does not count; what an
    /// operator has ordered with a rate keeps it.
    fn hasten(&mut self) {
        let is_free = |line: &&Line| self.blocks.get(*line).is_some_and(|own| own.pace.is_none());
        self.early = self.due.iter().map(|(_, line)| line).filter(is_free).cloned().collect();
        self.fetching_early.clear();
    }

    /// Notes that a message with these events failed.
    pub(super) fn note_failure(&mut self, events: &[RecordedEvent], now: Now) {
        self.failed += events.len() as u64;
        if !self.rules.judges_endpoint {
            return;
        }
        self.failing.get_or_insert_with(|| Failing::begin(now));
        if let Some(event) = events.first() {
            self.breaker.failed(now.tick, share(event));
        }
    }

    /// Leaves an endpoint alone that says it is under load: as long as it asks for, or a moment.
    fn leave_alone(&mut self, event: &RecordedEvent, again: &Again, now: Now) {
        let is_overloaded = matches!(again.last.status, Some(429 | 502 | 504));
        match again.retry_after {
            _ if !self.rules.judges_endpoint => {}
            Some(asked) => {
                self.breaker.rest(now.tick + with_retry_after(Duration::ZERO, asked));
            }
            None if is_overloaded => self.breaker.rest_briefly(now.tick, share(event)),
            None => {}
        }
    }

    fn failed(&mut self, ticket: Ticket, event: &RecordedEvent, again: Again, now: Now) {
        if ticket.is_early {
            return self.stays_due(ticket.from, event, again.last);
        }
        let line = self.held(ticket.from, event, now);
        let Some(block) = self.blocks.get_mut(&line) else { return };
        block.attempts += 1;
        block.last = again.last;
        let failure = Failure {
            attempt: block.attempts,
            seed: RetrySchedule::seed(event.id(), block.attempts),
            throttled: again.is_throttled,
            retry_after: again.retry_after,
        };
        match self.rules.retry.after(failure) {
            Some(wait) => self.set_due(&line, (now.tick + wait, later(now.wall, wait))),
            None => self.bury(&line, now),
        }
    }

    fn give_up(&mut self, from: Source, event: &RecordedEvent, last: LastFailure, now: Now) {
        let line = self.held(from, event, now);
        if let Some(block) = self.blocks.get_mut(&line) {
            block.attempts += 1;
            block.last = last;
        }
        self.bury(&line, now);
    }

    /// A try before its time has failed: nothing changes but what is known of it.
    fn stays_due(&mut self, from: Source, event: &RecordedEvent, last: LastFailure) {
        let line = match from {
            Source::Window(number) => {
                self.window.put_back(number);
                self.block_line(event)
            }
            Source::Block(line) => line,
        };
        let Some(block) = self.blocks.get_mut(&line) else { return };
        block.last = last;
        block.queue.clear();
        if let BlockPhase::Busy(at, wall) = block.phase {
            self.set_due(&line, (at, wall));
        }
    }

    /// Takes the line of an event that has failed out of the window and returns its name.
    fn held(&mut self, from: Source, event: &RecordedEvent, now: Now) -> Line {
        let line = match from {
            Source::Block(line) => line,
            Source::Window(number) => {
                let line = self.block_line(event);
                let waiting = match self.rules.ordering {
                    Ordering::PerStream => self.window.hold(&line),
                    Ordering::Strict => {
                        self.window.put_back(number);
                        0
                    }
                    Ordering::None => {
                        self.window.settle(number);
                        0
                    }
                };
                let block = self.blocks.entry(line.clone());
                block.or_insert_with(|| Block::of(event, now.wall)).waiting += waiting;
                line
            }
        };
        if let Some(block) = self.blocks.get_mut(&line) {
            if block.attempts == 0 {
                (block.head, block.first_failed_at) = (Head::of(event), now.wall);
            }
            block.after = event.revision().previous();
            block.queue.clear();
        }
        line
    }

    fn bury(&mut self, line: &Line, now: Now) {
        let Some(block) = self.blocks.get_mut(line) else { return };
        if let BlockPhase::Due(at, _) = block.phase {
            self.due.remove(&(at, line.clone()));
        }
        block.phase = BlockPhase::Dead(now.wall);
        self.changed.insert(line.clone());
    }
}

/// Returns where among others an event's endpoint is, from 0 to 1, so that not all come back at
/// the same moment.
fn share(event: &RecordedEvent) -> f64 {
    RetrySchedule::seed(event.id(), u32::MAX) as f64 / u64::MAX as f64
}

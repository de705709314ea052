//! A batch on its way into the tables, and the search for the event that it fails on.

use std::ops::Range;
use std::sync::Arc;

use super::definition::{Batch, Decoded};
use crate::event::{Position, RecordedEvent};

/// A decoded batch, how much of it is committed, and what is tried next.
pub(crate) struct Work {
    pub(crate) batch: Arc<dyn Batch>,
    /// The first event that does not decode, right behind the end.
    pub(crate) poison: Option<(RecordedEvent, String)>,
    /// How often the range has failed.
    pub(crate) attempt: u32,
    /// Events of parked streams, which wait behind the parked one.
    behind: Vec<RecordedEvent>,
    unknown: Vec<Position>,
    end: Position,
    at: usize,
    until: usize,
    /// While a bad event is looked for: it lies before this one.
    bad_before: Option<usize>,
    is_committed: bool,
}

impl Work {
    /// Begins a batch that considers everything up to `end`.
    pub(crate) fn new(decoded: Decoded, behind: Vec<RecordedEvent>, end: Position) -> Self {
        let Decoded { batch, unknown, poison } = decoded;
        let until = batch.len();
        let is_committed = until == 0 && behind.is_empty() && unknown.is_empty();
        Self {
            batch,
            poison,
            attempt: 0,
            behind,
            unknown,
            end,
            at: 0,
            until,
            bad_before: None,
            is_committed,
        }
    }

    /// Returns whether there is nothing to write any more.
    pub(crate) const fn is_committed(&self) -> bool {
        self.is_committed
    }

    /// Returns up to where everything is considered once the whole batch is committed.
    pub(crate) const fn end(&self) -> Position {
        self.end
    }

    /// Returns the events that are tried next.
    pub(crate) const fn range(&self) -> Range<usize> {
        self.at..self.until
    }

    /// Returns the position to which the range takes the checkpoint.
    pub(crate) fn target(&self) -> Position {
        let next = self.batch.event(self.until);
        next.map_or(self.end, |event| event.position().previous())
    }

    /// Returns how many unknown events the range passes over.
    pub(crate) fn unknown_in(&self, after: Position, to: Position) -> u64 {
        self.unknown.iter().filter(|at| after < **at && **at <= to).count() as u64
    }

    /// Returns the events of parked streams that the range passes.
    pub(crate) fn behind_in(&self, after: Position, to: Position) -> Vec<RecordedEvent> {
        let within = |event: &&RecordedEvent| after < event.position() && event.position() <= to;
        self.behind.iter().filter(within).cloned().collect()
    }

    /// Goes on after the range was committed.
    pub(crate) fn committed(&mut self) {
        self.at = self.until;
        self.attempt = 0;
        self.is_committed = self.at >= self.batch.len();
        self.until = match self.bad_before {
            Some(bad) if self.at < bad => bad,
            _ => {
                self.bad_before = None;
                self.batch.len()
            }
        };
    }

    /// Narrows the range after it failed for good; returns the event when it is alone in it.
    ///
    /// `named` is the event that the projection itself has named as the bad one.
    pub(crate) fn narrow(&mut self, named: Option<Position>) -> Option<RecordedEvent> {
        let count = self.until.saturating_sub(self.at);
        if count <= 1 {
            return self.batch.event(self.at).cloned();
        }
        let is_named = |at: &usize| self.batch.event(*at).map(RecordedEvent::position) == named;
        let (until, bad) = match named.and_then(|_| self.range().find(is_named)) {
            Some(at) if at > self.at => (at, at + 1),
            Some(at) => (at + 1, at + 1),
            None => (self.at + count / 2, self.until),
        };
        self.bad_before = Some(bad);
        self.until = until;
        None
    }

    /// Returns whether a bad event is being looked for.
    pub(crate) const fn is_isolating(&self) -> bool {
        self.bad_before.is_some()
    }
}

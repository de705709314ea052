//! Commands that were decided and share one append.

use super::envelope::{Answer, Envelope};
use super::error::SendError;
use crate::aggregate::{Aggregate, Receipt};
use crate::event::{NewEvent, Position, Revision};
use crate::store::AppendError;

/// A command and what became of it so far.
pub(super) struct Job<A: Aggregate> {
    pub envelope: Envelope<A>,
    /// How often it was decided and failed to be appended.
    pub attempts: u32,
    /// Whether the log holds nothing of it, as far as anybody looked.
    pub is_new: bool,
    /// The append that may or may not have recorded it.
    pub doubt: Option<AppendError>,
}

/// What a command led to; told only when everything before it is durable.
pub(super) enum Outcome<A: Aggregate> {
    Events(u32),
    Refused(SendError<A::Rejection>),
}

/// Decided commands in order, and their events in one run.
pub(super) struct Batch<A: Aggregate> {
    /// The revision the stream must be at.
    pub base: Revision,
    pub entries: Vec<(Job<A>, Outcome<A>)>,
    /// The events; taken out when they are sent.
    pub events: Vec<NewEvent>,
    /// How many events there are.
    pub count: u64,
    /// How many bytes of data they have.
    pub bytes: usize,
    /// The state behind the last event, when it is time to keep it.
    pub snapshot: Option<Vec<u8>>,
}

impl<A: Aggregate> Job<A> {
    pub fn new(envelope: Envelope<A>) -> Self {
        Self { envelope, attempts: 0, is_new: false, doubt: None }
    }

    /// Returns whether it must be looked for in the log before it is decided.
    pub fn needs_look_up(&self) -> bool {
        !self.is_new && (self.envelope.message.is_keyed() || self.envelope.is_resent)
    }

    /// Returns the command's idempotency key.
    pub fn key(&self) -> Option<String> {
        self.envelope.message.metadata.idempotency_key.clone()
    }

    /// Refuses the command; when an earlier attempt may have been done, says that instead.
    pub fn refuse(mut self, error: SendError<A::Rejection>) {
        let error = self.doubt.take().map_or(error, SendError::Store);
        self.envelope.answer(Err(error));
    }

    pub fn answer(mut self, answer: Answer<A>) {
        self.envelope.answer(answer);
    }
}

impl<A: Aggregate> Batch<A> {
    pub fn new(base: Revision) -> Self {
        let (entries, events) = (Vec::new(), Vec::new());
        Self { base, entries, events, count: 0, bytes: 0, snapshot: None }
    }

    /// Returns the revision behind the batch.
    pub const fn end(&self) -> Revision {
        self.base.plus(self.count)
    }

    /// Returns whether several commands are in it, so that a fault may be another one's.
    pub const fn is_shared(&self) -> bool {
        self.entries.len() > 1
    }

    pub fn push(&mut self, job: Job<A>, outcome: Outcome<A>, events: Vec<NewEvent>) {
        self.count += events.len() as u64;
        self.bytes += bytes_of(&events);
        self.events.extend(events);
        self.entries.push((job, outcome));
    }

    /// Answers every command; `before` is the position of the event in front of the batch,
    /// `last` that of its own last event.
    pub fn settle(self, before: Position, last: Position) {
        let (mut revision, mut position) = (self.base, before);
        let mut left = self.count;
        for (job, outcome) in self.entries {
            let events = match outcome {
                Outcome::Refused(error) => {
                    job.refuse(error);
                    continue;
                }
                Outcome::Events(events) => events,
            };
            if events > 0 {
                left = left.saturating_sub(u64::from(events));
                revision = revision.plus(u64::from(events));
                // The events of an append lie side by side, so places count back from the last.
                position = Position::new(last.get().saturating_sub(left));
            }
            job.answer(Ok(Receipt { revision, position, events, replayed: false }));
        }
    }
}

impl<A: Aggregate> Outcome<A> {
    /// Returns whether it puts events into the log.
    pub const fn is_recorded(&self) -> bool {
        matches!(self, Self::Events(1..))
    }
}

/// Returns how many bytes of data events have.
pub(super) fn bytes_of(events: &[NewEvent]) -> usize {
    events.iter().map(|event| event.data().len()).sum()
}

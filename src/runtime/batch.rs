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
    /// Whether the log may hold something of it that the aggregate's own stream does not show.
    pub is_suspect: bool,
    /// The append that may or may not have recorded it.
    pub doubt: Option<AppendError>,
    /// How many outcomes of its idempotency key have expired.
    pub generation: u32,
}

/// What a command led to; told only when everything before it is durable.
pub(super) enum Outcome<A: Aggregate> {
    Events(u32),
    Refused(SendError<A::Rejection>),
}

/// A command, what it led to, and whether that is written down with the batch.
pub(super) struct Entry<A: Aggregate> {
    pub job: Job<A>,
    pub outcome: Outcome<A>,
    pub is_written: bool,
}

/// What one decided command adds to a batch.
pub(super) struct Decided<A: Aggregate> {
    pub outcome: Outcome<A>,
    pub events: Vec<NewEvent>,
    /// The outcome as an event, when it is kept.
    pub kept: Option<NewEvent>,
}

/// Decided commands in order, and their events in one run.
pub(super) struct Batch<A: Aggregate> {
    /// The revision the stream must be at.
    pub base: Revision,
    pub entries: Vec<Entry<A>>,
    /// The events; taken out when they are sent.
    pub events: Vec<NewEvent>,
    /// The outcomes to keep, as events; taken out when they are sent.
    pub kept: Vec<NewEvent>,
    /// How many events there are, without the outcomes.
    pub count: u64,
    /// How many outcomes are kept.
    pub kept_count: u64,
    /// How many bytes of data both have.
    pub bytes: usize,
    /// The state behind the last event, when it is time to keep it.
    pub snapshot: Option<Vec<u8>>,
}

impl<A: Aggregate> Job<A> {
    pub fn new(envelope: Envelope<A>) -> Self {
        Self { envelope, attempts: 0, is_new: false, is_suspect: false, doubt: None, generation: 0 }
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
        Self {
            base,
            entries: Vec::new(),
            events: Vec::new(),
            kept: Vec::new(),
            count: 0,
            kept_count: 0,
            bytes: 0,
            snapshot: None,
        }
    }

    /// Returns the revision behind the batch.
    pub const fn end(&self) -> Revision {
        self.base.plus(self.count)
    }

    /// Returns whether several commands are in it, so that a fault may be another one's.
    pub const fn is_shared(&self) -> bool {
        self.entries.len() > 1
    }

    /// Returns whether nothing is stored with it: the store only checks that `base` holds.
    pub const fn is_check(&self) -> bool {
        self.count == 0 && self.kept_count == 0
    }

    pub fn push(&mut self, job: Job<A>, decided: Decided<A>) {
        let Decided { outcome, events, kept } = decided;
        let is_written = outcome.is_recorded() || kept.is_some();
        self.count += events.len() as u64;
        self.kept_count += u64::from(kept.is_some());
        self.bytes += bytes_of(&events) + kept.as_ref().map_or(0, |event| event.data().len());
        self.events.extend(events);
        self.kept.extend(kept);
        self.entries.push(Entry { job, outcome, is_written });
    }

    /// Answers every command; `before` is the position of the event in front of the batch,
    /// `last` that of its own last event.
    pub fn settle(self, before: Position, last: Position) {
        let (mut revision, mut position) = (self.base, before);
        let mut left = self.count;
        for Entry { job, outcome, .. } in self.entries {
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
fn bytes_of(events: &[NewEvent]) -> usize {
    events.iter().map(|event| event.data().len()).sum()
}

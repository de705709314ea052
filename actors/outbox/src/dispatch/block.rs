//! What waits for a retry or an operator: the first event of a line that failed, and its count
//! of those behind it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use headwater::event::{Position, RecordedEvent, Revision};
use jiff::Timestamp;

/// A line that does not flow.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    /// The event that failed; while the line catches up, the last one that was delivered.
    pub head: Head,
    /// Everything of the stream up to this revision is settled.
    pub after: Revision,
    /// The last revision of the stream that was offered since; not stored, since what is read
    /// again is offered again.
    pub seen: Revision,
    /// How often the head failed; 0 while the line catches up.
    pub attempts: u32,
    /// The first failure of the head.
    pub first_failed_at: Timestamp,
    /// What its last attempt said.
    pub last: LastFailure,
    /// How many events were seen behind the head.
    pub waiting: u64,
    /// How many of them are stored: about as many.
    pub told: u64,
    /// The time between what an operator has ordered to be sent again; not stored.
    pub pace: Option<Duration>,
    /// What is to be done.
    pub phase: BlockPhase,
    /// Events of the line that were fetched, the next first; never kept beyond a failure.
    pub queue: VecDeque<RecordedEvent>,
}

/// Which event it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub position: Position,
    pub revision: Revision,
    /// Whose event it is: not always the endpoint's tenant's.
    pub tenant: String,
    pub category: String,
    pub stream: String,
    pub event_type: String,
    pub event_id: String,
    pub recorded_at: Timestamp,
}

/// What the last attempt said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LastFailure {
    pub status: Option<u16>,
    pub error: Option<String>,
}

/// What is to be done about a block.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum BlockPhase {
    /// It is tried again then.
    Due(Instant, Timestamp),
    /// Its event is fetched or sent; then was it due.
    Busy(Instant, Timestamp),
    /// It was given up, and waits for an operator.
    Dead(Timestamp),
}

impl Head {
    pub fn of(event: &RecordedEvent) -> Self {
        Self {
            position: event.position(),
            revision: event.revision(),
            tenant: event.tenant().to_owned(),
            category: event.category().to_owned(),
            stream: event.stream_id().to_owned(),
            event_type: event.event_type().to_owned(),
            event_id: event.id().to_string(),
            recorded_at: event.recorded_at(),
        }
    }
}

impl Block {
    /// Begins with an event that has just failed.
    pub fn of(event: &RecordedEvent, now: Timestamp) -> Self {
        Self {
            head: Head::of(event),
            after: event.revision().previous(),
            seen: Revision::ZERO,
            attempts: 0,
            first_failed_at: now,
            last: LastFailure::default(),
            waiting: 0,
            told: 0,
            pace: None,
            phase: BlockPhase::Dead(now),
            queue: VecDeque::new(),
        }
    }

    /// Returns what is stored of it.
    pub fn without_queue(&self) -> Self {
        let queue = VecDeque::new();
        Self { queue, head: self.head.clone(), last: self.last.clone(), ..*self }
    }

    /// Notes one more event behind it; returns whether so many have come that it is to be stored.
    /// Not each time: a stream that waits for long would cost a write for each of its events.
    pub const fn wait_behind(&mut self, revision: Revision) -> bool {
        self.waiting += 1;
        self.seen = revision;
        self.waiting > self.told + self.told / 8
    }

    pub const fn is_dead(&self) -> bool {
        matches!(self.phase, BlockPhase::Dead(_))
    }
}

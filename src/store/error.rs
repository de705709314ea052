//! What can go wrong between a caller and an engine; each variant says who acts.

use std::sync::Arc;

use super::{BeyondEnd, Expected};
use crate::event::{EventId, NewEventError, Position, Revision, StreamId};

/// Says why an append was not done.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AppendError {
    /// A stream is not as expected. Caller: read it again and decide anew.
    #[error("stream {stream} is at revision {actual}, expected {expected}")]
    Conflict {
        /// The stream.
        stream: StreamId,
        /// What was expected.
        expected: Expected,
        /// Its last revision; 0 when it has no event.
        actual: Revision,
    },
    /// An event that matches the append condition exists. Caller: read again and decide anew.
    #[error("append condition failed: a matching event lies at position {position}")]
    ConditionFailed {
        /// Position of a matching event.
        position: Position,
    },
    /// The append condition begins beyond the end of the log. Caller: read again.
    #[error("append condition refused: {0}")]
    ConditionBeyondEnd(#[source] BeyondEnd),
    /// The append condition asks for too much work. Caller: narrow it, or read further first.
    #[error(
        "append condition would look at more than {events_max} events after position {after}: \
         narrow it or raise `after`"
    )]
    ConditionTooWide {
        /// Where the condition begins.
        after: Position,
        /// The most events that are looked at.
        events_max: usize,
    },
    /// The log grew faster than the append condition was checked. Nobody: try again later.
    #[error("append condition could not be checked: the log grows too fast, try again later")]
    ConditionOutrun,
    /// The tenant has another event, or the same one in another append, under an event id.
    /// Caller: an id belongs to one event for ever, so make a new one.
    #[error("event id {id} is already in the log, at position {position}, with other content")]
    IdReused {
        /// The id.
        id: EventId,
        /// Where the tenant's event with it is.
        position: Position,
    },
    /// The request breaks a bound. Caller: make it smaller or correct it.
    #[error("append refused: {0}")]
    Invalid(String),
    /// An event breaks a bound. Caller: correct it.
    #[error("append refused: {0}")]
    Event(#[source] Arc<NewEventError>),
    /// Too many appends wait already. Nobody: try again later.
    #[error("append refused: {waiting} appends are waiting already, try again later")]
    Overloaded {
        /// How many wait.
        waiting: usize,
    },
    /// The disk has no room; nothing of the append was written. Operator: make room.
    #[error("append refused: no space left on the device that holds {path}")]
    DiskFull {
        /// The file or folder that could not grow.
        path: String,
    },
    /// The engine failed in the middle: the append may or may not be in the log. Operator:
    /// look at the cause. Caller: send it again with the same event ids.
    #[error("outcome unknown, send again with the same event ids: {cause}")]
    Unknown {
        /// What failed.
        cause: String,
    },
    /// The engine is closed or failed before this append. Operator: look at the cause.
    #[error("event store takes no appends: {cause}")]
    Unavailable {
        /// Why.
        cause: String,
    },
}

/// Says why a store could not be opened or read.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The system refused an operation. Operator.
    #[error("{action} {path}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: String,
        /// What the system said.
        source: Arc<std::io::Error>,
    },
    /// Stored bytes are damaged. Operator: restore from a backup; nothing is skipped.
    #[error("{path} is damaged at offset {offset}: {problem}")]
    Damaged {
        /// The file.
        path: String,
        /// Where in it.
        offset: u64,
        /// What does not hold.
        problem: String,
    },
    /// Another process has the data open. Operator: stop it first.
    #[error("{path} is in use by another process")]
    Locked {
        /// The folder.
        path: String,
    },
    /// The data was written by a newer program. Operator: use that one.
    #[error("{path} has format {found}, this program reads up to {supported}: use a newer one")]
    NewerFormat {
        /// The file.
        path: String,
        /// Its format.
        found: u32,
        /// The newest this program reads.
        supported: u32,
    },
    /// The folder is not what it should be. Operator.
    #[error("{path}: {problem}")]
    Invalid {
        /// The folder or file.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The read starts beyond the end of the log. Caller: start before it.
    #[error(transparent)]
    BeyondEnd(#[from] BeyondEnd),
    /// The query breaks a bound. Caller: make it smaller.
    #[error("query refused: {0}")]
    Query(String),
    /// Too many reads of the tenant wait already. Nobody: try again later.
    #[error("{waiting} reads of the tenant are waiting already, try again later")]
    Overloaded {
        /// How many wait.
        waiting: usize,
    },
    /// The engine cannot be reached now. Nobody: read again later. Operator: look at the cause.
    #[error("event store cannot be reached: {cause}")]
    Unavailable {
        /// Why.
        cause: String,
    },
    /// The engine is closed. Nobody.
    #[error("event store is closed")]
    Closed,
}

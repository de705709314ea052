//! What can go wrong while a projection is fed; each variant says who acts.

use crate::event::EventId;
use crate::sql::SqlError;
use crate::store::StoreError;

/// Says why a runner could not take a step.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// Another runner has taken the projection over. Nobody: drop this one.
    #[error("projection {name} was taken over by another runner")]
    Fenced {
        /// The projection.
        name: String,
    },
    /// The request does not fit the projection's state. Caller.
    #[error("projection {name}: {problem}")]
    Refused {
        /// The projection.
        name: String,
        /// Why not.
        problem: String,
    },
    /// The rows of the read side are made of another log. Operator: give each log a read side of
    /// its own.
    #[error(
        "read side holds rows of another log, which begins with event {rows}, this one begins \
         with {own}: give this log a read side of its own"
    )]
    OtherLog {
        /// The first event of the own log.
        own: EventId,
        /// The first event of the log that the rows are made of.
        rows: EventId,
    },
    /// The log cannot be read. Operator.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The read side failed. Nobody while it is transient, else operator.
    #[error(transparent)]
    Sql(#[from] SqlError),
}

//! What can go wrong in a projection; each variant says who acts.

use crate::event::{DecodeError, Position};
use crate::sql::SqlError;

/// Says why a batch was not applied.
#[derive(Debug, thiserror::Error)]
pub enum ProjectionError {
    /// An event cannot be applied, now or later. The projection's poison policy decides.
    #[error("event cannot be applied: {0}")]
    Poison(String),
    /// This very event cannot be applied. The projection's poison policy decides.
    #[error("event at position {position} cannot be applied: {reason}")]
    PoisonEvent {
        /// Where the event lies.
        position: Position,
        /// Why.
        reason: String,
    },
    /// An event's data does not decode. The unknown or the poison policy decides.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The read side failed. Nobody: retried with backoff, then the projection halts.
    #[error(transparent)]
    Sql(#[from] SqlError),
}

/// Says why rows were not found or waited for. Caller acts, unless a variant says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// There is no such projection.
    #[error("no projection {name:?}: known are {known}")]
    UnknownProjection {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: String,
    },
    /// The projection's tables are not served by key.
    #[error("projection {name} is not served by key: its rows are read with SQL of its own")]
    NotServed {
        /// The projection.
        name: String,
    },
    /// The field has no index.
    #[error("projection {name} cannot be filtered by {field:?}: allowed are {allowed}")]
    UnknownField {
        /// The projection.
        name: String,
        /// The field asked for.
        field: String,
        /// The fields with an index.
        allowed: String,
    },
    /// The key or the cursor is not one of this projection.
    #[error("{key:?} is not a key of projection {name}: it has the parts {parts}")]
    BadKey {
        /// The projection.
        name: String,
        /// The key given.
        key: String,
        /// What a key is made of.
        parts: String,
    },
    /// The position was not reached in time. Caller: ask again later.
    #[error("projection {name} is at position {at}, {wanted} was not reached in time")]
    NotReached {
        /// The projection.
        name: String,
        /// Where it is.
        at: Position,
        /// Where it should be.
        wanted: Position,
    },
    /// The projection has halted before the position. Operator: resume it.
    #[error("projection {name} has halted at position {at}, before {wanted}")]
    Halted {
        /// The projection.
        name: String,
        /// Where it is.
        at: Position,
        /// Where it should be.
        wanted: Position,
    },
    /// The rows are those of another version of the program, and this one cannot read them.
    /// Caller: ask a node of that version.
    #[error("rows of projection {name} are of version {rows}, this node has {own}: ask another")]
    OtherVersion {
        /// The projection.
        name: String,
        /// The version that made the rows.
        rows: u32,
        /// The version that this program has.
        own: u32,
    },
    /// The read side failed. Nobody while it is transient, else operator.
    #[error(transparent)]
    Sql(#[from] SqlError),
}

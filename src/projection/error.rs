//! What can go wrong in a projection; each variant says who acts.

use crate::event::DecodeError;
use crate::sql::SqlError;

/// Says why a batch was not applied.
#[derive(Debug, thiserror::Error)]
pub enum ProjectionError {
    /// An event cannot be applied, now or later. The projection's poison policy decides.
    #[error("event cannot be applied: {0}")]
    Poison(String),
    /// An event's data does not decode. The unknown or the poison policy decides.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The read side failed. Nobody: retried with backoff, then the projection halts.
    #[error(transparent)]
    Sql(#[from] SqlError),
}

//! What a decision may know besides the state and the command.

use jiff::Timestamp;

use crate::event::{Metadata, StreamId, Tenant};

/// Time, place and cause of a command; the same context gives the same decision.
#[derive(Clone, Debug)]
pub struct Context {
    /// The time at which the command is decided.
    pub now: Timestamp,
    /// Who owns the aggregate.
    pub tenant: Tenant,
    /// The aggregate's stream.
    pub stream: StreamId,
    /// Cause, thread and author; the events get it as it is.
    pub metadata: Metadata,
}

//! What the sender of a command gets back.

use serde::{Deserialize, Serialize};

use crate::event::{Position, Revision};

/// Says where a command's events came to lie; they are durable.
///
/// Pass `position` as `at_least` to a read model to read your own write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The aggregate's revision after the command.
    pub revision: Revision,
    /// Position of the command's last event; the one the aggregate was at when it had none.
    pub position: Position,
    /// How many events the command led to.
    pub events: u32,
    /// Whether this is the receipt of an earlier command with the same idempotency key.
    pub replayed: bool,
}

//! Why a supervised actor ended.

use serde::Serialize;

/// Says why an actor ended, and so whether it is started again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "reason", content = "detail")]
pub enum ExitReason {
    /// It was asked to stop. Nobody; not restarted.
    Stopped,
    /// It came to its end by itself. Nobody; not restarted.
    Finished,
    /// It failed, with what it said. Restarted; operator if it goes on.
    Failed(String),
    /// Its code panicked, with the panic's message. Restarted; developer.
    Panicked(String),
    /// It gave no sign of life within the bound while it should have worked. Restarted.
    Frozen,
}

impl ExitReason {
    /// Returns whether the supervisor starts the actor again.
    #[must_use]
    pub const fn is_restarted(&self) -> bool {
        matches!(self, Self::Failed(_) | Self::Panicked(_) | Self::Frozen)
    }
}

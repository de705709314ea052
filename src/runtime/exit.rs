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

impl std::fmt::Display for ExitReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Stopped => f.write_str("stopped"),
            Self::Finished => f.write_str("finished"),
            Self::Failed(error) => write!(f, "failed: {error}"),
            Self::Panicked(words) => write!(f, "panicked: {words}"),
            Self::Frozen => f.write_str("frozen"),
        }
    }
}

impl ExitReason {
    /// Returns whether the supervisor starts the actor again.
    #[must_use]
    pub const fn is_restarted(&self) -> bool {
        matches!(self, Self::Failed(_) | Self::Panicked(_) | Self::Frozen)
    }
}

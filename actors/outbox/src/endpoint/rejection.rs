//! How the rules say no.

use headwater::aggregate::Rejection;

/// Refused because of the rules; the caller must ask for something else.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointRejection {
    /// The caller asks for what is not valid.
    #[error("{field} {problem}")]
    Invalid {
        /// The field.
        field: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The caller registers an endpoint that is known in another form.
    #[error("endpoint is registered already: change it instead, or choose another id")]
    AlreadyRegistered,
    /// The caller names an endpoint nobody knows.
    #[error("endpoint is not known: register it first")]
    NotRegistered,
    /// The caller names an endpoint that is gone.
    #[error("endpoint was removed: register one with another id")]
    Removed,
    /// The caller pauses an endpoint that is out of service.
    #[error("endpoint is disabled: resume it first")]
    Disabled,
    /// The caller discards what waits behind a dead letter where everything does.
    #[error("everything waits behind a dead letter of a strict endpoint: skip it instead")]
    NotWhileStrict,
    /// The caller makes another sort of endpoint of one.
    #[error("target is of another kind: register another endpoint for that")]
    OtherTarget,
}

impl EndpointRejection {
    /// Names a field and what is wrong with it.
    pub fn invalid(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Invalid { field: field.into(), problem: problem.into() }
    }
}

impl Rejection for EndpointRejection {
    fn code(&self) -> &'static str {
        match self {
            Self::Invalid { .. } => "invalid",
            Self::AlreadyRegistered => "already-registered",
            Self::NotRegistered => "not-registered",
            Self::Removed => "removed",
            Self::Disabled => "disabled",
            Self::NotWhileStrict => "not-while-strict",
            Self::OtherTarget => "other-target",
        }
    }
}

//! How the refusals of the store and the runtime become problems.

use super::{Problem, ProblemKind};
use crate::aggregate::Rejection;
use crate::event::{NameError, Revision};
use crate::nodes::ClaimError;
use crate::projection::QueryError;
use crate::runtime::feed::StepError;
use crate::runtime::{ControlError, JsonSendError, SendError};
use crate::sql::SqlError;
use crate::store::{AppendError, StoreError};

impl From<AppendError> for Problem {
    fn from(error: AppendError) -> Self {
        let detail = error.to_string();
        match error {
            AppendError::Conflict { stream, actual, .. } => {
                Self::new(ProblemKind::Conflict, detail)
                    .with("stream", stream.to_string())
                    .with("actual", actual.get())
            }
            AppendError::ConditionFailed { position } => {
                Self::new(ProblemKind::ConditionFailed, detail).with("position", position.get())
            }
            AppendError::IdReused { id, position } => Self::new(ProblemKind::EventIdReused, detail)
                .with("id", id.to_string())
                .with("position", position.get()),
            AppendError::ConditionBeyondEnd(beyond) => {
                Self::field("/condition/after", beyond.to_string()).with("end", beyond.end.get())
            }
            AppendError::ConditionTooWide { .. } => Self::field("/condition", detail),
            AppendError::Invalid(_) | AppendError::Event(_) => {
                Self::new(ProblemKind::Invalid, detail)
            }
            AppendError::Overloaded { .. } | AppendError::ConditionOutrun => {
                Self::new(ProblemKind::Overloaded, detail).retry_after_s(1)
            }
            AppendError::DiskFull { path } => {
                tracing::error!(path, "no space left for the log");
                Self::new(ProblemKind::DiskFull, "the server's disk is full: nothing was stored")
            }
            AppendError::Unknown { cause } => {
                tracing::error!(cause, "outcome of an append is unknown");
                let detail = "send it again with the same idempotency key or event ids";
                Self::new(ProblemKind::OutcomeUnknown, detail)
            }
            AppendError::Unavailable { cause } => {
                tracing::error!(cause, "event store takes no appends");
                Self::new(ProblemKind::Unavailable, "event store takes no appends: try again later")
            }
        }
    }
}

impl From<SqlError> for Problem {
    fn from(error: SqlError) -> Self {
        if error.is_transient() {
            tracing::warn!(%error, "read side did not take a request");
            let detail = "read side is busy or not there: try again later";
            return Self::new(ProblemKind::Unavailable, detail);
        }
        tracing::error!(%error, "read side failed");
        Self::new(ProblemKind::Internal, "read side failed: the cause is logged")
    }
}

impl From<QueryError> for Problem {
    fn from(error: QueryError) -> Self {
        let detail = error.to_string();
        match error {
            QueryError::UnknownProjection { .. } | QueryError::NotServed { .. } => {
                Self::new(ProblemKind::NotFound, detail)
            }
            QueryError::UnknownField { field, .. } => Self::field(format!("query:{field}"), detail),
            QueryError::BadKey { .. } => Self::new(ProblemKind::NotFound, detail),
            QueryError::NotReached { at, .. } => Self::new(ProblemKind::NotReached, detail)
                .with("position", at.get())
                .retry_after_s(1),
            QueryError::Halted { at, .. } => {
                Self::new(ProblemKind::Unavailable, detail).with("position", at.get())
            }
            QueryError::OtherVersion { .. } => {
                Self::new(ProblemKind::Unavailable, detail).retry_after_s(1)
            }
            QueryError::Sql(error) => error.into(),
        }
    }
}

impl From<ControlError> for Problem {
    fn from(error: ControlError) -> Self {
        let detail = error.to_string();
        match error {
            ControlError::Unknown { known, .. } => {
                Self::new(ProblemKind::NotFound, detail).with("known", known)
            }
            ControlError::NotRunning { .. } | ControlError::Step(StepError::Fenced { .. }) => {
                Self::new(ProblemKind::Unavailable, detail)
            }
            ControlError::Step(StepError::Refused { .. })
            | ControlError::Claim(ClaimError::Newer { .. }) => {
                Self::new(ProblemKind::ProjectionRefused, detail)
            }
            ControlError::Step(StepError::OtherLog { .. }) => {
                tracing::error!(detail, "read side belongs to another log");
                Self::new(ProblemKind::Unavailable, detail)
            }
            ControlError::Step(StepError::Store(error)) => error.into(),
            ControlError::Step(StepError::Sql(error))
            | ControlError::Claim(ClaimError::Sql(error)) => error.into(),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        if let StoreError::Closed = error {
            return Self::new(ProblemKind::Stopping, "event store is closed: try again later");
        }
        let detail = error.to_string();
        match &error {
            StoreError::BeyondEnd(beyond) => {
                return Self::new(ProblemKind::Invalid, detail).with("end", beyond.end.get());
            }
            StoreError::Query(_) => return Self::new(ProblemKind::Invalid, detail),
            StoreError::Overloaded { .. } => {
                return Self::new(ProblemKind::Overloaded, detail).retry_after_s(1);
            }
            _ => {}
        }
        // Paths and causes are for the operator's log, not for clients.
        tracing::error!(%error, "event store could not be read");
        if let StoreError::Unavailable { .. } = error {
            let detail = "event store cannot be reached: try again later";
            return Self::new(ProblemKind::Unavailable, detail);
        }
        Self::new(ProblemKind::Internal, "event store could not be read: the cause is logged")
    }
}

impl From<NameError> for Problem {
    fn from(error: NameError) -> Self {
        let (NameError::Empty { what, .. }
        | NameError::TooLong { what, .. }
        | NameError::Character { what, .. }
        | NameError::Dots { what }) = &error;
        let parameter = what.trim_start_matches("stream ");
        Self::field(format!("path:{parameter}"), error.to_string())
    }
}

impl From<JsonSendError> for Problem {
    fn from(error: JsonSendError) -> Self {
        let detail = error.to_string();
        match error {
            JsonSendError::UnknownCategory { known, .. }
            | JsonSendError::UnknownCommand { known, .. } => {
                Self::new(ProblemKind::UnknownCommand, detail).with("known", known)
            }
            JsonSendError::Body(error) => Self::field(error.pointer, error.problem),
            JsonSendError::Name(error) => error.into(),
            JsonSendError::Rejected { code, detail, revision, replayed } => {
                rejected(detail, &code, revision, replayed)
            }
            JsonSendError::Send(error) => error.into(),
        }
    }
}

impl<R: Rejection> From<SendError<R>> for Problem {
    fn from(error: SendError<R>) -> Self {
        let detail = error.to_string();
        match error {
            SendError::Rejected { rejection, revision } => {
                rejected(detail, rejection.code(), revision, false)
            }
            SendError::RejectedBefore { code, revision, .. } => {
                rejected(detail, &code, revision, true)
            }
            SendError::TooManyOutcomes { .. } => {
                Self::new(ProblemKind::TooManyOutcomes, detail).retry_after_s(60)
            }
            SendError::RevisionMismatch { expected, actual } => {
                Self::new(ProblemKind::RevisionMismatch, detail)
                    .with("expected", expected.get())
                    .with("actual", actual.get())
            }
            SendError::Conflict { .. } => Self::new(ProblemKind::Conflict, detail),
            SendError::KeyReused { .. } => Self::new(ProblemKind::KeyReused, detail),
            SendError::Invalid(_) => Self::new(ProblemKind::Invalid, detail),
            SendError::Overloaded => Self::new(ProblemKind::Overloaded, detail),
            SendError::TimedOut | SendError::Lost { .. } => {
                let told = format!("{detail}: send it again with the same idempotency key");
                Self::new(ProblemKind::OutcomeUnknown, told)
            }
            SendError::Panicked | SendError::Unreadable { .. } => {
                tracing::error!(error = detail, "command could not be decided");
                Self::new(ProblemKind::Internal, detail)
            }
            SendError::Store(error) => error.into(),
            SendError::Read(error) => error.into(),
            SendError::Stopping => Self::new(ProblemKind::Stopping, detail),
        }
    }
}

/// Describes a rejection, with the revision of the aggregate at which it holds.
fn rejected(detail: String, code: &str, revision: Revision, replayed: bool) -> Problem {
    Problem::new(ProblemKind::Rejected, detail)
        .with("code", code)
        .with("revision", revision.get())
        .with("replayed", replayed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_the_operators_files_stay_on_the_server() {
        let error = AppendError::DiskFull { path: "/secret/place".into() };
        assert!(!Problem::from(error).to_string().contains("secret"));
        let error = AppendError::Unavailable { cause: "/secret/place".into() };
        assert!(!Problem::from(error).to_string().contains("secret"));
    }
}

//! What ends a command with an error: one line that names the cause and the fix.

use headwater::store::StoreError;

/// The reason why a command failed, in words for the person at the terminal.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The log could not be opened or read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Another process has the data folder, whose read models are for one alone.
    #[error(
        "{dir} is in use by another process: stop it, name another --data-dir, or share read \
         models in PostgreSQL with --read"
    )]
    InUse {
        /// The folder.
        dir: String,
    },
    /// The command did what it could, and something was left out that somebody should look at.
    #[error("{0}")]
    Findings(String),
    /// Anything else, already in words.
    #[error("{0}")]
    Words(String),
}

impl Failure {
    /// Makes a failure of words.
    pub fn new(words: impl Into<String>) -> Self {
        Self::Words(words.into())
    }
}

macro_rules! failure_from {
    ($($error:ty),+ $(,)?) => { $(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::Words(error.to_string())
            }
        }
    )+ };
}

failure_from!(
    std::io::Error,
    serde_json::Error,
    crate::config::ConfigError,
    headwater::api::ServeError,
    headwater::api::keys::KeyError,
    headwater::event::NameError,
    headwater::event::NewEventError,
    headwater::projection::QueryError,
    headwater::runtime::ControlError,
    headwater::runtime::StartError,
    headwater::postgres::AddressError,
    headwater::postgres::Fault,
    headwater::sql::MigrationError,
    headwater::sql::OpenError,
    headwater::sql::SqlError,
    headwater::store::AppendError,
    headwater::telemetry::TelemetryError,
    headwater::runtime::AddressError,
    headwater::runtime::SendError<headwater_outbox::endpoint::EndpointRejection>,
    headwater_outbox::OutboxError,
    headwater_outbox::secret::KeyFileError,
    headwater_outbox::secret::SealError,
    headwater_outbox::secret::SealKeyError,
    headwater_outbox::secret::SecretError,
    headwater_outbox::webhook::ClientError,
);

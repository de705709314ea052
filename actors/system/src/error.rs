//! What ends the program with an error: one line that names the cause and the fix.

/// The reason why a command failed, already in words for the person at the terminal.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Failure(pub String);

impl Failure {
    /// Makes a failure of words.
    pub fn new(words: impl Into<String>) -> Self {
        Self(words.into())
    }
}

macro_rules! failure_from {
    ($($error:ty),+ $(,)?) => { $(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self(error.to_string())
            }
        }
    )+ };
}

failure_from!(
    std::io::Error,
    serde_json::Error,
    headwater::store::StoreError,
    headwater::store::AppendError,
    headwater::event::NameError,
    headwater::event::NewEventError,
);

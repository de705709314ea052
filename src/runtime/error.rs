//! Why a command was not done; each variant says who acts.

use std::borrow::Cow;

use crate::event::{NameError, Revision, StreamId};
use crate::store::{AppendError, StoreError};

/// Says why a command led to nothing; `R` is how the aggregate's rules say no.
#[derive(Debug, thiserror::Error)]
pub enum SendError<R> {
    /// The rules do not allow it. Caller: ask for something else.
    #[error("{rejection}")]
    Rejected {
        /// What the rules say.
        rejection: R,
        /// The aggregate's revision at which they say so.
        revision: Revision,
    },
    /// The rules did not allow it when it was sent before with the same idempotency key. Caller:
    /// ask for something else, or send it with a fresh key.
    #[error("{detail}")]
    RejectedBefore {
        /// The rejection's stable name.
        code: String,
        /// The rejection in words.
        detail: String,
        /// The aggregate's revision at which the rules said so.
        revision: Revision,
    },
    /// The tenant has had too many keyed commands that led to no event, whose outcomes are kept.
    /// Nothing was stored. Caller: send it later, or without an idempotency key.
    #[error(
        "tenant has reached {max} keyed commands without events in 24 h: \
         send this one later, or without an idempotency key"
    )]
    TooManyOutcomes {
        /// How many outcomes are kept for a tenant in 24 h.
        max: u32,
    },
    /// The aggregate is not at the revision the caller named. Caller: look again.
    #[error("aggregate is at revision {actual}, expected {expected}")]
    RevisionMismatch {
        /// The revision the caller named.
        expected: Revision,
        /// The revision it has.
        actual: Revision,
    },
    /// Other writers were faster each time. Caller: send it again.
    #[error("other writers changed the stream in each of {attempts} attempts, send it again")]
    Conflict {
        /// How often it was decided.
        attempts: u32,
    },
    /// The idempotency key belongs to another command. Caller: use a fresh key.
    #[error("idempotency key {key:?} was used for another command, use a fresh one")]
    KeyReused {
        /// The key.
        key: String,
    },
    /// The command or its events break a bound. Caller or developer: correct it.
    #[error("command refused: {0}")]
    Invalid(String),
    /// Too many commands wait already. Nobody: try again later.
    #[error("too many commands are waiting, try again later")]
    Overloaded,
    /// There was no outcome in time; it may still come. Caller: send it again with its key.
    #[error("no outcome in time, the command may or may not be done")]
    TimedOut,
    /// The aggregate's code panicked. Developer; nothing was recorded.
    #[error("the aggregate's code panicked")]
    Panicked,
    /// The aggregate's own stream cannot be read with this program. Operator: use the program
    /// that wrote it, or repair the stream; nothing is guessed.
    #[error("stream {stream} cannot be folded at revision {revision}: {problem}")]
    Unreadable {
        /// The stream.
        stream: StreamId,
        /// The revision of the event that does not fit.
        revision: Revision,
        /// What is wrong with it.
        problem: String,
    },
    /// The store refused or failed; the error says who acts.
    #[error(transparent)]
    Store(AppendError),
    /// The store could not be read; the error says who acts.
    #[error(transparent)]
    Read(StoreError),
    /// The actor was lost again and again. Caller: send it again with its key.
    #[error("the aggregate's actor was lost {attempts} times, the command may or may not be done")]
    Lost {
        /// How often it was sent.
        attempts: u32,
    },
    /// The system is shutting down. Caller: send it again when it is back.
    #[error("the system is stopping and takes no commands")]
    Stopping,
}

/// Says why an aggregate cannot be addressed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// No such aggregate was registered. Developer: add it to the builder.
    #[error("aggregate {category:?} is not registered: add it to the builder")]
    NotRegistered {
        /// Its category.
        category: String,
    },
    /// The id is not a name. Caller.
    #[error(transparent)]
    Name(#[from] NameError),
}

/// Says why a command in JSON led to nothing.
#[derive(Debug, thiserror::Error)]
pub enum JsonSendError {
    /// No aggregate has that category. Caller.
    #[error("category {category:?} is not known: known are {}", known.join(", "))]
    UnknownCategory {
        /// The category asked for.
        category: String,
        /// The categories there are.
        known: Vec<&'static str>,
    },
    /// The aggregate has no such command. Caller.
    #[error(
        "command {command:?} of category {category:?} is not known: known are {}",
        known.join(", ")
    )]
    UnknownCommand {
        /// The category.
        category: String,
        /// The command asked for.
        command: String,
        /// The commands there are.
        known: Vec<&'static str>,
    },
    /// The body is not the command. Caller: correct it.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// The id is not a name. Caller.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The rules do not allow it. Caller: ask for something else.
    #[error("{detail}")]
    Rejected {
        /// The rejection's stable name.
        code: Cow<'static, str>,
        /// The rejection in words.
        detail: String,
        /// The aggregate's revision at which the rules say so.
        revision: Revision,
        /// Whether this is the answer to an earlier command with the same idempotency key.
        replayed: bool,
    },
    /// Everything that can go wrong with a typed command as well.
    #[error(transparent)]
    Send(SendError<std::convert::Infallible>),
}

/// Says where the JSON of a command does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("command body does not fit{}: {problem}", at(pointer))]
pub struct BodyError {
    /// JSON pointer (RFC 6901) to the field; empty for the whole body.
    pub pointer: String,
    /// What is wrong with it, in words; where it is no JSON, also the line and the column.
    pub problem: String,
}

fn at(pointer: &str) -> String {
    if pointer.is_empty() { String::new() } else { format!(" at {pointer}") }
}

impl<R: crate::aggregate::Rejection> From<SendError<R>> for JsonSendError {
    fn from(error: SendError<R>) -> Self {
        match error.split_rejection() {
            Ok((rejection, revision)) => Self::Rejected {
                code: rejection.code().into(),
                detail: rejection.to_string(),
                revision,
                replayed: false,
            },
            Err(SendError::RejectedBefore { code, detail, revision }) => {
                Self::Rejected { code: code.into(), detail, revision, replayed: true }
            }
            Err(other) => Self::Send(other),
        }
    }
}

impl<R> SendError<R> {
    /// Separates a rejection, with the revision at which it holds, from everything else.
    ///
    /// # Errors
    /// The same error, when it is not a rejection of this very command.
    pub fn split_rejection<S>(self) -> Result<(R, Revision), SendError<S>> {
        Err(match self {
            Self::Rejected { rejection, revision } => return Ok((rejection, revision)),
            Self::RejectedBefore { code, detail, revision } => {
                SendError::RejectedBefore { code, detail, revision }
            }
            Self::TooManyOutcomes { max } => SendError::TooManyOutcomes { max },
            Self::RevisionMismatch { expected, actual } => {
                SendError::RevisionMismatch { expected, actual }
            }
            Self::Conflict { attempts } => SendError::Conflict { attempts },
            Self::KeyReused { key } => SendError::KeyReused { key },
            Self::Invalid(problem) => SendError::Invalid(problem),
            Self::Overloaded => SendError::Overloaded,
            Self::TimedOut => SendError::TimedOut,
            Self::Panicked => SendError::Panicked,
            Self::Unreadable { stream, revision, problem } => {
                SendError::Unreadable { stream, revision, problem }
            }
            Self::Store(error) => SendError::Store(error),
            Self::Read(error) => SendError::Read(error),
            Self::Lost { attempts } => SendError::Lost { attempts },
            Self::Stopping => SendError::Stopping,
        })
    }
}

//! What keyed commands came to that led to no event, kept in the log.
//!
//! A command with events is found again by their ids. A command that was rejected, or changed
//! nothing, leaves none, so its outcome is an event of its own: stored in the same append that
//! checks the revision at which it holds, under the id that the command's first event would have
//! had. The id makes it unique, so whichever node decides a retry finds the first outcome.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::envelope::Key;
use crate::event::{
    EventId, EventSet, Metadata, NameError, NewEvent, NewEventError, RecordedEvent, Revision,
    StreamId,
};

/// The category of the events that hold outcomes; it takes no raw appends.
pub const OUTCOME_CATEGORY: &str = "command-outcome";

/// How long a repeated command gets the same outcome.
const KEPT_FOR: SignedDuration = SignedDuration::from_hours(24);

/// The most bytes of a rejection's words that are kept.
const DETAIL_BYTES_MAX: usize = 1_000;

/// What a keyed command without events came to.
///
/// The stream has the aggregate's category as its id, and the metadata has the idempotency key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum CommandOutcome {
    /// The rules refused it.
    CommandRejected {
        /// The aggregate's stream, as `category/id`.
        stream: String,
        /// The command's name.
        command: String,
        /// The aggregate's revision at which it was refused.
        revision: u64,
        /// The rejection's stable name.
        code: String,
        /// The rejection in words.
        detail: String,
    },
    /// There was nothing to do.
    CommandChangedNothing {
        /// The aggregate's stream, as `category/id`.
        stream: String,
        /// The command's name.
        command: String,
        /// The aggregate's revision at which there was nothing to do.
        revision: u64,
    },
}

crate::event_schema! {
    CommandOutcome in "command-outcome" {
        CommandRejected = 1,
        CommandChangedNothing = 1,
    }
}

/// An outcome as it was stored.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct KeptOutcome {
    pub outcome: CommandOutcome,
    pub command_hash: Option<String>,
}

impl KeptOutcome {
    /// Reads an outcome from an event; `None` when the event is none.
    pub fn read(event: &RecordedEvent) -> Option<Self> {
        if event.category() != OUTCOME_CATEGORY {
            return None;
        }
        let outcome = CommandOutcome::decode(event).ok()?;
        Some(Self { outcome, command_hash: event.metadata().command_hash })
    }
}

/// Returns whether an outcome that was recorded then counts no more.
pub(super) fn is_expired(recorded_at: Timestamp, now: Timestamp) -> bool {
    now.duration_since(recorded_at) > KEPT_FOR
}

/// Returns the stream that keeps the outcomes of commands to an aggregate.
pub(super) fn outcome_stream(key: &Key) -> Result<StreamId, NameError> {
    StreamId::new(OUTCOME_CATEGORY, key.stream.category().as_str())
}

impl CommandOutcome {
    /// Describes a rejection.
    pub(super) fn rejected(
        key: &Key,
        command: &str,
        revision: Revision,
        rejection: &impl crate::aggregate::Rejection,
    ) -> Self {
        Self::CommandRejected {
            stream: key.stream.to_string(),
            command: command.to_owned(),
            revision: revision.get(),
            code: rejection.code().to_owned(),
            detail: shortened(rejection.to_string()),
        }
    }

    /// Describes a command that had nothing to do.
    pub(super) fn unchanged(key: &Key, command: &str, revision: Revision) -> Self {
        Self::CommandChangedNothing {
            stream: key.stream.to_string(),
            command: command.to_owned(),
            revision: revision.get(),
        }
    }

    /// Makes the event that keeps it, under the id of the command's first event.
    pub(super) fn to_event(
        &self,
        id: EventId,
        metadata: Metadata,
    ) -> Result<NewEvent, NewEventError> {
        Ok(NewEvent::typed_as(id, self)?.with_metadata(metadata))
    }
}

/// Cuts words that are too many for an event.
fn shortened(mut detail: String) -> String {
    let end = detail.floor_char_boundary(DETAIL_BYTES_MAX);
    detail.truncate(end);
    detail
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_outcomes_read_as_they_did() {
        let (stream, command) = ("order/536365".to_owned(), "cancel".to_owned());
        let (code, detail) = ("unknown-order".to_owned(), "order is not placed".to_owned());
        let rejected = CommandOutcome::CommandRejected {
            stream: stream.clone(),
            command: command.clone(),
            revision: 3,
            code,
            detail,
        };
        let unchanged = CommandOutcome::CommandChangedNothing { stream, command, revision: 3 };
        crate::test::golden::check(
            concat!(env!("CARGO_MANIFEST_DIR"), "/schema/events"),
            [rejected, unchanged],
        );
    }

    #[test]
    fn the_words_of_a_rejection_are_cut_between_characters() {
        let cut = shortened("é".repeat(DETAIL_BYTES_MAX));
        assert_eq!(cut.len(), DETAIL_BYTES_MAX);
        assert_eq!(shortened("short".into()), "short");
    }
}

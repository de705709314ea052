//! What is known about an event besides its data: cause, thread, trace, author.

use serde::{Deserialize, Serialize};

/// Says which metadata field was refused; the caller must shorten or clean it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("metadata field {field} {problem}")]
pub struct MetadataError {
    /// The field.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: &'static str,
}

/// Goes with an event through every consumer; never shown to aggregates.
///
/// Each text has at most [`Metadata::TEXT_LEN_MAX`] bytes and no control character, so that
/// it can stand in a header and a log line as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Metadata {
    /// The thread: the same for everything that one outside request set off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// The direct cause: the id of the command or event that led to this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub causation_id: Option<String>,
    /// The W3C trace context of the writer, kept whether or not it was sampled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// Who asked for it: the name of the credential, never the credential.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
    /// The idempotency key of the command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// Fingerprint of the keyed command, which tells a retry from another use of the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command_hash: Option<String>,
}

impl Metadata {
    /// The most bytes a field may have.
    pub const TEXT_LEN_MAX: usize = 255;
    pub(crate) const FIELD_COUNT: usize = 6;

    /// Returns the fields in the order in which they are written.
    pub(crate) fn fields(&self) -> [(&'static str, Option<&str>); Self::FIELD_COUNT] {
        [
            ("correlation_id", self.correlation_id.as_deref()),
            ("causation_id", self.causation_id.as_deref()),
            ("traceparent", self.traceparent.as_deref()),
            ("who", self.who.as_deref()),
            ("idempotency_key", self.idempotency_key.as_deref()),
            ("command_hash", self.command_hash.as_deref()),
        ]
    }

    pub(crate) fn from_fields(fields: [Option<String>; Self::FIELD_COUNT]) -> Self {
        let [correlation_id, causation_id, traceparent, who, idempotency_key, command_hash] =
            fields;
        Self { correlation_id, causation_id, traceparent, who, idempotency_key, command_hash }
    }

    /// Checks every field against the bounds.
    ///
    /// # Errors
    /// [`MetadataError`] naming the first field that is empty, too long or holds a control
    /// character.
    pub fn check(&self) -> Result<(), MetadataError> {
        for (field, text) in self.fields() {
            let Some(text) = text else { continue };
            let problem = match text {
                "" => "is empty: leave it out instead",
                _ if text.len() > Self::TEXT_LEN_MAX => "has more than 255 bytes",
                _ if has_control(text) => "holds a control character",
                _ => continue,
            };
            return Err(MetadataError { field, problem });
        }
        Ok(())
    }
}

/// Looks at bytes where that is enough: it is done for each field of each command and event.
fn has_control(text: &str) -> bool {
    match text.is_ascii() {
        true => text.bytes().any(|byte| byte.is_ascii_control()),
        false => text.chars().any(char::is_control),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_character_is_refused_whatever_stands_beside_it() {
        for bad in ["a\nb", "\u{7f}", "é\n", "\u{85}"] {
            let metadata = Metadata { who: Some(bad.into()), ..Metadata::default() };
            assert_eq!(metadata.check().unwrap_err().field, "who", "{bad:?}");
        }
        for good in ["ada", "Zoë", " "] {
            let metadata = Metadata { who: Some(good.into()), ..Metadata::default() };
            assert_eq!(metadata.check(), Ok(()));
        }
    }
}

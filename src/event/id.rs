//! The identity of an event: what makes an append idempotent.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Identifies an event for ever; appending the same id twice stores it once.
///
/// Fresh ids are UUID v7 (RFC 9562), so they sort by the time they were made, which lets the
/// log skip old segments when it looks for doubles. Ids of keyed commands are UUID v8, made
/// from the key by [`EventId::derived`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventId(Uuid);

impl EventId {
    /// Makes a fresh id (UUID v7).
    #[must_use]
    pub fn fresh() -> Self {
        Self(Uuid::now_v7())
    }

    /// Makes the id that the same `parts` always give: a UUID v8 over their BLAKE3 hash.
    ///
    /// The parts are hashed with their lengths, so `["ab", "c"]` and `["a", "bc"]` differ.
    #[must_use]
    pub fn derived(parts: &[&[u8]]) -> Self {
        let mut hasher = blake3::Hasher::new();
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        let mut head = [0_u8; 16];
        hasher.finalize_xof().fill(&mut head);
        Self(Uuid::new_v8(head))
    }

    /// Wraps an id that was made elsewhere.
    #[must_use]
    pub const fn from_uuid(id: Uuid) -> Self {
        Self(id)
    }

    /// Returns the id as a UUID.
    #[must_use]
    pub const fn as_uuid(self) -> Uuid {
        self.0
    }

    /// Returns the sixteen bytes of the id, most significant first.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 16] {
        *self.0.as_bytes()
    }

    /// Reads an id from its sixteen bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::str::FromStr for EventId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_parts_give_the_same_id_and_other_cuts_another() {
        let id = EventId::derived(&[b"ab", b"c"]);
        assert_eq!(id, EventId::derived(&[b"ab", b"c"]));
        assert_ne!(id, EventId::derived(&[b"a", b"bc"]));
        assert_eq!(id.as_uuid().get_version_num(), 8);
    }

    #[test]
    fn fresh_ids_sort_by_the_time_they_were_made() {
        let ids: Vec<_> = (0..100).map(|_| EventId::fresh()).collect();
        assert!(ids.is_sorted());
    }
}

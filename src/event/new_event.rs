//! An event that is about to be appended.

use bytes::Bytes;
use serde_json::value::RawValue;

use super::{
    DecodeError, Event, EventId, EventType, Metadata, MetadataError, Moment, NameError, Tag,
};

/// Says why an event cannot be appended; the caller must change it.
#[derive(Debug, thiserror::Error)]
pub enum NewEventError {
    /// The type or a tag is not a valid name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A metadata field is over its bound.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// The data is not JSON.
    #[error("data is not valid JSON: {0}")]
    Json(#[source] serde_json::Error),
    /// The typed event did not serialize.
    #[error(transparent)]
    Encode(#[from] DecodeError),
    /// There are more tags than [`NewEvent::TAGS_MAX`].
    #[error("event has {count} tags: at most {} are allowed", NewEvent::TAGS_MAX)]
    TooManyTags {
        /// How many there are.
        count: usize,
    },
}

/// An event without its places: the store gives it a revision and a position.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// Identity; the same id is stored once.
    pub id: EventId,
    /// What kind of thing happened.
    pub event_type: EventType,
    /// Generation of the data's shape, from 1.
    pub version: u16,
    /// When it happened in the world, kept as it is given; `None` means when it is recorded.
    pub occurred_at: Option<Moment>,
    /// Marks by which it can be found across streams.
    pub tags: Vec<Tag>,
    /// What is known besides the data.
    pub metadata: Metadata,
    data: Bytes,
}

impl NewEvent {
    /// The most tags an event may have.
    pub const TAGS_MAX: usize = 32;

    /// Makes an event of JSON bytes, which are kept exactly as they are.
    ///
    /// # Errors
    /// [`NewEventError`] when the type is not a name or the data is not JSON.
    pub fn json(
        event_type: impl AsRef<str>,
        version: u16,
        data: impl Into<Bytes>,
    ) -> Result<Self, NewEventError> {
        let data = data.into();
        serde_json::from_slice::<&RawValue>(&data).map_err(NewEventError::Json)?;
        Ok(Self::of_parts(EventId::fresh(), EventType::new(event_type)?, version, data))
    }

    /// Makes an event of a typed one, with its tags and its time.
    ///
    /// # Errors
    /// [`NewEventError`] when a tag is not a name, there are too many, or it does not serialize.
    pub fn typed<E: Event>(event: &E) -> Result<Self, NewEventError> {
        Self::typed_as(EventId::fresh(), event)
    }

    /// Makes an event of a typed one whose id is known, as [`typed`](Self::typed).
    pub(crate) fn typed_as<E: Event>(id: EventId, event: &E) -> Result<Self, NewEventError> {
        let shape = event.shape();
        let event_type = EventType::new(shape.event_type)?;
        let mut new = Self::of_parts(id, event_type, shape.version, event.encode()?.into());
        new.tags = event.tags()?;
        new.occurred_at = event.occurred_at();
        match new.tags.len() {
            count if count > Self::TAGS_MAX => Err(NewEventError::TooManyTags { count }),
            _ => Ok(new),
        }
    }

    fn of_parts(id: EventId, event_type: EventType, version: u16, data: Bytes) -> Self {
        Self {
            id,
            event_type,
            version,
            occurred_at: None,
            tags: Vec::new(),
            metadata: Metadata::default(),
            data,
        }
    }

    /// Sets the identity, for callers that retry with the same id.
    #[must_use]
    pub fn with_id(mut self, id: EventId) -> Self {
        self.id = id;
        self
    }

    /// Sets the metadata.
    #[must_use]
    pub fn with_metadata(mut self, metadata: Metadata) -> Self {
        self.metadata = metadata;
        self
    }

    /// Sets the tags.
    #[must_use]
    pub fn with_tags(mut self, tags: Vec<Tag>) -> Self {
        self.tags = tags;
        self
    }

    /// Sets the time at which it happened.
    #[must_use]
    pub fn with_occurred_at(mut self, at: impl Into<Moment>) -> Self {
        self.occurred_at = Some(at.into());
        self
    }

    /// Returns the JSON bytes.
    #[must_use]
    pub fn data(&self) -> &Bytes {
        &self.data
    }

    /// Checks the bounds that the public fields could break.
    ///
    /// # Errors
    /// [`NewEventError`] naming the first bound that does not hold.
    pub fn check(&self) -> Result<(), NewEventError> {
        self.metadata.check()?;
        match self.tags.len() {
            count if count > Self::TAGS_MAX => Err(NewEventError::TooManyTags { count }),
            _ => Ok(()),
        }
    }
}

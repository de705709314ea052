//! Which events: the filter of reads, subscriptions and append conditions.

use super::{Category, EventType, RecordedEvent, Tag};

/// Matches an event if any of its items does; without items it matches every event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventQuery {
    /// The alternatives.
    pub items: Vec<QueryItem>,
}

/// Matches an event of any of the categories and any of the types that has all of the tags.
///
/// An empty list asks for nothing: an item of empty lists matches every event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueryItem {
    /// Any of these categories.
    pub categories: Vec<Category>,
    /// Any of these types.
    pub types: Vec<EventType>,
    /// All of these tags.
    pub tags: Vec<Tag>,
}

impl EventQuery {
    /// Returns the query that matches every event.
    #[must_use]
    pub const fn all() -> Self {
        Self { items: Vec::new() }
    }

    /// Returns whether the query matches every event.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.items.is_empty() || self.items.contains(&QueryItem::default())
    }

    /// Returns how many categories, types and tags it names, over all its items.
    #[must_use]
    pub fn name_count(&self) -> usize {
        let names = |item: &QueryItem| item.categories.len() + item.types.len() + item.tags.len();
        self.items.iter().map(names).sum()
    }

    /// Returns whether the query matches the event.
    #[must_use]
    pub fn matches(&self, event: &RecordedEvent) -> bool {
        self.items.is_empty() || self.items.iter().any(|item| item.matches(event))
    }
}

impl QueryItem {
    /// Returns whether the item matches the event.
    #[must_use]
    pub fn matches(&self, event: &RecordedEvent) -> bool {
        let category = event.category();
        let event_type = event.event_type();
        (self.categories.is_empty() || self.categories.iter().any(|own| own.as_str() == category))
            && (self.types.is_empty() || self.types.iter().any(|own| own.as_str() == event_type))
            && self.tags.iter().all(|tag| event.has_tag(tag.as_str()))
    }
}

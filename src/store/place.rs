//! The one rule for a position that a reader starts from: it lies in the log.
//!
//! A position beyond the end comes from another log, or from this one before it was restored
//! from a backup. To wait there, or to answer with an empty page, would skip every event that
//! gets one of the positions between.

use super::{EventStore, LogRead, StoreError};
use crate::event::Position;

/// Says that a position lies beyond the end of the log. Caller: begin at the end or before it,
/// and look whether the log was restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "position {asked} lies beyond the end of the log, which is at {end}: the log may have been \
     restored from a backup; start at {end} or before it, and expect other events there"
)]
pub struct BeyondEnd {
    /// The position that was asked for.
    pub asked: Position,
    /// The position of the last event.
    pub end: Position,
}

impl BeyondEnd {
    /// Checks a position to start after against the end of the log.
    ///
    /// # Errors
    /// [`BeyondEnd`] when it lies beyond.
    pub fn check(asked: Position, end: Position) -> Result<(), Self> {
        if asked > end { Err(Self { asked, end }) } else { Ok(()) }
    }
}

/// Checks a position to start after against the end of a store's log.
///
/// Where several nodes append, this node may not have heard of the newest events yet, so the
/// engine is asked before a position is refused.
///
/// # Errors
/// [`StoreError::BeyondEnd`] when it lies beyond; otherwise as [`EventStore::read_log`].
pub async fn check_place(store: &dyn EventStore, place: Position) -> Result<(), StoreError> {
    if place <= *store.head().borrow() {
        return Ok(());
    }
    store.read_log(LogRead::after(place, 1)).await.map(drop)
}

//! Given events, a projection's rows: the read side as sentences, without SQL.
//!
//! Events go through their stored form, so decoding and routing are tested as they run.

use std::collections::BTreeMap;
use std::fmt::Debug;

use jiff::Timestamp;
use serde_json::Value;

use super::given::{difference, fail};
use crate::event::{
    Event, EventSet, NewEvent, Position, Recorded, RecordedEvent, Revision, StreamId, Tenant,
    encode_record, seal_record,
};
use crate::projection::RowProjection;

/// Rows of a projection in memory, and the events that come next.
///
/// Panics, as an assertion does, when an event cannot be encoded, decoded or applied.
pub struct GivenRows<P: RowProjection> {
    projection: P,
    rows: BTreeMap<String, P::Row>,
    revisions: BTreeMap<StreamId, Revision>,
    position: Position,
}

/// Starts with a projection that has no row.
pub const fn given_rows<P: RowProjection>(projection: P) -> GivenRows<P> {
    GivenRows {
        projection,
        rows: BTreeMap::new(),
        revisions: BTreeMap::new(),
        position: Position::ZERO,
    }
}

impl<P: RowProjection> GivenRows<P> {
    /// Puts a row in place, as if earlier events had made it.
    pub fn row(mut self, key: &P::Key, row: P::Row) -> Self {
        self.rows.insert(key.to_string(), row);
        self
    }

    /// Records the events of one stream, whose id is given without its category, and applies
    /// those that the projection subscribes to.
    ///
    /// # Panics
    /// If an event cannot be encoded, decoded or applied.
    #[track_caller]
    pub fn events<E: Event>(mut self, id: &str, events: impl IntoIterator<Item = E>) -> Self {
        for event in events {
            match self.record(id, &event).and_then(|raw| self.apply(raw)) {
                Ok(()) => {}
                Err(problem) => fail(&problem),
            }
        }
        self
    }

    /// Asserts that there is a row under the key, and that it is this one.
    ///
    /// # Panics
    /// If the row is missing or another.
    #[track_caller]
    pub fn then_row(self, key: &P::Key, expected: &P::Row) -> Self
    where
        P::Row: PartialEq + Debug,
    {
        match self.rows.get(&key.to_string()) {
            Some(row) if row == expected => self,
            Some(row) => fail(&difference(&[expected], &[row])),
            None => fail(&format!("no row {:?}; there are {:?}", key.to_string(), self.keys())),
        }
    }

    /// Asserts that there is no row under the key.
    ///
    /// # Panics
    /// If there is one.
    #[track_caller]
    pub fn then_no_row(self, key: &P::Key) -> Self {
        if self.rows.contains_key(&key.to_string()) {
            fail(&format!("row {:?} should not be there", key.to_string()));
        }
        self
    }

    /// Returns the rows by the text of their keys.
    #[must_use]
    pub const fn rows(&self) -> &BTreeMap<String, P::Row> {
        &self.rows
    }

    fn keys(&self) -> Vec<&String> {
        self.rows.keys().collect()
    }

    /// Gives an event its places and its stored form.
    fn record<E: Event>(&mut self, id: &str, event: &E) -> Result<RecordedEvent, String> {
        let stream = StreamId::new(E::CATEGORY, id).map_err(told)?;
        let new = NewEvent::typed(event).map_err(told)?;
        let revision = self.revisions.entry(stream.clone()).or_default();
        *revision = revision.next();
        self.position = self.position.next();
        let mut bytes = Vec::new();
        encode_record(&mut bytes, &Tenant::default_tenant(), &stream, &new);
        seal_record(&mut bytes, self.position, *revision, Timestamp::constant(1_577_836_800, 0));
        RecordedEvent::parse(&bytes.into()).map_err(told)
    }

    /// Decodes, routes and folds one event, keeping rows as JSON between, as a store does.
    fn apply(&mut self, raw: RecordedEvent) -> Result<(), String> {
        if !P::Event::query().matches(&raw) {
            return Ok(());
        }
        let event = Recorded::new(P::Event::decode(&raw).map_err(told)?, raw);
        for key in self.projection.route(&event) {
            let id = key.to_string();
            let mut row = self.rows.remove(&id);
            self.projection.evolve(&key, &mut row, &event).map_err(told)?;
            if let Some(row) = row {
                let json: Value = serde_json::to_value(&row).map_err(told)?;
                self.rows.insert(id, serde_json::from_value(json).map_err(told)?);
            }
        }
        Ok(())
    }
}

fn told(error: impl ToString) -> String {
    error.to_string()
}

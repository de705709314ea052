//! The smallest domain that the benches can drive: counters that are added to.

use std::convert::Infallible;

use headwater::aggregate::{Aggregate, Command, Context, Decide};
use headwater::event::Recorded;
use headwater::projection::{ProjectionError, RowProjection};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What happens to a counter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum CounterEvent {
    /// Something was added.
    Added {
        /// How much.
        amount: i64,
        /// Makes the event as large as the bench wants it.
        filler: String,
    },
}

headwater::event_schema! {
    CounterEvent in "bench-counter" { Added = 1 }
}

/// A counter.
#[derive(Default)]
pub struct Counter {
    total: i64,
}

impl Counter {
    /// Returns what it stands at.
    pub const fn total(&self) -> i64 {
        self.total
    }
}

impl Aggregate for Counter {
    type Event = CounterEvent;
    type Rejection = Infallible;

    fn evolve(&mut self, event: &CounterEvent) {
        let CounterEvent::Added { amount, .. } = event;
        self.total = self.total.wrapping_add(*amount);
    }
}

/// Adds to a counter.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Add {
    /// How much.
    pub amount: i64,
    /// Makes the event as large as the bench wants it.
    #[serde(default)]
    pub filler: String,
}

impl Command for Add {
    const NAME: &'static str = "add";
}

impl Decide<Add> for Counter {
    fn decide(&self, add: Add, _: &Context) -> Result<Vec<CounterEvent>, Infallible> {
        Ok(vec![CounterEvent::Added { amount: add.amount, filler: add.filler }])
    }
}

/// A counter as a row.
#[derive(Default, Serialize, Deserialize)]
pub struct CounterRow {
    total: i64,
    events: u64,
}

/// One row a counter.
pub struct Counters;

impl RowProjection for Counters {
    const NAME: &'static str = "bench_counters";
    const VERSION: u32 = 1;
    type Event = CounterEvent;
    type Key = String;
    type Row = CounterRow;

    fn route(&self, event: &Recorded<CounterEvent>) -> impl IntoIterator<Item = String> {
        [event.stream_id().to_owned()]
    }

    fn evolve(
        &self,
        _: &String,
        row: &mut Option<CounterRow>,
        event: &Recorded<CounterEvent>,
    ) -> Result<(), ProjectionError> {
        let row = row.get_or_insert_default();
        let CounterEvent::Added { amount, .. } = &event.data;
        row.total += amount;
        row.events += 1;
        Ok(())
    }
}

/// A filler that makes the event's JSON 256 bytes long.
pub fn filler() -> String {
    let empty = CounterEvent::Added { amount: 1, filler: String::new() };
    let len = headwater::event::Event::encode(&empty).map_or(0, |data| data.len());
    "x".repeat(256_usize.saturating_sub(len))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_of_a_counter_event_has_its_golden_file() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../schema/events");
        let added = CounterEvent::Added { amount: 7, filler: "xx".into() };
        headwater::test::golden::check::<CounterEvent>(folder, [added]);
    }
}

//! The sample domain of the runtime's tests: a counter with a bound, and a way to misbehave.

use headwater::aggregate::{Aggregate, Command, Context, Decide, Rejection, SnapshotPolicy};
use headwater::event::Tenant;
use headwater::projection::ProjectionError;
use headwater::runtime::AggregateSpec;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Counts up to a bound.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Counter {
    pub total: u64,
    pub events: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum CounterEvent {
    Added { amount: u64, total: u64 },
    Cursed {},
}

headwater::event_schema! { CounterEvent in "counter" { Added = 1, Cursed = 1 } }

#[derive(Debug, PartialEq, thiserror::Error)]
pub enum CounterRejection {
    #[error("total would be {total}: at most {max} is allowed")]
    TooMuch { total: u64, max: u64 },
}

impl Rejection for CounterRejection {
    fn code(&self) -> &'static str {
        "too-much"
    }
}

/// Adds an amount in so many parts, if the total stays within `max`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Add {
    pub amount: u64,
    #[serde(default = "one")]
    pub parts: u32,
    #[serde(default = "most")]
    pub max: u64,
}

/// Panics while it is decided.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Explode {}

/// Records an event whose folding panics.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Curse {}

impl Command for Add {
    const NAME: &'static str = "add";
}

impl Command for Explode {
    const NAME: &'static str = "explode";
}

impl Command for Curse {
    const NAME: &'static str = "curse";
}

impl Aggregate for Counter {
    type Event = CounterEvent;
    type Rejection = CounterRejection;

    fn evolve(&mut self, event: &CounterEvent) {
        self.events += 1;
        match event {
            CounterEvent::Added { amount, .. } => self.total += amount,
            CounterEvent::Cursed {} => panic!("cursed"),
        }
    }

    fn snapshots() -> Option<SnapshotPolicy<Self>> {
        Some(SnapshotPolicy::json(10, 1))
    }
}

impl Decide<Add> for Counter {
    fn decide(&self, add: Add, _: &Context) -> Result<Vec<CounterEvent>, CounterRejection> {
        let total = self.total + add.amount * u64::from(add.parts);
        if total > add.max {
            return Err(CounterRejection::TooMuch { total, max: add.max });
        }
        let part = |at| CounterEvent::Added {
            amount: add.amount,
            total: self.total + add.amount * u64::from(at),
        };
        Ok((1..=add.parts).map(part).collect())
    }
}

impl Decide<Explode> for Counter {
    fn decide(&self, _: Explode, _: &Context) -> Result<Vec<CounterEvent>, CounterRejection> {
        panic!("exploded")
    }
}

impl Decide<Curse> for Counter {
    fn decide(&self, _: Curse, _: &Context) -> Result<Vec<CounterEvent>, CounterRejection> {
        Ok(vec![CounterEvent::Cursed {}])
    }
}

/// Adds one amount in one part without bound.
pub fn add(amount: u64) -> Add {
    Add { amount, parts: one(), max: most() }
}

pub fn tenant() -> Tenant {
    Tenant::new("test").unwrap()
}

pub fn counter() -> AggregateSpec<Counter> {
    AggregateSpec::new().command::<Add>().command::<Explode>().command::<Curse>()
}

fn one() -> u32 {
    1
}

fn most() -> u64 {
    u64::MAX
}

/// One row per counter, its total; under a name and a type that is said, since a name is a
/// constant of its type. A cursed counter is poison.
macro_rules! totals {
    ($type:ident, $name:literal) => {
        pub struct $type<const VERSION: u32>;

        impl<const VERSION: u32> headwater::projection::RowProjection for $type<VERSION> {
            const NAME: &'static str = $name;
            const VERSION: u32 = VERSION;
            type Event = super::sample::CounterEvent;
            type Key = String;
            type Row = super::sample::Total;

            fn route(
                &self,
                event: &headwater::event::Recorded<Self::Event>,
            ) -> impl IntoIterator<Item = String> {
                [event.stream_id().to_owned()]
            }

            fn evolve(
                &self,
                _: &String,
                row: &mut Option<Self::Row>,
                event: &headwater::event::Recorded<Self::Event>,
            ) -> Result<(), headwater::projection::ProjectionError> {
                super::sample::sum(row, &event.data)
            }
        }
    };
}
pub(crate) use totals;

#[derive(Serialize, Deserialize)]
pub struct Total {
    pub total: u64,
}

pub fn sum(row: &mut Option<Total>, event: &CounterEvent) -> Result<(), ProjectionError> {
    if let CounterEvent::Added { amount, .. } = event {
        row.get_or_insert(Total { total: 0 }).total += amount;
        return Ok(());
    }
    Err(ProjectionError::Poison("cursed".into()))
}

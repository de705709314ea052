//! What a runner keeps in memory, and for how long.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use headwater::event::Recorded;
use headwater::projection::{Definition, ProjectionError, RowProjection};
use serde::{Deserialize, Deserializer, Serialize};
use tokio::time::timeout;

use super::fixture::{AccountEvent, World, bank, deposited, run_to};

/// Counts the events of each account.
struct Counts;

/// A row that tells how often it was read from its table.
#[derive(Serialize)]
struct Count {
    events: u32,
}

static READS: AtomicU32 = AtomicU32::new(0);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Fields {
            events: u32,
        }
        READS.fetch_add(1, Ordering::SeqCst);
        Fields::deserialize(from).map(|Fields { events }| Self { events })
    }
}

impl RowProjection for Counts {
    const NAME: &'static str = "counts";
    const VERSION: u32 = 1;
    type Event = AccountEvent;
    type Key = String;
    type Row = Count;

    fn route(&self, event: &Recorded<AccountEvent>) -> impl IntoIterator<Item = String> {
        [event.stream_id().to_owned()]
    }

    fn evolve(
        &self,
        _: &String,
        row: &mut Option<Count>,
        _: &Recorded<AccountEvent>,
    ) -> Result<(), ProjectionError> {
        row.get_or_insert(Count { events: 0 }).events += 1;
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn rows_written_lately_are_remembered_until_it_has_been_quiet_for_a_while() {
    let world = World::new();
    let catalog = world.catalog(vec![Definition::of_rows(Counts)]).await;
    let mut runner = catalog.runner("counts").await.unwrap();
    let after = world.config.forget_rows_after;
    let mut reads = Vec::new();
    for quiet in [Duration::ZERO, after / 2, after * 2, after / 2] {
        // There is nothing to do, so the step waits; the clock is the test's own.
        timeout(quiet, runner.step()).await.unwrap_err();
        let end = world.append("bank", "ada", &[deposited(1)]).await;
        run_to(&mut runner, end).await;
        reads.push(READS.swap(0, Ordering::SeqCst));
    }
    assert_eq!(reads, [0, 0, 1, 0]);
    let row = catalog.get("counts", bank(), "ada".into()).await.unwrap();
    assert_eq!(row.unwrap().row.get(), r#"{"events":4}"#);
}

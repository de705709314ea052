//! What deliveries leave behind in PostgreSQL while somebody holds an old snapshot.
//!
//! `HEADWATER_DELIVERIES` sets how many there are at least, 6,000 otherwise; `HEADWATER_HOLD_S` for
//! how long the snapshot is held at least.

use std::time::Instant;

use headwater::postgres::connect;
use headwater::sql::PostgresConfig;
use headwater::store::MemoryStore;
use headwater::test::ScratchSchema;
use headwater_outbox::secret::SealKey;

use super::kit::{Ledger, World};

const HOLD: &str = "set idle_in_transaction_session_timeout = 0; \
    begin isolation level repeatable read; select count(*) from outbox_cursors";

/// Dead rows a second: each half second of traffic updates a shard, a cursor and a count.
const DEAD_PER_SECOND: i64 = 12;

const DEAD: &str = "select cast(coalesce(sum(n_dead_tup), 0) as bigint) from pg_stat_user_tables \
    where schemaname = current_schema() and relname like 'outbox%'";

#[tokio::test]
async fn dead_rows_do_not_grow_with_deliveries_while_a_snapshot_is_held() {
    let scratch = ScratchSchema::new().unwrap();
    let open = || PostgresConfig::at(scratch.address().clone()).open().unwrap();
    let world = World::over(MemoryStore::shared(), open(), SealKey::generate().unwrap()).await;
    let ledger = Ledger::open().await;
    world.register("one", &ledger, |_| {}).await;
    // A transaction that sees the tables as they are now, until the test ends.
    let reader = connect(scratch.address()).await.unwrap();
    reader.batch_execute(HOLD).await.unwrap();
    let (mut deliveries, start) = (0, Instant::now());
    while deliveries < number("HEADWATER_DELIVERIES", 6_000)
        || start.elapsed().as_secs() < number("HEADWATER_HOLD_S", 0)
    {
        world.append("a", 100).await;
        world.append("b", 100).await;
        deliveries += 200;
        ledger.came(usize::try_from(deliveries).unwrap()).await;
    }
    let deliveries = i64::try_from(deliveries).unwrap();
    world.until("select delivered from outbox_cursors", deliveries).await;
    let seconds = i64::try_from(start.elapsed().as_secs()).unwrap() + 1;
    world
        .database
        .read("select cast(pg_stat_force_next_flush() as text)", Vec::new())
        .await
        .unwrap();
    let dead = world.count(DEAD).await;
    println!("{dead} dead rows of {deliveries} deliveries in {seconds} s");
    assert!(dead <= seconds * DEAD_PER_SECOND + 100, "{dead} dead rows in {seconds} s");
    drop(reader);
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().unwrap())
}

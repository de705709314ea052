//! Two nodes that append and read while the log's tables are migrated: no request may fail, none
//! may wait long.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use hdrhistogram::Histogram;
use headwater::event::{Position, Revision};
use headwater::postgres::{Address, connect};
use headwater::sql::migration::{Reach, STORE, Script};
use headwater::sql::{Migration, MigrationSet, Migrator, PostgresConfig};
use headwater::store::postgres::{PostgresStore, PostgresStoreConfig};
use headwater::store::{EventStore, LogRead, StreamRead};
use tokio::sync::watch;

use super::append::append_of;
use super::case::{Outcome, Target, times_us};
use super::ground::Ground;
use super::postgres::write;
use crate::error::Failure;

/// How many requests a node has under way.
const LANES: u64 = 4;
/// What a person takes for a pause.
const STALL_MAX: Duration = Duration::from_millis(500);

/// A column, an index and a table with something about each event; then the column goes.
const STEPS: MigrationSet = MigrationSet {
    capability: "bench",
    steps: &[
        Migration {
            stem: "0001_note",
            up: Script::Same(
                "-- lock-timeout: 200ms
alter table events add column note text;
create table event_bytes (position bigint primary key, bytes bigint not null)",
            ),
            down: Script::Same(""),
        },
        Migration {
            stem: "0002_by_kind_and_time",
            up: Script::Same(
                "-- transaction: none\n-- lock-timeout: 60s
create index concurrently if not exists events_kind_time on events (kind, recorded_at)",
            ),
            down: Script::Same(""),
        },
        Migration {
            stem: "0003_fill_bytes",
            up: Script::Same(
                "-- phase: backfill\n-- batch: events by position
insert into event_bytes select position, length(record) from events
    where position between $1 and $2 on conflict do nothing",
            ),
            down: Script::Same(""),
        },
        Migration {
            stem: "0004_drop_note",
            up: Script::Same(
                "-- phase: contract\n-- lock-timeout: 200ms\nalter table events drop column note",
            ),
            down: Script::Same(""),
        },
    ],
};

/// What became of the requests.
struct Requests {
    times_us: Histogram<u64>,
    failures: Vec<String>,
    elapsed: Duration,
}

/// Runs `bench migrate --store`: requests alone, then the same while the table is migrated.
pub fn run(ground: &Ground, address: &Address) -> Result<Vec<Outcome>, Failure> {
    ground.in_schema(address, |address| {
        ground.block_on(measure(ground, address)).map(|outcome| vec![outcome])
    })
}

async fn measure(ground: &Ground, address: &Address) -> Result<Outcome, Failure> {
    let tables = PostgresConfig::at(address.clone()).open()?;
    Migrator::only(tables.clone(), [STORE]).up().await?;
    let node = || PostgresStore::open(PostgresStoreConfig::new(address.clone())).map(Arc::new);
    let nodes = [node()?, node()?];
    let rows = fill(&nodes, ground.events).await?;
    let rest = async {
        tokio::time::sleep(ground.within).await;
        Ok(())
    };
    let alone = ask_during(&nodes, rows, rest).await?;
    let migrator = Migrator::only(tables, [STORE, STEPS]);
    let mut notes = Vec::new();
    let migration = async {
        for number in 1..=STEPS.steps.len() as u32 {
            let start = Instant::now();
            migrator.advance(&Reach::all().to("bench", number)).await?;
            let stem = STEPS.steps.get(number as usize - 1).map_or("", |step| step.stem);
            notes.push(format!("{stem}: {:.1} s", start.elapsed().as_secs_f64()));
        }
        Ok(())
    };
    let beside = ask_during(&nodes, rows, migration).await?;
    check_filled(address, rows).await?;
    Ok(outcome(rows, &alone, &beside, notes))
}

fn outcome(rows: u64, alone: &Requests, beside: &Requests, mut notes: Vec<String>) -> Outcome {
    notes.push(format!("without a migration: {}", alone.words()));
    notes.push(format!("while it is migrated: {}", beside.words()));
    notes.extend(beside.failures.first().map(|first| format!("first failure: {first}")));
    let longest = Duration::from_micros(beside.times_us.max());
    let (rate, limit_rate) = (beside.rate(), alone.rate());
    Outcome {
        name: format!("2 nodes, {rows} events migrated"),
        unit: "requests",
        rate,
        limit_name: "the same without a migration",
        limit_rate,
        ratio: rate / limit_rate.max(1e-9),
        target: Target::Seconds(STALL_MAX.as_secs_f64()),
        reached: beside.failures.is_empty() && longest <= STALL_MAX,
        notes,
    }
}

/// Appends until the log is long enough; returns how long it is.
async fn fill([store, _]: &[Arc<PostgresStore>; 2], events: u64) -> Result<u64, Failure> {
    while store.head().borrow().get() < events {
        write(store, (8, 500), Duration::from_millis(500)).await?;
    }
    let end = store.head().borrow().get();
    Ok(end)
}

/// Lets both nodes work until the work is over.
async fn ask_during(
    nodes: &[Arc<PostgresStore>; 2],
    rows: u64,
    work: impl Future<Output = Result<(), Failure>>,
) -> Result<Requests, Failure> {
    let (stop, is_over) = watch::channel(false);
    let start = Instant::now();
    let lanes = nodes.iter().flat_map(|node| (0..LANES).map(move |lane| (node, lane)));
    let lanes = try_join_all(lanes.map(|(node, lane)| ask(node, (rows, lane), is_over.clone())));
    let work = async {
        let done = work.await;
        // The lanes end when they see it.
        stop.send_replace(true);
        done
    };
    let (lanes, done) = tokio::join!(lanes, work);
    done?;
    let mut all = Requests { elapsed: start.elapsed(), ..Requests::new()? };
    for lane in lanes? {
        all.times_us.add(&lane.times_us).map_err(told)?;
        all.failures.extend(lane.failures);
    }
    Ok(all)
}

/// One request after the other: an event is appended, its stream is read, and a page of the log.
async fn ask(
    node: &Arc<PostgresStore>,
    (rows, lane): (u64, u64),
    is_over: watch::Receiver<bool>,
) -> Result<Requests, Failure> {
    let mut requests = Requests::new()?;
    let mut number = lane;
    while !*is_over.borrow() {
        // Somewhere else each time, the same in each run.
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1 + 2 * lane);
        let place = Position::new((number >> 16) % rows.max(1));
        let append = append_of(lane * 1_000 + number % 1_000, 1)?;
        let stream = append.writes.first().map(|write| write.stream.clone());
        let tenant = append.tenant.clone();
        requests.time(node.append(append)).await;
        if let Some(stream) = stream {
            let read = StreamRead::after(tenant, stream, Revision::ZERO, 100);
            requests.time(node.read_stream(read)).await;
        }
        requests.time(node.read_log(LogRead::after(place, 100))).await;
    }
    Ok(requests)
}

/// Fails when an event from before the migration was left out.
async fn check_filled(address: &Address, rows: u64) -> Result<(), Failure> {
    let client = connect(address).await.map_err(told)?;
    let sql = "select count(*) from event_bytes join events using (position)
        where position <= $1 and bytes = length(record)";
    let row = client.query_one(sql, &[&(rows as i64)]).await.map_err(told)?;
    let filled: i64 = row.try_get(0).map_err(told)?;
    if filled as u64 == rows {
        return Ok(());
    }
    Err(Failure::new(format!("of {rows} events {filled} were filled in")))
}

impl Requests {
    fn new() -> Result<Self, Failure> {
        Ok(Self { times_us: times_us()?, failures: Vec::new(), elapsed: Duration::ZERO })
    }

    /// Waits for a request, and notes how long it took and whether it failed.
    async fn time<T, E: std::fmt::Display>(&mut self, request: impl Future<Output = Result<T, E>>) {
        let sent = Instant::now();
        if let Err(error) = request.await {
            self.failures.push(error.to_string());
        }
        self.times_us.saturating_record(sent.elapsed().as_micros() as u64);
    }

    fn rate(&self) -> f64 {
        self.times_us.len() as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }

    fn words(&self) -> String {
        let ms = |us: u64| us as f64 / 1e3;
        format!(
            "{} requests, {} failed, p99 {:.1} ms, longest {:.1} ms",
            self.times_us.len(),
            self.failures.len(),
            ms(self.times_us.value_at_quantile(0.99)),
            ms(self.times_us.max()),
        )
    }
}

fn told(error: impl std::fmt::Display) -> Failure {
    Failure::new(error.to_string())
}

//! Requests to a large table on PostgreSQL while it is migrated: none may fail, none may wait long.

use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use hdrhistogram::Histogram;
use headwater::postgres::{Address, connect};
use headwater::sql::migration::{Reach, Script};
use headwater::sql::{Migration, MigrationSet, Migrator, PostgresConfig};
use tokio::sync::watch;

use super::case::{Outcome, Target};
use super::ground::Ground;
use crate::error::Failure;

/// How many programs ask at once.
const LANES: u64 = 2;
/// What a person takes for a pause.
const STALL_MAX: Duration = Duration::from_millis(500);
/// Rows that are made in one statement.
const CHUNK: u64 = 250_000;
const FILL: &str = "insert into history (position, stream, revision, kind, record)
    select n, n / 10, n % 10 + 1, n % 7, convert_to(repeat(md5(n::text), 11), 'UTF8')
    from generate_series($1::bigint, $2::bigint) as n";

const STEPS: MigrationSet = MigrationSet {
    capability: "bench",
    steps: &[
        Migration {
            stem: "0001_history",
            up: Script::Same(
                "create table history (position bigint primary key, stream bigint not null,
                    revision bigint not null, kind bigint not null, record bytea not null,
                    looks bigint not null default 0, unique (stream, revision));
                create sequence history_new",
            ),
            down: Script::Same(""),
        },
        Migration {
            stem: "0002_digest",
            up: Script::Same("-- lock-timeout: 200ms\nalter table history add column digest text"),
            down: Script::Same(""),
        },
        Migration {
            stem: "0003_by_kind",
            up: Script::Same(
                "-- transaction: none\n-- lock-timeout: 60s
create index concurrently if not exists history_by_kind on history (kind, position)",
            ),
            down: Script::Same(""),
        },
        Migration {
            stem: "0004_fill",
            up: Script::Same(
                "-- phase: backfill\n-- batch: history by position
update history set digest = md5(record) where position between $1 and $2 and digest is null",
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
    let schema = format!("headwater_bench_{}", std::process::id());
    let address = address.clone().with_schema(&schema).map_err(told)?;
    let outcome = ground.block_on(measure(ground, &address));
    ground.block_on(async {
        let client = connect(&address).await.map_err(told)?;
        let drop = format!("drop schema if exists {schema} cascade");
        client.batch_execute(&drop).await.map_err(told)
    })?;
    outcome.map(|outcome| vec![outcome])
}

async fn measure(ground: &Ground, address: &Address) -> Result<Outcome, Failure> {
    let migrator = Migrator::only(PostgresConfig::at(address.clone()).open()?, [STEPS]);
    migrator.advance(&Reach::all().to("bench", 1)).await?;
    fill(address, ground.events).await?;
    let rest = async {
        tokio::time::sleep(ground.within).await;
        Ok(())
    };
    let alone = ask_during(address, ground.events, rest).await?;
    let mut notes = Vec::new();
    let migration = async {
        for number in 2..=STEPS.steps.len() as u32 {
            let start = Instant::now();
            migrator.advance(&Reach::all().to("bench", number)).await?;
            let stem = STEPS.steps.get(number as usize - 1).map_or("", |step| step.stem);
            notes.push(format!("{stem}: {:.1} s", start.elapsed().as_secs_f64()));
        }
        Ok(())
    };
    let beside = ask_during(address, ground.events, migration).await?;
    check_filled(address, ground.events).await?;
    Ok(outcome(ground.events, &alone, &beside, notes))
}

fn outcome(rows: u64, alone: &Requests, beside: &Requests, mut notes: Vec<String>) -> Outcome {
    notes.push(format!("without a migration: {}", alone.words()));
    notes.push(format!("while it is migrated: {}", beside.words()));
    notes.extend(beside.failures.first().map(|first| format!("first failure: {first}")));
    let longest = Duration::from_micros(beside.times_us.max());
    let (rate, limit_rate) = (beside.rate(), alone.rate());
    Outcome {
        name: format!("{LANES} programs, {rows} rows migrated"),
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

async fn fill(address: &Address, rows: u64) -> Result<(), Failure> {
    let client = connect(address).await.map_err(told)?;
    for first in (1..=rows).step_by(CHUNK as usize) {
        let last = (first + CHUNK - 1).min(rows);
        client.execute(FILL, &[&(first as i64), &(last as i64)]).await.map_err(told)?;
    }
    let after = format!("select setval('history_new', {rows}); analyze history");
    client.batch_execute(&after).await.map_err(told)
}

/// Lets programs ask until the work is over.
async fn ask_during(
    address: &Address,
    rows: u64,
    work: impl Future<Output = Result<(), Failure>>,
) -> Result<Requests, Failure> {
    let (stop, is_over) = watch::channel(false);
    let start = Instant::now();
    let lanes = try_join_all((0..LANES).map(|lane| ask(address, (rows, lane), is_over.clone())));
    let work = async {
        let done = work.await;
        // The programs end when they see it.
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

/// One program: adds an event, reads a stream, and notes that it looked at an old event.
async fn ask(
    address: &Address,
    (rows, lane): (u64, u64),
    is_over: watch::Receiver<bool>,
) -> Result<Requests, Failure> {
    let client = connect(address).await.map_err(told)?;
    let mut requests = Requests::new()?;
    let statements = try_join_all(
        [
            "insert into history (position, stream, revision, kind, record)
            select n, -n, 1, $1::bigint, convert_to(repeat(md5(n::text), 11), 'UTF8')
            from nextval('history_new') as n",
            "select revision, record from history where stream = $1 order by revision",
            "update history set looks = looks + 1 where position = $1",
        ]
        .map(|sql| client.prepare(sql)),
    );
    let statements = statements.await.map_err(told)?;
    let mut number = lane;
    while !*is_over.borrow() {
        // A kind, a stream of ten events, a position.
        for (statement, share) in statements.iter().zip([1, 10, 1]) {
            // Somewhere else each time, the same in each run.
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1 + 2 * lane);
            let place = ((number >> 16) % rows.max(1)) as i64 / share;
            let sent = Instant::now();
            if let Err(error) = client.query(statement, &[&place]).await {
                requests.failures.push(error.to_string());
            }
            requests.times_us.saturating_record(sent.elapsed().as_micros() as u64);
        }
    }
    Ok(requests)
}

/// Fails when a row from before the migration was left out.
async fn check_filled(address: &Address, rows: u64) -> Result<(), Failure> {
    let client = connect(address).await.map_err(told)?;
    let sql = "select count(*) from history where position <= $1 and digest = md5(record)";
    let row = client.query_one(sql, &[&(rows as i64)]).await.map_err(told)?;
    let filled: i64 = row.try_get(0).map_err(told)?;
    if filled as u64 == rows {
        return Ok(());
    }
    Err(Failure::new(format!("of {rows} rows {filled} were filled")))
}

impl Requests {
    fn new() -> Result<Self, Failure> {
        let times_us = Histogram::new_with_max(600_000_000, 3).map_err(told)?;
        Ok(Self { times_us, failures: Vec::new(), elapsed: Duration::ZERO })
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

//! The log in PostgreSQL beside what is usual there, in the same database and run.
//!
//! Baselines: a transaction for each insert, numbered by a sequence, whose order is not safe to
//! read; and the design that makes it safe by updating one row for each append.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use headwater::event::{Position, Tenant};
use headwater::postgres::{Address, connect};
use headwater::sql::migration::STORE;
use headwater::sql::{Migrator, PostgresConfig};
use headwater::store::postgres::{PostgresStore, PostgresStoreConfig};
use headwater::store::{Append, EventStore, LogRead};

use super::append::append_of;
use super::case::{Case, Measure, Outcome, Round, Target, times_us};
use super::ground::Ground;
use super::lag::follow;
use crate::error::Failure;

const TABLES: &str = "
    create table plain (position bigserial primary key, stream bigint not null,
        revision bigint not null, id uuid not null default gen_random_uuid(), record bytea not null,
        unique (stream, revision));
    create table one_row (id integer primary key, position bigint not null);
    insert into one_row values (1, 0);
    create table ordered (position bigint primary key, stream bigint not null,
        revision bigint not null, id uuid not null default gen_random_uuid(), record bytea not null,
        unique (stream, revision));";

const PLAIN: &str = "insert into plain (stream, revision, record)
    select $1, $2 + n, $3 from generate_series(1, $4::bigint) as n";

const ONE_ROW: &str = "with head as (
        update one_row set position = position + $4::bigint where id = 1 returning position)
    insert into ordered (position, stream, revision, record)
    select head.position - $4 + n, $1, $2 + n, $3 from head, generate_series(1, $4::bigint) as n";

/// The bytes of an event as the store keeps it.
const RECORD_BYTES: usize = 360;

/// A schema of its own, removed at the end.
struct Bed<'a> {
    ground: &'a Ground,
    address: Address,
    store: Arc<PostgresStore>,
}

/// Runs `bench append --store`.
pub fn run_append(ground: &Ground, address: &Address) -> Result<Vec<Outcome>, Failure> {
    Bed::within(ground, address, |bed| {
        let mut outcomes = Vec::new();
        for writers in [32, 64] {
            outcomes.push(bed.against(writers, 1, Baseline::OneRow)?);
            outcomes.push(bed.against(writers, 1, Baseline::Plain)?);
        }
        outcomes.push(bed.against(8, 100, Baseline::Plain)?);
        outcomes.push(bed.lag(32)?);
        Ok(outcomes)
    })
}

/// Runs `bench read --store`.
pub fn run_read(ground: &Ground, address: &Address) -> Result<Vec<Outcome>, Failure> {
    Bed::within(ground, address, |bed| {
        while bed.store.head().borrow().get() < ground.events {
            let within = Duration::from_millis(200);
            ground.block_on(write(&bed.store, (8, 500), within))?;
        }
        let events = bed.store.head().borrow().get();
        let name = format!("whole log, {events} events, 1 reader");
        let limit_name = "the same rows, one select, not looked at";
        let case = Case { name, unit: "events", limit_name, target: Target::Rate(3e5) };
        let outcome = case.run(ground.rounds, || {
            let limit = ground.block_on(bed.select_all())?;
            let subject = Measure::once(|| ground.block_on(read_all(&bed.store)))?;
            Ok(Round { subject, limit })
        })?;
        Ok(vec![outcome])
    })
}

#[derive(Clone, Copy)]
enum Baseline {
    Plain,
    OneRow,
}

impl Bed<'_> {
    fn within(
        ground: &Ground,
        address: &Address,
        work: impl FnOnce(&Bed<'_>) -> Result<Vec<Outcome>, Failure>,
    ) -> Result<Vec<Outcome>, Failure> {
        ground.in_schema(address, |address| {
            ground.block_on(async {
                let client = connect(address).await?;
                let tables = PostgresConfig::at(address.clone()).open()?;
                Migrator::only(tables, [STORE]).up().await?;
                client.batch_execute(TABLES).await.map_err(told)
            })?;
            let store = PostgresStore::open(PostgresStoreConfig::new(address.clone()))?;
            work(&Bed { ground, address: address.clone(), store: Arc::new(store) })
        })
    }

    /// Measures writers of appends of so many events beside a baseline of the same.
    fn against(&self, writers: u64, events: usize, base: Baseline) -> Result<Outcome, Failure> {
        let (limit_name, mut target) = match base {
            Baseline::Plain => ("plain insert a transaction, order unsafe", Target::Ratio(1.0)),
            Baseline::OneRow => ("one row updated by each append", Target::Ratio(5.0)),
        };
        if events > 1 {
            target = Target::Rate(60_000.0);
        }
        let name = format!("{writers} writers, {events} events an append");
        let case = Case { name, unit: "events", limit_name, target };
        let mut notes = Vec::new();
        let mut outcome = case.run(self.ground.rounds, || {
            let within = self.ground.within;
            let limit = self.ground.block_on(self.baseline(writers, events, base))?;
            let before = self.store.stats();
            let (subject, p99_us) =
                self.ground.block_on(write(&self.store, (writers, events), within))?;
            let after = self.store.stats();
            let batches = (after.batches - before.batches).max(1);
            let batch_us = (after.batch_us - before.batch_us) / batches;
            let size = (after.events - before.events) / batches;
            notes.push(format!(
                "p99 {:.1} ms, batch {:.1} ms of {size} events",
                p99_us as f64 / 1e3,
                batch_us as f64 / 1e3
            ));
            Ok(Round { subject, limit })
        })?;
        outcome.notes = notes;
        Ok(outcome)
    }

    /// Measures how long after an append's answer another node has its event.
    fn lag(&self, writers: u64) -> Result<Outcome, Failure> {
        let name = format!("another node sees an event, {writers} writers, p99");
        let limit_name = "an append of those writers, p99";
        let case = Case { name, unit: "times", limit_name, target: Target::Seconds(0.05) };
        let config = PostgresStoreConfig::new(self.address.clone());
        let follower = Arc::new(PostgresStore::open(config)?);
        let mut notes = Vec::new();
        let mut outcome = case.run(self.ground.rounds, || {
            let nodes = [&self.store, &follower];
            let lag = self.ground.block_on(follow(nodes, writers, self.ground.within))?;
            let [p99, longest] = [lag.p99, lag.longest].map(|time| time.as_secs_f64() * 1e3);
            notes.push(format!("{p99:.1} ms, longest {longest:.1} ms, {} events", lag.events));
            let once = |elapsed| Measure { count: 1, elapsed };
            Ok(Round { subject: once(lag.p99), limit: once(lag.append_p99) })
        })?;
        outcome.notes = notes;
        Ok(outcome)
    }

    async fn baseline(
        &self,
        writers: u64,
        events: usize,
        base: Baseline,
    ) -> Result<Measure, Failure> {
        let statement = match base {
            Baseline::Plain => PLAIN,
            Baseline::OneRow => ONE_ROW,
        };
        let clients = (0..writers).map(|_| connect(&self.address));
        let clients = try_join_all(clients).await.map_err(told)?;
        let (record, count) = (vec![7_u8; RECORD_BYTES], events as i64);
        // Every run has streams of its own, numbered by the clock.
        let first = jiff::Timestamp::now().as_microsecond();
        let start = Instant::now();
        let end = start + self.ground.within;
        let lanes = clients.iter().zip(first..).map(async |(client, stream)| {
            let prepared = client.prepare(statement).await.map_err(told)?;
            let mut revision = 0_i64;
            while Instant::now() < end {
                let values = (&stream, &revision, &record, &count);
                client
                    .execute(&prepared, &[values.0, values.1, values.2, values.3])
                    .await
                    .map_err(told)?;
                revision += count;
            }
            Ok::<_, Failure>(revision as u64)
        });
        let counts = try_join_all(lanes).await?;
        Ok(Measure { count: counts.iter().sum(), elapsed: start.elapsed() })
    }

    async fn select_all(&self) -> Result<Measure, Failure> {
        let client = connect(&self.address).await.map_err(told)?;
        let start = Instant::now();
        let (mut from, mut count) = (0_i64, 0_u64);
        loop {
            let statement = "select position, revision, recorded_at::text, record from events
                where position > $1 order by position limit 10000";
            let rows = client.query(statement, &[&from]).await.map_err(told)?;
            count += rows.len() as u64;
            let Some(last) = rows.last() else { break };
            from = last.try_get(0).map_err(told)?;
        }
        Ok(Measure { count, elapsed: start.elapsed() })
    }
}

/// Lets writers append again and again; returns how much, and the 99th percentile of an
/// append's microseconds.
pub async fn write(
    store: &Arc<PostgresStore>,
    (writers, events): (u64, usize),
    within: Duration,
) -> Result<(Measure, u64), Failure> {
    let start = Instant::now();
    let end = start + within;
    let lane = async |lane: u64| {
        let (mut count, mut times) = (0, Vec::new());
        while Instant::now() < end {
            let append: Append = append_of(lane * 1_000 + count % 1_000, events)?;
            let sent = Instant::now();
            store.append(append).await?;
            times.push(sent.elapsed().as_micros() as u64);
            count += 1;
        }
        Ok::<_, Failure>(times)
    };
    let times = try_join_all((0..writers).map(lane)).await?;
    let elapsed = start.elapsed();
    let mut taken = times_us()?;
    times.iter().flatten().for_each(|time| taken.saturating_record(*time));
    let count = taken.len() * events as u64;
    Ok((Measure { count, elapsed }, taken.value_at_quantile(0.99)))
}

async fn read_all(store: &Arc<PostgresStore>) -> Result<u64, Failure> {
    let (mut from, mut count) = (Position::ZERO, 0);
    loop {
        let page = store.read_log(LogRead::after(from, 10_000)).await?;
        count += page
            .events
            .iter()
            .filter(|event| event.tenant() == Tenant::default_tenant().as_str())
            .count() as u64;
        from = page.next;
        if page.is_end {
            return Ok(count);
        }
    }
}

fn told(error: impl std::fmt::Display) -> Failure {
    Failure::new(error.to_string())
}

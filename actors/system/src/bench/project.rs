//! Projecting events into rows of the read side.

use std::fs;
use std::time::Duration;

use headwater::projection::RowProjection;
use headwater::sql::{Database, ToValue, Value};
use headwater::store::EventStore;

use super::append::fill_streams;
use super::case::{Case, Measure, Outcome, Round, Target};
use super::ground::Ground;
use super::sample::Counters;
use super::system::Bed;
use crate::error::Failure;

const KEYS: u64 = 10_000;
const BATCH: u64 = 5_000;
/// Linux counts processor time in hundredths of a second (`man 5 proc`, field 14 and 15).
const TICKS_PER_SECOND: f64 = 100.0;

/// Runs `bench project`: a log of counters into one row each, from zero to the end.
pub fn run(ground: &Ground) -> Result<Vec<Outcome>, Failure> {
    let log = ground.log("project")?;
    fill_streams(&log, ground.events, KEYS)?;
    let head = *log.head().borrow();
    let least = if ground.read.is_some() { 100_000.0 } else { 200_000.0 };
    let case = Case {
        name: format!("{} events into {KEYS} rows", ground.events),
        unit: "events",
        limit_name: "bare upserts of the same rows",
        target: Target::Rate(least),
    };
    let (mut number, mut cores) = (0, Vec::new());
    let mut outcome = case.run(ground.rounds, || {
        number += 1;
        let before = processor_seconds()?;
        let mut bed = None;
        let subject = Measure::once(|| {
            let started =
                bed.insert(Bed::over(ground, log.clone(), (&format!("p{number}"), true))?);
            let name = <Counters as RowProjection>::NAME;
            ground.block_on(started.system.wait_for(name, head, Duration::from_secs(600)))?;
            Ok(head.get())
        })?;
        cores.push((processor_seconds()? - before) / subject.elapsed.as_secs_f64());
        let bed = bed.ok_or_else(|| Failure::new("no system"))?;
        let limit = ground.block_on(upserts(&bed.database, ground.events.min(500_000)))?;
        bed.stop(ground)?;
        Ok(Round { subject, limit })
    })?;
    outcome.notes.push(format!("cores busy, by round: {cores:.2?}"));
    Ok(vec![outcome])
}

/// Writes rows of the same shape in transactions of the same size, one statement each.
async fn upserts(database: &Database, count: u64) -> Result<Measure, Failure> {
    const TABLE: &str = "create table if not exists bare (tenant text, key text, position bigint, \
                         data text, primary key (tenant, key))";
    const UPSERT: &str = "insert into bare (tenant, key, position, data) values ($1, $2, $3, $4) \
                          on conflict (tenant, key) do update set position = excluded.position, \
                          data = excluded.data";
    database.write(|tx| tx.execute(TABLE, &[])).await?;
    let start = std::time::Instant::now();
    for first in (0..count).step_by(BATCH as usize) {
        let write = move |tx: &mut dyn headwater::sql::TxEngine| {
            for number in first..(first + BATCH).min(count) {
                let values = row(number);
                tx.execute(UPSERT, &values)?;
            }
            Ok(())
        };
        database.write(write).await?;
    }
    Ok(Measure { count, elapsed: start.elapsed() })
}

fn row(number: u64) -> [Value; 4] {
    let data = format!("{{\"total\":{number},\"events\":{number}}}");
    let position = Value::Int(i64::try_from(number).unwrap_or(i64::MAX));
    ["default".to_value(), (number % KEYS).to_string().to_value(), position, data.to_value()]
}

/// Returns the processor time that this process has used.
fn processor_seconds() -> Result<f64, Failure> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let after_name = stat.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default();
    let ticks =
        after_name.split_whitespace().skip(11).take(2).filter_map(|t| t.parse::<f64>().ok());
    Ok(ticks.sum::<f64>() / TICKS_PER_SECOND)
}

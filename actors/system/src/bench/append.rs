//! Durable appends against the bare file: the same bytes, the same barriers.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use headwater::event::{Event, NewEvent, StreamId, Tenant};
use headwater::store::log::{LogStats, LogStore};
use headwater::store::{Append, EventStore, Expected};

use super::case::{Case, Measure, Outcome, Round, Target};
use super::ground::Ground;
use super::raw::RawFile;
use super::sample::{CounterEvent, filler};
use crate::error::Failure;

const WRITERS: u64 = 64;
const BULK: usize = 1_000;

/// Runs the cases of `bench append`.
pub fn run(ground: &Ground) -> Result<Vec<Outcome>, Failure> {
    let start = start_case(ground)?;
    Ok(vec![one_writer(ground)?, many_writers(ground)?, bulk(ground)?, grown(ground)?, start])
}

fn one_writer(ground: &Ground) -> Result<Outcome, Failure> {
    let case = case("1 writer, 1 event of 256 B", 0.9);
    against_raw(ground, case, |log, within| {
        let mut number = 0;
        Measure::repeat(within, || {
            number += 1;
            log.append_blocking(append_of(number % 1_000, 1)?)?;
            Ok(1)
        })
    })
}

fn many_writers(ground: &Ground) -> Result<Outcome, Failure> {
    let case = case("64 writers, 1 event of 256 B", 0.8);
    against_raw(ground, case, |log, within| ground.block_on(write_at_once(log, within)))
}

fn bulk(ground: &Ground) -> Result<Outcome, Failure> {
    let case = case("1 writer, 1,000 events an append", 0.6);
    against_raw(ground, case, |log, within| {
        let mut number = 0;
        Measure::repeat(within, || {
            number += 1;
            log.append_blocking(append_of(number % 1_000, BULK)?)?;
            Ok(BULK as u64)
        })
    })
}

/// Compares a log of many events with one of 100,000.
fn grown(ground: &Ground) -> Result<Outcome, Failure> {
    let (small, large) = (ground.log("small")?, ground.log("large")?);
    fill(&small, 100_000)?;
    fill(&large, ground.events)?;
    let name = format!("64 writers, log of {} events", ground.events);
    let limit_name = "the same, log of 100,000 events";
    let case = Case { name, unit: "events", limit_name, target: Target::Ratio(0.9) };
    case.run(ground.rounds, || {
        let limit = ground.block_on(write_at_once(&small, ground.within))?;
        let subject = ground.block_on(write_at_once(&large, ground.within))?;
        Ok(Round { subject, limit })
    })
}

/// Opens a log of many events, beside one that is empty.
fn start_case(ground: &Ground) -> Result<Outcome, Failure> {
    fill(&*ground.log("start")?, ground.events)?;
    let name = format!("start, log of {} events", ground.events);
    let limit_name = "start, empty log";
    let case = Case { name, unit: "starts", limit_name, target: Target::Seconds(1.0) };
    let mut number = 0;
    case.run(ground.rounds, || {
        number += 1;
        let open = |name: &str| Measure::once(|| ground.log(name).map(|_| 1));
        let limit = open(&format!("empty-{number}"))?;
        Ok(Round { subject: open("start")?, limit })
    })
}

fn case(name: &str, ratio: f64) -> Case {
    let limit_name = "raw file, same bytes and barriers";
    Case { name: name.to_owned(), unit: "events", limit_name, target: Target::Ratio(ratio) }
}

fn against_raw(
    ground: &Ground,
    case: Case,
    subject: impl Fn(&Arc<LogStore>, Duration) -> Result<Measure, Failure>,
) -> Result<Outcome, Failure> {
    let log = ground.log(&case.name.replace([' ', ','], "-"))?;
    let mut raw = RawFile::create(&ground.dir)?;
    subject(&log, ground.within / 4)?;
    let mut sizes = Vec::new();
    let mut outcome = case.run(ground.rounds, || {
        let before = log.stats();
        let measured = subject(&log, ground.within)?;
        let (bytes, events) = per_barrier(before, log.stats());
        sizes.push(events);
        let limit = raw.write(&vec![7; bytes], events, ground.within)?;
        Ok(Round { subject: measured, limit })
    })?;
    outcome.notes.push(format!("events a barrier, by round: {sizes:?}"));
    Ok(outcome)
}

/// Returns the bytes and events that each barrier made durable, on average.
fn per_barrier(before: LogStats, after: LogStats) -> (usize, u64) {
    let barriers = (after.barriers - before.barriers).max(1);
    let bytes = (after.bytes - before.bytes) / barriers;
    (usize::try_from(bytes).unwrap_or(1).max(1), ((after.events - before.events) / barriers).max(1))
}

/// Lets 64 writers append one event each, again and again.
pub async fn write_at_once(log: &Arc<LogStore>, within: Duration) -> Result<Measure, Failure> {
    let start = Instant::now();
    let end = start + within;
    let writer = |lane: u64| {
        let log = Arc::clone(log);
        tokio::spawn(async move {
            let mut count = 0;
            while Instant::now() < end {
                log.append(append_of(lane * 1_000 + count % 1_000, 1)?).await?;
                count += 1;
            }
            Ok::<_, Failure>(count)
        })
    };
    let writers: Vec<_> = (0..WRITERS).map(writer).collect();
    let mut count = 0;
    for writer in writers {
        count += writer.await.map_err(|error| Failure::new(error.to_string()))??;
    }
    Ok(Measure { count, elapsed: start.elapsed() })
}

/// Fills a log up to `count` events of the sample domain, in streams of five whose events lie
/// apart.
pub fn fill(log: &LogStore, count: u64) -> Result<(), Failure> {
    let have = log.head().borrow().get();
    let mut first = have / 5;
    while log.head().borrow().get() < count {
        // Rounds over the same streams, so that the events of one lie apart.
        for _ in 0..5 {
            fill_block(log, first, BLOCK)?;
        }
        first += BLOCK;
    }
    Ok(())
}

/// Fills a log up to `count` events, round and round over so many streams.
pub fn fill_streams(log: &LogStore, count: u64, streams: u64) -> Result<(), Failure> {
    while log.head().borrow().get() < count {
        fill_block(log, 0, streams)?;
    }
    Ok(())
}

/// Streams that are filled side by side.
const BLOCK: u64 = 2_000;

fn fill_block(log: &LogStore, first: u64, streams: u64) -> Result<(), Failure> {
    for at in (first..first + streams).step_by(200) {
        log.append_blocking(append_to_many(at, 200)?)?;
    }
    Ok(())
}

fn append_to_many(first: u64, count: u64) -> Result<Append, Failure> {
    let write = |number| {
        let append = append_of(number, 1)?;
        Ok::<_, Failure>(append.writes)
    };
    let writes: Result<Vec<_>, _> = (first..first + count).map(write).collect();
    let writes = writes?.into_iter().flatten().collect();
    Ok(Append { tenant: Tenant::default_tenant(), writes, condition: None })
}

/// Makes an append of events whose data is 256 bytes of JSON, encoded once.
pub fn append_of(stream: u64, count: usize) -> Result<Append, Failure> {
    static DATA: OnceLock<Vec<u8>> = OnceLock::new();
    let encode =
        || CounterEvent::Added { amount: 1, filler: filler() }.encode().unwrap_or_default();
    let data = DATA.get_or_init(encode).as_slice();
    let stream = StreamId::new(CounterEvent::CATEGORY, stream.to_string())?;
    let event = |_| NewEvent::json("Added", 1, data);
    let events: Result<Vec<_>, _> = (0..count).map(event).collect();
    Ok(Append::to_stream(Tenant::default_tenant(), stream, Expected::Any, events?))
}

//! Reading: the whole log in pages, and cold streams into aggregates.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use headwater::aggregate::Aggregate;
use headwater::event::{Event, Position, Revision, StreamId, Tenant};
use headwater::store::log::LogStore;
use headwater::store::{EventStore, LogRead, StreamRead};

use super::append::fill;
use super::case::{Case, Measure, Outcome, Round, Target};
use super::ground::Ground;
use super::sample::{Counter, CounterEvent};
use crate::error::Failure;

const CHUNK: usize = 1 << 20;
const CORES: u64 = 2;

/// Runs `bench read`: every event of the log, on one thread.
pub fn run_read(ground: &Ground) -> Result<Vec<Outcome>, Failure> {
    let log = ground.log("read")?;
    fill(&log, ground.events)?;
    let name = format!("whole log, {} events, 1 thread", ground.events);
    let limit_name = "same files: pread and CRC-32C only";
    let case = Case { name, unit: "events", limit_name, target: Target::Rate(3e6) };
    let folder = ground.dir.join("read").join("segments");
    let outcome = case.run(ground.rounds, || {
        let limit = Measure::once(|| read_files(&folder).map(|()| ground.events))?;
        let subject = Measure::once(|| ground.block_on(read_all(&log)))?;
        Ok(Round { subject, limit })
    })?;
    Ok(vec![outcome])
}

/// Runs `bench rehydrate`: streams of five events that no cache holds, on two threads.
pub fn run_rehydrate(ground: &Ground) -> Result<Vec<Outcome>, Failure> {
    let streams = (ground.events / 5).min(200_000);
    {
        let log = ground.log("rehydrate")?;
        fill(&log, streams * 5)?;
    }
    let name = format!("{streams} cold streams of 5 events, {CORES} threads");
    let limit_name = "decode and fold only, from memory";
    let case = Case { name, unit: "events", limit_name, target: Target::Rate(1e6) };
    let outcome = case.run(ground.rounds, || {
        let limit = Measure::once(|| fold_only(streams * 5))?;
        let log = ground.log("rehydrate")?;
        let subject = Measure::once(|| on_threads(|thread| rehydrate(&log, thread, streams)))?;
        Ok(Round { subject, limit })
    })?;
    Ok(vec![outcome])
}

async fn read_all(log: &Arc<LogStore>) -> Result<u64, Failure> {
    let (mut from, mut count) = (Position::ZERO, 0);
    loop {
        let page = log.read_log(LogRead::after(from, 10_000)).await?;
        count += page.events.len() as u64;
        from = page.next;
        if page.is_end {
            return Ok(count);
        }
    }
}

fn read_files(folder: &Path) -> Result<(), Failure> {
    let mut chunk = vec![0; CHUNK];
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "log") {
            continue;
        }
        let (file, mut at) = (File::open(path)?, 0);
        loop {
            let read = file.read_at(&mut chunk, at)?;
            if read == 0 {
                break;
            }
            std::hint::black_box(crc32c::crc32c(chunk.get(..read).unwrap_or_default()));
            at += read as u64;
        }
    }
    Ok(())
}

fn on_threads(work: impl Fn(u64) -> Result<u64, Failure> + Sync) -> Result<u64, Failure> {
    thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = (0..CORES).map(|thread| scope.spawn(move || work(thread))).collect();
        let mut count = 0;
        for thread in threads {
            count += thread.join().map_err(|_| Failure::new("a thread panicked"))??;
        }
        Ok(count)
    })
}

fn rehydrate(log: &Arc<LogStore>, thread: u64, streams: u64) -> Result<u64, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let tenant = Tenant::default_tenant();
    runtime.block_on(async {
        let mut count = 0;
        for number in (thread..streams).step_by(CORES as usize) {
            let stream = StreamId::new(CounterEvent::CATEGORY, number.to_string())?;
            let read = StreamRead::after(tenant.clone(), stream, Revision::ZERO, 1_000);
            let page = log.read_stream(read).await?;
            let mut counter = Counter::default();
            for event in &page.events {
                counter.evolve(&decode(event.event_type(), event.version(), event.data())?);
            }
            if counter.total() != page.events.len() as i64 || page.events.is_empty() {
                return Err(Failure::new(format!("stream {number} did not add up")));
            }
            count += page.events.len() as u64;
        }
        Ok(count)
    })
}

fn fold_only(events: u64) -> Result<u64, Failure> {
    let event = CounterEvent::Added { amount: 1, filler: super::sample::filler() };
    let data = event.encode().map_err(|error| Failure::new(error.to_string()))?;
    on_threads(|_| {
        let mut counter = Counter::default();
        for _ in 0..events / CORES {
            counter.evolve(&decode("Added", 1, &data)?);
        }
        std::hint::black_box(counter.total());
        Ok(events / CORES)
    })
}

fn decode(event_type: &str, version: u16, data: &[u8]) -> Result<CounterEvent, Failure> {
    CounterEvent::decode(event_type, version, data).map_err(|error| Failure::new(error.to_string()))
}

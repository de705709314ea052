//! Webhooks to a server on this machine, beside a bare client that sends the same bytes.

mod bare;
mod bed;
mod jetstream;
mod receiver;

use std::time::{Duration, Instant};

use headwater::store::EventStore;
use headwater_outbox::endpoint::EndpointConfig;

use self::bare::send_bare;
use self::bed::OutboxBed;
use self::receiver::Receiver;
use super::append::{append_of, fill_streams};
use super::case::{Case, Measure, Outcome, Round, Target, times_us};
use super::ground::Ground;
use crate::error::Failure;

/// Requests under way.
const IN_FLIGHT: u16 = 64;
/// Streams that the events are spread over.
const STREAMS: u64 = 1_000;
/// Events of a short log.
const EVENTS: u64 = 40_000;
/// Endpoints of the case in which one of them hangs, and the events that each gets.
const ENDPOINTS: u64 = 100;
const EVENTS_EACH: u64 = 1_000;
/// After how many events the memory is looked at.
const LOOK_EVERY: u64 = 5_000;
/// Appends a second of the case that measures time.
const APPENDS_PER_SECOND: u64 = 1_000;

/// Runs `bench outbox`.
pub fn run(ground: &Ground) -> Result<Vec<Outcome>, Failure> {
    let mut outcomes =
        vec![one_endpoint(ground)?, latency(ground)?, one_hangs(ground)?, backlog(ground)?];
    if let Some(address) = &ground.nats {
        outcomes.push(jetstream::run(ground, address)?);
    }
    Ok(outcomes)
}

fn one_endpoint(ground: &Ground) -> Result<Outcome, Failure> {
    let case = Case {
        name: format!("1 endpoint, per stream, {IN_FLIGHT} in flight"),
        unit: "webhooks",
        limit_name: "bare client, same bytes, as many in flight",
        target: Target::Ratio(0.7),
    };
    let bed = OutboxBed::start(ground, "one")?;
    fill_streams(&bed.log, EVENTS, STREAMS)?;
    let receiver = Receiver::start()?;
    let mut number = 0;
    let outcome = case.run(ground.rounds, || {
        number += 1;
        let subject = deliver_all(&bed, ground, &receiver, &format!("r{number}"))?;
        let limit = send_bare(ground, &receiver, usize::from(IN_FLIGHT))?;
        Ok(Round { subject, limit })
    });
    bed.stop(ground)?;
    outcome
}

/// Registers an endpoint that gets the whole log, and waits for the last event.
fn deliver_all(
    bed: &OutboxBed,
    ground: &Ground,
    receiver: &Receiver,
    id: &str,
) -> Result<Measure, Failure> {
    let events = bed.filled();
    receiver.reset();
    let start = Instant::now();
    bed.register(ground, id, endpoint(receiver, "/take"))?;
    receiver.wait_for(events)?;
    let elapsed = start.elapsed();
    bed.remove(ground, id)?;
    Ok(Measure { count: events, elapsed })
}

fn endpoint(receiver: &Receiver, path: &str) -> EndpointConfig {
    let mut config = EndpointConfig::webhook(receiver.url(path));
    config.concurrency = IN_FLIGHT;
    config
}

/// One of many, so that their connections stay within what a process may have.
fn one_of_many(receiver: &Receiver, path: &str) -> EndpointConfig {
    EndpointConfig { concurrency: 4, ..endpoint(receiver, path) }
}

/// How long it takes from an append to the receiver, at a steady rate.
fn latency(ground: &Ground) -> Result<Outcome, Failure> {
    let case = Case {
        name: format!("append to received, p99, {APPENDS_PER_SECOND} events/s"),
        unit: "times",
        limit_name: "the append alone, p99",
        target: Target::Seconds(0.010),
    };
    let bed = OutboxBed::start(ground, "latency")?;
    let receiver = Receiver::start()?;
    receiver.keep_arrivals();
    bed.register(ground, "one", endpoint(&receiver, "/take"))?;
    let mut longest = Vec::new();
    let mut outcome = case.run(ground.rounds, || {
        receiver.reset();
        let times =
            ground.block_on(append_steadily(&bed, ground.within.max(Duration::from_secs(2))))?;
        receiver.wait_for(times.len() as u64)?;
        let arrivals = receiver.arrivals();
        let (mut whole, mut append) = (times_us()?, times_us()?);
        for (position, begun, answered) in times {
            let missing = || Failure::new(format!("event {position} did not arrive"));
            let arrived = arrivals.get(&position).ok_or_else(missing)?;
            whole.saturating_record(arrived.saturating_duration_since(begun).as_micros() as u64);
            append.saturating_record(answered.as_micros() as u64);
        }
        longest.push(format!("{:.1} ms", whole.max() as f64 / 1e3));
        let p99 = |times: &hdrhistogram::Histogram<u64>| Measure {
            count: 1,
            elapsed: Duration::from_micros(times.value_at_quantile(0.99)),
        };
        Ok(Round { subject: p99(&whole), limit: p99(&append) })
    })?;
    outcome.notes.push(format!("longest, by round: {}", longest.join(", ")));
    bed.stop(ground)?;
    Ok(outcome)
}

/// Appends one event at a time at a steady rate; returns positions, begins and durations.
async fn append_steadily(
    bed: &OutboxBed,
    within: Duration,
) -> Result<Vec<(u64, Instant, Duration)>, Failure> {
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / APPENDS_PER_SECOND as u32);
    let (end, mut times) = (Instant::now() + within, Vec::new());
    while Instant::now() < end {
        ticks.tick().await;
        let append = append_of(times.len() as u64 % STREAMS, 1)?;
        let begun = Instant::now();
        let appended = bed.log.append(append).await?;
        times.push((appended.position.get(), begun, begun.elapsed()));
    }
    Ok(times)
}

/// What one endpoint that says nothing costs the others.
fn one_hangs(ground: &Ground) -> Result<Outcome, Failure> {
    let healthy = ENDPOINTS - 1;
    let case = Case {
        name: format!("{ENDPOINTS} endpoints, 1 of them hanging"),
        unit: "webhooks",
        limit_name: "the others alone",
        target: Target::Ratio(0.95),
    };
    let bed = OutboxBed::start(ground, "many")?;
    fill_streams(&bed.log, EVENTS_EACH, STREAMS.min(EVENTS_EACH))?;
    let receiver = Receiver::start()?;
    let mut number = 0;
    let mut all = |with_hanging: bool| {
        number += 1;
        receiver.reset();
        if with_hanging {
            bed.register(ground, &format!("h{number}"), one_of_many(&receiver, "/hang"))?;
        }
        let start = Instant::now();
        for at in 0..healthy {
            bed.register(ground, &format!("n{number}e{at}"), one_of_many(&receiver, "/take"))?;
        }
        let count = healthy * bed.filled();
        receiver.wait_for(count)?;
        let elapsed = start.elapsed();
        for at in 0..healthy {
            bed.remove(ground, &format!("n{number}e{at}"))?;
        }
        if with_hanging {
            bed.remove(ground, &format!("h{number}"))?;
        }
        Ok::<_, Failure>(Measure { count, elapsed })
    };
    let outcome = case.run(ground.rounds, || {
        let limit = all(false)?;
        Ok(Round { subject: all(true)?, limit })
    });
    bed.stop(ground)?;
    outcome
}

/// A large backlog of one endpoint: order and memory.
fn backlog(ground: &Ground) -> Result<Outcome, Failure> {
    let case = Case {
        name: format!("backlog of {} events", ground.events),
        unit: "webhooks",
        limit_name: "bare client, same bytes, as many in flight",
        target: Target::Ratio(0.7),
    };
    let bed = OutboxBed::start(ground, "backlog")?;
    fill_streams(&bed.log, ground.events, STREAMS)?;
    let receiver = Receiver::start()?;
    let before = resident_mib();
    let mut peak = before;
    let mut outcome = case.run(1, || {
        receiver.reset();
        receiver.check_order();
        let start = Instant::now();
        bed.register(ground, "late", endpoint(&receiver, "/take"))?;
        let filled = bed.filled();
        while receiver.count() < filled {
            receiver.wait_for(filled.min(receiver.count() + LOOK_EVERY))?;
            peak = peak.max(resident_mib());
        }
        let subject = Measure { count: filled, elapsed: start.elapsed() };
        let limit = send_bare(ground, &receiver, usize::from(IN_FLIGHT))?;
        Ok(Round { subject, limit })
    })?;
    let skipped = receiver.out_of_order();
    if skipped > 0 {
        return Err(Failure::new(format!("{skipped} events came out of their stream's order")));
    }
    outcome.notes.push(format!(
        "order kept in {STREAMS} streams; memory {before} MiB before, at most {peak} MiB while sending"
    ));
    bed.stop(ground)?;
    Ok(outcome)
}

/// Returns how much memory this process has, in MiB; 0 where the system does not say.
fn resident_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    kib.unwrap_or_default() / 1_024
}

//! The log on a disk that fails, tears and loses power at every step of a scripted run (G1).
//!
//! `HEADWATER_SEEDS` sets how many runs there are; 2,000 by default. A failing run names its
//! script, step and fault.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use headwater::clock::ManualClock;
use headwater::event::{EventId, NewEvent, Position, Revision, StreamId, Tag, Tenant};
use headwater::store::log::{LogConfig, LogCore, verify_on};
use headwater::store::{
    Append, AppendCondition, AppendError, EventQuery, Expected, LogRead, QueryItem, StoreError,
};
use headwater::test::disk::{Fault, FaultyDisk};

type Fallible<T> = Result<T, Box<dyn Error>>;

const ACTIONS: u64 = 14;

#[test]
fn whatever_fails_nothing_acknowledged_is_lost_and_nothing_is_half_there() {
    let runs: u64 = std::env::var("HEADWATER_SEEDS").map_or(2_000, |text| text.parse().unwrap());
    let (mut done, mut script) = (0, 0);
    while done < runs {
        let steps = count_steps(script).unwrap();
        for step in 1..=steps {
            for fault in Fault::ALL {
                let outcome = run(script, step, fault);
                assert!(
                    outcome.is_ok(),
                    "script {script}, step {step}, {fault:?}: {}",
                    outcome.unwrap_err()
                );
                done += 1;
            }
        }
        script += 1;
    }
}

/// What is known of the log from the outcomes of its appends.
#[derive(Default)]
struct Known {
    stored: BTreeMap<u64, NewEvent>,
    unknown: Vec<Append>,
    refused: Vec<EventId>,
    made: u64,
}

fn config() -> LogConfig {
    let clock = Arc::new(ManualClock::new("2026-01-01T00:00:00Z".parse().unwrap_or_default()));
    let mut config = LogConfig::new("/log").with_segment_bytes(6_000).with_clock(clock);
    config.ahead_bytes = 2_048;
    config.batch_bytes_max = 3_000;
    config.heads_max = 4;
    config
}

fn open(disk: &FaultyDisk) -> Result<LogCore, StoreError> {
    LogCore::open(Arc::new(disk.clone()), config())
}

fn count_steps(script: u64) -> Fallible<u64> {
    let disk = FaultyDisk::new(script);
    let mut known = Known::default();
    play(&disk, script, &mut known)?;
    let steps = disk.steps();
    check(&disk, &mut known)?;
    Ok(steps)
}

fn run(script: u64, step: u64, fault: Fault) -> Fallible<()> {
    let disk = FaultyDisk::new(script);
    disk.plan(step, fault);
    let mut known = Known::default();
    // What fails here is the fault; whether it did harm is seen below.
    let played = play(&disk, script, &mut known);
    match disk.is_off() || disk.random(2) == 0 {
        true => disk.lose_power(),
        false => disk.end_process(),
    }
    if let Err(error) = played
        && error
            .downcast_ref::<StoreError>()
            .is_some_and(|e| matches!(e, StoreError::Damaged { .. }))
    {
        return Err(error);
    }
    check(&disk, &mut known)
}

/// Plays a script: groups of appends, clean closes, deaths of the process.
fn play(disk: &FaultyDisk, script: u64, known: &mut Known) -> Fallible<()> {
    let choice = FaultyDisk::new(script ^ 0xC0FF_EE00);
    let mut core = open(disk)?;
    for _ in 0..ACTIONS {
        match choice.random(8) {
            0 => {
                core.close()?;
                core = open(disk)?;
            }
            1 => {
                disk.end_process();
                core = open(disk)?;
            }
            _ => {
                let count = choice.random(4) + 1;
                let appends = (0..count).map(|_| make(&choice, known));
                group(&core, appends.collect::<Fallible<_>>()?, known)?;
            }
        }
    }
    Ok(())
}

fn make(choice: &FaultyDisk, known: &mut Known) -> Fallible<Append> {
    let tenant = Tenant::default_tenant();
    let stream = StreamId::new("order", choice.random(5).to_string())?;
    let events = (0..choice.random(3) + 1).map(|_| {
        known.made += 1;
        let text = "x".repeat(choice.random(900) as usize);
        let id = match choice.random(2) {
            0 => EventId::derived(&[&known.made.to_le_bytes()]),
            _ => EventId::from_bytes(
                (u128::from(known.made) << 80 | 7 << 76 | 2 << 62).to_be_bytes(),
            ),
        };
        let tags = vec![Tag::new(format!("t:{}", choice.random(4)))?];
        Ok(NewEvent::json("Placed", 1, format!("\"{text}\""))?.with_id(id).with_tags(tags))
    });
    let events = events.collect::<Fallible<Vec<_>>>()?;
    let expected = match choice.random(4) {
        0 => Expected::NoStream,
        1 => Expected::Exists,
        _ => Expected::Any,
    };
    let append = Append::to_stream(tenant, stream, expected, events);
    if choice.random(6) > 0 {
        return Ok(append);
    }
    let tags = vec![Tag::new("t:1")?];
    let query = EventQuery { items: vec![QueryItem { tags, ..QueryItem::default() }] };
    let after = Position::new(choice.random(known.made));
    Ok(append.with_condition(AppendCondition { query, after }))
}

fn group(core: &LogCore, appends: Vec<Append>, known: &mut Known) -> Fallible<()> {
    let outcomes = core.append_group(appends.clone());
    for (append, outcome) in appends.into_iter().zip(outcomes) {
        let events = append.writes.iter().flat_map(|write| write.events.clone());
        match outcome {
            Ok(appended) => {
                let first = appended.position.get() + 1 - append.event_count() as u64;
                known.stored.extend((first..).zip(events));
            }
            Err(AppendError::Unknown { .. }) => known.unknown.push(append),
            Err(_) => known.refused.extend(events.map(|event| event.id)),
        }
    }
    Ok(())
}

/// Opens the log again and compares it with what is known; then goes on with it.
fn check(disk: &FaultyDisk, known: &mut Known) -> Fallible<()> {
    disk.end_process();
    let core = open(disk)?;
    compare(&core, known)?;
    // An unknown append sent again settles it: it is there once in the end.
    for append in std::mem::take(&mut known.unknown) {
        group(&core, vec![append], known)?;
    }
    let more = NewEvent::json("More", 1, "{}")?;
    let stream = StreamId::new("order", "more")?;
    let append =
        Append::to_stream(Tenant::default_tenant(), stream, Expected::NoStream, vec![more]);
    group(&core, vec![append], known)?;
    if known.stored.values().next_back().map(|event| event.event_type.as_str()) != Some("More") {
        return Err("an append after the restart was refused".into());
    }
    compare(&core, known)?;
    disk.lose_power();
    let core = open(disk)?;
    compare(&core, known)?;
    core.close()?;
    let report = verify_on(Arc::new(disk.clone()), Path::new("/log"))?;
    match report.is_sound() && report.events == known.stored.len() as u64 {
        true => Ok(()),
        false => Err(format!("verify: {report:?}").into()),
    }
}

fn compare(core: &LogCore, known: &Known) -> Fallible<()> {
    let mut read = LogRead::after(Position::ZERO, 100);
    let mut found = BTreeMap::new();
    loop {
        let page = core.read_log(&read)?;
        found.extend(page.events.into_iter().map(|event| (event.position().get(), event)));
        if page.is_end {
            break;
        }
        read.from = page.next;
    }
    if !found.keys().copied().eq(1..=core.head().get()) {
        return Err("positions have a gap".into());
    }
    for (position, event) in &known.stored {
        let same = found.get(position);
        let same = same.filter(|same| same.id() == event.id && same.data() == event.data());
        same.ok_or_else(|| format!("acknowledged event at {position} is missing"))?;
    }
    let is_there = |id| found.values().any(|event| event.id() == id);
    if known.refused.iter().any(|id| is_there(*id)) {
        return Err("a refused event is there".into());
    }
    let mut count = known.stored.len();
    for append in &known.unknown {
        let ids: Vec<_> =
            append.writes.iter().flat_map(|w| w.events.iter().map(|e| e.id)).collect();
        match ids.iter().filter(|id| is_there(**id)).count() {
            0 => {}
            all if all == ids.len() => count += all,
            _ => return Err("an append is half there".into()),
        }
    }
    let mut revisions: BTreeMap<&str, Revision> = BTreeMap::new();
    for event in found.values() {
        let last = revisions.entry(event.stream_id()).or_default();
        if event.revision() != last.next() {
            return Err(format!("stream {} has a gap", event.stream_id()).into());
        }
        *last = event.revision();
    }
    match count == found.len() {
        true => Ok(()),
        false => Err(format!("{} events are there, {count} are known", found.len()).into()),
    }
}

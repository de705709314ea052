//! The passivation torture (G6): whatever leaves memory and comes back, every command is
//! answered once, and the log is the sum of the answers.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::running::start;
use super::sample::{Counter, add, tenant};
use headwater::event::{Revision, StreamId};
use headwater::runtime::{RuntimeConfig, System};
use headwater::store::{EventStore, MemoryStore, StreamRead};

const IDS: u64 = 50;
const SENDERS: u64 = 64;

/// Chooses ids: SplitMix64 (Steele, Lea, Flood 2014).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_command_is_answered_once_while_aggregates_come_and_go() {
    let commands = number("HEADWATER_COMMANDS", 100_000);
    let seed = number("HEADWATER_SEED", 1);
    println!("HEADWATER_SEED={seed} HEADWATER_COMMANDS={commands}");
    torture(Duration::ZERO, seed, commands / 2).await;
    torture(Duration::from_millis(1), seed, commands - commands / 2).await;
}

async fn torture(idle_timeout: Duration, seed: u64, commands: u64) {
    let store = MemoryStore::shared();
    let config = RuntimeConfig { idle_timeout, live_aggregates_max: 4, ..RuntimeConfig::default() };
    let system = start(store.clone(), config).await;
    let answers = storm(&system, seed, commands).await;
    assert_eq!(answers.values().map(Vec::len).sum::<usize>() as u64, commands);
    compare(&store, answers).await;
    let report = system.report();
    assert!(report.actors[0].passivated > commands / 100, "{report:?}");
    assert_eq!(system.shutdown(Duration::from_secs(10)).await.commands, 0);
}

/// Sends from many tasks at once and returns the revisions answered, by id.
async fn storm(system: &System, seed: u64, commands: u64) -> HashMap<u64, Vec<u64>> {
    let senders = (0..SENDERS).map(|at| {
        let mine = commands / SENDERS + u64::from(at < commands % SENDERS);
        let (system, mut dice) = (system.clone(), Dice(seed + at));
        tokio::spawn(async move {
            let mut answers = Vec::new();
            for _ in 0..mine {
                let id = dice.roll() % IDS;
                let counter = system.at::<Counter>(&tenant(), id.to_string()).unwrap();
                answers.push((id, counter.send(add(1)).await.unwrap().revision.get()));
            }
            answers
        })
    });
    let mut all: HashMap<u64, Vec<u64>> = HashMap::new();
    for sender in senders.collect::<Vec<_>>() {
        for (id, revision) in sender.await.unwrap() {
            all.entry(id).or_default().push(revision);
        }
    }
    all
}

/// Checks that the streams hold exactly what was answered.
async fn compare(store: &Arc<MemoryStore>, answers: HashMap<u64, Vec<u64>>) {
    for (id, mut revisions) in answers {
        revisions.sort_unstable();
        let stream = StreamId::new("counter", id.to_string()).unwrap();
        let read = StreamRead::before(tenant(), stream, Revision::MAX, 1);
        let last = store.read_stream(read).await.unwrap().revision.get();
        assert_eq!(revisions, (1..=last).collect::<Vec<_>>(), "id {id}");
    }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

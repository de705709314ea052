//! Two nodes, many writers, sessions ended at random, rollbacks, old snapshots held throughout.
//!
//! `HEADWATER_EVENTS` says how many events; the seed is printed.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use headwater::event::{EventId, EventQuery, Position, Revision};
use headwater::postgres::connect;
use headwater::store::postgres::PostgresStore;
use headwater::store::{
    Append, AppendCondition, AppendError, EventStore, Expected, SharedStore, Subscription,
};
use headwater::test::ScratchSchema;

use super::kit::{append, node, scratch, whole_log};

const WRITERS: u64 = 32;
const STREAMS: u64 = 50;

/// Numbers that a seed gives again (xorshift, Marsaglia 2003).
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

fn wanted_events() -> u64 {
    std::env::var("HEADWATER_EVENTS").ok().and_then(|text| text.parse().ok()).unwrap_or(1_500)
}

fn random_append(random: &mut Random, head: Position) -> Append {
    let stream = format!("{}", random.below(STREAMS));
    let expected = match random.below(6) {
        0 => Expected::NoStream,
        1 => Expected::Exists,
        2 => Expected::At(Revision::new(random.below(40))),
        _ => Expected::Any,
    };
    let request = append(&stream, expected, 1 + random.below(4) as usize);
    match random.below(10) {
        0 => request.with_condition(AppendCondition { query: EventQuery::all(), after: head }),
        _ => request,
    }
}

/// Appends until the log is long enough; returns the ids that were acknowledged.
async fn write(store: Arc<PostgresStore>, until: u64, mut random: Random) -> Vec<EventId> {
    let mut acknowledged = Vec::new();
    let head = store.head();
    while head.borrow().get() < until {
        let request = random_append(&mut random, *head.borrow());
        let ids = request.writes.iter().flat_map(|write| &write.events).map(|event| event.id);
        let ids: Vec<EventId> = ids.collect();
        loop {
            match store.append(request.clone()).await {
                Ok(_) => {
                    acknowledged.extend(ids);
                    break;
                }
                Err(AppendError::Conflict { .. } | AppendError::ConditionFailed { .. }) => break,
                Err(AppendError::Unknown { .. } | AppendError::Unavailable { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
        for _ in 0..random.below(20) {
            tokio::task::yield_now().await;
        }
    }
    acknowledged
}

/// Follows the log live and holds every page against the one before.
async fn follow(store: SharedStore, until: u64) -> Vec<EventId> {
    let mut subscription = Subscription::new(store, Position::ZERO, EventQuery::all());
    let (mut seen, mut revisions) = (Vec::new(), HashMap::new());
    while subscription.position().get() < until {
        for event in subscription.next().await.unwrap().events {
            assert_eq!(event.position().get(), seen.len() as u64 + 1, "a gap or a double");
            let last = revisions.entry(event.stream_id().to_owned()).or_insert(Revision::ZERO);
            assert_eq!(event.revision(), last.next(), "a gap in stream {}", event.stream_id());
            *last = event.revision();
            seen.push(event.id());
        }
    }
    seen
}

/// Reads with plain SQL, as another program would, and finds no gap at any time.
async fn look_from_outside(scratch: &ScratchSchema, until: &AtomicU64) -> u64 {
    let client =
        connect(&scratch.address().clone().with_application_name("outside")).await.unwrap();
    let mut last = 0_i64;
    while (last as u64) < until.load(Ordering::SeqCst) {
        let sql = "select position from events where position > $1 order by position limit 1000";
        for row in client.query(sql, &[&last]).await.unwrap() {
            let position: i64 = row.get(0);
            assert_eq!(position, last + 1, "a gap");
            last = position;
        }
    }
    last as u64
}

/// Ends a session, or rolls a batch back, each time the log has grown by some events.
async fn disturb(scratch: &ScratchSchema, store: &PostgresStore, until: u64, mut random: Random) {
    let mut head = store.head();
    let name = scratch.address().schema();
    let mut next = 0;
    while next < until {
        next += until / 40 + random.below(until / 40);
        if head.wait_for(|head| head.get() >= next.min(until)).await.is_err() {
            return;
        }
        let sql = match random.below(3) {
            0 => "begin; lock table event_order in share row exclusive mode; rollback".to_owned(),
            _ => format!(
                "select pg_terminate_backend(pid) from pg_stat_activity \
                 where application_name = '{name}' order by random() limit 1"
            ),
        };
        tokio::task::block_in_place(|| scratch.run(&sql)).unwrap();
    }
}

/// Holds an open transaction with an id, and a snapshot of the empty log.
async fn hold(scratch: &ScratchSchema) -> impl Sized {
    let address = scratch.address().clone().with_application_name("held");
    let idle = connect(&address).await.unwrap();
    idle.batch_execute("begin; select pg_current_xact_id()").await.unwrap();
    let old = connect(&address).await.unwrap();
    let snapshot = "begin isolation level repeatable read; select count(*) from events";
    old.batch_execute(snapshot).await.unwrap();
    [idle, old]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_skipped_or_doubled() {
    let seed = std::env::var("HEADWATER_SEED").ok().and_then(|text| text.parse().ok());
    let seed: u64 = seed.unwrap_or_else(|| {
        u64::from_be_bytes(EventId::fresh().to_bytes()[8..].try_into().unwrap())
    });
    println!("HEADWATER_SEED={seed}");
    let (scratch, until) = (scratch(), wanted_events());
    let held = hold(&scratch).await;
    let (one, two, reader) =
        (node(scratch.address()), node(scratch.address()), node(scratch.address()));
    let writers: Vec<_> = (0..WRITERS)
        .map(|number| {
            let store = if number % 2 == 0 { one.clone() } else { two.clone() };
            tokio::spawn(write(store, until, Random(seed.wrapping_add(number) | 1)))
        })
        .collect();
    let live = tokio::spawn(follow(reader.clone(), until));
    let end = AtomicU64::new(u64::MAX);
    let write_all = async {
        disturb(&scratch, &one, until, Random(seed | 1)).await;
        let mut acknowledged = HashSet::new();
        for writer in writers {
            acknowledged.extend(writer.await.unwrap());
        }
        end.store(acknowledged.len() as u64, Ordering::SeqCst);
        acknowledged
    };
    let (acknowledged, outside) = tokio::join!(write_all, look_from_outside(&scratch, &end));
    let stored: Vec<EventId> = whole_log(&reader).await.iter().map(|event| event.id()).collect();
    assert_eq!(stored.len(), acknowledged.len(), "stored and acknowledged differ");
    assert_eq!(stored.iter().copied().collect::<HashSet<_>>(), acknowledged);
    assert_eq!(outside, stored.len() as u64);
    let seen = live.await.unwrap();
    assert!(seen.len() as u64 >= until && seen[..] == stored[..seen.len()]);
    println!(
        "{} events, reconnects {} and {}",
        stored.len(),
        one.stats().reconnects,
        two.stats().reconnects
    );
    drop(held);
}

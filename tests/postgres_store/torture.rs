//! Two nodes, many writers, sessions ended at random, rollbacks, old snapshots held throughout.
//!
//! `HEADWATER_EVENTS` says how many events; the seed is printed.

use std::time::Instant;

use headwater::postgres::connect;
use headwater::store::EventStore;
use headwater::store::postgres::PostgresStore;
use headwater::test::{ScratchSchema, ScratchServer};
use tokio::sync::watch;

use super::foreign::APPEND_BATCH;
use super::kit::{log_on, node};
use super::random::{Random, length, seed};
use super::{witness, writer};

const WRITERS: usize = 32;

/// Something happens to the database about this often, but so many times in any run.
const EVENTS_BETWEEN: u64 = 20_000;
const DISTURBANCES_MIN: u64 = 40;

/// Room for as many events as a long run has.
const SETTINGS: [&str; 2] = ["shared_buffers='256MB'", "max_wal_size='4GB'"];

/// Does something to the database each time the log has grown by some events.
async fn disturb(scratch: &ScratchSchema, store: &PostgresStore, until: u64, mut random: Random) {
    let mut head = store.head();
    let step = EVENTS_BETWEEN.min(until / DISTURBANCES_MIN).max(1);
    let mut next = 0;
    while next < until {
        next += step / 2 + random.below(step);
        if head.wait_for(|head| head.get() >= next.min(until)).await.is_err() {
            return;
        }
        let sql = disturbance(scratch.address().schema(), &mut random);
        tokio::task::block_in_place(|| scratch.run(&sql)).unwrap();
    }
}

fn disturbance(application: &str, random: &mut Random) -> String {
    let end = format!(
        "select pg_terminate_backend(pid) from pg_stat_activity \
         where application_name = '{application}'"
    );
    let seconds = 0.001 * random.below(40) as f64;
    match random.below(8) {
        // Others hold the order for a while, or append and think better of it.
        0 => format!(
            "begin; lock table event_order in share row exclusive mode; \
             select pg_sleep({seconds}); rollback"
        ),
        1 => format!("begin; {APPEND_BATCH}; select pg_sleep({seconds}); rollback"),
        // The table of events itself: batches that have begun to insert wait too.
        2 => {
            format!("begin; lock table events in share mode; select pg_sleep({seconds}); rollback")
        }
        3 => end,
        _ => format!("{end} order by random() limit 1"),
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
    let (seed, until, began) = (seed(), length("HEADWATER_EVENTS", 60_000), Instant::now());
    // A server of its own: snapshots that are held for long make others of the database wait.
    let server = ScratchServer::start(&SETTINGS).unwrap();
    let scratch = log_on(&server);
    let held = hold(&scratch).await;
    let [one, two, three] = [(); 3].map(|()| node(scratch.address()));
    let live = tokio::spawn(witness::follow(three.clone()));
    let polled = tokio::spawn({
        let store = two.clone();
        async move { witness::poll(&store, Random::new(seed)).await }
    });
    let writers = writer::start(&[one.clone(), two.clone()], WRITERS, (seed, until));
    let end = watch::Sender::new(u64::MAX);
    let looked = witness::look_from_outside(&scratch, three.head(), end.subscribe());
    let write = async {
        disturb(&scratch, &three, until, Random::new(seed)).await;
        let told = writer::finish(writers, &one).await;
        end.send_replace(one.head().borrow().get());
        told
    };
    let (told, outside) = tokio::join!(write, looked);
    let wrote = began.elapsed();
    let late = witness::follow(node(scratch.address())).await;
    assert_eq!((late.position, outside), (*end.borrow(), late.position));
    late.compare(&told, "late reader");
    live.await.unwrap().compare(&told, "subscriber");
    polled.await.unwrap().compare(&told, "reader of pages");
    let reconnects = one.stats().reconnects + two.stats().reconnects;
    assert!(reconnects > 0, "no session of a writer was ended");
    println!(
        "{outside} events, {} appends, {reconnects} reconnects, written in {wrote:?}, \
         {:?} in all",
        told.iter().map(Vec::len).sum::<usize>(),
        began.elapsed()
    );
    drop(held);
}

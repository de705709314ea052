//! The server is killed with every process of it while writers append; nothing is lost.
//!
//! `HEADWATER_KILLS` says how often; the seed is printed.

use headwater::store::EventStore;
use headwater::test::ScratchServer;

use super::kit::{log_on, node};
use super::random::{Random, length, seed};
use super::{witness, writer};

/// How far the log grows between two kills.
const EVENTS_BETWEEN: u64 = 2_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_has_everything_that_it_acknowledged() {
    let (seed, kills) = (seed(), length("HEADWATER_KILLS", 3));
    let server = ScratchServer::start(&[]).unwrap();
    let scratch = log_on(&server);
    let nodes = [(); 2].map(|()| node(scratch.address()));
    let live = tokio::spawn(witness::follow(nodes[1].clone()));
    let until = EVENTS_BETWEEN * (kills + 1);
    let writers = writer::start(&nodes, 16, (seed, until));
    let (mut head, mut random) = (nodes[0].head(), Random::new(seed));
    for kill in 0..kills {
        let at = EVENTS_BETWEEN * kill + 1 + random.below(EVENTS_BETWEEN);
        head.wait_for(|head| head.get() >= at).await.unwrap();
        tokio::task::block_in_place(|| {
            server.kill();
            server.start_again().unwrap();
        });
        assert!(server.log().contains("automatic recovery in progress"), "{}", server.log());
    }
    let told = writer::finish(writers, &nodes[0]).await;
    witness::follow(node(scratch.address())).await.compare(&told, "late reader");
    live.await.unwrap().compare(&told, "subscriber");
    let reconnects: u64 = nodes.iter().map(|node| node.stats().reconnects).sum();
    assert!(reconnects >= kills, "{reconnects} reconnects after {kills} kills");
    println!("{kills} kills, {reconnects} reconnects, {} events", head.borrow().get());
}

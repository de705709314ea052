//! A real PgBouncer in between: what works through it, and what is said when it cannot.

use std::sync::Arc;

use headwater::event::Position;
use headwater::postgres::{Address, Pooler};
use headwater::sql::OpenError;
use headwater::sql::PostgresConfig;
use headwater::store::postgres::{HeadSource, PostgresStore};
use headwater::store::{EventStore, Expected};
use headwater::test::{ScratchPooler, ScratchSchema, skip};

use super::kit::{append, node, opening, scratch, whole_log};
use super::random::seed;
use super::{witness, writer};

/// Three sessions for all connections of all nodes.
const FEW: [&str; 1] = ["default_pool_size = 3"];

/// A pooler before a schema with a log; `None`, said aloud, where PgBouncer is not installed.
fn pooled(mode: Pooler, settings: &[&str]) -> Option<(ScratchSchema, ScratchPooler)> {
    if !ScratchPooler::is_installed() {
        skip("pgbouncer is not installed (Debian: apt install pgbouncer)");
        return None;
    }
    let scratch = scratch();
    let pooler = ScratchPooler::before(scratch.address(), mode, settings).unwrap();
    Some((scratch, pooler))
}

fn through(pooler: &ScratchPooler, scratch: &ScratchSchema, mode: Pooler) -> Address {
    pooler.address(scratch.address(), mode).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_share_a_log_through_a_pooler_of_transactions() {
    let Some((scratch, pooler)) = pooled(Pooler::Transaction, &FEW) else { return };
    let address = through(&pooler, &scratch, Pooler::Transaction);
    let nodes: [Arc<PostgresStore>; 2] = [(); 2].map(|()| node(&address));
    let live = tokio::spawn(witness::follow(nodes[1].clone()));
    let writers = writer::start(&nodes, 8, (seed(), 5_000));
    let (mut head, mut ended) = (nodes[0].head(), 0);
    while head.borrow().get() < 5_000 {
        head.changed().await.unwrap();
        ended += tokio::task::block_in_place(|| scratch.end_sessions()).unwrap();
    }
    assert!(ended > 0, "the sessions of the pooler were not found");
    let told = writer::finish(writers, &nodes[0]).await;
    live.await.unwrap().compare(&told, "subscriber");
    witness::follow(node(scratch.address())).await.compare(&told, "late reader");
    assert_eq!(nodes[0].stats().head_source, HeadSource::Polling);
}

#[tokio::test]
async fn a_pooler_of_sessions_passes_notifications_on() {
    let Some((scratch, pooler)) = pooled(Pooler::Session, &[]) else { return };
    let store = node(&through(&pooler, &scratch, Pooler::Session));
    let mut head = store.head();
    node(scratch.address()).append(append("a", Expected::Any, 2)).await.unwrap();
    head.wait_for(|head| *head >= Position::new(2)).await.unwrap();
    store.append(append("a", Expected::Any, 1)).await.unwrap();
    assert_eq!(whole_log(&store).await.len(), 3);
    assert_eq!(store.stats().head_source, HeadSource::Listening);
}

#[test]
fn a_pooler_that_the_address_does_not_name_is_noticed() {
    // As it is installed it refuses the options; set to ignore them it drops them.
    for settings in [&[][..], &["ignore_startup_parameters = options"]] {
        let Some((scratch, pooler)) = pooled(Pooler::Transaction, settings) else { return };
        let error = opening(&through(&pooler, &scratch, Pooler::Absent)).to_string();
        assert!(error.contains("pooler=session or pooler=transaction"), "{error}");
    }
}

#[test]
fn the_read_side_says_that_it_needs_sessions() {
    let address = "postgres://127.0.0.1:1/shop?pooler=transaction".parse().unwrap();
    let error = PostgresConfig::at(address).open().err().unwrap();
    assert!(matches!(error, OpenError::Server(_)), "{error}");
    assert!(error.to_string().contains("pooler=session"), "{error}");
}

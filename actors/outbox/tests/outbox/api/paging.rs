//! Lists read page by page: every row is on one of them, and on one alone.

use std::collections::BTreeSet;

use headwater::api::ApiLimits;
use headwater::event::Position;
use headwater::sql::PostgresConfig;
use headwater::store::MemoryStore;
use headwater::test::ScratchSchema;
use headwater_outbox::endpoint::{Batching, Replay};
use headwater_outbox::payload::Format;
use headwater_outbox::schedule::RetrySchedule;
use headwater_outbox::secret::SealKey;
use serde_json::Value;

use super::kit::{Front, pointer_of};
use crate::system::kit::{Ledger, Reply, World};

/// Reads a list to its end; returns the position and replay of every row, as they came.
async fn read_all(front: &Front, list: &str, field: &str) -> Vec<(u64, u64)> {
    let (mut rows, mut after) = (Vec::new(), String::new());
    loop {
        let path = format!("/v1/endpoints/one/{list}?limit=3{after}");
        let page = front.get(&path).await;
        let place =
            |own: &Value| (own["position"].as_u64().unwrap(), own["replay"].as_u64().unwrap());
        rows.extend(page[field].as_array().unwrap().iter().map(place));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return rows,
        }
        assert!(rows.len() < 1_000, "{list} does not end");
    }
}

#[tokio::test]
async fn attempts_that_ended_at_the_same_time_are_all_paged_through() {
    let (front, ledger) = (Front::open().await, Ledger::open().await);
    let world = &front.world;
    world.append("a", 10).await;
    world
        .register("one", &ledger, |config| {
            config.format = Format::CloudEventsBatch;
            config.batch = Some(Batching { events_max: 10, wait_ms: 0 });
        })
        .await;
    world.until("select count(*) from outbox_attempts", 10).await;
    assert_eq!(world.count("select count(distinct at_us) from outbox_attempts").await, 1);
    let rows = read_all(&front, "attempts", "attempts").await;
    let different: BTreeSet<_> = rows.iter().collect();
    assert_eq!((rows.len(), different.len()), (10, 10), "{rows:?}");
}

#[tokio::test]
async fn the_pages_of_attempts_lead_on_to_every_one_of_them() {
    let (front, ledger) = (Front::open().await, Ledger::open().await);
    let world = &front.world;
    world.append("a", 120).await;
    world
        .register("one", &ledger, |config| {
            config.format = Format::CloudEventsBatch;
            config.batch = Some(Batching { events_max: 120, wait_ms: 0 });
        })
        .await;
    world.until("select count(*) from outbox_attempts", 120).await;
    let (mut rows, mut path) = (Vec::new(), "/ui/outbox/one/attempts".to_owned());
    loop {
        let text = front.client.page_of(&path).await;
        let links = text.split("href=\"/ui/outbox/one/attempts").skip(1);
        let links: Vec<&str> = links.filter_map(|link| link.split('"').next()).collect();
        rows.extend(links.iter().filter_map(|link| link.strip_prefix('/')).map(str::to_owned));
        let Some(next) = links.iter().find(|link| link.contains("after=")) else { break };
        path = format!("/ui/outbox/one/attempts{next}");
        assert!(rows.len() <= 120, "the pages do not end");
    }
    let different: BTreeSet<_> = rows.iter().collect();
    assert_eq!((rows.len(), different.len()), (120, 120), "{rows:?}");
    let one = front.client.page_of(&format!("/ui/outbox/one/attempts/{}", rows[7])).await;
    assert!(one.contains("<dt>Took</dt>"), "{one}");
}

#[tokio::test]
async fn what_comes_and_a_replay_of_it_are_both_on_the_pages_of_what_waits() {
    let (front, ledger) = (Front::open().await, Ledger::open().await);
    ledger.answer(|_| Reply::Status(500));
    let world = &front.world;
    for stream in ["a", "b", "c"] {
        world.append(stream, 1).await;
    }
    world.register("one", &ledger, |config| config.retry = schedule()).await;
    let (from, to) = (Position::new(1), Position::new(3));
    world.tell("one", Replay { from, to, rate_per_second: None }).await.unwrap();
    world.until("select count(*) from outbox_retries", 6).await;
    let rows = read_all(&front, "retries", "events").await;
    assert_eq!(rows, [(1, 0), (1, 2), (2, 0), (2, 2), (3, 0), (3, 2)]);
    for list in ["retries", "dead-letters"] {
        let path = format!("/v1/endpoints/one/{list}?after=2");
        let reply = front.client.ask("GET", &path, None).await;
        assert_eq!((reply.status, pointer_of(&reply)), (400, "query:after"));
        let text = front.client.page_of(&format!("/ui/outbox/one/{list}?after=2.0")).await;
        assert!(text.starts_with("HTTP/1.1 200 "), "{text}");
    }
}

/// Tries again after so long that it waits until the test is over.
fn schedule() -> RetrySchedule {
    RetrySchedule::new(vec![3_600_000]).unwrap()
}

#[tokio::test]
async fn on_postgresql_what_happened_is_found_by_any_position() {
    let scratch = ScratchSchema::new().unwrap();
    let database = PostgresConfig::at(scratch.address().clone()).open().unwrap();
    let seal = SealKey::generate().unwrap();
    let world = World::over(MemoryStore::shared(), database, seal).await;
    let (front, ledger) = (Front::of(world, ApiLimits::default()).await, Ledger::open().await);
    front.world.append("a", 3).await;
    front.register("one", &ledger.url).await;
    front.world.until("select count(*) from outbox_attempts", 3).await;
    for (position, count) in [("2", 1), ("3000000000", 0), ("9000000000000000000", 0)] {
        let path = format!("/v1/endpoints/one/attempts?position={position}&limit=2");
        let found = front.get(&path).await;
        assert_eq!(found["attempts"].as_array().unwrap().len(), count, "{position}: {found}");
    }
    let first = front.get("/v1/endpoints/one/attempts?limit=2").await;
    let after = first["next"].as_str().unwrap();
    let last = front.get(&format!("/v1/endpoints/one/attempts?limit=2&after={after}")).await;
    assert_eq!(last["attempts"].as_array().unwrap().len(), 1);
    front.world.system.shutdown(std::time::Duration::from_secs(60)).await;
}

//! What comes, in which order, and what failures hold back.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering as Atomic};

use headwater_outbox::endpoint::{Filter, Ordering, Start};

use super::kit::{Ledger, Message, Reply, World, assert_in_order};

#[tokio::test]
async fn everything_in_the_log_comes_once_and_then_what_is_appended() {
    let (world, ledger) = (World::start().await, Ledger::open().await);
    for stream in ["a", "b", "c"] {
        world.append(stream, 500).await;
    }
    world.register("one", &ledger, |_| {}).await;
    ledger.taken(1_500).await;
    world.append("b", 10).await;
    let messages = ledger.taken(1_510).await;
    assert_eq!(messages.len(), 1_510);
    assert_in_order(&messages);
}

#[tokio::test]
async fn an_endpoint_that_starts_now_gets_nothing_of_before() {
    let (world, ledger) = (World::start().await, Ledger::open().await);
    world.append("a", 5).await;
    world.register_from("one", &ledger, Start::Now, |_| {}).await;
    world.append("a", 1).await;
    let messages = ledger.taken(1).await;
    assert_eq!((messages.len(), messages[0].revision()), (1, 6));
}

#[tokio::test]
async fn a_stream_that_fails_holds_back_itself_alone_and_catches_up_in_order() {
    let (world, ledger) = (World::start().await, Ledger::open().await);
    let is_down = Arc::new(AtomicBool::new(true));
    let down = Arc::clone(&is_down);
    ledger.answer(move |message| {
        let is_refused = message.stream() == "thing/bad" && down.load(Atomic::SeqCst);
        Reply::Status(if is_refused { 500 } else { 204 })
    });
    world
        .register("one", &ledger, |config| {
            config.retry = vec![100; 50].try_into().unwrap();
        })
        .await;
    for _ in 0..20 {
        world.append("bad", 5).await;
        world.append("good", 5).await;
    }
    let messages = ledger.taken(100).await;
    assert!(messages.iter().filter(|own| own.is_taken()).all(|own| own.stream() == "thing/good"));
    world.until("select waiting from outbox_retries", 99).await;
    is_down.store(false, Atomic::SeqCst);
    let messages = ledger.taken(200).await;
    assert_in_order(&messages);
    let of_bad = messages.iter().filter(|own| own.stream() == "thing/bad" && own.is_taken());
    assert_eq!(of_bad.count(), 100);
    world.until("select count(*) from outbox", 0).await;
}

#[tokio::test]
async fn strictly_a_failure_holds_back_everything() {
    let (world, ledger) = (World::start().await, Ledger::open().await);
    let is_down = Arc::new(AtomicBool::new(true));
    let down = Arc::clone(&is_down);
    ledger.answer(move |message| {
        let is_refused = message.stream() == "thing/bad" && down.load(Atomic::SeqCst);
        Reply::Status(if is_refused { 500 } else { 204 })
    });
    world.append("good", 3).await;
    world.append("bad", 3).await;
    world.append("other", 3).await;
    world
        .register("one", &ledger, |config| {
            config.ordering = Ordering::Strict;
            config.retry = vec![100; 50].try_into().unwrap();
        })
        .await;
    let messages = ledger.until(|own| own.iter().filter(|own| !own.is_taken()).count() >= 3).await;
    assert_eq!(messages.iter().filter(|own| own.is_taken()).count(), 3);
    is_down.store(false, Atomic::SeqCst);
    let messages = ledger.taken(9).await;
    let taken = messages.iter().filter(|own| own.is_taken());
    let streams: Vec<&str> = taken.map(Message::stream).collect();
    assert_eq!(streams, [["thing/good"; 3], ["thing/bad"; 3], ["thing/other"; 3]].concat());
}

#[tokio::test]
async fn without_order_a_failure_holds_back_nothing() {
    let (world, ledger) = (World::start().await, Ledger::open().await);
    ledger.answer(|message| Reply::Status(if message.revision() == 1 { 500 } else { 204 }));
    world.append("a", 50).await;
    world.register("one", &ledger, |config| config.ordering = Ordering::None).await;
    ledger.taken(49).await;
    world.until("select count(*) from outbox_dead_letters where position = 1", 1).await;
}

#[tokio::test]
async fn a_filter_lets_through_what_was_asked_for_and_nothing_of_the_endpoints_themselves() {
    let (world, ledger) = (World::start().await, Ledger::open().await);
    world.append("a", 10).await;
    let all = Ledger::open().await;
    world.register("all", &all, |_| {}).await;
    world
        .register("some", &ledger, |config| {
            let expression = Some("data.n >= 7 && stream == 'a'".to_owned());
            config.filter = Filter { expression, types: vec!["Done".into()], ..Filter::default() };
        })
        .await;
    let messages = ledger.taken(3).await;
    let numbers: BTreeSet<u64> =
        messages.iter().map(|own| own.event["data"]["n"].as_u64().unwrap()).collect();
    assert_eq!(numbers, BTreeSet::from([7, 8, 9]));
    world.append("a", 1).await;
    let messages = all.taken(11).await;
    assert!(messages.iter().all(|own| own.stream() == "thing/a"));
}

#[tokio::test]
async fn an_endpoint_that_says_nothing_costs_the_others_nothing() {
    let (world, hanging, healthy) =
        (World::start().await, Ledger::open().await, Ledger::open().await);
    hanging.answer(|_| Reply::Hang);
    world.register("hanging", &hanging, |config| config.timeout_ms = 60_000).await;
    world.register("healthy", &healthy, |_| {}).await;
    for _ in 0..50 {
        world.append("a", 20).await;
    }
    assert_in_order(&healthy.taken(1_000).await);
    assert_eq!(hanging.messages().len(), 1);
}

#[tokio::test]
async fn a_restart_goes_on_where_it_was() {
    let (mut world, ledger) = (World::start().await, Ledger::open().await);
    world.append("a", 100).await;
    world.register("one", &ledger, |_| {}).await;
    ledger.taken(100).await;
    world.restart().await;
    world.append("a", 100).await;
    world.append("b", 1).await;
    let messages = ledger.taken(201).await;
    assert_eq!(messages.len(), 201);
    assert_in_order(&messages);
}

#[tokio::test]
async fn a_rebuild_of_the_read_model_sends_nothing_again() {
    let (world, ledger) = (World::start().await, Ledger::open().await);
    world.append("a", 20).await;
    world.register("one", &ledger, |_| {}).await;
    ledger.taken(20).await;
    let rebuilds = "select generation from projection_checkpoints where is_live = 1 \
        and name = 'outbox_endpoints'";
    let before = world.count(rebuilds).await;
    world.system.rebuild("outbox_endpoints").await.unwrap();
    world.until(rebuilds, before + 1).await;
    world.append("a", 1).await;
    assert_eq!(ledger.taken(21).await.len(), 21);
}

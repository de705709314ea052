//! What is given up, and what operators do about it.

use headwater_outbox::endpoint::{Discard, Redrive, Selection, Skip};

use super::kit::{Ledger, Reply, World, all, assert_in_order};

/// An endpoint that has given up the second of five events of a stream.
async fn given_up() -> (World, Ledger) {
    let (world, ledger) = (World::start().await, Ledger::open().await);
    ledger.answer(|message| {
        let is_refused = message.stream() == "thing/bad" && message.revision() == 2;
        Reply::Status(if is_refused { 422 } else { 204 })
    });
    world.append("bad", 5).await;
    world.append("good", 5).await;
    world.register("one", &ledger, |config| config.retry = vec![100; 2].try_into().unwrap()).await;
    ledger.taken(6).await;
    world.until("select count(*) from outbox_dead_letters", 1).await;
    (world, ledger)
}

#[tokio::test]
async fn an_event_is_given_up_after_its_schedule_and_its_stream_waits_behind_it() {
    let (world, ledger) = given_up().await;
    let found = "select waiting from outbox where state = 'dead' and stream = 'bad' \
        and revision = 2 and attempts = 3 and last_status = 422";
    world.until(found, 3).await;
    assert_eq!(ledger.messages().len(), 6 + 3);
}

#[tokio::test]
async fn what_is_redriven_is_sent_again_and_then_what_waited() {
    let (world, ledger) = given_up().await;
    ledger.take_all();
    world.tell("one", Redrive { selection: all(), rate_per_second: Some(100) }).await.unwrap();
    assert_in_order(&ledger.taken(10).await);
    world.until("select count(*) from outbox", 0).await;
}

#[tokio::test]
async fn what_is_skipped_is_left_out_and_what_waited_is_sent() {
    let (world, ledger) = given_up().await;
    let selection = Selection {
        category: Some("thing".into()),
        stream: Some("bad".into()),
        ..Selection::default()
    };
    world.tell("one", Skip { selection }).await.unwrap();
    let messages = ledger.taken(9).await;
    let of_bad = messages.iter().filter(|own| own.is_taken() && own.stream() == "thing/bad");
    assert_eq!(of_bad.map(|own| own.revision()).collect::<Vec<_>>(), [1, 3, 4, 5]);
}

#[tokio::test]
async fn what_is_discarded_is_left_out_with_what_waited_and_what_comes_is_sent() {
    let (world, ledger) = given_up().await;
    world.tell("one", Discard { selection: all() }).await.unwrap();
    world.until("select count(*) from outbox", 0).await;
    world.append("bad", 1).await;
    let messages = ledger.taken(7).await;
    assert_eq!(messages.last().map(|own| own.revision()), Some(6));
}

#[tokio::test]
async fn dead_letters_and_orders_survive_a_restart() {
    let (mut world, ledger) = given_up().await;
    world.restart().await;
    world.append("bad", 1).await;
    world.until("select waiting from outbox_dead_letters", 4).await;
    ledger.take_all();
    world.tell("one", Redrive { selection: all(), rate_per_second: None }).await.unwrap();
    assert_in_order(&ledger.taken(11).await);
    world.until("select count(*) from outbox", 0).await;
    world.restart().await;
    world.append("bad", 1).await;
    // An order that was done is not done again.
    assert_eq!(ledger.taken(12).await.iter().filter(|own| own.is_taken()).count(), 12);
}

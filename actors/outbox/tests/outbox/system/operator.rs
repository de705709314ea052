//! Endpoints paused, disabled, changed, removed; secrets rotated; history replayed.

use headwater::event::Position;
use headwater_outbox::endpoint::{
    Change, EndpointConfig, EndpointRejection, Pause, Remove, Replay, Resume, RotateSecret,
};
use headwater_outbox::secret::{SecretKind, SigningSecret};

use super::asking::Asking;
use super::kit::{Ledger, Reply, World, assert_in_order};
use crate::receiver::header;

#[tokio::test]
async fn a_paused_endpoint_gets_its_backlog_when_it_is_resumed() {
    let (world, ledger) = (World::start().await, Ledger::open().await);
    world.register("one", &ledger, |_| {}).await;
    world.append("a", 1).await;
    ledger.taken(1).await;
    world.tell("one", Pause { reason: Some("maintenance".into()) }).await.unwrap();
    let paused = "select count(*) from outbox_endpoints where data like '%maintenance%'";
    world.until(paused, 1).await;
    world.append("a", 10).await;
    // How old the oldest event is that waits can be seen meanwhile.
    world.until("select count(*) from outbox_cursors where oldest_at is not null", 1).await;
    world.tell("one", Resume {}).await.unwrap();
    let messages = ledger.taken(11).await;
    assert_eq!(messages.len(), 11);
    assert_in_order(&messages);
}

#[tokio::test]
async fn an_endpoint_that_says_that_it_is_gone_is_disabled_and_goes_on_when_resumed() {
    let (world, ledger) = (World::start().await, Ledger::open().await);
    ledger.answer(|_| Reply::Status(410));
    world.register("one", &ledger, |_| {}).await;
    world.append("a", 3).await;
    let gone = "select count(*) from outbox_endpoints where data like '%gone%'";
    world.until(gone, 1).await;
    ledger.take_all();
    world.tell("one", Resume {}).await.unwrap();
    assert_in_order(&ledger.taken(3).await);
}

#[tokio::test]
async fn during_a_rotation_messages_carry_both_signatures() {
    let (world, ledger) = (World::start().await, Ledger::open().await);
    world.register("one", &ledger, |_| {}).await;
    let fresh = SigningSecret::generate(SecretKind::Ed25519).unwrap();
    let secret = world.seal.seal(&fresh.reveal(), "default/one").unwrap();
    world.tell("one", RotateSecret { secret, keep_previous_s: 3_600 }).await.unwrap();
    // The dispatcher follows an endpoint's own events apart from those that it sends, so the first
    // messages may go as before.
    let mut count = 0;
    let message = loop {
        count += 1;
        assert!(count < 1_000, "the rotation does not come into force");
        world.append("a", 1).await;
        let last = ledger.taken(count).await.pop().unwrap();
        if header(&last.head, "webhook-signature").unwrap().contains(' ') {
            break last;
        }
    };
    let signature = header(&message.head, "webhook-signature").unwrap();
    let signatures: Vec<&str> = signature.split(' ').collect();
    let at: i64 = header(&message.head, "webhook-timestamp").unwrap().parse().unwrap();
    assert_eq!(signatures[0], fresh.sign(message.id(), at, &message.body));
    assert!(signatures.len() == 2 && signatures[1].starts_with("v1,"), "{signature}");
}

#[tokio::test]
async fn a_changed_endpoint_goes_to_its_new_address() {
    let (world, old, new) = (World::start().await, Ledger::open().await, Ledger::open().await);
    world.register("one", &old, |_| {}).await;
    world.append("a", 5).await;
    old.taken(5).await;
    let (config, kept_headers) = (EndpointConfig::webhook(&new.url), Vec::new());
    world.tell("one", Change { config, kept_headers }).await.unwrap();
    let moved = format!("select count(*) from outbox_endpoints where data like '%{}%'", new.url);
    world.until(&moved, 1).await;
    world.append("a", 5).await;
    let (old, new) = (old.messages(), new.taken(1).await);
    assert!(old.len() + new.len() <= 10 && new.iter().all(|own| own.revision() > 5));
}

#[tokio::test]
async fn a_removed_endpoint_gets_nothing_and_leaves_nothing() {
    let (world, ledger) = (World::start().await, Ledger::open().await);
    world.register("one", &ledger, |_| {}).await;
    world.append("a", 1).await;
    ledger.taken(1).await;
    world.until("select count(*) from outbox_cursors", 1).await;
    world.tell("one", Remove {}).await.unwrap();
    world.until("select count(*) from outbox_cursors", 0).await;
    world.append("a", 1).await;
    let again = world.tell("one", Resume {}).await;
    assert_eq!(again, Err(EndpointRejection::Removed));
    assert_eq!(ledger.messages().len(), 1);
}

#[tokio::test]
async fn a_replay_sends_its_range_again_with_the_same_ids() {
    let (world, ledger) = (World::start().await, Ledger::open().await);
    world.append("a", 20).await;
    world.register("one", &ledger, |_| {}).await;
    let first = ledger.taken(20).await;
    let replay =
        Replay { from: Position::new(6), to: Position::new(10), rate_per_second: Some(1_000) };
    world.tell("one", replay).await.unwrap();
    let messages = ledger.until(|own| own.len() == 25).await;
    for (again, number) in messages[20..].iter().zip(6..) {
        let before = first.iter().find(|own| own.revision() == number).unwrap();
        assert_eq!((again.revision(), again.id()), (number, before.id()));
    }
    world.until("select count(*) from outbox_cursors", 1).await;
    world.until("select count(*) from outbox_attempts where feed <> 0", 5).await;
}

#[tokio::test]
async fn an_endpoint_has_at_most_eight_replays_at_the_same_time() {
    let (asking, ledger) = (Asking::start().await, Ledger::open().await);
    asking.world.append("a", 20).await;
    asking.world.register("one", &ledger, |_| {}).await;
    ledger.taken(20).await;
    let slow = r#"{"from":1,"to":20,"rate_per_second":1}"#;
    for _ in 0..8 {
        let reply = asking.ask("POST", "/one/replay", slow).await;
        assert!(reply.starts_with("HTTP/1.1 200 "), "{reply}");
    }
    asking.world.until("select count(*) from outbox_cursors where feed <> 0", 8).await;
    let reply = asking.ask("POST", "/one/replay", slow).await;
    assert!(reply.starts_with("HTTP/1.1 422 ") && reply.contains("too-many-replays"), "{reply}");
}

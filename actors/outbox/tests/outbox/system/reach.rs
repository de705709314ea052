//! What an endpoint gets: from where on, whose events, which, and how fast.

use std::time::{Duration, Instant};

use headwater::event::{NewEvent, StreamId, Tenant};
use headwater::store::{Append, Expected};
use headwater_outbox::endpoint::{Filter, Register, Start};
use headwater_outbox::secret::{SecretKind, SigningSecret};

use super::kit::{Ledger, World, assert_in_order};

async fn append_of(world: &World, tenant: &str, stream: &str, data: &str) {
    let id = StreamId::new("thing", stream).unwrap();
    let events = vec![NewEvent::json("Done", 1, data.to_owned()).unwrap()];
    let append = Append::to_stream(Tenant::new(tenant).unwrap(), id, Expected::Any, events);
    world.store.append(append).await.unwrap();
}

#[tokio::test]
async fn an_endpoint_that_starts_behind_a_position_gets_what_follows_alone() {
    let (world, ledger) = (World::start().await, Ledger::open().await);
    let middle = world.append("a", 5).await;
    world.append("a", 5).await;
    world.register_from("one", &ledger, Start::After(middle), |_| {}).await;
    let messages = ledger.taken(5).await;
    let revisions: Vec<u64> = messages.iter().map(|own| own.revision()).collect();
    assert_eq!(revisions, [6, 7, 8, 9, 10]);
}

#[tokio::test]
async fn the_operators_endpoints_get_events_of_the_tenants_that_they_name() {
    let (world, some, all) = (World::start().await, Ledger::open().await, Ledger::open().await);
    let naming = |tenants: &[&str]| Filter {
        tenants: tenants.iter().map(|name| (*name).to_owned()).collect(),
        ..Filter::default()
    };
    world.register("some", &some, |own| own.filter = naming(&["blue", "red"])).await;
    world.register("all", &all, |own| own.filter = naming(&["*"])).await;
    for _ in 0..5 {
        for tenant in ["default", "blue", "red", "green"] {
            append_of(&world, tenant, "same", "{}").await;
        }
    }
    let source = |own: &super::kit::Message| own.event["source"].as_str().unwrap().to_owned();
    let of_some = some.taken(10).await;
    assert!(of_some.iter().all(|own| ["/test/blue", "/test/red"].contains(&&*source(own))));
    let of_all = all.taken(20).await;
    for tenant in ["default", "blue", "red", "green"] {
        let own = of_all.iter().filter(|own| source(own) == format!("/test/{tenant}"));
        assert_in_order(&own.cloned().collect::<Vec<_>>());
    }
    assert_eq!((some.messages().len(), all.messages().len()), (10, 20));
}

#[tokio::test]
async fn an_endpoint_of_another_tenant_that_names_others_stands_still() {
    let (world, ledger) = (World::start().await, Ledger::open().await);
    let mut config = headwater_outbox::endpoint::EndpointConfig::webhook(&ledger.url);
    config.filter.tenants = vec!["*".into()];
    let secret = SigningSecret::generate(SecretKind::Symmetric).unwrap();
    let secret = world.seal.seal(&secret.reveal(), "blue/nosy").unwrap();
    let blue = Tenant::new("blue").unwrap();
    let nosy = world.system.at::<headwater_outbox::endpoint::Endpoint>(&blue, "nosy").unwrap();
    let start = Start::Beginning;
    nosy.send(Register { config, secret: Some(secret), start }).await.unwrap();
    world.register("one", &ledger, |_| {}).await;
    world.append("a", 3).await;
    // The other one has been met by then, too.
    ledger.taken(3).await;
    world.until("select count(*) from outbox_cursors", 2).await;
    assert_eq!(ledger.messages().len(), 3);
}

#[tokio::test]
async fn an_expression_with_loops_chooses_and_one_that_would_go_on_for_ever_holds_up_nobody() {
    let (world, sound) = (World::start().await, Ledger::open().await);
    let (hostile, plain) = (Ledger::open().await, Ledger::open().await);
    let lines = "data.lines.exists(l, l.sku == 'x')";
    world.register("sound", &sound, |own| own.filter.expression = Some(lines.into())).await;
    let squared = "data.lines.all(a, data.lines.all(b, true))";
    world.register("hostile", &hostile, |own| own.filter.expression = Some(squared.into())).await;
    world.register("plain", &plain, |_| {}).await;
    append_of(&world, "default", "a", r#"{"lines":[{"sku":"y"},{"sku":"x"}]}"#).await;
    append_of(&world, "default", "a", r#"{"lines":[{"sku":"y"}]}"#).await;
    let many = vec!["1"; 400_000].join(",");
    append_of(&world, "default", "a", &format!("{{\"lines\":[{many}]}}")).await;
    append_of(&world, "default", "a", r#"{"lines":[{"sku":"x"}]}"#).await;
    let revisions = |messages: Vec<super::kit::Message>| -> Vec<u64> {
        messages.iter().map(|own| own.revision()).collect()
    };
    assert_eq!(revisions(plain.taken(4).await), [1, 2, 3, 4]);
    assert_eq!(revisions(sound.taken(2).await), [1, 4]);
    assert_eq!(revisions(hostile.taken(3).await), [1, 2, 4]);
}

#[tokio::test]
async fn a_webhook_gets_no_more_in_a_second_than_its_rate() {
    let (world, ledger) = (World::start().await, Ledger::open().await);
    for stream in 0..12 {
        world.append(&format!("s{stream}"), 1).await;
    }
    let start = Instant::now();
    world.register("one", &ledger, |own| own.rate_per_second = Some(20)).await;
    ledger.taken(12).await;
    // Two at once, then one each 50 ms.
    assert!(start.elapsed() >= Duration::from_millis(450), "{:?}", start.elapsed());
}

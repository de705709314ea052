//! Webhooks of a real server: killed under load, and from the beginning of history.
//!
//! `HEADWATER_KILLS` sets the kills; there are 2 otherwise.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::demo::QUIRKS;
use super::harness::{Client, Folder, Random, Receiver, Server, read_log, wait_until};
use super::kill::{ARGS, load_and_kill, rounds};

/// Receivers here have no certificates and are no public ones.
pub const LOCAL: [&str; 4] =
    ["--outbox-allow-http", "true", "--outbox-allow-networks", "127.0.0.0/8"];

/// Registers an endpoint that gets everything, and tries again at once.
pub fn register(client: &Client, id: &str, receiver: &Receiver) {
    let body = json!({
        "id": id,
        "target": { "kind": "webhook", "url": receiver.url },
        "start": "beginning",
        "retry": vec![100; 50],
    });
    client.command("/v1/endpoints", &format!("register-{id}"), &body).unwrap().body_of(201);
}

/// Returns how many events an endpoint gets.
pub fn owed(client: &Client) -> usize {
    read_log(client).iter().filter(|event| event["category"] != "endpoint").count()
}

#[test]
fn a_server_killed_under_load_loses_no_webhook_and_keeps_each_stream_in_order() {
    let mut random = Random::of_this_run("kills of a server that sends webhooks");
    let (folder, receivers) = (Folder::new(), [Receiver::start(), Receiver::refusing(9)]);
    let args = [&ARGS[..], &LOCAL[..]].concat();
    let mut server = Server::start(&folder, &args);
    let key = server.client.key().to_owned();
    for (id, receiver) in ["one", "two"].iter().zip(&receivers) {
        register(&server.client, id, receiver);
    }
    for round in 0..rounds() {
        load_and_kill(server, round, random.between(50, 600));
        server = Server::start_again(&folder, &args, &key);
    }
    let owed = owed(&server.client);
    for receiver in &receivers {
        receiver.ledger.wait_for(owed);
        let doubles = receiver.ledger.assert_in_order();
        println!("{owed} events, {doubles} of them more than once");
    }
    server.stop();
}

#[test]
fn an_endpoint_registered_late_gets_a_whole_shop_once_and_in_order() {
    assert_late_gets_everything(&["demo", "--invoices", "300", "--exit", "--json"]);
}

#[test]
fn an_endpoint_registered_late_gets_the_whole_real_shop_once_and_in_order() {
    let Some(file) = std::env::var_os("HEADWATER_RETAIL_CSV") else { return };
    assert_late_gets_everything(&["demo", "--import", file.to_str().unwrap(), "--exit", "--json"]);
}

#[test]
fn only_what_serves_sends_webhooks() {
    let (folder, receiver) = (Folder::new(), Receiver::start());
    let server = Server::start(&folder, &LOCAL);
    let key = server.client.key().to_owned();
    register(&server.client, "one", &receiver);
    let add = json!({ "description": "A MUG" });
    server.client.command("/v1/product/MUG/add", "a", &add).unwrap().body_of(201);
    receiver.ledger.wait_for(1);
    server.stop();
    let file = folder.write("shop.csv", QUIRKS);
    let import = ["import", "retail", file.to_str().unwrap(), "--allow-malformed=1"];
    // A rebuild takes the time in which a dispatcher would have sent the backlog.
    let rebuild = ["projections", "rebuild", "revenue", "--tenant=default"];
    let flags = [&LOCAL[..], &[]];
    for (command, flags) in [import, rebuild].iter().flat_map(|own| flags.map(|flags| (own, flags)))
    {
        let done = folder.run(&[&command[..], flags].concat());
        assert!(done.is_success, "{done:?}");
    }
    assert_eq!(receiver.ledger.taken().len(), 1);
    let server = Server::start_again(&folder, &LOCAL, &key);
    receiver.ledger.wait_for(owed(&server.client));
    let tried = |verdict| format!("/v1/endpoints/one/attempts?verdict={verdict}");
    for verdict in ["refused", "failed"] {
        assert_eq!(server.client.get(&tried(verdict))["attempts"], json!([]));
    }
    server.stop();
}

fn assert_late_gets_everything(demo: &[&str]) {
    let (folder, receiver) = (Folder::new(), Receiver::start());
    folder.json(demo);
    let args = [&["--data-dir", "headwater-demo"][..], &LOCAL[..]].concat();
    let server = Server::start(&folder, &args);
    register(&server.client, "late", &receiver);
    let owed = owed(&server.client);
    receiver.ledger.wait_for(owed);
    println!("{owed} events");
    assert_eq!((receiver.ledger.assert_in_order(), receiver.ledger.taken().len()), (0, owed));
    let by_stream = |events: &[Value]| {
        let mut last = BTreeMap::<String, u64>::new();
        for event in events.iter().filter(|event| event["category"] != "endpoint") {
            let text = |field: &str| event[field].as_str().unwrap().to_owned();
            let stream = format!("{}/{}", text("category"), text("stream"));
            last.insert(stream, event["revision"].as_u64().unwrap());
        }
        last
    };
    let taken = receiver.ledger.taken().into_iter().map(|own| (own.stream, own.revision)).collect();
    assert_eq!(by_stream(&read_log(&server.client)), taken);
    server.stop();
}

#[test]
fn an_endpoint_is_set_up_tried_out_and_looked_at_over_http() {
    let (folder, receiver) = (Folder::new(), Receiver::start());
    let server = Server::start(&folder, &LOCAL);
    let client = &server.client;
    let add = json!({ "description": "A MUG" });
    client.command("/v1/product/MUG/add", "a", &add).unwrap().body_of(201);
    register(client, "one", &receiver);
    let shown = wait_until("a delivery", || {
        let shown = client.get("/v1/endpoints/one");
        (shown["delivery"]["delivered"] == 1).then_some(shown)
    });
    assert_eq!(shown["phase"], "active");
    assert!(!shown.to_string().contains("v1."), "a sealed secret is shown: {shown}");
    let attempts = client.get("/v1/endpoints/one/attempts");
    assert_eq!(attempts["attempts"][0]["verdict"], "delivered");
    let example = client.get("/v1/endpoints/one/example");
    assert!(example["body"].as_str().unwrap().contains("A MUG"));
    assert_eq!(client.ask("POST", "/v1/endpoints/one/test").body_of(200)["status"], 204);
    assert_eq!(client.get("/v1/endpoints/one/dead-letters")["events"], json!([]));
    let refused = [
        (json!({ "target": { "kind": "webhook", "url": "http://10.0.0.1/" } }), "/target/url"),
        (
            json!({ "target": { "kind": "webhook", "url": receiver.url }, "concurrency": 0 }),
            "/concurrency",
        ),
        (
            json!({ "target": { "kind": "webhook", "url": receiver.url }, "filter": { "expression": "data. ==" } }),
            "/filter/expression",
        ),
        (
            json!({ "target": { "kind": "webhook", "url": receiver.url }, "secret": "whsec_c2hvcnQ=" }),
            "/secret",
        ),
    ];
    for (body, pointer) in refused {
        let reply = client.command("/v1/endpoints", pointer, &body).unwrap().body_of(400);
        assert_eq!(reply["errors"][0]["pointer"], pointer, "{reply}");
    }
    let trial = json!({ "selection": { "all": true }, "dry_run": true });
    let trial = client.command("/v1/endpoints/one/redrive", "b", &trial).unwrap().body_of(200);
    assert_eq!(trial, json!({ "selected": 0, "waiting": 0 }));
    assert_eq!(client.ask("GET", "/v1/endpoints/two").status, 404);
    let numbers = client.get("/metrics").to_string().replace('\\', "");
    let delivered = "headwater_outbox_attempts_total{sink=\"webhook\",verdict=\"delivered\"} 1";
    assert!(numbers.contains(delivered), "{numbers}");
    let raw = json!({ "events": [{ "type": "Removed", "data": {} }] });
    client.command("/v1/streams/endpoint/one", "raw", &raw).unwrap().body_of(403);
    client.ask("DELETE", "/v1/endpoints/one").body_of(200);
    server.stop();
}

//! Consumers of a real server: killed under load, and those of the guide as they stand there.
//!
//! `HEADWATER_KILLS` sets the kills; there are 2 otherwise.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use headwater::test::skip;
use serde_json::{Value, json};

use super::harness::{Client, Folder, Ledger, Random, Server, wait_until};
use super::kill::{ARGS, load_and_kill, rounds};
use super::outbox::owed;

const GUIDE: &str = include_str!("../../../../docs/guides/pull.md");

/// Consumers that go on through every kill, at whatever address the server has.
struct Consumers {
    client: Arc<Mutex<Client>>,
    is_over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Consumers {
    fn start(client: &Client, ledger: &Ledger) -> Self {
        let client = Arc::new(Mutex::new(client.clone()));
        let is_over = Arc::<AtomicBool>::default();
        let consume = |name: &'static str| {
            let (client, ledger) = (Arc::clone(&client), ledger.clone());
            let is_over = Arc::clone(&is_over);
            thread::spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    let client = client.lock().unwrap().clone();
                    // A server that is killed breaks it off.
                    let _ = consume(&client, name, &ledger);
                }
            })
        };
        let threads = ["anna", "bert"].map(consume).into();
        Self { client, is_over, threads }
    }

    fn point(&self, client: &Client) {
        *self.client.lock().unwrap() = client.clone();
    }

    fn end(self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.threads.into_iter().for_each(|thread| thread.join().unwrap());
    }
}

/// Takes some events, writes them down, and then acknowledges them.
fn consume(client: &Client, name: &str, ledger: &Ledger) -> Result<(), ureq::Error> {
    let path = format!("/v1/endpoints/mine/events?wait_s=1&max=5&consumer={name}");
    let page = client.try_ask("GET", &path)?.body_of(200);
    let taken = page["deliveries"].as_array().unwrap();
    taken.iter().for_each(|own| ledger.add(&own["event"]));
    if !taken.is_empty() {
        let acks: Vec<&Value> = taken.iter().map(|own| &own["delivery"]).collect();
        let body = json!({ "acks": acks });
        client.command("/v1/endpoints/mine/acks", name, &body)?.body_of(200);
    }
    Ok(())
}

#[test]
fn consumers_of_a_server_killed_under_load_miss_nothing_and_get_each_stream_in_order() {
    let mut random = Random::of_this_run("kills of a server with consumers");
    let (folder, ledger) = (Folder::new(), Ledger::default());
    let mut server = Server::start(&folder, &ARGS);
    let key = server.client.key().to_owned();
    let body = json!({ "id": "mine", "target": { "kind": "pull" }, "start": "beginning" });
    server.client.command("/v1/endpoints", "register", &body).unwrap().body_of(201);
    let consumers = Consumers::start(&server.client, &ledger);
    for round in 0..rounds() {
        load_and_kill(server, round, random.between(50, 600));
        server = Server::start_again(&folder, &ARGS, &key);
        consumers.point(&server.client);
    }
    let owed = owed(&server.client);
    wait_until("every event", || (ledger.distinct() == owed).then_some(()));
    consumers.end();
    let doubles = ledger.assert_in_order();
    println!("{owed} events, {doubles} of them more than once");
    server.stop();
}

/// Returns the examples of the guide in a language, in their order.
fn examples(language: &str) -> Vec<&'static str> {
    let fence = format!("```{language}\n");
    let behind = GUIDE.split(fence.as_str()).skip(1);
    behind.map(|rest| rest.split("```").next().unwrap()).collect()
}

/// Starts a program that knows the server as the guide says.
fn started(server: &Server, program: &str, code: &str, delivery: &str) -> Child {
    let mut command = Command::new(program);
    command.args(["-c", code]).env("HEADWATER", format!("http://{}", server.address));
    command.env("KEY", server.client.key()).env("DELIVERY", delivery);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap()
}

/// Waits until a program has written a line that begins so, and ends the program.
fn said(mut child: Child, begin: &str) -> String {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let found = lines.into_iter().find(|line| line.starts_with(begin));
    // It may have ended by itself.
    let _ = child.kill();
    child.wait().unwrap();
    found.unwrap_or_else(|| panic!("{begin:?} was not written"))
}

fn has(program: &str) -> bool {
    let found = Command::new(program).arg("--version").stdout(Stdio::null()).status().is_ok();
    if !found {
        skip(&format!("no {program}, which the examples of the guide use"));
    }
    found
}

#[test]
fn the_examples_of_the_guide_do_what_it_says() {
    if !has("curl") || !has("python3") {
        return;
    }
    let folder = Folder::new();
    let server = Server::start(&folder, &[]);
    let add = |id: &str| {
        let body = json!({ "description": "A MUG" });
        server.client.command(&format!("/v1/product/{id}/add"), id, &body).unwrap().body_of(201);
    };
    let shell = examples("sh");
    let [place, register, append, take, acknowledge, follow] = shell[..] else {
        panic!("{shell:?}")
    };
    assert!(place.starts_with("export HEADWATER=http://127.0.0.1:4600 KEY="), "{place}");
    let json = |code, delivery: &str| {
        let line = said(started(&server, "sh", code, delivery), "{");
        serde_json::from_str::<Value>(&line).unwrap()
    };
    assert_eq!(json(register, "")["id"], "pulled");
    add("MUG1");
    let consumer = started(&server, "python3", examples("python")[0], "");
    let line = said(consumer, "product/MUG1 ");
    assert!(line.ends_with(" product.Added"), "{line}");
    assert_eq!(json(append, "")["events"], 1);
    // The consumer may have been ended before it acknowledged its event, or may have asked for more.
    let mut taken = Vec::new();
    let delivery = loop {
        taken.push(json(take, ""));
        let last = taken.last().and_then(|page| page["deliveries"].get(0));
        if last.is_some_and(|own| own["event"]["subject"] == "product/MY-MUG") {
            break last.unwrap()["delivery"].as_str().unwrap().to_owned();
        }
    };
    assert_eq!(json(acknowledge, &delivery)["results"][0]["outcome"], "ok", "{taken:?}");
    add("MUG2");
    said(started(&server, "sh", follow, ""), "event: delivery");
    server.stop();
}

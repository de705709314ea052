//! Several servers on one PostgreSQL: who runs what, what a killed one leaves, what a paused one
//! may still do.
//!
//! `HEADWATER_KILLS` sets the rounds of the pauses; there are 2 otherwise.

use std::thread;

use serde_json::{Value, json};

use super::harness::{
    Client, Folder, Outcome, Place, Random, Server, assert_rows_equal_a_rebuild, read_log,
    wait_until,
};
use super::kill::{command, rounds};

const PROJECTIONS: [&str; 6] =
    ["customers", "order_hours", "orders", "outbox_endpoints", "products", "revenue"];
/// What is shared out: the projections, and the shards of the outbox.
const SHARES: usize = PROJECTIONS.len() + SHARDS;
const SHARDS: usize = 8;
/// What each of two servers runs.
const HALF: usize = SHARES / 2;
const NO_RATE: [&str; 2] = ["--limits-rate-per-second", "0"];
const COMMANDS: u64 = 200;

/// Two servers over one place.
struct Pair {
    place: Place,
    folders: [Folder; 2],
    first: Server,
    second: Server,
}

impl Pair {
    fn start(more: &[&str]) -> Self {
        let (place, folders) = (Place::new(), [Folder::new(), Folder::new()]);
        let [one, two] = &folders;
        let args = [&place.both()[..], &NO_RATE, more].concat();
        let first = Server::start(one, &[&args[..], &["--node-name", "first"]].concat());
        let key = first.client.key().to_owned();
        let second =
            Server::start_again(two, &[&args[..], &["--node-name", "second"]].concat(), &key);
        Self { place, folders, first, second }
    }

    /// Runs a command of the program on the data, past the servers.
    fn run(&self, args: &[&str]) -> Outcome {
        let [folder, _] = &self.folders;
        folder.run(&[args, &self.place.both()].concat())
    }

    /// Waits until a server sees both in these states, and each runs so much.
    fn until_seen(&self, client: &Client, wanted: [(&str, usize); 2]) {
        wait_until(&format!("nodes as {wanted:?}"), || {
            let seen = client.get("/v1/nodes");
            let state = |name: &str| {
                let nodes = seen["nodes"].as_array().unwrap();
                let node = nodes.iter().find(|node| node["name"] == name)?;
                Some((node["state"].as_str()?.to_owned(), node["holds"].as_array()?.len()))
            };
            let found = [state("first")?, state("second")?];
            (found == wanted.map(|(state, holds)| (state.to_owned(), holds))).then_some(())
        });
    }
}

/// Sends commands one after the other; returns the position of the last event.
fn send(client: &Client, sender: &str) -> u64 {
    let mut last = 0;
    for number in 0..COMMANDS {
        let sent = command(sender, number);
        let reply = client.command(&sent.path, &sent.key, &sent.body).unwrap();
        last = reply.body_of(201)["position"].as_u64().unwrap();
    }
    last
}

/// Reads every read model that is served as of a position.
fn assert_read_at(client: &Client, position: u64) {
    for name in PROJECTIONS.into_iter().filter(|name| *name != "order_hours") {
        let page = client.ask("GET", &format!("/v1/read/{name}?at_least={position}"));
        assert_eq!(page.status, 200, "{name}: {page:?}");
    }
}

#[test]
fn two_servers_share_the_projections_and_both_tell_who_runs_what() {
    let pair = Pair::start(&[]);
    pair.until_seen(&pair.second.client, [("alive", HALF), ("alive", HALF)]);
    let position = send(&pair.first.client, "X");
    assert_read_at(&pair.first.client, position);
    assert_read_at(&pair.second.client, position);
    let seen = pair.run(&["nodes", "--json"]).json();
    let nodes = seen["nodes"].as_array().unwrap().iter();
    let mut held: Vec<String> = nodes
        .flat_map(|node| node["holds"].as_array().unwrap())
        .map(|lease| lease["name"].as_str().unwrap().replace("projection ", ""))
        .collect();
    held.sort_unstable();
    let shards = (0..SHARDS).map(|number| format!("outbox shard {number}"));
    let mut known: Vec<String> = PROJECTIONS.map(str::to_owned).into_iter().chain(shards).collect();
    known.sort_unstable();
    assert_eq!((held, &seen["unheld"]), (known, &json!([])));
    let table = pair.run(&["nodes"]).stdout;
    for words in ["first", "second", "alive", "s ago", "projection orders"] {
        assert!(table.contains(words), "{words}: {table}");
    }
}

#[test]
fn the_command_line_reads_and_steers_without_a_key_while_servers_run() {
    let pair = Pair::start(&[]);
    let position = send(&pair.first.client, "X");
    let events = pair.run(&["events", "read", "--json", "--limit", "1000"]).json_lines();
    assert_eq!(events.len() as u64, position);
    let paused = pair.run(&["projections", "pause", "orders"]);
    assert!(paused.is_success, "{paused:?}");
    let state = |client: &Client| {
        let listed = client.get("/v1/projections");
        let all = listed["projections"].as_array().unwrap().clone();
        all.iter().find(|own| own["name"] == "orders").unwrap()["state"].clone()
    };
    for server in [&pair.first, &pair.second] {
        wait_until("orders paused", || (state(&server.client) == "paused").then_some(()));
    }
    assert!(pair.run(&["projections", "resume", "orders"]).is_success);
    assert_read_at(&pair.second.client, send(&pair.second.client, "Y"));
}

#[test]
fn what_a_killed_server_ran_is_read_on_the_other_within_the_time_of_a_request() {
    let pair = Pair::start(&[]);
    pair.until_seen(&pair.second.client, [("alive", HALF), ("alive", HALF)]);
    send(&pair.first.client, "X");
    let Pair { place, folders, first, second } = pair;
    first.kill();
    // `at_least` waits for 5 s, and that from now on: after this command.
    let sent = command("Y", 0);
    let reply = second.client.command(&sent.path, &sent.key, &sent.body).unwrap();
    assert_read_at(&second.client, reply.body_of(201)["position"].as_u64().unwrap());
    second.stop();
    drop((place, folders));
}

#[test]
fn a_server_that_stood_still_writes_nothing_when_it_wakes_up_and_then_takes_its_share() {
    let pair = Pair::start(&["--node-silence", "600ms"]);
    let mut random = Random::of_this_run("pauses of a server");
    let mut events = 0;
    for round in 0..rounds() {
        let senders: Vec<_> = [&pair.first, &pair.second]
            .into_iter()
            .map(|server| (server.client.clone(), format!("R{round}P{}", server.address)))
            .map(|(client, sender)| {
                thread::spawn(move || send(&client, &sender.replace([':', '.'], "-")))
            })
            .collect();
        let pause_at = events + random.between(1, COMMANDS);
        wait_until("events before the pause", || {
            let page = pair.second.client.get(&format!("/v1/events?before={}&limit=1", u64::MAX));
            (page["events"][0]["position"].as_u64() > Some(pause_at)).then_some(())
        });
        pair.first.signal("STOP");
        pair.until_seen(&pair.second.client, [("silent", 0), ("alive", SHARES)]);
        let position = send(&pair.second.client, &format!("R{round}Q"));
        assert_read_at(&pair.second.client, position);
        pair.first.signal("CONT");
        let last = senders.into_iter().map(|sender| sender.join().unwrap()).max().unwrap();
        wait_until("both at work again", || {
            let seen = pair.first.client.get("/v1/nodes");
            let nodes = seen["nodes"].as_array().unwrap().clone();
            let works = |node: &Value| node["holds"].as_array().unwrap().len() >= 2;
            (nodes.iter().all(works) && nodes.len() == 2).then_some(())
        });
        assert_read_at(&pair.first.client, last.max(position));
        events += 3 * COMMANDS;
        assert_eq!(read_log(&pair.first.client).len() as u64, events);
        assert_rows_equal_a_rebuild(&pair.place.database(), &pair.first.client);
    }
}

//! `kill -9` at a moment that a seed chooses: nothing acknowledged is lost, nothing is there
//! twice, and every read model is what a rebuild makes of the log.
//!
//! `HEADWATER_KILLS` sets the rounds of each test; there are 2 of each otherwise.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};

use headwater::sql::Database;
use serde_json::{Value, json};

use super::harness::{
    Client, Folder, Place, Random, Server, assert_rows_equal_a_rebuild, earned_by_month, read_log,
    totals_by_month, wait_until,
};

/// Small segments, so that kills also hit the change from one to the next.
const SEGMENTS: [&str; 2] = ["--log-segment-bytes", "64KiB"];
pub const ARGS: [&str; 4] = [SEGMENTS[0], SEGMENTS[1], "--limits-rate-per-second", "0"];
const SENDERS: u64 = 4;
const INVOICES: u64 = 600;

/// A command as it is sent, again if need be.
#[derive(Clone, Debug)]
pub struct Sent {
    pub stream: String,
    pub path: String,
    pub key: String,
    pub body: Value,
}

/// A command with the receipt that came for it.
struct Acknowledged {
    sent: Sent,
    receipt: Value,
}

/// What a sender knows when the server is gone.
pub struct Ledger {
    acknowledged: Vec<Acknowledged>,
    /// The command that got no answer: done or not, nobody knows.
    unknown: Sent,
}

pub fn rounds() -> u64 {
    std::env::var("HEADWATER_KILLS").map_or(2, |rounds| rounds.parse().unwrap())
}

/// The commands of one sender: a product described again and again, and orders in between.
pub fn command(sender: &str, number: u64) -> Sent {
    let key = format!("{sender}-{number}");
    let (stream, verb, body) = match number {
        0 => (format!("product/{sender}"), "add", json!({ "description": "FIRST" })),
        1 => (format!("customer/{sender}"), "register", json!({ "country": "Malta" })),
        _ if number.is_multiple_of(2) => {
            let words = format!("IN OTHER WORDS {number}");
            (format!("product/{sender}"), "describe", json!({ "description": words }))
        }
        _ => {
            let line = json!({ "product": sender, "quantity": number, "price": "1.25" });
            (format!("order/{key}"), "place", json!({ "country": "Malta", "lines": [line] }))
        }
    };
    Sent { path: format!("/v1/{stream}/{verb}"), stream, key, body }
}

/// Sends one command after the other until no answer comes.
fn send_until_it_breaks(client: &Client, sender: &str, tell: &Sender<()>) -> Ledger {
    let mut acknowledged = Vec::new();
    for number in 0.. {
        let sent = command(sender, number);
        match client.command(&sent.path, &sent.key, &sent.body) {
            Ok(reply) if reply.status == 201 => {
                acknowledged.push(Acknowledged { sent, receipt: reply.body });
                // Nobody counts any more when the server has been killed.
                let _ = tell.send(());
            }
            Ok(reply) => panic!("{sent:?}: {reply:?}"),
            Err(_) => return Ledger { acknowledged, unknown: sent },
        }
    }
    unreachable!("numbers do not end")
}

/// Loads a server by several senders and kills it after so many acknowledged commands.
pub fn load_and_kill(server: Server, round: u64, kill_after: u64) -> Vec<Ledger> {
    let (tell, told) = channel();
    let senders: Vec<_> = (0..SENDERS)
        .map(|number| {
            let (client, tell) = (server.client.clone(), tell.clone());
            let sender = format!("R{round}S{number}");
            thread::spawn(move || send_until_it_breaks(&client, &sender, &tell))
        })
        .collect();
    for _ in 0..kill_after {
        told.recv().unwrap();
    }
    server.kill();
    senders.into_iter().map(|sender| sender.join().unwrap()).collect()
}

/// Checks that the same key gives the same receipt, and settles what nobody knew.
fn send_again(client: &Client, ledger: &Ledger) {
    for Acknowledged { sent, receipt } in &ledger.acknowledged {
        let reply = client.command(&sent.path, &sent.key, &sent.body).unwrap();
        let again = reply.body_of(200);
        assert_eq!(again["replayed"], true, "{sent:?}: {again}");
        for field in ["revision", "position", "events"] {
            assert_eq!(again[field], receipt[field], "{sent:?}: {field}");
        }
    }
    let Sent { path, key, body, .. } = &ledger.unknown;
    let reply = client.command(path, key, body).unwrap();
    assert!(matches!(reply.status, 200 | 201), "{reply:?}");
}

/// Checks that every command is in the log once, where its receipt says.
fn assert_in_the_log_once(events: &[Value], ledgers: &[Ledger]) {
    let stream = |event: &Value| {
        format!("{}/{}", event["category"].as_str().unwrap(), event["stream"].as_str().unwrap())
    };
    let mut by_key: HashMap<&str, &Value> = HashMap::new();
    let mut revisions: BTreeMap<String, u64> = BTreeMap::new();
    for event in events {
        let revision = revisions.entry(stream(event)).or_default();
        *revision += 1;
        assert_eq!(event["revision"], *revision, "{event}");
        let key = event["metadata"]["idempotency_key"].as_str().unwrap();
        assert!(by_key.insert(key, event).is_none(), "twice in the log: {event}");
    }
    for ledger in ledgers {
        for Acknowledged { sent, receipt } in &ledger.acknowledged {
            let event = by_key[sent.key.as_str()];
            assert_eq!(stream(event), sent.stream);
            assert_eq!(event["revision"], receipt["revision"], "{sent:?}");
            assert_eq!(event["position"], receipt["position"], "{sent:?}");
        }
        assert_eq!(stream(by_key[ledger.unknown.key.as_str()]), ledger.unknown.stream);
    }
    let counted = ledgers.iter().map(|ledger| ledger.acknowledged.len() + 1).sum::<usize>();
    assert_eq!(events.len(), counted, "events that nobody asked for");
}

fn assert_sound(folder: &Folder) -> Value {
    let report = folder.json(&["verify", "--json"]);
    assert_eq!(report["sound"], true, "{report}");
    assert_eq!(report["events"], report["last_position"], "{report}");
    report
}

/// A file of so many invoices of one line; every tenth is a credit, every third has no customer.
fn retail_file() -> String {
    let heading =
        "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country";
    let line = |number: u64| {
        let (sign, quantity) = if number % 10 == 9 { ("C", -2) } else { ("", 3) };
        let customer =
            if number.is_multiple_of(3) { String::new() } else { format!("{}.0", number % 50) };
        let (invoice, product) = (500_000 + number, number % 80);
        let (month, price) = (1 + number % 12, format!("4.{}", 10 + number % 90));
        format!(
            "{sign}{invoice},P{product},GOODS {product},{quantity},2011-{month:02}-03 10:00:00,\
             {price},{customer},Malta\n"
        )
    };
    format!("{heading}\n{}", (0..INVOICES).map(line).collect::<String>())
}

/// An import that cannot end, since its file stays open behind the last line.
struct Import {
    child: Child,
    feeder: JoinHandle<ChildStdin>,
}

impl Import {
    fn start(folder: &Folder, text: &str) -> Self {
        let mut program = folder.program(&["import", "retail", "/dev/stdin", "--json"]);
        program.args(SEGMENTS).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = program.spawn().unwrap();
        let (mut input, text) = (child.stdin.take().unwrap(), text.to_owned());
        let feeder = thread::spawn(move || {
            // Breaks off when the import is killed before it has read everything.
            let _ = input.write_all(text.as_bytes());
            input
        });
        Self { child, feeder }
    }

    /// Kills it when a copy of its log has so many events; returns how many it has.
    fn kill_after(mut self, folder: &Folder, events: u64) -> u64 {
        let mut copies = 0;
        let seen = wait_until("events of the import", || {
            copies += 1;
            let copy = folder.run(&["backup", &format!("copies/{copies}"), "--json"]);
            // Until there is a log there is nothing to copy.
            let seen = copy.is_success.then(|| copy.json()["position"].as_u64().unwrap())?;
            assert!(self.child.try_wait().unwrap().is_none(), "the import ended by itself");
            (seen >= events).then_some(seen)
        });
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.feeder.join().unwrap();
        seen
    }
}

fn import(folder: &Folder) -> Value {
    let report = folder.json(&["import", "retail", "retail.csv", "--json"]);
    assert_eq!((&report["rejected"], &report["malformed"]), (&json!(0), &json!(0)), "{report}");
    report
}

/// Checks that a killed import goes on where it was and ends as one that was not.
fn assert_import_goes_on(folder: &Folder, left: &Value, whole: &Value) {
    let (second, third) = (import(folder), import(folder));
    // Each command of the file leads to one event.
    assert_eq!(second["replayed"], left["events"]);
    assert_eq!(second["commands"], whole["events"]);
    assert_eq!(third["replayed"], third["commands"]);
    let report = assert_sound(folder);
    assert_eq!((&report["events"], &report["streams"]), (&whole["events"], &whole["streams"]));
    let server = Server::start(folder, &ARGS);
    assert_rows_equal_a_rebuild(&folder.database(), &server.client);
    assert_eq!(earned_by_month(&server.client), totals_by_month(&folder.path("retail.csv")));
    server.stop();
}

#[test]
fn an_import_killed_at_any_moment_goes_on_and_adds_nothing_twice() {
    let mut random = Random::of_this_run("kills of an import");
    let text = retail_file();
    let unharmed = Folder::new();
    unharmed.write("retail.csv", &text);
    import(&unharmed);
    let whole = assert_sound(&unharmed);
    let events = whole["events"].as_u64().unwrap();
    for round in 0..rounds() {
        let folder = Folder::new();
        folder.write("retail.csv", &text);
        let kill_after = random.between(1, events * 9 / 10);
        println!("round {round}: kill when {kill_after} of {events} events are in the log");
        let seen = Import::start(&folder, &text).kill_after(&folder, kill_after);
        let left = assert_sound(&folder);
        println!("round {round}: {} events were left", left["events"]);
        assert!(left["events"].as_u64().unwrap() >= seen, "{left}");
        assert_import_goes_on(&folder, &left, &whole);
    }
}

#[test]
fn a_server_killed_under_load_has_all_it_acknowledged_and_nothing_twice() {
    let folder = Folder::new();
    kill_under_load(&folder, &ARGS, &|| folder.database(), &|| drop(assert_sound(&folder)));
}

#[test]
fn a_server_on_postgresql_killed_under_load_has_all_it_acknowledged_and_nothing_twice() {
    let (folder, place) = (Folder::new(), Place::new());
    let args = [&ARGS[..], &place.both()].concat();
    kill_under_load(&folder, &args, &|| place.database(), &|| ());
}

/// Loads a server and kills it, again and again, and checks its data each time.
fn kill_under_load(
    folder: &Folder,
    args: &[&str],
    database: &dyn Fn() -> Database,
    check_closed: &dyn Fn(),
) {
    let mut random = Random::of_this_run("kills of a server");
    let mut server = Server::start(folder, args);
    let mut ledgers = Vec::new();
    for round in 0..rounds() {
        let kill_after = random.between(1, 600);
        println!("round {round}: kill after {kill_after} acknowledged commands");
        let (client, key) = (server.client.clone(), server.client.key().to_owned());
        // A rebuild that the kill cuts off must not show either.
        wait_until("a rebuild under way", || {
            let asked = client.ask("POST", "/v1/projections/orders/rebuild");
            (asked.status == 200).then_some(())
        });
        let killed = load_and_kill(server, round, kill_after);
        check_closed();
        server = Server::start_again(folder, args, &key);
        killed.iter().for_each(|ledger| send_again(&server.client, ledger));
        ledgers.extend(killed);
        assert_in_the_log_once(&read_log(&server.client), &ledgers);
        assert_rows_equal_a_rebuild(&database(), &server.client);
    }
    ledgers.iter().for_each(|ledger| send_again(&server.client, ledger));
    assert_in_the_log_once(&read_log(&server.client), &ledgers);
    server.stop();
    check_closed();
}

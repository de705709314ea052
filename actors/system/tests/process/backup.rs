//! A backup that is made while a server runs under load: it holds, opens, can be served, and its
//! endpoints go on where they were.

use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;

use serde_json::{Value, json};

use super::harness::{Client, Folder, Receiver, Server, wait_until};
use super::outbox::{LOCAL, register};

const HELD: [&str; 2] = ["--outbox-hold", "true"];

/// Adds products until it is told to stop, and tells the position of each.
fn add_products(client: &Client, lane: usize, is_over: &AtomicBool, tell: &Sender<u64>) {
    for number in 0.. {
        if is_over.load(Ordering::Relaxed) {
            return;
        }
        let (path, key) = (format!("/v1/product/L{lane}N{number}/add"), format!("{lane}-{number}"));
        let added = client.command(&path, &key, &json!({ "description": "UNDER LOAD" })).unwrap();
        tell.send(added.body_of(201)["position"].as_u64().unwrap()).unwrap();
    }
}

/// Makes a backup while commands come in; returns a position acknowledged before it began, and
/// what the backup says.
fn back_up_under_load(folder: &Folder, server: &Server) -> (u64, Value) {
    let (is_over, (tell, told)) = (AtomicBool::new(false), channel());
    thread::scope(|scope| {
        for lane in 0..4 {
            let (tell, is_over) = (tell.clone(), &is_over);
            scope.spawn(move || add_products(&server.client, lane, is_over, &tell));
        }
        let before = told.iter().take(300).max().unwrap();
        let report = folder.run(&["backup", "copy", "--json"]);
        is_over.store(true, Ordering::Relaxed);
        (before, report.json())
    })
}

#[test]
fn a_copy_made_under_load_is_sound_and_holds_what_was_acknowledged_before() {
    let folder = Folder::new();
    let args = ["--log-segment-bytes", "64KiB", "--limits-rate-per-second", "0"];
    let server = Server::start(&folder, &args);
    let (before, report) = back_up_under_load(&folder, &server);
    let last = report["position"].as_u64().unwrap();
    assert!(last >= before, "{report} lacks position {before}");
    let copy = ["--data-dir", "copy", "--json"];
    let verified = folder.json(&[&["verify"][..], &copy].concat());
    assert_eq!((&verified["sound"], &verified["events"]), (&json!(true), &json!(last)));
    let read = |args: &[&str]| {
        let args = [&["events", "read", "--limit", "100000", "--json"], args].concat();
        folder.run(&args).json_lines()
    };
    let copied = read(&["--data-dir", "copy"]);
    server.stop();
    let all = read(&[]);
    assert_eq!(copied.len() as u64, last);
    assert!(copied == all[..copied.len()], "the copy differs from the log");
}

#[test]
fn a_copy_can_be_served() {
    let folder = Folder::new();
    let demo = ["demo", "--invoices", "60", "--exit", "--json", "--data-dir", "headwater-data"];
    let head = folder.json(&demo)["head"].as_u64().unwrap();
    folder.json(&["backup", "copy", "--json"]);
    let server = Server::start(&folder, &["--data-dir", "copy"]);
    let rows = server.client.get(&format!("/v1/read/orders?at_least={head}"));
    assert_eq!(rows["rows"].as_array().unwrap().len(), 60);
    server.stop();
}

/// Adds products, sends them to an endpoint `one`, and waits until that is stored.
fn deliver(client: &Client, receiver: &Receiver, events: usize) {
    register(client, "one", receiver);
    (0..events).for_each(|number| add_product(client, &format!("EARLY{number}")));
    receiver.ledger.wait_for(events);
    wait_until("the cursor", || {
        // Not found until the read model has it.
        let delivery = client.ask("GET", "/v1/endpoints/one").body["delivery"].clone();
        (delivery["delivered"] == events && delivery["lag_events"] == 0).then_some(())
    });
}

fn add_product(client: &Client, id: &str) {
    let (path, add) = (format!("/v1/product/{id}/add"), json!({ "description": "A MUG" }));
    client.command(&path, id, &add).unwrap().body_of(201);
}

#[test]
fn an_endpoint_goes_on_where_it_was_and_keys_work_when_a_copy_is_served() {
    let (folder, receiver) = (Folder::new(), Receiver::start());
    let server = Server::start(&folder, &LOCAL);
    let key = server.client.key().to_owned();
    deliver(&server.client, &receiver, 20);
    let report = folder.json(&["backup", "copy", "--json"]);
    assert_eq!((&report["read_side"], &report["outbox_key"]), (&json!("copied"), &json!("copied")));
    add_product(&server.client, "LOST");
    receiver.ledger.wait_for(21);
    server.stop();
    let copy = [&["--data-dir", "copy"][..], &LOCAL].concat();
    let server = Server::start_again(&folder, &copy, &key);
    add_product(&server.client, "LATE");
    // Without the key of its secret it would be refused.
    receiver.ledger.wait_for(22);
    assert_eq!(receiver.ledger.assert_in_order(), 0);
    server.stop();
}

#[test]
fn an_endpoint_whose_cursor_is_lost_is_held_back_and_then_begins_anew() {
    let (folder, receiver, other) = (Folder::new(), Receiver::start(), Receiver::start());
    let server = Server::start(&folder, &LOCAL);
    deliver(&server.client, &receiver, 5);
    server.stop();
    std::fs::remove_file(folder.path("headwater-data/read.sqlite")).unwrap();
    let server = Server::start(&folder, &[&["--new-read-side"], &HELD[..], &LOCAL].concat());
    let key = server.client.key().to_owned();
    wait_until("the warning", || {
        let health = server.client.get("/v1/health");
        (health["status"] == "warn" && health.to_string().contains("outbox.hold is set"))
            .then_some(())
    });
    server.client.command("/v1/endpoints/one/pause", "p", &json!({})).unwrap().body_of(200);
    server.stop();
    let server = Server::start_again(&folder, &LOCAL, &key);
    // Of the same shard, so that who sends to it has looked at the other too.
    register(&server.client, "beside", &other);
    add_product(&server.client, "LATE");
    other.ledger.wait_for(6);
    assert_eq!(receiver.ledger.taken().len(), 5);
    server.client.ask("POST", "/v1/endpoints/one/resume").body_of(200);
    wait_until("everything again", || (receiver.ledger.taken().len() == 11).then_some(()));
    assert_eq!((receiver.ledger.distinct(), receiver.ledger.assert_in_order()), (6, 5));
    server.stop();
}

#[test]
fn nobody_else_may_look_into_a_backup() {
    let folder = Folder::new();
    Server::start(&folder, &[]).stop();
    folder.json(&["backup", "outer/copy", "--json"]);
    for (path, wanted) in [("outer/copy", 0o700), ("outer/copy/outbox.key", 0o600)] {
        let mode = std::fs::metadata(folder.path(path)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, wanted, "{path}");
    }
}

#[test]
fn a_backup_without_the_key_says_where_it_may_be() {
    let folder = Folder::new();
    Server::start(&folder, &[]).stop();
    std::fs::remove_file(folder.path("headwater-data/outbox.key")).unwrap();
    let told = folder.run(&["backup", "copy"]).stdout;
    assert!(told.contains("outbox.key is not there: if the server's setting outbox.key"), "{told}");
}

#[test]
fn a_backup_writes_over_nothing() {
    let folder = Folder::new();
    Server::start(&folder, &[]).stop();
    folder.write("copy/log/mine", "mine");
    folder.write("file", "mine");
    folder.run(&["backup", "copy"]).assert_refused(&["copy is not empty: name a new folder"]);
    folder.run(&["backup", "file"]).assert_refused(&["file is no folder: name a new one"]);
    for mine in ["copy/log/mine", "file"] {
        assert_eq!(std::fs::read_to_string(folder.path(mine)).unwrap(), "mine");
    }
}

#[test]
fn a_backup_that_fails_removes_what_it_made_and_nothing_else() {
    let folder = Folder::new();
    let demo = ["demo", "--invoices", "60", "--exit", "--json", "--data-dir", "headwater-data"];
    folder.json(&demo);
    let segment = "headwater-data/log/segments/00000000000000000001.log";
    let mut bytes = std::fs::read(folder.path(segment)).unwrap();
    bytes[1_000] ^= 1;
    std::fs::write(folder.path(segment), bytes).unwrap();
    std::fs::create_dir(folder.path("kept")).unwrap();
    for copy in ["made/in/here", "kept", "kept/in/here"] {
        folder.run(&["backup", copy]).assert_refused(&[segment, "damaged", "nothing is left"]);
    }
    folder.run(&["backup", "made", "--data-dir", "nowhere"]).assert_refused(&["nowhere/log"]);
    assert!(!folder.path("made").exists());
    assert_eq!(std::fs::read_dir(folder.path("kept")).unwrap().count(), 0);
}

#[test]
fn verify_leaves_an_open_log_alone_and_says_how_to_verify_a_copy() {
    let folder = Folder::new();
    let server = Server::start(&folder, &[]);
    let told = folder.run(&["verify"]);
    let copy = "./headwater-data-copy";
    let commands = [
        format!("headwater backup {copy} --data-dir ./headwater-data"),
        format!("headwater verify --data-dir {copy}"),
    ];
    told.assert_refused(&["in use by another process", &commands[0], &commands[1]]);
    for command in commands {
        let words: Vec<&str> = command.split(' ').skip(1).collect();
        assert!(folder.run(&words).is_success, "{command}");
    }
    server.stop();
}

//! A log with events whose read side is lost: nobody gets a new admin's key without being asked.

use std::fs;

use serde_json::json;

use super::harness::{Folder, Server};

const SERVE: [&str; 3] = ["serve", "--listen", "127.0.0.1:0"];
const WORDS: [&str; 4] = ["read.sqlite knows nothing", "API keys", "backup", "--new-read-side"];

/// A folder with an event and a first key, whose server was killed.
fn killed() -> Folder {
    let folder = Folder::new();
    let server = Server::start(&folder, &[]);
    let added = server.client.command("/v1/product/X/add", "k", &json!({})).unwrap();
    added.body_of(201);
    server.kill();
    folder
}

fn assert_said_loudly(folder: &Folder) {
    for line in
        [&SERVE[..], &["import", "retail", "a.csv"], &["demo", "--exit"], &["migrate", "up"]]
    {
        folder.write("a.csv", super::demo::QUIRKS);
        let told = folder.run(&[line, &["--data-dir", "headwater-data"][..]].concat());
        told.assert_refused(&WORDS);
        assert!(!told.stdout.contains("hw_"), "{told:?}");
    }
    let server = Server::start(folder, &["--new-read-side"]);
    assert_eq!(server.client.get("/v1/read/products?at_least=1")["rows"][0]["key"], "X");
    let key = server.client.key().to_owned();
    server.stop();
    Server::start_again(folder, &[], &key).stop();
}

fn remove(folder: &Folder, ends: &[&str]) {
    for end in ends {
        // SQLite's own files beside the file are there or not.
        let _ = fs::remove_file(folder.path(&format!("headwater-data/read.sqlite{end}")));
    }
}

#[test]
fn a_read_side_that_was_removed_is_said_loudly() {
    let folder = killed();
    remove(&folder, &["", "-wal", "-shm"]);
    assert_said_loudly(&folder);
}

#[test]
fn a_read_side_that_was_emptied_is_said_loudly() {
    let folder = killed();
    remove(&folder, &["-wal", "-shm"]);
    folder.write("headwater-data/read.sqlite", "");
    folder.run(&["backup", "copy"]).assert_refused(&["read.sqlite", "empty"]);
    assert_said_loudly(&folder);
}

#[test]
fn a_read_side_whose_write_ahead_log_was_lost_is_said_loudly() {
    let folder = killed();
    remove(&folder, &["-wal", "-shm"]);
    assert_said_loudly(&folder);
}

const GONE: &str = "write-ahead log of the read side is gone";

#[test]
fn a_lost_write_ahead_log_is_said_although_older_keys_are_there() {
    let folder = Folder::new();
    let server = Server::start(&folder, &[]);
    let key = server.client.key().to_owned();
    server.stop();
    let server = Server::start_again(&folder, &[], &key);
    folder.json(&["keys", "create", "late", "--json"]);
    server.kill();
    remove(&folder, &["-wal", "-shm"]);
    let (_, log) = Server::start_again(&folder, &[], &key).terminate();
    assert!(log.contains(GONE) && log.contains("API keys"), "{log}");
    let (_, log) = Server::start_again(&folder, &[], &key).terminate();
    assert!(!log.contains(GONE), "{log}");
}

#[test]
fn what_a_command_folds_after_a_kill_is_not_lost() {
    for line in [&["keys", "create", "late"][..], &["migrate", "up"], &["backup", "copy"]] {
        let folder = Folder::new();
        let server = Server::start(&folder, &[]);
        let key = server.client.key().to_owned();
        server.kill();
        assert!(folder.run(line).is_success, "{line:?}");
        let (_, log) = Server::start_again(&folder, &[], &key).terminate();
        assert!(!log.contains(GONE), "{line:?}: {log}");
    }
}

#[test]
fn data_that_no_server_was_started_on_yet_gets_its_first_key() {
    let folder = Folder::new();
    let demo = ["demo", "--invoices", "3", "--exit", "--json", "--data-dir", "headwater-data"];
    folder.json(&demo);
    Server::start(&folder, &[]).stop();
}

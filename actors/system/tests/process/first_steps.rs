//! What a newcomer meets first: the first key, the demo and a second run of it.

use std::net::TcpListener;

use headwater::sql::SqliteConfig;
use serde_json::Value;

use super::harness::{Folder, Server};

const DEMO: [&str; 5] = ["demo", "--invoices", "60", "--exit", "--json"];

#[test]
fn a_start_on_a_taken_port_makes_nothing_and_the_next_one_shows_the_first_key() {
    let folder = Folder::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for line in [&["serve", "--listen", &address][..], &["demo", "--listen", &address]] {
        folder.run(line).assert_refused(&["cannot listen on", &address, "--listen"]);
    }
    assert!(!folder.path("headwater-data").exists() && !folder.path("headwater-demo").exists());
    Server::start(&folder, &[]).stop();
}

#[test]
fn the_demo_run_again_sends_nothing_and_says_so() {
    let folder = Folder::new();
    let (first, again) = (folder.json(&DEMO), folder.json(&DEMO));
    assert!(first["intake"]["commands"].as_u64().unwrap() > 60, "{first}");
    assert_eq!((&again["intake"]["commands"], &again["was_there"]), (&0.into(), &true.into()));
    assert_eq!(again["head"], first["head"]);
    let words = folder.run(&["demo", "--exit"]).stdout;
    assert!(words.contains("already holds the shop of 60 made-up invoices"), "{words}");
    folder.run(&["demo", "--invoices", "70", "--exit"]).assert_refused(&["60", "70", "--fresh"]);
}

#[test]
fn a_demo_that_was_killed_is_gone_on_with() {
    let folder = Folder::new();
    let whole = folder.json(&DEMO);
    // What a kill leaves: events, and no word that they are all.
    let database = SqliteConfig::at(folder.path("headwater-demo/read.sqlite")).open().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let forget = "delete from program_mark where id = 2";
    runtime.block_on(database.write(|tx| tx.run_script(forget))).unwrap();
    drop(database);
    let again = folder.json(&DEMO);
    assert_eq!(again["intake"]["replayed"], whole["intake"]["commands"]);
    assert_eq!(again["head"], whole["head"]);
}

#[test]
fn a_fresh_demo_removes_its_own_folder_and_no_other() {
    let folder = Folder::new();
    folder.json(&DEMO);
    let fresh = folder.json(&["demo", "--invoices", "30", "--exit", "--json", "--fresh"]);
    assert_eq!((&fresh["intake"]["invoices"], &fresh["was_there"]), (&30.into(), &false.into()));
    Server::start(&folder, &[]).stop();
    let other = ["demo", "--fresh", "--exit", "--data-dir", "headwater-data"];
    folder.run(&other).assert_refused(&["headwater-data", "no whole demo"]);
    assert!(folder.path("headwater-data/log/FORMAT").exists());
}

#[test]
fn made_up_events_never_run_backwards_in_time() {
    let folder = Folder::new();
    folder.json(&DEMO);
    let read = ["events", "read", "--limit", "5000", "--json", "--data-dir", "headwater-demo"];
    let events = folder.run(&read).json_lines();
    let times: Vec<&Value> = events.iter().map(|event| &event["occurred_at"]).collect();
    let times: Vec<&str> = times.iter().map(|time| time.as_str().unwrap()).collect();
    assert!(times.len() > 60 && times.is_sorted(), "{times:?}");
}

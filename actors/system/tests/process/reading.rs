//! What the commands that read show: the same from the folder and of the server that has it.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::{Value, json};

use super::harness::{Folder, Outcome, Server, wait_until};

/// Commands with what they print as machines read it.
const READING: [&[&str]; 6] = [
    &["events", "read", "--limit", "5000"],
    &["events", "read", "--after", "30", "--limit", "7"],
    &["events", "read", "--category", "order", "--limit", "3"],
    &["events", "read", "--type", "Added", "--limit", "3"],
    &["streams", "--limit", "5000"],
    &["streams", "--category", "product", "--after", "5", "--limit", "4"],
];

const LIST: [&str; 3] = ["projections", "list", "--json"];

/// A folder with a small shop in it.
fn shop() -> Folder {
    let folder = Folder::new();
    let demo = ["demo", "--invoices", "120", "--exit", "--json"];
    folder.json(&[&demo[..], &["--data-dir", "headwater-data"]].concat());
    folder
}

fn remote(folder: &Folder, server: &Server, args: &[&str]) -> Outcome {
    let mut program = folder.program(args);
    server.point(&mut program);
    Outcome::of(&mut program)
}

#[test]
fn a_folder_and_the_server_that_has_it_show_the_same() {
    let folder = shop();
    let local: Vec<[Outcome; 2]> =
        READING.map(|args| [folder.run(args), folder.run(&[args, &["--json"]].concat())]).into();
    let server = Server::start(&folder, &[]);
    for (args, [text, json]) in READING.iter().zip(&local) {
        assert!(text.is_success && json.is_success, "{args:?}");
        assert!(text.stdout.lines().count() >= 3, "{args:?}: {text:?}");
        let of_server = remote(&folder, &server, args);
        assert!(of_server.stdout == text.stdout, "{args:?}: {}", of_server.stderr);
        let of_server = remote(&folder, &server, &[args, &["--json"][..]].concat());
        assert!(of_server.stdout == json.stdout, "{args:?}: {}", of_server.stderr);
    }
    server.stop();
}

#[test]
fn events_are_read_from_old_to_new_without_gap() {
    let folder = shop();
    let events = folder.run(&["events", "read", "--limit", "5000", "--json"]).json_lines();
    assert!(events.len() > 120);
    for (event, position) in events.iter().zip(1..) {
        assert_eq!(event["position"], position);
    }
    let last = folder.run(&["events", "tail", "-n", "4", "--json"]).json_lines();
    assert_eq!(last, events[events.len() - 4..]);
    let streams = folder.json(&["streams", "--limit", "5000", "--json"]);
    let first = |event: &&Value| event["revision"] == 1;
    let firsts: Vec<&Value> = events.iter().filter(first).map(|event| &event["position"]).collect();
    let listed: Vec<&Value> =
        streams.as_array().unwrap().iter().map(|stream| &stream["first"]).collect();
    assert_eq!(listed, firsts);
}

#[test]
fn a_tail_of_a_running_server_shows_what_is_there_and_what_comes() {
    let folder = shop();
    let last = folder.run(&["events", "tail", "-n", "2", "--json"]).json_lines();
    let server = Server::start(&folder, &[]);
    let mut program = folder.program(&["events", "tail", "-n", "2", "--json"]);
    server.point(&mut program);
    let mut tail = program.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(tail.stdout.take().unwrap()).lines();
    let mut next = || -> Value { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };
    assert_eq!([next(), next()], last[..]);
    let reply = server.client.command("/v1/product/MY-MUG/add", "k", &json!({})).unwrap();
    assert_eq!(next()["position"], reply.body_of(201)["position"]);
    server.stop();
    let ended = tail.wait_with_output().unwrap();
    assert!(String::from_utf8(ended.stderr).unwrap().contains("the server ended the stream"));
}

/// Returns state and generation of a projection in what `projections list` shows.
fn standing(listed: &Value, name: &str) -> (String, u64) {
    let all = listed.as_array().unwrap().iter();
    let own = all.clone().find(|own| own["name"] == name).unwrap();
    (own["state"].as_str().unwrap().to_owned(), own["generation"].as_u64().unwrap())
}

#[test]
fn projections_are_steered_in_the_folder() {
    let folder = shop();
    let standing = || standing(&folder.json(&LIST), "orders");
    let steer = |verb| {
        let done = folder.run(&["projections", verb, "orders"]);
        assert!(done.is_success, "{verb}: {done:?}");
    };
    assert_eq!(standing(), ("running".to_owned(), 1));
    steer("pause");
    assert_eq!(standing(), ("paused".to_owned(), 1));
    steer("resume");
    assert_eq!(standing(), ("running".to_owned(), 1));
    steer("rebuild");
    assert_eq!(standing(), ("running".to_owned(), 2));
    folder.run(&["projections", "pause", "ordres"]).assert_refused(&["ordres", "known are"]);
}

#[test]
fn projections_are_steered_by_the_server_that_has_the_folder() {
    let folder = shop();
    let server = Server::start(&folder, &[]);
    let standing = || standing(&remote(&folder, &server, &LIST).json(), "orders");
    let steer = |verb| {
        // An actor that is still starting takes no requests yet.
        let steered = || remote(&folder, &server, &["projections", verb, "orders"]);
        wait_until(verb, || steered().is_success.then_some(()));
    };
    steer("pause");
    assert_eq!(standing(), ("paused".to_owned(), 1));
    steer("resume");
    assert_eq!(standing(), ("running".to_owned(), 1));
    steer("rebuild");
    wait_until("rebuilt rows", || (standing() == ("running".to_owned(), 2)).then_some(()));
    remote(&folder, &server, &["projections", "pause", "ordres"]).assert_refused(&["404"]);
    folder.run(&["projections", "pause", "orders"]).assert_refused(&["HEADWATER_KEY"]);
    server.stop();
}

#[test]
fn a_list_of_projections_has_the_same_fields_in_the_folder_and_by_the_server() {
    let folder = shop();
    let fields = |listed: &Value| -> Vec<(Value, Vec<String>)> {
        let names = |own: &Value| own.as_object().unwrap().keys().cloned().collect();
        let all = listed.as_array().unwrap().iter();
        all.map(|own| (own["name"].clone(), names(own))).collect()
    };
    let local = fields(&folder.json(&LIST));
    assert_eq!(local.len(), 6);
    let server = Server::start(&folder, &[]);
    assert_eq!(fields(&remote(&folder, &server, &LIST).json()), local);
    server.stop();
}

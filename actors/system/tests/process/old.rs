//! Data of the program before format 2, as that program wrote it: `old/folder` is a data folder,
//! `old/schema.sql.gz` a schema of PostgreSQL with the same log. Each holds 166 events of two
//! tenants, a keyed command and a keyed append.

use std::fs;
use std::io::Read;
use std::path::Path;

use serde_json::{Value, json};

use super::harness::{Client, Folder, Place, Server};

/// The key of the folder, with every scope.
const KEY: &str = "hw_c6gvkav9w0xe_zpjxqqbr68v9ardsm312zean9h378cqz4yhc5h1";
const FIRST_ID: &str = "018f0000-0000-7000-8000-000000000001";

fn unpacked(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/process/old").join(name);
    let mut bytes = Vec::new();
    let packed = fs::File::open(path).unwrap();
    flate2::read::GzDecoder::new(packed).read_to_end(&mut bytes).unwrap();
    bytes
}

/// Lays the old data folder down where the program looks for it.
fn old_folder() -> Folder {
    let folder = Folder::new();
    folder.write("headwater-data/log/FORMAT", "headwater log 1\n");
    fs::create_dir_all(folder.path("headwater-data/log/segments")).unwrap();
    let put = |name: &str, packed: &str| {
        fs::write(folder.path("headwater-data").join(name), unpacked(packed)).unwrap();
    };
    put("read.sqlite", "folder/read.sqlite.gz");
    for name in
        ["00000000000000000001.index", "00000000000000000001.log", "00000000000000000125.log"]
    {
        put(&format!("log/segments/{name}"), &format!("folder/segments/{name}.gz"));
    }
    folder
}

fn note(number: u64) -> Value {
    json!({"type": "Noted", "data": {"n": number, "text": "x".repeat(300)}})
}

/// Reads the old events, sends again what was sent then, and appends.
fn check(client: &Client) {
    let first = &client.get("/v1/events?limit=1")["events"][0];
    assert_eq!(
        (&first["id"], &first["occurred_at"]),
        (&FIRST_ID.into(), &"2010-12-01T08:26:00.000001Z".into())
    );
    assert_eq!(
        (&first["tags"], &first["metadata"]["causation_id"]),
        (&json!(["a:1", "b:2"]), &"c".into())
    );
    let all = client.get("/v1/events?limit=1000");
    assert_eq!(
        all["events"].as_array().unwrap().len(),
        165,
        "those of the other tenant are not shown"
    );
    assert_eq!(client.get("/v1/streams/note/many/metadata")["revision"], 160);

    // The key remembers the bytes of the body, as another client wrote them.
    let text = "x".repeat(300);
    let sent =
        format!(r#"{{"events": [{{"type": "Noted", "data": {{"n": 3, "text": "{text}"}}}}]}}"#);
    let again = client.command_of("/v1/streams/note/keyed", "raw-1", &sent);
    let again = again.unwrap().body_of(200);
    assert_eq!((&again["duplicate"], &again["position"]), (&true.into(), &4.into()));
    let other = client.command("/v1/streams/note/keyed", "raw-1", &json!({"events": [note(4)]}));
    assert_eq!(other.unwrap().body_of(422)["type"], "urn:headwater:problem:idempotency-key-reused");
    let command =
        client.command("/v1/customer/c1/register", "register-c1", &json!({"country": "France"}));
    let command = command.unwrap().body_of(200);
    assert_eq!((&command["replayed"], &command["position"]), (&true.into(), &3.into()));

    let mut old = note(1);
    old["id"] = FIRST_ID.into();
    let reused = client.command("/v1/streams/note/one", "k-1", &json!({"events": [old]})).unwrap();
    assert_eq!(reused.body_of(409)["type"], "urn:headwater:problem:event-id-reused");
    let mut new = note(5);
    new["occurred_at"] = "2016-12-31T23:59:60.123456789Z".into();
    new["type"] = "Auftrag geändert".into();
    let added = client.command("/v1/streams/note/one", "k-2", &json!({"events": [new]})).unwrap();
    assert_eq!(added.body_of(201)["position"], 167);
    let found = &client.get("/v1/events?type=Auftrag+ge%C3%A4ndert")["events"][0];
    assert_eq!(found["occurred_at"], "2016-12-31T23:59:60.123456789Z");
}

#[test]
fn a_data_folder_of_format_1_opens_reads_and_goes_on() {
    let folder = old_folder();
    assert!(folder.run(&["verify"]).is_success);
    let server = Server::start_again(&folder, &[], KEY);
    check(&server.client);
    server.stop();
    assert!(folder.run(&["verify"]).is_success);
    let format = fs::read_to_string(folder.path("headwater-data/log/FORMAT")).unwrap();
    assert_eq!(format, "headwater log 2\n");
}

#[test]
fn a_schema_of_the_first_step_opens_reads_and_goes_on() {
    let (folder, place) = (Folder::new(), Place::new());
    let schema = String::from_utf8(unpacked("schema.sql.gz")).unwrap();
    // The functions come before the tables that they read.
    place.run(&format!("set check_function_bodies = off; {schema}"));
    // The schema is there alone, without the read side of its program.
    let server = Server::start(&folder, &["--store", &place.text, "--new-read-side"]);
    check(&server.client);
    server.stop();
}

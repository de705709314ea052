//! What can go wrong at the command line: each has its clear error, and none a panic.

use std::net::TcpListener;

use serde_json::json;

use super::harness::{Folder, Server};

const HEADING: &str = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID";

#[test]
fn a_second_process_on_the_same_data_is_kept_out() {
    let folder = Folder::new();
    let server = Server::start(&folder, &[]);
    let second = folder.run(&["serve", "--listen", "127.0.0.1:0"]);
    second.assert_refused(&["headwater-data", "is in use by another process"]);
    folder.run(&["verify"]).assert_refused(&["is in use by another process"]);
    assert_eq!(server.client.ask("GET", "/v1/events").status, 200);
    server.stop();
}

#[test]
fn a_file_in_place_of_a_folder_is_named() {
    let folder = Folder::new();
    folder.write("file", "");
    let data_dir = folder.run(&["serve", "--data-dir", "file"]);
    data_dir.assert_refused(&["data_dir = \"file\" (flag --data-dir)"]);
    folder.write("data/log", "");
    let serve = ["serve", "--listen", "127.0.0.1:0", "--data-dir", "data"];
    folder.run(&serve).assert_refused(&["data/log"]);
    folder.write("other/log/segments", "");
    let serve = ["serve", "--listen", "127.0.0.1:0", "--data-dir", "other"];
    folder.run(&serve).assert_refused(&["other/log/segments"]);
}

#[test]
fn data_of_a_newer_format_is_left_alone() {
    let folder = Folder::new();
    Server::start(&folder, &[]).stop();
    let format = folder.write("headwater-data/log/FORMAT", "headwater log 3\n");
    let words = ["has format 3", "reads up to 2", "use a newer one"];
    for args in [&["serve", "--listen", "127.0.0.1:0"][..], &["verify"], &["backup", "copy"]] {
        folder.run(args).assert_refused(&words);
    }
    assert_eq!(std::fs::read_to_string(format).unwrap(), "headwater log 3\n");
}

#[test]
fn a_flipped_bit_is_found_with_its_place() {
    let folder = Folder::new();
    let demo = ["demo", "--invoices", "60", "--exit", "--json", "--data-dir", "headwater-data"];
    folder.json(&demo);
    let segments = folder.path("headwater-data/log/segments");
    let mut files = std::fs::read_dir(segments).unwrap().map(|entry| entry.unwrap().path());
    let log = files.find(|path| path.extension().is_some_and(|end| end == "log")).unwrap();
    let mut bytes = std::fs::read(&log).unwrap();
    bytes[2_000] ^= 4;
    std::fs::write(&log, bytes).unwrap();
    let name = log.file_name().unwrap().to_str().unwrap();
    let verify = folder.run(&["verify"]);
    verify.assert_refused(&["fault", "restore it from a backup"]);
    assert!(verify.stdout.contains("NOT SOUND") && verify.stdout.contains(name), "{verify:?}");
    folder.run(&["serve", "--listen", "127.0.0.1:0"]).assert_refused(&[name, "offset"]);
}

#[test]
fn a_port_in_use_is_named() {
    let folder = Folder::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    folder.run(&["serve", "--listen", &address]).assert_refused(&[&address, "in use"]);
}

#[test]
fn every_fault_of_the_settings_is_told_at_once() {
    let folder = Folder::new();
    folder.write("headwater.toml", "[limits]\npage_max = 0\n");
    let serve = ["serve", "--listen", "here", "--log-segment-bytes", "many"];
    let mut program = folder.program(&serve);
    program.env("HEADWATER_SHUTDOWN_TIMEOUT", "soon").env("HEADWATER_LISTN", "x");
    let refused = super::harness::Outcome::of(&mut program);
    refused.assert_refused(&[
        "5 settings are wrong",
        "listen = \"here\" (flag --listen)",
        "log.segment_bytes = \"many\" (flag --log-segment-bytes)",
        "limits.page_max = \"0\" (headwater.toml line 2)",
        "shutdown_timeout = \"soon\" (variable HEADWATER_SHUTDOWN_TIMEOUT)",
        "did you mean HEADWATER_LISTEN?",
    ]);
    assert!(!folder.path("headwater-data").exists(), "nothing is made before all is right");
}

#[test]
fn an_unknown_command_shows_the_way_to_help() {
    let folder = Folder::new();
    folder.run(&["sevre"]).assert_refused(&["'sevre'", "serve", "Usage", "--help"]);
    folder.run(&[]).assert_refused(&["Usage", "serve", "import", "verify"]);
    let help = folder.run(&["--help"]);
    assert!(help.is_success && help.stdout.contains("backup"), "{help:?}");
}

#[test]
fn a_file_that_cannot_be_imported_is_named_with_the_reason() {
    let folder = Folder::new();
    folder.write("other.csv", "a,b\n1,2\n");
    folder.write("short.csv", HEADING);
    folder.write("empty.csv", "");
    folder.run(&["import", "retail", "none.csv"]).assert_refused(&["none.csv", "No such file"]);
    for file in ["other.csv", "short.csv", "empty.csv"] {
        let refused = folder.run(&["import", "retail", file]);
        refused.assert_refused(&[file, "heading is not InvoiceNo,", "Online Retail"]);
    }
    folder.run(&["import", "retail", "."]).assert_refused(&["."]);
}

#[test]
fn a_command_that_reads_makes_no_data() {
    let folder = Folder::new();
    for args in [&["events", "read"][..], &["streams"], &["projections", "list"], &["verify"]] {
        folder.run(args).assert_refused(&["headwater-data"]);
    }
    assert!(!folder.path("headwater-data").exists());
}

#[test]
fn a_request_to_end_stops_a_server_in_order() {
    let folder = Folder::new();
    let server = Server::start(&folder, &["--telemetry-format", "json"]);
    let added = server.client.command("/v1/product/X/add", "k", &json!({})).unwrap();
    assert_eq!(added.status, 201);
    let (code, log) = server.terminate();
    assert_eq!(code, Some(0), "{log}");
    let records: Vec<serde_json::Value> =
        log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let is_clean = |record: &serde_json::Value| {
        let level = record["level"].as_str().unwrap().to_lowercase();
        matches!(level.as_str(), "info" | "debug")
    };
    assert!(records.iter().all(is_clean), "{log}");
    assert_eq!(records.last().unwrap()["message"], "stopped", "{log}");
    let verified = folder.json(&["verify", "--json"]);
    assert_eq!((&verified["events"], &verified["torn_tail"]), (&json!(1), &json!(null)));
}

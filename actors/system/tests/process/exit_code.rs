//! Exit codes: 0 is done, 1 refused or failed, 2 a line that cannot be read, 3 done with findings.

use std::fs::OpenOptions;
use std::process::Stdio;

use super::demo::QUIRKS;
use super::harness::{Folder, Outcome};

const SHOP: [&str; 7] =
    ["demo", "--invoices", "20", "--exit", "--json", "--data-dir", "headwater-data"];

fn heading() -> &'static str {
    QUIRKS.lines().next().unwrap()
}

fn import(folder: &Folder, text: &str, flags: &[&str]) -> Outcome {
    folder.write("file.csv", text);
    folder.run(&[&["import", "retail", "file.csv"], flags].concat())
}

#[test]
fn an_import_with_lines_left_out_ends_with_3_and_names_them() {
    let folder = Folder::new();
    let told = import(&folder, QUIRKS, &[]);
    assert_eq!(told.code, Some(3), "{told:?}");
    assert!(told.stdout.contains("line 6: ") && told.stdout.contains("many"), "{told:?}");
    assert!(told.stderr.contains("of 11 lines 1 are malformed"), "{told:?}");
    let allowed = import(&folder, QUIRKS, &["--allow-malformed", "1", "--json"]);
    assert_eq!(allowed.json()["malformed"], 1);
}

#[test]
fn an_import_of_which_every_line_is_malformed_ends_with_3() {
    let text = format!("{}\nthis,is,no,row\nnor,this\n", heading());
    let told = import(&Folder::new(), &text, &["--json"]);
    assert_eq!(told.code, Some(3), "{told:?}");
    assert!(told.stdout.contains("\"malformed\": 2"), "{told:?}");
}

#[test]
fn a_file_without_the_heading_or_without_lines_is_refused_and_makes_nothing() {
    for text in ["", "a,b,c\n1,2,3\n"] {
        let folder = Folder::new();
        let told = import(&folder, text, &[]);
        assert_eq!(told.code, Some(1), "{told:?}");
        told.assert_refused(&["file.csv", "heading"]);
        assert!(!folder.path("headwater-data").exists());
    }
    let told = import(&Folder::new(), heading(), &[]);
    told.assert_refused(&["file.csv", "no line"]);
}

#[test]
fn a_demo_of_a_file_without_a_good_line_ends_with_3() {
    let folder = Folder::new();
    let file = folder.write("bad.csv", &format!("{}\nnothing\n", heading()));
    let told = folder.run(&["demo", "--exit", "--import", file.to_str().unwrap()]);
    assert_eq!(told.code, Some(3), "{told:?}");
}

#[test]
fn a_line_that_cannot_be_read_ends_with_2_and_shows_no_password() {
    let folder = Folder::new();
    let address = "postgres://ann:can ary/@host/db";
    let bench = "--store=postgres://ann:canary@host:port/db";
    for line in [
        &["serve", address][..],
        &["serve", "--stor", address],
        &["serve", "--stor=postgres://ann:canary@host/db"],
        &["bench", "append", bench],
        &["events", "read", "--after", address],
        &["serve", "--tenant", address],
    ] {
        let told = folder.run(line);
        assert_eq!(told.code, Some(2), "{told:?}");
        assert!(!told.stderr.contains("ary"), "{told:?}");
    }
}

#[test]
fn a_list_that_nobody_reads_on_is_no_failure_and_one_that_cannot_be_written_is() {
    let folder = Folder::new();
    folder.json(&SHOP);
    let mut cut = folder.program(&["events", "read", "--limit", "5000"]);
    let mut child = cut.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(0));
    for line in [&["events", "read"][..], &["streams"], &["verify"], &["backup", "copy"]] {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut program = folder.program(line);
        let child = program.stdout(full).stderr(Stdio::piped()).spawn().unwrap();
        let output = child.wait_with_output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{line:?}: {told}");
        assert!(told.contains("could not be written"), "{line:?}: {told}");
    }
}

#[test]
fn a_key_that_nobody_has_seen_is_revoked_again() {
    let folder = Folder::new();
    folder.json(&SHOP);
    let mut program = folder.program(&["keys", "create", "unseen"]);
    let mut child = program.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let keys = folder.json(&["keys", "list", "--json"]);
    assert!(keys[0]["name"] == "unseen" && !keys[0]["revoked_at"].is_null(), "{keys}");
}

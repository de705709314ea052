//! The program on PostgreSQL: the same figures as on its own files, and the same care.

use serde_json::Value;

use super::harness::{Folder, Outcome, Place, Server, read_rows};

const DEMO: [&str; 5] = ["demo", "--invoices", "300", "--exit", "--json"];
const PROJECTIONS: [&str; 4] = ["orders", "customers", "products", "revenue"];

fn demo(folder: &Folder, place: &[&str]) -> Value {
    folder.json(&[&DEMO, place].concat())
}

/// Returns the rows of every projection, without what differs from run to run.
fn rows(folder: &Folder, place: &[&str]) -> Vec<Vec<Value>> {
    let server = Server::start(folder, &[&["--data-dir", "headwater-demo"], place].concat());
    let rows = PROJECTIONS.map(|projection| {
        let rows = read_rows(&server.client, projection).into_iter();
        // Commands of different streams overtake each other, so positions differ.
        rows.map(|mut entry| entry["row"].take()).collect()
    });
    let rows = rows.to_vec();
    server.stop();
    rows
}

#[test]
fn the_demo_gives_the_same_figures_and_rows_as_on_files() {
    let (folder, other, place) = (Folder::new(), Folder::new(), Place::new());
    let (files, tables) = (demo(&folder, &[]), demo(&other, &place.both()));
    for field in ["total", "months", "kinds", "lines", "commands", "customers", "products"] {
        assert_eq!(tables["intake"][field], files["intake"][field], "{field}");
    }
    assert_eq!((&tables["head"], &tables["caught_up"]), (&files["head"], &true.into()));
    assert_eq!(rows(&other, &place.both()), rows(&folder, &[]));
    assert!(!other.path("headwater-demo").exists(), "nothing lies in the data folder");
}

#[test]
fn the_demo_run_again_on_tables_sends_nothing() {
    let (folder, place) = (Folder::new(), Place::new());
    let (first, again) = (demo(&folder, &place.both()), demo(&folder, &place.both()));
    assert_eq!((&again["intake"]["commands"], &again["was_there"]), (&0.into(), &true.into()));
    assert_eq!(again["head"], first["head"]);
}

#[test]
fn the_engines_of_log_and_read_models_are_chosen_apart() {
    let (folder, place) = (Folder::new(), Place::new());
    let files = rows_after(&folder, &["--read", &place.text]);
    let (other, place) = (Folder::new(), Place::new());
    assert_eq!(rows_after(&other, &["--store", &place.text]), files);
}

fn rows_after(folder: &Folder, place: &[&str]) -> Vec<Vec<Value>> {
    assert_eq!(demo(folder, place)["caught_up"], true);
    rows(folder, place)
}

#[test]
fn read_models_in_a_folder_are_one_program_s_own_though_the_log_is_shared() {
    let (folder, place) = (Folder::new(), Place::new());
    let store = ["--store", place.text.as_str()];
    let server = Server::start(&folder, &store);
    let second = folder.run(&[&["serve", "--listen", "127.0.0.1:0"][..], &store].concat());
    second.assert_refused(&["headwater-data is in use by another process", "--read"]);
    server.stop();
}

#[test]
fn the_server_that_has_the_read_models_in_a_folder_is_asked_for_them() {
    let (folder, place) = (Folder::new(), Place::new());
    let server = Server::start(&folder, &["--store", &place.text]);
    let args = ["projections", "list", "--store", &place.text];
    folder.run(&args).assert_refused(&["a server has the data open", "HEADWATER_KEY"]);
    let mut program = folder.program(&args);
    server.point(&mut program);
    let listed = Outcome::of(&mut program);
    assert!(listed.is_success && listed.stdout.contains("revenue"), "{listed:?}");
    server.stop();
}

#[test]
fn what_only_files_have_is_refused_with_what_to_do_instead() {
    let (folder, place) = (Folder::new(), Place::new());
    let run = |args: &[&str]| folder.run(&[args, &place.both()].concat());
    run(&["backup", "copy"]).assert_refused(&["pg_dump --schema="]);
    run(&["verify"]).assert_refused(&["pg_amcheck"]);
    let log_alone = folder.run(&["backup", "copy", "--store", &place.text]);
    log_alone.assert_refused(&["stop the server, copy read.sqlite and outbox.key", "pg_dump"]);
}

#[test]
fn a_backup_of_a_log_in_files_says_how_rows_in_postgres_are_backed_up() {
    let (folder, place) = (Folder::new(), Place::new());
    let read = ["--read", place.text.as_str()];
    Server::start(&folder, &read).stop();
    let report = folder.json(&[&["backup", "copy", "--json"][..], &read].concat());
    assert_eq!(report["read_side"], "in PostgreSQL");
    assert!(report["read_side_by"].as_str().unwrap().starts_with("pg_dump --schema="), "{report}");
    let told = folder.run(&[&["backup", "other"][..], &read].concat()).stdout;
    assert!(told.contains("must be older than this copy"), "{told}");
}

#[test]
fn an_address_that_does_not_work_is_named_without_its_password() {
    let folder = Folder::new();
    let serve = ["serve", "--listen", "127.0.0.1:0"];
    for (setting, address, words) in [
        ("--store", "mysql://root:pass1word@db/x", ["store", "postgres://"]),
        ("--read", "postgres://root:pass1word@127.0.0.1:1/x", ["127.0.0.1:1", "cannot be reached"]),
    ] {
        let outcome = folder.run(&[&serve[..], &[setting, address]].concat());
        outcome.assert_refused(&words);
        assert!(!format!("{outcome:?}").contains("pass1word"), "{outcome:?}");
    }
}

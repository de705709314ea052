//! The schema by the command line.

use headwater::sql::SqliteConfig;
use serde_json::{Value, json};

use super::harness::{Folder, Place};

fn migrate(folder: &Folder, words: &[&str], place: &[&str]) -> Value {
    folder.json(&[&["migrate"], words, &["--json"], place].concat())
}

fn states(folder: &Folder, place: &[&str]) -> Vec<String> {
    let status = migrate(folder, &["status"], place);
    let steps = status.as_array().unwrap().iter();
    steps.map(|step| format!("{}: {}", step["capability"], step["state"])).collect()
}

#[test]
fn a_fresh_folder_goes_up_and_one_step_down_when_it_is_meant() {
    let folder = Folder::new();
    folder.run(&["migrate", "status"]).assert_refused(&["no read side", "headwater migrate up"]);
    assert!(migrate(&folder, &["up"], &[])["done"].as_u64().unwrap() > 3);
    assert_eq!(migrate(&folder, &["verify"], &[]), json!({ "fits": true, "pending": 0 }));
    let down = ["migrate", "down", "core"];
    folder.run(&down).assert_refused(&["0004_log", "say --yes"]);
    assert_eq!(migrate(&folder, &["down", "core", "--yes"], &[])["undone"], 1);
    let plan = folder.run(&["migrate", "plan"]);
    let wanted = "core/0004_log: expand, in a transaction, waits 2s for a lock\n";
    assert!(plan.stdout.starts_with(wanted), "{plan:?}");
    assert_eq!(migrate(&folder, &["down", "core", "--to", "0", "--yes"], &[])["undone"], 3);
    assert_eq!(migrate(&folder, &["up"], &[])["done"], 4);
    folder.run(&["migrate", "down", "store", "--yes"]).assert_refused(&["lies in files"]);
    folder.run(&["migrate", "down", "shoe", "--yes"]).assert_refused(&["capability \"shoe\""]);
}

#[test]
fn on_a_database_the_tables_of_the_log_are_migrated_too() {
    let (folder, place) = (Folder::new(), Place::new());
    let place = place.both();
    assert!(states(&folder, &place).iter().all(|state| state.ends_with("\"pending\"")));
    migrate(&folder, &["up"], &place);
    let states = states(&folder, &place);
    assert!(states.iter().all(|state| state.ends_with("\"done\"")), "{states:?}");
    assert!(states.iter().any(|state| state.starts_with("\"store\"")), "{states:?}");
    assert_eq!(migrate(&folder, &["down", "store", "--yes"], &place)["undone"], 1);
    assert_eq!(migrate(&folder, &["verify"], &place)["pending"], 1);
}

fn edit(folder: &Folder, sql: &'static str) {
    let database = SqliteConfig::at(folder.path("headwater-data/read.sqlite")).open().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(database.write(move |tx| tx.run_script(sql))).unwrap();
}

#[test]
fn what_does_not_fit_is_named_and_refused() {
    let folder = Folder::new();
    migrate(&folder, &["up"], &[]);
    edit(
        &folder,
        "update schema_migrations set checksum = 'x' where number = 2;
        update schema_migrations set state = 'doing' where number = 4",
    );
    folder.run(&["migrate", "verify"]).assert_refused(&["core/0002_snapshots was changed"]);
    let status = folder.run(&["migrate", "status"]).stdout;
    assert!(status.contains("core/0002_snapshots: was done with another text"), "{status}");
    assert!(status.contains("core/0004_log: is under way, or its run was killed"), "{status}");
    folder.run(&["serve"]).assert_refused(&["was changed after it was applied"]);
}

#[test]
fn a_run_goes_as_far_as_is_said_and_no_further() {
    let folder = Folder::new();
    assert_eq!(migrate(&folder, &["up", "--to", "core/2"], &[])["done"], 2);
    let wanted = r#""core": "done""#;
    assert_eq!(states(&folder, &[]).iter().filter(|state| *state == wanted).count(), 2);
    assert_eq!(migrate(&folder, &["up", "--to", "core/0003", "--phase", "expand"], &[])["done"], 1);
    folder.run(&["migrate", "up", "--to", "core/99"]).assert_refused(&["no step core/99"]);
    folder.run(&["migrate", "up", "--to", "shoe/1"]).assert_refused(&["capability \"shoe\""]);
    folder.run(&["migrate", "up", "--to", "core"]).assert_refused(&["such as core/3"]);
    folder.run(&["migrate", "up", "--phase", "shrink"]).assert_refused(&["expand, backfill or"]);
}

#[test]
fn a_program_that_runs_keeps_what_it_uses_from_being_undone() {
    let folder = Folder::new();
    migrate(&folder, &["up"], &[]);
    edit(
        &folder,
        "insert into nodes (id, name, program_version, started_at, heartbeat_at, silence_ms,
            knows, runs)
        select 'n', 'web-1', '9.0', 0, 9000000000000, 20000, '{\"core\":4}', '{}'",
    );
    let down = ["migrate", "down", "core", "--yes"];
    folder.run(&down).assert_refused(&["web-1 (program 9.0, knows core up to 4)", "stop them"]);
}

#[test]
fn a_new_step_is_written_behind_the_last_one_and_overwrites_none() {
    let folder = Folder::new();
    let dir = folder.path("migrations");
    let dir = dir.to_str().unwrap();
    let new = |words: &[&str]| folder.run(&[&["migrate", "new"], words, &["--dir", dir]].concat());
    new(&["stock", "shelves"]).assert_refused(&["is no folder", "--dir"]);
    std::fs::create_dir(dir).unwrap();
    assert!(new(&["stock", "shelves"]).stdout.contains("add \"0001_shelves\" at the end of"));
    new(&["stock", "fill", "--phase", "backfill"]);
    let text = |name: &str| std::fs::read_to_string(format!("{dir}/stock/{name}")).unwrap();
    assert!(text("0001_shelves.up.sql").contains("-- phase: expand\n"));
    assert!(text("0002_fill.up.sql").contains("-- phase: backfill\n-- batch: "));
    assert!(text("0002_fill.down.sql").starts_with("-- "));
    new(&["stock", "shelves"]).assert_refused(&["0001_shelves", "take another name"]);
    new(&["stock", "Shelf-2"]).assert_refused(&["name is \"Shelf-2\""]);
    new(&["../x", "shelves"]).assert_refused(&["capability is \"../x\""]);
}

#[test]
fn the_program_starts_on_what_a_newer_one_added_and_refuses_what_it_took_away() {
    let folder = Folder::new();
    migrate(&folder, &["up"], &[]);
    edit(
        &folder,
        "insert into schema_migrations (capability, number, stem, checksum, applied_at, phase)
        values ('core', 5, '0005_newer', 'x', '', 'expand')",
    );
    let start = ["demo", "--invoices", "3", "--exit", "--data-dir", "headwater-data"];
    let started = folder.run(&start);
    assert!(started.is_success, "{started:?}");
    assert_eq!(migrate(&folder, &["verify"], &[])["fits"], true);
    edit(&folder, "update schema_migrations set phase = 'contract' where number = 5");
    let words = ["contract step core/0005_newer of a newer program", "headwater migrate down"];
    folder.run(&start).assert_refused(&words);
    folder.run(&["migrate", "verify"]).assert_refused(&words);
    folder.run(&["migrate", "down", "core", "--yes"]).assert_refused(&["is missing"]);
}

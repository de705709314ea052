//! Data that is not this program's: every command leaves it alone, and reading makes nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use headwater::api::keys;
use headwater::event::{Recorded, Tenant};
use headwater::projection::{ProjectionError, RowProjection};
use headwater::runtime::System;
use headwater::sql::{Database, SqliteConfig};
use headwater::store::log::{LogConfig, LogStore};
use serde::{Deserialize, Serialize};

use super::harness::{Folder, Place, Server, wait_until};

#[derive(Clone, Debug, Serialize, Deserialize)]
enum RoomEvent {
    Entered { people: u32 },
}

headwater::event_schema! { RoomEvent in "room" { Entered = 1 } }

/// The one projection of another program.
struct Visits;

impl RowProjection for Visits {
    const NAME: &'static str = "visits";
    const VERSION: u32 = 1;
    type Event = RoomEvent;
    type Key = String;
    type Row = u64;

    fn route(&self, event: &Recorded<RoomEvent>) -> impl IntoIterator<Item = String> {
        [event.stream_id().to_owned()]
    }

    fn evolve(
        &self,
        _: &String,
        row: &mut Option<u64>,
        event: &Recorded<RoomEvent>,
    ) -> Result<(), ProjectionError> {
        let RoomEvent::Entered { people } = event.data;
        *row.get_or_insert(0) += u64::from(people);
        Ok(())
    }
}

/// Commands that look.
const LOOKING: [&[&str]; 7] = [
    &["projections", "list"],
    &["nodes"],
    &["keys", "list"],
    &["migrate", "status"],
    &["migrate", "plan"],
    &["migrate", "verify"],
    &["verify"],
];

/// Commands that change something.
const CHANGING: [&[&str]; 7] = [
    &["serve", "--listen", "127.0.0.1:0"],
    &["demo", "--exit", "--invoices", "3"],
    &["keys", "create", "mine"],
    &["keys", "revoke", "theirs"],
    &["migrate", "up"],
    &["migrate", "down", "core", "--yes"],
    &["projections", "rebuild", "orders"],
];

/// Returns every file below a folder with its bytes, but for what SQLite and locks keep open.
fn contents(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let Ok(entries) = fs::read_dir(dir) else { return found };
    for path in entries.map(|entry| entry.unwrap().path()) {
        let name = path.display().to_string();
        match path.is_dir() {
            true => found.extend(contents(&path)),
            false => drop(found.insert(name, fs::read(&path).unwrap())),
        }
    }
    found
}

async fn run_other_program(database: Database, log: Arc<LogStore>) {
    let now = jiff::Timestamp::now();
    let system = System::builder(log.clone(), database.clone()).rows(Visits).start().await.unwrap();
    keys::create_first(&database, Tenant::default_tenant(), now).await.unwrap().unwrap();
    system.shutdown(Duration::from_secs(10)).await;
    log.close().unwrap();
}

fn other_program(folder: &Folder, database: Database) {
    let log = LogStore::open(LogConfig::new(folder.path("rooms/log"))).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(run_other_program(database, Arc::new(log)));
    // The threads of the program that has ended close the file.
    let wal = folder.path("rooms/read.sqlite-wal");
    wait_until("a closed file", || (!wal.exists()).then_some(()));
}

fn tables(database: &Database) -> Vec<String> {
    let sql =
        "select tablename::text from pg_tables where schemaname = current_schema() order by 1";
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let rows = runtime.block_on(database.read(sql, Vec::new())).unwrap();
    rows.rows.iter().map(|row| row[0].as_text().unwrap().to_owned()).collect()
}

#[test]
fn the_folder_of_another_headwater_program_is_left_as_it_is() {
    let folder = Folder::new();
    other_program(&folder, SqliteConfig::at(folder.path("rooms/read.sqlite")).open().unwrap());
    let before = contents(&folder.path("rooms"));
    for line in LOOKING[..6].iter().chain(&CHANGING) {
        let told = folder.run(&[line, &["--data-dir", "rooms"][..]].concat());
        told.assert_refused(&["rooms/read.sqlite", "another program's", "--data-dir"]);
        assert!(contents(&folder.path("rooms")) == before, "{line:?} changed something");
    }
}

#[test]
fn the_schema_of_another_headwater_program_is_left_as_it_is() {
    let (folder, place) = (Folder::new(), Place::new());
    other_program(&folder, place.database());
    let before = tables(&place.database());
    assert!(before.len() > 5, "{before:?}");
    for line in LOOKING[..6].iter().chain(&CHANGING) {
        let told = folder.run(&[line, &place.both()[..]].concat());
        told.assert_refused(&["another program's", "nothing was changed"]);
        assert_eq!(tables(&place.database()), before, "{line:?}");
    }
}

#[test]
fn a_database_of_somebody_else_is_left_as_it_is() {
    let folder = Folder::new();
    let path = folder.write("mine/read.sqlite", "");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute_batch("create table mine (x int); insert into mine values (1)").unwrap();
    drop(connection);
    fs::create_dir_all(folder.path("mine/log")).unwrap();
    let before = contents(&folder.path("mine"));
    for line in LOOKING[1..6].iter().chain(&CHANGING[..6]) {
        let told = folder.run(&[line, &["--data-dir", "mine"][..]].concat());
        told.assert_refused(&["mine/read.sqlite"]);
        assert!(contents(&folder.path("mine")) == before, "{line:?} changed something");
    }
}

#[test]
fn a_schema_with_tables_of_somebody_else_is_left_as_it_is() {
    let (folder, place) = (Folder::new(), Place::new());
    let database = place.database();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(database.write(|tx| tx.run_script("create table mine (x int)"))).unwrap();
    for line in LOOKING[..6].iter().chain(&CHANGING) {
        let told = folder.run(&[line, &place.both()[..]].concat());
        told.assert_refused(&["tables of another program", "nothing was changed"]);
        assert_eq!(tables(&database), ["mine"], "{line:?}");
    }
}

#[test]
fn a_command_that_reads_makes_nothing() {
    let folder = Folder::new();
    fs::create_dir(folder.path("empty")).unwrap();
    let reading = [&["events", "read"][..], &["events", "tail"], &["streams"], &["backup", "copy"]];
    let others = [&["keys", "create", "mine"][..], &["keys", "revoke", "x"]];
    for line in LOOKING.iter().chain(&reading).chain(&others) {
        for dir in ["missing", "empty"] {
            let told = folder.run(&[line, &["--data-dir", dir][..]].concat());
            told.assert_refused(&[dir]);
        }
    }
    let left: Vec<_> =
        fs::read_dir(folder.path("")).unwrap().map(|own| own.unwrap().path()).collect();
    assert_eq!(left, [folder.path("empty")]);
    assert!(contents(&folder.path("empty")).is_empty());
}

#[test]
fn a_command_that_reads_makes_no_schema() {
    let (folder, place) = (Folder::new(), Place::new());
    let database = place.database();
    assert!(folder.run(&[&["migrate", "status"], &place.both()[..]].concat()).is_success);
    assert!(folder.run(&[&["migrate", "plan"], &place.both()[..]].concat()).is_success);
    for line in [&["projections", "list"][..], &["nodes"], &["keys", "list"], &["events", "read"]] {
        let told = folder.run(&[line, &place.both()[..]].concat());
        assert_eq!(told.code, Some(1), "{line:?}: {told:?}");
    }
    assert!(tables(&database).is_empty(), "{:?}", tables(&database));
}

#[test]
fn looking_at_a_closed_folder_changes_no_file_of_the_read_side() {
    let folder = Folder::new();
    Server::start(&folder, &[]).stop();
    let read_side = || {
        let mut all = contents(&folder.path("headwater-data"));
        all.retain(|name, _| name.contains("read.sqlite"));
        all
    };
    let before = read_side();
    for line in &LOOKING[..6] {
        assert!(folder.run(line).is_success, "{line:?}");
        assert!(read_side() == before, "{line:?} changed something");
    }
}

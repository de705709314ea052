//! Kill -9 of a process inside a statement of a step or inside a part of a backfill, on
//! PostgreSQL. A lock that the test holds keeps the process there, so the moment is certain.

use std::process::{Child, Command, Stdio};

use headwater::postgres::Address;
use headwater::sql::migration::{Reach, Script, StepState};
use headwater::sql::{Database, Migration, MigrationSet, Migrator, PostgresConfig, Value};
use headwater::test::ScratchSchema;
use tokio::sync::oneshot;

use super::place::{Place, schema};

const ROWS: i64 = 2_000;
const STEPS: MigrationSet = MigrationSet {
    capability: "sample",
    steps: &[
        Migration {
            stem: "0001_ground",
            up: Script::Same(
                "create table first (x bigint);
                create table second (x bigint);
                create table third (x bigint);
                create index third_x on third (x);
                create table fourth (x bigint);
                create table many (id bigint primary key, fresh bigint, times bigint not null);
                insert into first select n from generate_series(1, 100) as n;
                insert into many select n, null, 0 from generate_series(1, 2000) as n;",
            ),
            down: Script::Same(""),
        },
        Migration {
            stem: "0002_each",
            up: Script::Same(
                "-- transaction: none
-- lock-timeout: 60s
create unique index concurrently if not exists first_by_x on first (x);
alter table second add column if not exists y bigint;
drop index concurrently if exists third_x;
create index concurrently if not exists fourth_by_x on fourth (x);",
            ),
            down: Script::Same(""),
        },
        Migration {
            stem: "0003_fill",
            up: Script::Same(
                "-- phase: backfill
-- batch: many by id size 50
-- lock-timeout: 60s
update many set fresh = id + 1, times = times + 1 where id between $1 and $2;",
            ),
            down: Script::Same(""),
        },
    ],
};

/// Names the schema on which the process works that is to be killed.
const SCHEMA: &str = "HEADWATER_KILLED_SCHEMA";

fn migrator(database: Database) -> Migrator {
    Migrator::only(database, [STEPS])
}

/// What a run that nobody disturbs makes of a schema; and, in a process of its own, the run
/// that is killed.
#[tokio::test]
async fn a_run_that_nobody_disturbs_does_every_step() {
    let (scratch, address) = match std::env::var(SCHEMA) {
        Ok(schema) => (None, address_of(&schema)),
        Err(_) => {
            let scratch = ScratchSchema::new().unwrap();
            let address = scratch.address().clone();
            (Some(scratch), address)
        }
    };
    let database = PostgresConfig::at(address).open().unwrap();
    migrator(database.clone()).advance(&Reach::all()).await.unwrap();
    assert_done(&database).await;
    drop(scratch);
}

fn address_of(schema: &str) -> Address {
    let server: Address = std::env::var("DATABASE_URL").unwrap().parse().unwrap();
    server.with_schema(schema).unwrap().with_application_name(&killed(schema))
}

/// What the sessions of the killed process are called.
fn killed(schema: &str) -> String {
    format!("killed_{schema}")
}

/// Checks that every step is done and every row was filled once.
async fn assert_done(database: &Database) {
    let status = migrator(database.clone()).status().await.unwrap();
    assert!(status.iter().all(|step| step.state == StepState::Done), "{status:?}");
    let sql = "select count(*) from many where times = 1 and fresh = id + 1";
    assert_eq!(database.read(sql, vec![]).await.unwrap().rows, [[Value::Int(ROWS)]]);
}

/// Starts this test binary again, as a process that runs the steps on the schema.
fn start(schema: &str) -> Child {
    let test = "readside::kill::a_run_that_nobody_disturbs_does_every_step";
    let mut program = Command::new(std::env::current_exe().unwrap());
    program.args(["--exact", test, "--nocapture"]).env(SCHEMA, schema);
    program.stdout(Stdio::null()).spawn().unwrap()
}

/// Holds a lock until the sender is dropped.
async fn hold(database: &Database, sql: &'static str) -> oneshot::Sender<()> {
    let (held, is_held) = oneshot::channel();
    let (go, may_go) = oneshot::channel::<()>();
    let database = database.clone();
    tokio::spawn(async move {
        let work = move |tx: &mut dyn headwater::sql::TxEngine| {
            tx.run_script(sql)?;
            held.send(()).unwrap();
            drop(may_go.blocking_recv());
            Ok(())
        };
        database.write(work).await
    });
    is_held.await.unwrap();
    go
}

/// Counts the sessions of the killed process, or those of them that wait for a lock.
async fn sessions(database: &Database, schema: &str, condition: &str) -> i64 {
    let sql = format!(
        "select count(*) from pg_stat_activity where application_name = $1 and {condition}"
    );
    let rows = database.read(&sql, vec![Value::Text(killed(schema))]).await.unwrap().rows;
    rows[0][0].as_int().unwrap()
}

/// How the server learns that the process is gone.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Death {
    /// When it next writes to it: the statement goes on and may even be done.
    Late,
    /// Before the statement goes on: it is never done.
    Early,
}

/// Kills a process while it waits for the lock, runs the steps again, and compares.
async fn kill_at(lock: &'static str, death: Death, wanted: &[Vec<Value>]) {
    let place = Place::new();
    let (database, name) = (place.open(), place.scratch.address().schema().to_owned());
    migrator(database.clone()).advance(&Reach::all().to("sample", 1)).await.unwrap();
    let go = hold(&database, lock).await;
    let mut process = start(&name);
    while sessions(&database, &name, "wait_event_type = 'Lock'").await == 0 {
        assert!(process.try_wait().unwrap().is_none(), "{lock}: it ended by itself");
    }
    process.kill().unwrap();
    process.wait().unwrap();
    let status = migrator(database.clone()).status().await.unwrap();
    let unfinished = status.iter().filter(|step| step.state == StepState::Unfinished).count();
    assert_eq!(unfinished, 1, "{lock}: {status:?}");
    if death == Death::Early {
        let end = "select pg_terminate_backend(pid) from pg_stat_activity
            where application_name = ";
        place.scratch.run(&format!("{end}'{}'", killed(&name))).unwrap();
        while sessions(&database, &name, "true").await > 0 {}
    }
    drop(go);
    migrator(place.open()).advance(&Reach::all()).await.unwrap();
    assert_done(&database).await;
    assert_eq!(strip(schema(&database).await, &name), wanted, "{lock} {death:?}");
}

/// Takes the name of the schema out of its description.
fn strip(rows: Vec<Vec<Value>>, schema: &str) -> Vec<Vec<Value>> {
    let strip = |value: Value| match value {
        Value::Text(text) => Value::Text(text.replace(schema, "schema")),
        other => other,
    };
    rows.into_iter().map(|row| row.into_iter().map(strip).collect()).collect()
}

/// The schema after a run that nobody disturbs.
async fn undisturbed() -> Vec<Vec<Value>> {
    let place = Place::new();
    let database = place.open();
    migrator(database.clone()).advance(&Reach::all()).await.unwrap();
    strip(schema(&database).await, place.scratch.address().schema())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_killed_in_any_statement_of_a_step_leaves_what_the_next_run_finishes() {
    let wanted = undisturbed().await;
    for lock in ["lock table first", "lock table second", "lock table third", "lock table fourth"] {
        for death in [Death::Late, Death::Early] {
            kill_at(lock, death, &wanted).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_killed_in_a_part_of_a_backfill_has_done_the_parts_before_and_none_by_half() {
    let wanted = undisturbed().await;
    for lock in [
        "select from many where id = 1 for update",
        "select from many where id = 1200 for update",
        "select from many where id = 2000 for update",
    ] {
        for death in [Death::Late, Death::Early] {
            kill_at(lock, death, &wanted).await;
        }
    }
}

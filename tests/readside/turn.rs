//! Migrations on a server: one runner at a time, steps without a transaction, bounded locks.

use headwater::sql::migration::{NODES, Reach, Script, StepState};
use headwater::sql::{Database, Migration, MigrationError, MigrationSet, Migrator, Value};
use tokio::sync::oneshot;

use super::place::{Place, schema};

/// A table, and a function that ends the session where the test says.
const GROUND: Migration = Migration {
    stem: "0001_ground",
    up: Script::Same(
        "create table things (x bigint);
        create table fate (number bigint);
        create function meet(n bigint) returns void language plpgsql as $$
        begin
            if exists (select from fate where number = n) then
                perform pg_terminate_backend(pg_backend_pid());
            end if;
        end $$",
    ),
    down: Script::Same("drop function meet; drop table fate; drop table things"),
};
const INDEXES: Migration = Migration {
    stem: "0002_indexes",
    up: Script::Same(
        "-- transaction: none
-- lock-timeout: 20s
select meet(0);
create unique index concurrently if not exists things_by_x on things (x);
select meet(1);
alter table things add column if not exists y bigint;
select meet(2);
create index concurrently if not exists things_by_y on things (y);
select meet(3);",
    ),
    down: Script::Same(
        "-- transaction: none
-- lock-timeout: 20s
select meet(0);
drop index concurrently if exists things_by_y;
select meet(1);
alter table things drop column if exists y;
select meet(2);
drop index concurrently if exists things_by_x;
select meet(3);",
    ),
};
const COLUMN: Migration = Migration {
    stem: "0002_column",
    up: Script::Same("-- lock-timeout: 200ms\nalter table things add column y bigint"),
    down: Script::Same("alter table things drop column y"),
};
const PATIENT: Migration = Migration {
    up: Script::Same("-- lock-timeout: 60s\nalter table things add column y bigint"),
    ..COLUMN
};

fn migrator(database: &Database, steps: &'static [Migration]) -> Migrator {
    Migrator::only(database.clone(), [MigrationSet { capability: "sample", steps }])
}

async fn grounded() -> (Place, Database) {
    let place = Place::new();
    let database = place.open();
    migrator(&database, &[GROUND]).up().await.unwrap();
    (place, database)
}

/// Reads the table in a transaction that ends when the sender is used.
async fn hold(database: &Database) -> oneshot::Sender<()> {
    let (begun, has_begun) = oneshot::channel();
    let (go, may_go) = oneshot::channel::<()>();
    let reader = database.clone();
    tokio::spawn(async move {
        let work = move |tx: &mut dyn headwater::sql::TxEngine| {
            let rows = tx.query("select count(*) from things", &[]);
            begun.send(()).unwrap();
            drop(may_go.blocking_recv());
            rows
        };
        reader.inspect(work).await
    });
    has_begun.await.unwrap();
    go
}

/// Runs a statement in a transaction that ends when the sender is used.
async fn hold_after(database: &Database, statement: &'static str) -> oneshot::Sender<()> {
    let (begun, has_begun) = oneshot::channel();
    let (go, may_go) = oneshot::channel::<()>();
    let writer = database.clone();
    tokio::spawn(async move {
        let work = move |tx: &mut dyn headwater::sql::TxEngine| {
            tx.run_script(statement)?;
            begun.send(()).unwrap();
            drop(may_go.blocking_recv());
            Ok(())
        };
        writer.write(work).await
    });
    has_begun.await.unwrap();
    go
}

/// Waits until somebody waits for the table.
async fn queued(database: &Database) {
    let sql = "select count(*) from pg_locks
        where not granted and relation = 'things'::regclass";
    while database.read(sql, vec![]).await.unwrap().rows == [[Value::Int(0)]] {}
}

#[tokio::test]
async fn a_change_that_waits_for_a_reader_lets_later_readers_through() {
    let (_place, database) = grounded().await;
    let go = hold(&database).await;
    let change = migrator(&database, &[GROUND, COLUMN]);
    let change = tokio::spawn(async move { change.up().await });
    queued(&database).await;
    // The first reader still reads, so only the time-out of the change lets this one pass.
    database.read("select count(*) from things", vec![]).await.unwrap();
    go.send(()).unwrap();
    assert_eq!(change.await.unwrap().unwrap(), 1);
}

#[tokio::test]
async fn a_runner_that_has_waited_long_enough_is_told_who_is_at_work() {
    let (place, database) = grounded().await;
    let go = hold(&database).await;
    let other = place.open();
    let first = migrator(&database, &[GROUND, PATIENT]);
    let first = tokio::spawn(async move { first.up().await });
    queued(&database).await;
    let second = migrator(&other, &[GROUND, PATIENT]).waiting(std::time::Duration::ZERO);
    let error = second.up().await.unwrap_err();
    assert!(matches!(error, MigrationError::Busy { .. }), "{error}");
    let text = error.to_string();
    let own = format!("are being run by process {} on ", std::process::id());
    assert!(text.contains(&own) && text.contains(", session "), "{text}");
    // Who has nothing to do waits for nobody.
    assert_eq!(migrator(&other, &[GROUND]).up().await.unwrap(), 0);
    go.send(()).unwrap();
    assert_eq!(first.await.unwrap().unwrap(), 1);
}

#[tokio::test]
async fn a_step_without_a_transaction_goes_on_after_a_kill_at_every_statement() {
    let (place, database) = grounded().await;
    let migrator = migrator(&database, &[GROUND, INDEXES]);
    let before = schema(&database).await;
    migrator.up().await.unwrap();
    let after = schema(&database).await;
    for number in 0..4 {
        for (is_up, wanted) in [(false, &before), (true, &after)] {
            place.scratch.run(&format!("insert into fate values ({number})")).unwrap();
            let killed = run(&migrator, is_up).await.unwrap_err();
            assert!(matches!(killed, MigrationError::Failed { .. }), "{killed}");
            let state = migrator.status().await.unwrap()[1].state;
            let unfinished = [StepState::UnfinishedDown, StepState::Unfinished];
            assert_eq!(state, unfinished[usize::from(is_up)], "{number}");
            place.scratch.run("delete from fate").unwrap();
            assert_eq!(run(&migrator, is_up).await.unwrap(), 1, "{number}");
            assert_eq!(&schema(&database).await, wanted, "{number}");
        }
    }
}

#[tokio::test]
async fn a_program_that_comes_while_a_step_is_undone_refuses() {
    let (place, database) = grounded().await;
    let migrator = migrator(&database, &[GROUND, INDEXES]);
    migrator.up().await.unwrap();
    place.scratch.run("insert into fate values (1)").unwrap();
    let killed = migrator.down("sample", 1).await.unwrap_err();
    assert!(matches!(killed, MigrationError::Failed { .. }), "{killed}");
    let error = migrator.check().await.unwrap_err();
    assert!(matches!(error, MigrationError::Pending { .. }), "{error}");
}

async fn run(migrator: &Migrator, is_up: bool) -> Result<usize, MigrationError> {
    match is_up {
        true => migrator.up().await,
        false => migrator.down("sample", 1).await,
    }
}

#[tokio::test]
async fn an_index_that_was_left_invalid_is_made_anew() {
    let (place, database) = grounded().await;
    let migrator = migrator(&database, &[GROUND, INDEXES]);
    place.scratch.run("insert into things values (1), (1)").unwrap();
    let error = migrator.up().await.unwrap_err();
    assert!(error.to_string().contains("could not create unique index"), "{error}");
    assert_eq!(migrator.status().await.unwrap()[1].state, StepState::Unfinished);
    assert_eq!(invalid(&database).await, 1);
    place.scratch.run("delete from things").unwrap();
    assert_eq!(migrator.up().await.unwrap(), 1);
    assert_eq!(invalid(&database).await, 0);
    let refused = place.scratch.run("insert into things values (1), (1)").unwrap_err();
    assert!(refused.to_string().contains("things_by_x"), "{refused}");
}

async fn invalid(database: &Database) -> i64 {
    let sql = "select count(*) from pg_index as i join pg_class as c on c.oid = i.indexrelid
        where not i.indisvalid and c.relnamespace = current_schema()::regnamespace";
    database.read(sql, vec![]).await.unwrap().rows[0][0].as_int().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runners_at_once_wait_for_a_step_without_a_transaction() {
    let (place, _database) = grounded().await;
    let runners: Vec<_> = (0..3)
        .map(|_| {
            let migrator = migrator(&place.open(), &[GROUND, INDEXES]);
            tokio::spawn(async move { migrator.up().await })
        })
        .collect();
    let mut done = 0;
    for runner in runners {
        done += runner.await.unwrap().unwrap();
    }
    assert_eq!(done, 1);
}

#[tokio::test]
async fn the_next_runner_has_its_turn_when_the_session_of_a_killed_one_ends() {
    let (place, database) = grounded().await;
    let go = hold(&database).await;
    let killed = place.open();
    let first = migrator(&killed, &[GROUND, PATIENT]);
    let first = tokio::spawn(async move { first.up().await });
    queued(&database).await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    // The reader stays, so that the change cannot have been done before its session ends.
    let end = "select count(pg_terminate_backend(pid, 5000)) from pg_locks
        where not granted and relation = 'things'::regclass";
    assert_eq!(database.read(end, vec![]).await.unwrap().rows, [[Value::Int(1)]]);
    drop(go);
    let second = migrator(&place.open(), &[GROUND, PATIENT]);
    assert_eq!(second.up().await.unwrap(), 1);
    assert_eq!(second.status().await.unwrap()[1].state, StepState::Done);
}

#[test]
fn a_runner_needs_neither_the_network_nor_the_clock_of_its_caller() {
    let place = Place::new();
    let database = place.open();
    let bare = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let migrator = migrator(&database, &[GROUND, INDEXES]);
    assert_eq!(bare.block_on(migrator.up()).unwrap(), 2);
    assert_eq!(bare.block_on(migrator.down("sample", 0)).unwrap(), 2);
}

#[tokio::test]
async fn a_program_that_comes_while_a_contract_step_waits_keeps_it_from_being_done() {
    const DROP: Migration = Migration {
        stem: "0002_drop",
        up: Script::Same(
            "-- phase: contract\n-- lock-timeout: 60s\nalter table things drop column x",
        ),
        down: Script::Same("alter table things add column x bigint"),
    };
    let (place, database) = grounded().await;
    let set = MigrationSet { capability: "sample", steps: &[GROUND, DROP] };
    let migrator = Migrator::only(place.open(), [NODES, set]);
    migrator.up().await.unwrap();
    let before = schema(&database).await;
    let go = hold(&database).await;
    let contract = tokio::spawn(async move { migrator.advance(&Reach::all()).await });
    queued(&database).await;
    let node = r#"insert into nodes values ('n', 'web-1', '0.7.0', null, 0, 9000000000000, 20000,
        '{"sample": 1}', '{}')"#;
    place.scratch.run(node).unwrap();
    go.send(()).unwrap();
    let error = contract.await.unwrap().unwrap_err();
    assert!(matches!(error, MigrationError::InUse { .. }), "{error}");
    assert_eq!(schema(&database).await, before);
}

#[tokio::test]
async fn a_step_that_takes_nothing_away_waits_for_no_heartbeat() {
    let (place, database) = grounded().await;
    let set = MigrationSet { capability: "sample", steps: &[GROUND, COLUMN] };
    let migrator = Migrator::only(place.open(), [NODES, set]);
    migrator.advance(&Reach::all().to("nodes", 1)).await.unwrap();
    let node = "insert into nodes values ('n', 'n', '1', null, 0, 0, 0, '{}', '{}')";
    let go = hold_after(&database, node).await;
    assert_eq!(migrator.up().await.unwrap(), 1);
    go.send(()).unwrap();
}

#[tokio::test]
async fn a_runner_behind_a_step_whose_runner_lost_its_turn_is_told_so_in_time() {
    let (place, database) = grounded().await;
    let sign = "insert into schema_migrations_lock values (1, 'lost', 'process 1 on gone', 'noon')";
    place.scratch.run(sign).unwrap();
    let step = "update schema_migrations_lock set since = since where token = 'lost'";
    let go = hold_after(&database, step).await;
    let patience = std::time::Duration::from_millis(300);
    let migrator = migrator(&place.open(), &[GROUND, COLUMN]).waiting(patience);
    let error = migrator.up().await.unwrap_err();
    assert!(matches!(error, MigrationError::Busy { .. }), "{error}");
    assert!(error.to_string().contains("run by process 1 on gone since noon"), "{error}");
    go.send(()).unwrap();
}

#[tokio::test]
async fn a_step_behind_one_that_a_runner_is_about_to_do_waits_for_that_runner() {
    const FILL: Migration = Migration {
        stem: "0002_fill",
        up: Script::Same(
            "-- phase: backfill\n-- batch: things by x\nupdate things set x = x where x between \
             $1 and $2",
        ),
        down: Script::Same(""),
    };
    const LATER: Migration = Migration { stem: "0003_column", ..COLUMN };
    let (place, database) = grounded().await;
    place.scratch.run("insert into things values (1)").unwrap();
    let (told, is_told) = oneshot::channel();
    let (go, may_go) = std::sync::mpsc::channel::<()>();
    let once = std::sync::Mutex::new(Some((told, may_go)));
    let operator = migrator(&place.open(), &[GROUND, FILL, LATER]).observed(move |_| {
        if let Some((told, may_go)) = once.lock().unwrap().take() {
            told.send(()).unwrap();
            let _ = may_go.recv();
        }
    });
    let operator = tokio::spawn(async move { operator.advance(&Reach::all()).await });
    is_told.await.unwrap();
    let start = migrator(&place.open(), &[GROUND, FILL, LATER]);
    let start = tokio::spawn(async move { start.up().await });
    let asking = "select 1 from pg_stat_activity where query like 'select pg_try_advisory_lock%'
        and application_name = current_setting('application_name')";
    while database.read(asking, vec![]).await.unwrap().rows.is_empty() {
        assert!(!start.is_finished(), "{:?}", start.await);
    }
    go.send(()).unwrap();
    assert_eq!((operator.await.unwrap().unwrap(), start.await.unwrap().unwrap()), (2, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_for_a_row_makes_neither_the_parts_smaller_nor_the_rests_longer() {
    const FILL: Migration = Migration {
        stem: "0002_fill",
        up: Script::Same(
            "-- phase: backfill\n-- batch: things by x size 10\nupdate things set x = x where x \
             between $1 and $2",
        ),
        down: Script::Same(""),
    };
    let (place, database) = grounded().await;
    place.scratch.run("insert into things select generate_series(1, 100)").unwrap();
    let go = hold_after(&database, "update things set x = x where x = 1").await;
    let seen: std::sync::Arc<std::sync::Mutex<Vec<u64>>> = std::sync::Arc::default();
    let own = seen.clone();
    let migrator = migrator(&place.open(), &[GROUND, FILL])
        .observed(move |progress| own.lock().unwrap().push(progress.rows));
    let run = tokio::spawn(async move { migrator.advance(&Reach::all()).await });
    // The second attempt begins when the first has waited for its whole half second.
    attempts(&database, 2).await;
    go.send(()).unwrap();
    run.await.unwrap().unwrap();
    // Counted as work, half a second would halve the part.
    let rows = seen.lock().unwrap().clone();
    assert!(rows[1] == 10 && rows[2] > 15, "{rows:?}");
}

/// Waits until so many attempts have waited for a row.
async fn attempts(database: &Database, count: usize) {
    let sql = "select xact_start::text from pg_stat_activity where wait_event_type = 'Lock'
        and application_name = current_setting('application_name')";
    let mut seen = std::collections::BTreeSet::new();
    while seen.len() < count {
        let rows = database.read(sql, vec![]).await.unwrap().rows;
        seen.extend(rows.iter().map(|row| format!("{row:?}")));
    }
}

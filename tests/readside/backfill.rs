//! Backfills in parts: all rows once, resumed where they stopped, beside the program's own work.

use std::sync::{Arc, Mutex};

use headwater::sql::migration::{MigrationProgress, Reach, Script, StepState};
use headwater::sql::{Database, Migration, MigrationError, MigrationSet, Migrator, Value};

use super::place::Place;

const ROWS: i64 = 2_500;
const GROUND: Migration = Migration {
    stem: "0001_ground",
    up: Script::Same(
        "create table things (id bigint not null primary key, old bigint, fresh bigint,
            times bigint not null default 0)",
    ),
    down: Script::Same("drop table things"),
};
const FILL: Migration = Migration {
    stem: "0002_fill",
    up: Script::Same(
        "-- Why: a test.
-- phase: backfill
-- batch: things by id size 7
update things set fresh = old + 1, times = times + 1 where id between $1 and $2;",
    ),
    down: Script::Same(
        "-- phase: backfill
-- batch: things by id size 500
update things set fresh = null, times = 0 where id between $1 and $2",
    ),
};
const LATER: Migration = Migration {
    stem: "0003_later",
    up: Script::Same("alter table things add column later bigint"),
    down: Script::Same("alter table things drop column later"),
};

fn migrator(database: &Database, steps: &'static [Migration]) -> Migrator {
    Migrator::only(database.clone(), [MigrationSet { capability: "sample", steps }])
}

async fn fill(database: &Database, ids: impl IntoIterator<Item = i64>) {
    let rows = ids.into_iter().flat_map(|id| [Value::Int(id), Value::Int(10 * id)]);
    let values: Vec<Value> = rows.collect();
    let work = move |tx: &mut dyn headwater::sql::TxEngine| {
        let insert = "insert into things (id, old) values ($1, $2)";
        tx.execute_many(insert, 2, &mut values.iter().map(Value::borrow))
    };
    database.write(work).await.unwrap();
}

async fn grounded() -> (Place, Database) {
    let place = Place::new();
    let database = place.open();
    migrator(&database, &[GROUND]).up().await.unwrap();
    // With gaps and below zero, so that keys are no numbers of rows.
    fill(&database, (0..ROWS).map(|n| 3 * n - 100)).await;
    (place, database)
}

/// How many rows were filled rightly, and the most and the fewest times one was.
async fn filled(database: &Database) -> [i64; 3] {
    let sql = "select sum(case when fresh = old + 1 then 1 else 0 end), max(times), min(times)
        from (select cast(fresh as bigint) as fresh, old, times from things) as t";
    let rows = database.read(sql, vec![]).await.unwrap().rows;
    [0, 1, 2].map(|at| rows[0][at].as_int().unwrap())
}

#[tokio::test]
async fn a_backfill_in_parts_fills_every_row_once_and_is_undone_alike() {
    let (_place, database) = grounded().await;
    let migrator = migrator(&database, &[GROUND, FILL]);
    assert_eq!(migrator.advance(&Reach::all()).await.unwrap(), 1);
    assert_eq!(filled(&database).await, [ROWS, 1, 1]);
    assert_eq!(migrator.status().await.unwrap()[1].state, StepState::Done);
    assert_eq!(migrator.down("sample", 1).await.unwrap(), 1);
    assert_eq!(filled(&database).await, [0, 0, 0]);
}

#[tokio::test]
async fn a_backfill_tells_how_far_it_is_in_parts_that_grow() {
    let (_place, database) = grounded().await;
    let seen: Arc<Mutex<Vec<MigrationProgress>>> = Arc::default();
    let own = Arc::clone(&seen);
    let migrator = migrator(&database, &[GROUND, FILL])
        .observed(move |progress| own.lock().unwrap().push(progress.clone()));
    migrator.advance(&Reach::all()).await.unwrap();
    let rows: Vec<u64> = seen.lock().unwrap().iter().map(|progress| progress.rows).collect();
    assert_eq!(rows[..2], [0, 7]);
    assert_eq!(rows.last(), Some(&(ROWS as u64)));
    assert!(rows.windows(2).all(|pair| pair[0] < pair[1]), "{rows:?}");
    assert!(rows.len() < 200, "parts did not grow: {rows:?}");
    assert!(seen.lock().unwrap().iter().all(|it| it.rows_total == ROWS as u64));
}

/// Runs a backfill up to its second part, where the run is dropped as a kill would.
async fn stopped(place: &Place) {
    let (told, is_told) = tokio::sync::oneshot::channel();
    let told = Mutex::new(Some(told));
    let (go, may_go) = std::sync::mpsc::channel::<()>();
    let may_go = Mutex::new(may_go);
    let migrator = migrator(&place.open(), &[GROUND, FILL]).observed(move |progress| {
        if progress.rows >= 21
            && let Some(told) = told.lock().unwrap().take()
        {
            told.send(()).unwrap();
            let _ = may_go.lock().unwrap().recv();
        }
    });
    let run = tokio::spawn(async move { migrator.advance(&Reach::all()).await });
    is_told.await.unwrap();
    run.abort();
    assert!(run.await.unwrap_err().is_cancelled());
    drop(go);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backfill_goes_on_where_a_dropped_run_stopped() {
    let (place, database) = grounded().await;
    stopped(&place).await;
    let migrator = migrator(&database, &[GROUND, FILL]);
    let status = migrator.status().await.unwrap().remove(1);
    assert_eq!(status.state, StepState::Unfinished);
    let (rows, total) = status.rows.unwrap();
    assert!(rows >= 21 && rows < total && total == ROWS as u64, "{status:?}");
    assert_eq!(migrator.advance(&Reach::all()).await.unwrap(), 1);
    assert_eq!(filled(&database).await, [ROWS, 1, 1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_half_done_backfill_is_undone_as_a_whole() {
    let (place, database) = grounded().await;
    stopped(&place).await;
    let migrator = migrator(&database, &[GROUND, FILL]);
    assert_eq!(migrator.down("sample", 1).await.unwrap(), 1);
    assert_eq!(filled(&database).await, [0, 0, 0]);
    assert_eq!(migrator.advance(&Reach::all()).await.unwrap(), 1);
    assert_eq!(filled(&database).await, [ROWS, 1, 1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_half_done_backfill_with_a_corrected_text_begins_anew() {
    const CORRECTED: Migration = Migration {
        up: Script::Same(
            "-- phase: backfill
-- batch: things by id
update things set fresh = old + 1, times = 5 where id between $1 and $2;",
        ),
        ..FILL
    };
    let (place, database) = grounded().await;
    stopped(&place).await;
    migrator(&database, &[GROUND, CORRECTED]).advance(&Reach::all()).await.unwrap();
    assert_eq!(filled(&database).await, [ROWS, 5, 5]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_come_behind_the_end_keep_no_backfill_from_ending() {
    let (place, database) = grounded().await;
    stopped(&place).await;
    fill(&database, [1_000_000, 1_000_001]).await;
    migrator(&database, &[GROUND, FILL]).advance(&Reach::all()).await.unwrap();
    assert_eq!(filled(&database).await, [ROWS, 1, 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_three_runners_of_a_backfill_none_fails_and_no_row_is_filled_twice() {
    let (place, database) = grounded().await;
    let runners: Vec<_> = (0..3)
        .map(|_| {
            let migrator = migrator(&place.open(), &[GROUND, FILL]);
            tokio::spawn(async move { migrator.advance(&Reach::all()).await })
        })
        .collect();
    let mut done = 0;
    for runner in runners {
        done += runner.await.unwrap().unwrap();
    }
    assert_eq!((done, filled(&database).await), (1, [ROWS, 1, 1]));
}

#[tokio::test]
async fn an_empty_table_is_filled_at_once_and_by_a_first_start_too() {
    let place = Place::new();
    let database = place.open();
    assert_eq!(migrator(&database, &[GROUND, FILL, LATER]).up().await.unwrap(), 3);
}

#[tokio::test]
async fn a_key_may_be_a_text_and_is_refused_when_it_is_null() {
    const NAMES: Migration = Migration {
        stem: "0001_names",
        up: Script::Same("create table names (name text, is_seen bigint)"),
        down: Script::Same("drop table names"),
    };
    const SEE: Migration = Migration {
        stem: "0002_see",
        up: Script::Same(
            "-- phase: backfill
-- batch: names by name size 2
update names set is_seen = 1 where name between $1 and $2",
        ),
        down: Script::Same(""),
    };
    let database = Place::new();
    let database = database.open();
    let migrator = migrator(&database, &[NAMES, SEE]);
    migrator.advance(&Reach::all().to("sample", 1)).await.unwrap();
    let insert = "insert into names (name) values ('Ann'), ('bob'), ('bob'), ('''; --'), ('éa')";
    database.write(move |tx| tx.run_script(insert)).await.unwrap();
    migrator.advance(&Reach::all()).await.unwrap();
    let left = "select count(*) from names where is_seen is null";
    let left = || async { database.read(left, vec![]).await.unwrap().rows };
    assert_eq!(left().await, [[Value::Int(0)]]);
    migrator.down("sample", 1).await.unwrap();
    let insert = "delete from names; insert into names (name) values (null)";
    database.write(move |tx| tx.run_script(insert)).await.unwrap();
    let error = migrator.advance(&Reach::all()).await.unwrap_err();
    assert!(matches!(error, MigrationError::Failed { .. }), "{error}");
    assert!(error.to_string().contains("column name of names cannot be the key"), "{error}");
}

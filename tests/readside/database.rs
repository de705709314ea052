//! The database: transactions, bounds, faults.

use headwater::sql::{SqlError, Value};
use proptest::prelude::*;
use tokio::sync::oneshot;

use super::fixture::World;
use super::place::Place;

#[tokio::test]
async fn a_write_that_fails_leaves_nothing_behind() {
    let world = World::new();
    let database = world.database().await;
    let failed = database
        .write(|tx| {
            tx.run_script("create table t (x bigint)")?;
            tx.execute("insert into t (y) values ($1)", &[Value::Int(1)])
        })
        .await;
    assert!(matches!(failed, Err(SqlError::Statement { .. })), "{failed:?}");
    assert!(database.read("select * from t", vec![]).await.is_err());
}

#[tokio::test]
async fn a_panic_in_a_write_rolls_back_and_the_writer_goes_on() {
    let world = World::new();
    let database = world.database().await;
    database.write(|tx| tx.run_script("create table t (x bigint)")).await.unwrap();
    let panicked = database
        .write(|tx| {
            tx.execute("insert into t (x) values ($1)", &[Value::Int(1)])?;
            assert!(tx.query("select 1", &[])?.is_empty(), "a mistake");
            Ok(())
        })
        .await;
    assert!(matches!(&panicked, Err(SqlError::Panicked(text)) if text.contains("a mistake")));
    database.write(|tx| tx.execute("insert into t (x) values (2)", &[])).await.unwrap();
    let rows = database.read("select x from t", vec![]).await.unwrap();
    assert_eq!((rows.columns, rows.rows), (vec!["x".to_owned()], vec![vec![Value::Int(2)]]));
}

#[tokio::test]
async fn placeholders_are_bound_by_number_in_whatever_order_they_stand() {
    let world = World::new();
    let database = world.database().await;
    let values = vec![Value::Text("a".into()), Value::Text("b".into())];
    let rows = database.read("select $2, $1, $2", values.clone()).await.unwrap().rows;
    let text = |text: &str| Value::Text(text.into());
    assert_eq!(rows, [[text("b"), text("a"), text("b")]]);
    for wrong in ["select $3, $2, $1", "select $2", "select ?"] {
        let error = database.read(wrong, values.clone()).await.unwrap_err();
        assert!(matches!(error, SqlError::Statement { .. }), "{wrong}: {error}");
    }
}

#[tokio::test]
async fn past_the_bound_of_waiting_writes_the_caller_is_refused() {
    let place = Place::new();
    let database = place.open_narrow();
    let (busy, is_busy) = oneshot::channel();
    let (go, may_go) = oneshot::channel::<()>();
    let slow = database.clone();
    let slow = tokio::spawn(async move {
        let work = move |_: &mut dyn headwater::sql::TxEngine| {
            busy.send(()).unwrap();
            may_go.blocking_recv().unwrap();
            Ok(())
        };
        slow.write(work).await
    });
    is_busy.await.unwrap();
    let (mut waiting, mut refused) = (Box::pin(database.write(|_| Ok(()))), None);
    assert!(futures_util::poll!(&mut waiting).is_pending());
    refused.replace(database.write(|_| Ok(())).await);
    assert!(matches!(refused, Some(Err(SqlError::Overloaded { waiting: 1 }))));
    go.send(()).unwrap();
    waiting.await.unwrap();
    slow.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_reader_sees_one_state_however_much_is_written_meanwhile() {
    let world = World::new();
    let database = world.database().await;
    database.write(|tx| tx.run_script("create table t (x bigint)")).await.unwrap();
    let (begun, has_begun) = oneshot::channel();
    let (go, may_go) = oneshot::channel::<()>();
    let reader = database.clone();
    let count = tokio::spawn(async move {
        let work = move |tx: &mut dyn headwater::sql::TxEngine| {
            let before = tx.query("select count(*) from t", &[])?;
            begun.send(()).unwrap();
            may_go.blocking_recv().unwrap();
            Ok::<_, SqlError>((before, tx.query("select count(*) from t", &[])?))
        };
        reader.inspect(work).await
    });
    has_begun.await.unwrap();
    database.write(|tx| tx.execute("insert into t (x) values (1)", &[])).await.unwrap();
    go.send(()).unwrap();
    let (before, after) = count.await.unwrap().unwrap();
    assert_eq!(before, after);
}

#[tokio::test]
async fn a_batch_may_change_the_same_row_many_times() {
    let world = World::new();
    let database = world.database().await;
    let rows = database
        .write(|tx| {
            tx.run_script("create table t (k text not null primary key, n bigint not null)")?;
            let upsert = "insert into t (k, n) values ($1, $2)
                on conflict (k) do update set n = 10 * t.n + excluded.n";
            let keys = ["a", "b", "a", "c", "d", "e", "f", "a", "b", "g", "h", "i"];
            let values = (1..).zip(keys).flat_map(|(n, key)| {
                [Value::Text(key.into()).into(), headwater::sql::ValueRef::Int(n)]
            });
            assert_eq!(tx.execute_many(upsert, 2, &mut values.into_iter())?, 12);
            tx.query("select k, n from t where k < 'd' order by k", &[])
        })
        .await
        .unwrap();
    let row = |key: &str, n| vec![Value::Text(key.into()), Value::Int(n)];
    assert_eq!(rows, [row("a", 138), row("b", 29), row("c", 4)]);
}

#[tokio::test]
async fn many_statements_of_any_kind_run_in_their_order() {
    let world = World::new();
    let database = world.database().await;
    let rows = database
        .write(|tx| {
            tx.run_script("create table t (k bigint not null primary key, n text)")?;
            let mut values = (0..5_000_i64).map(headwater::sql::ValueRef::Int);
            tx.execute_many("insert into t (k, n) values ($1, '')", 1, &mut values)?;
            let mut values = (0..300_i64).map(|n| headwater::sql::ValueRef::Int(n % 3));
            let append = "update t set n = n || '.' where k >= $1 and k < 3";
            assert_eq!(tx.execute_many(append, 1, &mut values)?, 600);
            tx.query("select k, length(n) from t where k < 4 order by k", &[])
        })
        .await
        .unwrap();
    let row = |k, n| vec![Value::Int(k), Value::Int(n)];
    assert_eq!(rows, [row(0, 100), row(1, 200), row(2, 300), row(3, 0)]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(Place::CASES))]
    #[test]
    fn every_value_comes_back_as_it_was_written(
        number in any::<i64>(), text in "\\PC*", bytes in any::<Vec<u8>>(), real in -1e300..1e300
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let place = Place::new();
        let database = place.open();
        let values = vec![
            Value::Int(number), Value::Text(text), Value::Bytes(bytes), Value::Real(real),
            Value::Null,
        ];
        let written = values.clone();
        let write = database.write(move |tx| {
            tx.run_script(
                "create table t (a bigint, b text, c bytea, d double precision, e text)",
            )?;
            tx.execute("insert into t values ($1, $2, $3, $4, $5)", &written)
        });
        runtime.block_on(write).unwrap();
        let read = database.read("select * from t", vec![]);
        prop_assert_eq!(runtime.block_on(read).unwrap().rows, vec![values]);
    }
}

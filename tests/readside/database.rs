//! The database: transactions, bounds, faults.

use headwater::sql::{OpenError, SqlError, SqliteConfig, Value};
use proptest::prelude::*;
use tempfile::TempDir;
use tokio::sync::oneshot;

use super::fixture::World;

#[tokio::test]
async fn a_write_that_fails_leaves_nothing_behind() {
    let database = World::new().database().await;
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
    let database = World::new().database().await;
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
    let folder = TempDir::new().unwrap();
    let config =
        SqliteConfig { waiting_writes_max: 1, ..SqliteConfig::at(folder.path().join("d")) };
    let database = config.open().unwrap();
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
    let database = World::new().database().await;
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

#[test]
fn a_file_of_another_program_is_refused_and_left_as_it_is() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("notes.txt");
    std::fs::write(&path, "shopping list, long enough to be no header of a database".repeat(40))
        .unwrap();
    let before = std::fs::read(&path).unwrap();
    let error = SqliteConfig::at(&path).open().err().unwrap();
    assert!(matches!(error, OpenError::Foreign { .. }), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
    let other = folder.path().join("other.db");
    let connection = rusqlite::Connection::open(&other).unwrap();
    connection.execute_batch("create table theirs (x)").unwrap();
    drop(connection);
    let error = SqliteConfig::at(&other).open().err().unwrap();
    assert!(matches!(error, OpenError::Foreign { .. }), "{error}");
}

#[test]
fn a_folder_that_is_a_file_is_a_clear_error() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("data"), "").unwrap();
    let error = SqliteConfig::at(folder.path().join("data/read.db")).open().err().unwrap();
    assert!(error.to_string().contains("data/read.db cannot be opened"), "{error}");
}

#[tokio::test]
async fn a_write_while_another_process_holds_the_file_says_so() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("read.db");
    let config = SqliteConfig { busy_timeout_ms: 1, ..SqliteConfig::at(&path) };
    let database = config.open().unwrap();
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("begin immediate").unwrap();
    let error = database.write(|_| Ok(())).await.unwrap_err();
    assert!(error.to_string().contains("locked by another process"), "{error}");
    other.execute_batch("rollback").unwrap();
    database.write(|_| Ok(())).await.unwrap();
}

#[tokio::test]
async fn a_full_disk_is_told_and_the_transaction_undone() {
    let database = World::new().database().await;
    let work = |tx: &mut dyn headwater::sql::TxEngine| {
        tx.run_script("create table t (x text)")?;
        tx.run_script("pragma max_page_count = 40")?;
        let bytes = [Value::Bytes(vec![7; 1 << 20])];
        tx.execute("insert into t (x) values ($1)", &bytes)
    };
    let error = database.write(work).await.unwrap_err();
    assert!(matches!(&error, SqlError::DiskFull { path } if path.ends_with("read.db")), "{error}");
    assert!(database.read("select * from t", vec![]).await.is_err());
}

proptest! {
    #[test]
    fn every_value_comes_back_as_it_was_bound(
        number in any::<i64>(), text in "\\PC*", bytes in any::<Vec<u8>>(), real in -1e300..1e300
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let folder = TempDir::new().unwrap();
        let database = SqliteConfig::at(folder.path().join("d")).open().unwrap();
        let values = vec![
            Value::Int(number), Value::Text(text), Value::Bytes(bytes), Value::Real(real),
            Value::Null,
        ];
        let read = database.read("select $1, $2, $3, $4, $5", values.clone());
        prop_assert_eq!(runtime.block_on(read).unwrap().rows, vec![values]);
    }
}

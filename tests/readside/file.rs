//! What can go wrong with a file.

use headwater::sql::{OpenError, SqlError, SqliteConfig, Value};
use tempfile::TempDir;

use super::fixture::World;

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

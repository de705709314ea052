//! What can go wrong with a file.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use headwater::sql::{Database, OpenError, SqlError, SqliteConfig, Value};
use tempfile::TempDir;

use super::fixture::World;

/// Far more than a write takes; past it something is stuck.
const BOUND: Duration = Duration::from_secs(60);

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

/// Adds one to both numbers in one transaction, again and again; tells how often that was done.
async fn count_up(database: &Database, done: &AtomicI64) {
    loop {
        let work = |tx: &mut dyn headwater::sql::TxEngine| {
            tx.execute("update pair set one = one + 1", &[])?;
            tx.execute("update pair set other = other + 1", &[])
        };
        database.write(work).await.unwrap();
        done.fetch_add(1, Ordering::SeqCst);
    }
}

/// Waits until something was written.
async fn first_write(done: &AtomicI64) {
    let start = Instant::now();
    while done.load(Ordering::SeqCst) == 0 {
        assert!(start.elapsed() < BOUND, "nothing was written within {BOUND:?}");
        tokio::task::yield_now().await;
    }
}

async fn pair(path: &std::path::Path) -> [i64; 2] {
    let copy = SqliteConfig::at(path).open().unwrap();
    let rows = copy.read("select one, other from pair", vec![]).await.unwrap().rows;
    [0, 1].map(|column| rows[0][column].as_int().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_the_database_at_one_moment_while_others_write() {
    let folder = TempDir::new().unwrap();
    let config = SqliteConfig::at(folder.path().join("read.db"));
    let database = config.clone().open().unwrap();
    let script = "create table pair (one bigint, other bigint); insert into pair values (0, 0)";
    database.write(move |tx| tx.run_script(script)).await.unwrap();
    let done = std::sync::Arc::new(AtomicI64::new(0));
    let (own, told) = (database.clone(), done.clone());
    let writing = tokio::spawn(async move { count_up(&own, &told).await });
    first_write(&done).await;
    for number in 0..5 {
        let (copy, before) =
            (folder.path().join(format!("{number}.db")), done.load(Ordering::SeqCst));
        let bytes = config.copy_to(&copy).unwrap();
        assert_eq!(bytes, std::fs::metadata(&copy).unwrap().len());
        let [one, other] = pair(&copy).await;
        assert!(one == other && one >= before, "{one} and {other}, after {before}");
    }
    writing.abort();
}

#[test]
fn a_copy_that_cannot_be_made_is_told_and_makes_or_replaces_no_file() {
    let folder = TempDir::new().unwrap();
    let (path, copy) = (folder.path().join("read.db"), folder.path().join("copy.db"));
    let config = SqliteConfig::at(&path);
    let told = config.copy_to(&copy).unwrap_err().to_string();
    assert!(told.contains("read.db cannot be copied into") && told.contains("copy.db"), "{told}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    config.clone().open().map(drop).unwrap();
    std::fs::write(&copy, "mine").unwrap();
    assert!(matches!(config.copy_to(&copy), Err(OpenError::NotCopied { .. })));
    assert_eq!(std::fs::read_to_string(&copy).unwrap(), "mine");
}

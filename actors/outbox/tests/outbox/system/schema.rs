//! The outbox's tables, made, taken away and made again.

use headwater::postgres::Address;
use headwater::sql::{Database, Migrator, PostgresConfig, SqliteConfig, Value};
use headwater::test::ScratchSchema;
use headwater_outbox::MIGRATIONS;

const OF_SQLITE: &str = "select name, sql from sqlite_master where name like 'outbox%' order by 1";
const OF_POSTGRES: &str = "select table_name || '.' || column_name, data_type \
    from information_schema.columns where table_schema = current_schema() \
    and table_name like 'outbox%' order by 1";

async fn assert_undone(database: Database, look: &str) {
    let migrator = Migrator::only(database.clone(), [MIGRATIONS]);
    let tables =
        async || -> Vec<Vec<Value>> { database.read(look, Vec::new()).await.unwrap().rows };
    migrator.up().await.unwrap();
    let made = tables().await;
    assert!(!made.is_empty());
    let steps = MIGRATIONS.steps.len();
    assert_eq!(migrator.down(MIGRATIONS.capability, 0).await.unwrap(), steps);
    assert_eq!(tables().await, Vec::<Vec<Value>>::new());
    migrator.up().await.unwrap();
    assert_eq!(tables().await, made);
}

#[tokio::test]
async fn every_step_is_undone_and_done_again_in_sqlite() {
    let dir = tempfile::tempdir().unwrap();
    assert_undone(SqliteConfig::at(dir.path().join("rows.db")).open().unwrap(), OF_SQLITE).await;
}

#[tokio::test]
async fn every_step_is_undone_and_done_again_in_postgres() {
    let scratch = ScratchSchema::new().unwrap();
    let address: Address = scratch.address().clone();
    assert_undone(PostgresConfig::at(address).open().unwrap(), OF_POSTGRES).await;
}

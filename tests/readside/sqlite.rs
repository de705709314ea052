//! A database of SQLite in a folder of its own.

use headwater::sql::{Database, SqliteConfig, Value};
use tempfile::TempDir;

pub struct Place {
    folder: TempDir,
}

impl Place {
    /// How many cases a property is tried with.
    pub const CASES: u32 = 24;
    /// Makes a text the state of all snapshots.
    pub const DAMAGE: &str = "update snapshots set state = x'7b7c'";

    pub fn new() -> Self {
        Self { folder: TempDir::new().unwrap() }
    }

    /// Opens the database; each time as another program would.
    pub fn open(&self) -> Database {
        SqliteConfig::at(self.folder.path().join("read.db")).open().unwrap()
    }

    /// Opens the database with one writer, before which one write may wait.
    pub fn open_narrow(&self) -> Database {
        let path = self.folder.path().join("read.db");
        SqliteConfig { waiting_writes_max: 1, ..SqliteConfig::at(path) }.open().unwrap()
    }
}

/// Everything that makes up the schema, but for the migrator's own table.
pub async fn schema(database: &Database) -> Vec<Vec<Value>> {
    let sql = "select type, name, sql from sqlite_master
        where tbl_name not like 'schema_migrations%' order by 1, 2";
    database.read(sql, vec![]).await.unwrap().rows
}

/// The plan of a query by the owner of a balance.
pub async fn plan(database: &Database) -> String {
    let sql = "explain query plan select key from balances
        where tenant = 'bank' and data -> 'owner' in ('\"odd\"', 'odd')";
    format!("{:?}", database.read(sql, vec![]).await.unwrap().rows)
}

/// The tables whose names begin so.
pub async fn tables(database: &Database, name: &str) -> Vec<String> {
    let sql = "select name from sqlite_master where type = 'table' and name like $1";
    let values = vec![Value::Text(format!("{name}%"))];
    let rows = database.read(sql, values).await.unwrap().rows;
    rows.iter().filter_map(|row| row[0].as_text().map(str::to_owned)).collect()
}

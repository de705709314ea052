//! A database of PostgreSQL: a schema of its own on the server of the tests.

use headwater::sql::{Database, PostgresConfig, Value};
use headwater::test::ScratchSchema;

pub struct Place {
    pub scratch: ScratchSchema,
}

impl Place {
    /// How many cases a property is tried with.
    pub const CASES: u32 = 6;
    /// Makes a text the state of all snapshots.
    pub const DAMAGE: &str = r"update snapshots set state = '\x7b7c'";

    pub fn new() -> Self {
        Self { scratch: ScratchSchema::new().unwrap() }
    }

    /// Opens the database; each time as another program would.
    pub fn open(&self) -> Database {
        self.config().open().unwrap()
    }

    /// Opens the database with one writer, before which one write may wait.
    pub fn open_narrow(&self) -> Database {
        PostgresConfig { waiting_writes_max: 1, writers: 1, ..self.config() }.open().unwrap()
    }

    pub fn config(&self) -> PostgresConfig {
        PostgresConfig::at(self.scratch.address().clone())
    }
}

/// Everything that makes up the schema, but for the migrator's own tables.
pub async fn schema(database: &Database) -> Vec<Vec<Value>> {
    let sql = "with relations as (select oid from pg_class
            where relnamespace = current_schema()::regnamespace
            and relname not like 'schema_migrations%')
        select 'column', table_name::text || '.' || column_name::text,
            data_type::text || ' ' || is_nullable::text || ' ' || (row_number()
                over (partition by table_name order by ordinal_position))::text
        from information_schema.columns where table_schema = current_schema()
            and table_name not like 'schema_migrations%'
        union all select 'index', indexname::text, indexdef from pg_indexes
        where schemaname = current_schema() and tablename not like 'schema_migrations%'
        union all select 'constraint', conrelid::regclass::text || '.' || conname,
            pg_get_constraintdef(oid) from pg_constraint
        where conrelid in (select oid from relations)
        union all select 'trigger', tgrelid::regclass::text || '.' || tgname,
            pg_get_triggerdef(oid) from pg_trigger
        where not tgisinternal and tgrelid in (select oid from relations)
        union all select 'function', proname::text, pg_get_functiondef(oid) from pg_proc
        where pronamespace = current_schema()::regnamespace order by 1, 2";
    database.read(sql, vec![]).await.unwrap().rows
}

/// The plan of a query by the owner of a balance, as if the table were large.
pub async fn plan(database: &Database) -> String {
    let planned = database.write(|tx| {
        tx.run_script("set local enable_seqscan = off; set local enable_bitmapscan = off")?;
        let sql = "explain select key from balances
            where tenant = 'bank' and data ->> 'owner' = 'odd'";
        tx.query(sql, &[])
    });
    format!("{:?}", planned.await.unwrap())
}

/// The tables whose names begin so.
pub async fn tables(database: &Database, name: &str) -> Vec<String> {
    let sql = "select tablename::text from pg_tables
        where schemaname = current_schema() and tablename like $1 order by 1";
    let values = vec![Value::Text(format!("{name}%"))];
    let rows = database.read(sql, values).await.unwrap().rows;
    rows.iter().filter_map(|row| row[0].as_text().map(str::to_owned)).collect()
}

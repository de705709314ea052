//! The read side: one SQL text on two engines, transactions, migrations.
//!
//! Statements are written once for SQLite and PostgreSQL: placeholders `$1`, `$2`, …, lower
//! case keywords, `on conflict … do update`. A projection writes the names of its own tables
//! in braces, `{revenue}`, so that a rebuild can fill tables beside the live ones.

mod database;
mod error;
mod line;
mod machine;
pub mod migration;
mod placement;
mod postgres;
mod snapshot;
mod sqlite;
mod tx;
mod value;

pub(crate) use database::panic_text;
pub use database::{Database, Durability, SqlEngine, TxJob};
pub use error::{OpenError, SqlError};
pub(crate) use machine::machine_name;
pub use migration::{Migration, MigrationError, MigrationSet, MigrationStatus, Migrator};
pub(crate) use placement::is_identifier;
pub use placement::{place_tables, tables_of};
pub use postgres::PostgresConfig;
pub use snapshot::{SnapshotKey, SnapshotStore, StoredSnapshot};
pub use sqlite::SqliteConfig;
pub(crate) use tx::Memory;
pub use tx::{Dialect, Tx, TxEngine};
pub(crate) use value::for_people;
pub use value::{SqlRow, SqlRows, ToValue, Value, ValueRef};

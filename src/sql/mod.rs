//! The read side: one SQL text on two engines, transactions, migrations.
//!
//! Statements are written once for SQLite and PostgreSQL: placeholders `$1`, `$2`, …, lower
//! case keywords, `on conflict … do update`. A projection writes the names of its own tables
//! in braces, `{revenue}`, so that a rebuild can fill tables beside the live ones.

mod tx;
mod value;

pub use tx::{SqlError, Tx, TxEngine};
pub use value::{SqlRow, ToValue, Value};

//! The table of the steps that are done.

use std::collections::BTreeMap;

use super::{Migration, MigrationSet};
use crate::sql::{SqlError, SqlRow, TxEngine, Value};

pub(super) type Applied = BTreeMap<(String, u32), Entry>;

pub(super) struct Entry {
    pub(super) stem: String,
    pub(super) checksum: String,
    pub(super) at: String,
}

pub(super) fn key(set: &MigrationSet, step: &Migration) -> (String, u32) {
    (set.capability.to_owned(), step.number())
}

pub(super) fn read_applied(tx: &mut dyn TxEngine) -> Result<Applied, SqlError> {
    tx.lock("schema_migrations")?;
    tx.run_script(
        "create table if not exists schema_migrations (
            capability text not null,
            number bigint not null,
            stem text not null,
            checksum text not null,
            applied_at text not null,
            primary key (capability, number)
        )",
    )?;
    let sql = "select capability, number, stem, checksum, applied_at from schema_migrations";
    let rows = tx.query(sql, &[])?;
    rows.into_iter().map(entry).collect()
}

fn entry(row: SqlRow) -> Result<((String, u32), Entry), SqlError> {
    match <[Value; 5]>::try_from(row) {
        Ok(
            [
                Value::Text(capability),
                Value::Int(number),
                Value::Text(stem),
                Value::Text(checksum),
                Value::Text(at),
            ],
        ) => {
            let number = u32::try_from(number).unwrap_or(u32::MAX);
            Ok(((capability, number), Entry { stem, checksum, at }))
        }
        _ => Err(SqlError::Damaged("schema_migrations has a row of another shape".into())),
    }
}

/// Writes or removes a step's entry.
pub(super) fn enter(
    tx: &mut dyn TxEngine,
    capability: &str,
    step: &Migration,
    at: Option<String>,
) -> Result<(), SqlError> {
    let text = |text: &str| Value::Text(text.to_owned());
    let (capability, number) = (text(capability), Value::Int(i64::from(step.number())));
    let Some(at) = at else {
        let sql = "delete from schema_migrations where capability = $1 and number = $2";
        return tx.execute(sql, &[capability, number]).map(drop);
    };
    let checksum = Value::Text(step.checksum(tx.dialect()));
    let sql = "insert into schema_migrations (capability, number, stem, checksum, applied_at)
        values ($1, $2, $3, $4, $5)";
    tx.execute(sql, &[capability, number, text(step.stem), checksum, Value::Text(at)]).map(drop)
}

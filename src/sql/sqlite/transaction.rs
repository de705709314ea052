//! A transaction of one connection: binds by name, keeps statements prepared.

use rusqlite::types::{ToSqlOutput, ValueRef as SqliteValue};
use rusqlite::{CachedStatement, Connection};

use super::fault::sql_error;
use crate::sql::{Dialect, SqlError, SqlRow, SqlRows, TxEngine, Value, ValueRef};

/// The engine's side of a transaction that the worker has begun.
pub(super) struct SqliteTx<'c> {
    connection: &'c Connection,
    path: &'c str,
}

impl<'c> SqliteTx<'c> {
    pub(super) const fn new(connection: &'c Connection, path: &'c str) -> Self {
        Self { connection, path }
    }

    fn prepare(&self, sql: &str) -> Result<CachedStatement<'c>, SqlError> {
        self.connection.prepare_cached(sql).map_err(|error| sql_error(&error, sql, self.path))
    }
}

impl TxEngine for SqliteTx<'_> {
    fn execute_many(
        &mut self,
        sql: &str,
        width: usize,
        values: &mut dyn Iterator<Item = ValueRef<'_>>,
    ) -> Result<u64, SqlError> {
        let fail = |error: &rusqlite::Error| sql_error(error, sql, self.path);
        let mut statement = self.prepare(sql)?;
        let slots = slots(&statement, sql, width)?;
        let mut changed = 0;
        let mut is_first = true;
        while let Some(is_full) = bind_next(&mut statement, &slots, values).map_err(|e| fail(&e))? {
            if !is_full {
                return Err(wrong(sql, format!("values are missing: {width} a run are needed")));
            }
            changed += statement.raw_execute().map_err(|e| fail(&e))?;
            is_first = false;
        }
        if is_first && width == 0 {
            changed = statement.raw_execute().map_err(|e| fail(&e))?;
        }
        Ok(changed as u64)
    }

    fn select(&mut self, sql: &str, values: &[ValueRef<'_>]) -> Result<SqlRows, SqlError> {
        let fail = |error: &rusqlite::Error| sql_error(error, sql, self.path);
        let mut statement = self.prepare(sql)?;
        let slots = slots(&statement, sql, values.len())?;
        for (slot, value) in slots.iter().zip(values) {
            bind(&mut statement, *slot, value).map_err(|e| fail(&e))?;
        }
        let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
        let mut found = Vec::new();
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next().map_err(|e| fail(&e))? {
            let values = (0..columns.len()).map(|at| Ok(owned(row.get_ref(at)?)));
            found.push(values.collect::<Result<SqlRow, _>>().map_err(|e| fail(&e))?);
        }
        Ok(SqlRows { columns, rows: found })
    }

    fn run_script(&mut self, sql: &str) -> Result<(), SqlError> {
        self.connection.execute_batch(sql).map_err(|error| sql_error(&error, sql, self.path))
    }

    fn lock(&mut self, _: &str) -> Result<(), SqlError> {
        Ok(())
    }

    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }
}

/// Returns for `$1`, `$2`, … the index at which SQLite wants it: it counts by first mention.
fn slots(statement: &CachedStatement<'_>, sql: &str, width: usize) -> Result<Vec<usize>, SqlError> {
    let mut slots = vec![0; width];
    for index in 1..=statement.parameter_count() {
        let name = statement.parameter_name(index).unwrap_or("?");
        let number: Option<usize> = name.strip_prefix('$').and_then(|number| number.parse().ok());
        match number.and_then(|number| slots.get_mut(number.checked_sub(1)?)) {
            Some(slot) => *slot = index,
            None => {
                let problem = format!("placeholder {name} has no value: {width} are given as $1…");
                return Err(wrong(sql, problem));
            }
        }
    }
    match slots.iter().position(|slot| *slot == 0) {
        Some(at) => Err(wrong(sql, format!("value ${} is not used", at + 1))),
        None => Ok(slots),
    }
}

/// Binds the values of one run; `None` when none are left, `false` when too few were.
fn bind_next(
    statement: &mut CachedStatement<'_>,
    slots: &[usize],
    values: &mut dyn Iterator<Item = ValueRef<'_>>,
) -> rusqlite::Result<Option<bool>> {
    for (at, slot) in slots.iter().enumerate() {
        match values.next() {
            Some(value) => bind(statement, *slot, &value)?,
            None => return Ok((at > 0).then_some(false)),
        }
    }
    Ok((!slots.is_empty()).then_some(true))
}

fn bind(
    statement: &mut CachedStatement<'_>,
    slot: usize,
    value: &ValueRef<'_>,
) -> rusqlite::Result<()> {
    value.check().map_err(|problem| rusqlite::Error::ToSqlConversionFailure(problem.into()))?;
    let value = match value {
        ValueRef::Null => SqliteValue::Null,
        ValueRef::Bool(truth) => SqliteValue::Integer(i64::from(*truth)),
        ValueRef::Int(number) => SqliteValue::Integer(*number),
        ValueRef::Real(number) => SqliteValue::Real(*number),
        ValueRef::Text(text) => SqliteValue::Text(text.as_bytes()),
        ValueRef::Bytes(bytes) => SqliteValue::Blob(bytes),
    };
    statement.raw_bind_parameter(slot, ToSqlOutput::Borrowed(value))
}

fn owned(value: SqliteValue<'_>) -> Value {
    match value {
        SqliteValue::Null => Value::Null,
        SqliteValue::Integer(number) => Value::Int(number),
        SqliteValue::Real(number) => Value::Real(number),
        SqliteValue::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
        SqliteValue::Blob(bytes) => Value::Bytes(bytes.to_vec()),
    }
}

fn wrong(sql: &str, problem: String) -> SqlError {
    SqlError::Statement { problem, statement: sql.to_owned() }
}

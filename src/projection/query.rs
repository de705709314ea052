//! Rows for readers: by key, or page by page with filters on indexed fields.

use serde::Serialize;
use serde_json::value::RawValue;

use super::checkpoint;
use super::definition::{Facts, Form};
use super::error::QueryError;
use super::rows::field_expression;
use super::storable::{json_of_stored, text_of_stored, text_to_stored};
use crate::event::{Position, Tenant};
use crate::sql::{Dialect, SqlError, SqlRow, SqlRows, ToValue, TxEngine, Value};

/// Asks for a page of a projection's rows, in the order of their keys.
#[derive(Clone, Debug)]
pub struct RowQuery {
    /// The projection.
    pub projection: String,
    /// Whose rows.
    pub tenant: Tenant,
    /// Indexed fields and the value each must have: a text as it is, numbers and truth values
    /// as JSON writes them.
    pub filters: Vec<(String, String)>,
    /// Only rows behind this key; `None` means from the first.
    pub after_key: Option<String>,
    /// The most rows; at least 1, at most [`RowQuery::LIMIT_MAX`].
    pub limit: usize,
}

/// A page of rows.
#[derive(Clone, Debug, Serialize)]
pub struct RowPage {
    /// The rows, in the order of their keys.
    pub rows: Vec<RowEntry>,
    /// What to pass as `after_key` for the next page; `None` when this is the last.
    pub next: Option<String>,
    /// The rows are at least as new as this position of the log.
    pub position: Position,
}

/// A row of a projection.
#[derive(Clone, Debug, Serialize)]
pub struct RowEntry {
    /// What identifies it inside its tenant; several columns are joined by `,`.
    pub key: String,
    /// The last event that changed it; `None` for projections in SQL form.
    pub position: Option<Position>,
    /// The row as JSON.
    pub row: Box<RawValue>,
}

impl RowQuery {
    /// The most rows of a page.
    pub const LIMIT_MAX: usize = 1_000;

    /// Asks for the first hundred rows of a tenant.
    #[must_use]
    pub fn of(projection: impl Into<String>, tenant: Tenant) -> Self {
        let projection = projection.into();
        Self { projection, tenant, filters: Vec::new(), after_key: None, limit: 100 }
    }
}

impl RowPage {
    const fn none() -> Self {
        Self { rows: Vec::new(), next: None, position: Position::ZERO }
    }
}

/// A statement and its values, as it is put together.
struct Select {
    sql: String,
    values: Vec<Value>,
}

impl Select {
    fn place(&mut self, value: Value) -> String {
        self.values.push(value);
        format!("${}", self.values.len())
    }
}

/// Reads a page and the position it belongs to, in one transaction.
pub(crate) fn page(
    tx: &mut dyn TxEngine,
    facts: &Facts,
    query: &RowQuery,
) -> Result<RowPage, QueryError> {
    let limit = query.limit.clamp(1, RowQuery::LIMIT_MAX);
    let mut select = begin(tx.dialect(), facts, query)?;
    if let Some(after) = &query.after_key {
        let columns = key_columns(facts)?;
        let parts = split_key(facts, after)?;
        let places: Vec<String> =
            parts.into_iter().map(|part| select.place(Value::Text(part))).collect();
        select.sql += &format!(" and ({}) > ({})", columns.join(", "), places.join(", "));
    }
    let count = select.place(checkpoint::int(limit as u64 + 1));
    select.sql += &format!(" order by {} limit {count}", key_columns(facts)?.join(", "));
    let mut rows = match run(tx, facts, &select) {
        // What is no number equals none, so there is no such row.
        Err(QueryError::Sql(SqlError::Misfit { .. })) => return Ok(RowPage::none()),
        found => found?,
    };
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| has_more).map(|row| row.key.clone());
    Ok(RowPage { rows, next, position: position(tx, facts.name)? })
}

/// Reads the row with a key.
pub(crate) fn get(
    tx: &mut dyn TxEngine,
    facts: &Facts,
    (tenant, key): (&Tenant, &str),
) -> Result<Option<RowEntry>, QueryError> {
    let mut select = begin(tx.dialect(), facts, &RowQuery::of(facts.name, tenant.clone()))?;
    for (column, part) in key_columns(facts)?.into_iter().zip(split_key(facts, key)?) {
        let place = select.place(Value::Text(part));
        select.sql += &format!(" and {column} = {place}");
    }
    match run(tx, facts, &select) {
        Err(QueryError::Sql(SqlError::Misfit { .. })) => Ok(None),
        found => Ok(found?.into_iter().next()),
    }
}

fn begin(dialect: Dialect, facts: &Facts, query: &RowQuery) -> Result<Select, QueryError> {
    let columns = match facts.form {
        Form::Rows => "key, position, data",
        Form::Columns(_) => "*",
    };
    let sql = format!("select {columns} from {} where tenant = $1", facts.name);
    let mut select = Select { sql, values: vec![query.tenant.to_value()] };
    for (field, value) in &query.filters {
        let Some(field) = facts.indexes.iter().find(|index| *index == field) else {
            return Err(QueryError::UnknownField {
                name: facts.name.to_owned(),
                field: field.clone(),
                allowed: list(facts.indexes),
            });
        };
        let condition = match (facts.form, dialect) {
            (Form::Rows, Dialect::Sqlite) => {
                let value = text_to_stored(value);
                let text = select.place(Value::Text(serde_json::Value::from(&*value).to_string()));
                let bare = select.place(Value::Text(value.into_owned()));
                format!("{} in ({text}, {bare})", field_expression(dialect, field))
            }
            (Form::Rows, Dialect::Postgres) => {
                let text = select.place(Value::Text(text_to_stored(value).into_owned()));
                format!("{} = {text}", field_expression(dialect, field))
            }
            (Form::Columns(_), _) => {
                format!("{field} = {}", select.place(Value::Text(value.clone())))
            }
        };
        select.sql += &format!(" and {condition}");
    }
    Ok(select)
}

fn run(tx: &mut dyn TxEngine, facts: &Facts, select: &Select) -> Result<Vec<RowEntry>, QueryError> {
    let values: Vec<_> = select.values.iter().map(Value::borrow).collect();
    let SqlRows { columns, rows } = tx.select(&select.sql, &values)?;
    let entries = rows.into_iter().map(|row| match facts.form {
        Form::Rows => stored_entry(row),
        Form::Columns(key) => column_entry(key, &columns, &row),
    });
    let entries: Option<Vec<RowEntry>> = entries.collect();
    entries.ok_or_else(|| {
        SqlError::Damaged(format!("table {} has a row that is not JSON", facts.name)).into()
    })
}

fn stored_entry(row: SqlRow) -> Option<RowEntry> {
    let [Value::Text(key), position, Value::Text(data)] = <[Value; 3]>::try_from(row).ok()? else {
        return None;
    };
    let position = position.as_int().and_then(|at| u64::try_from(at).ok()).map(Position::new);
    let (key, data) = (text_of_stored(key), json_of_stored(data));
    Some(RowEntry { key, position, row: RawValue::from_string(data).ok()? })
}

fn column_entry(key: &[&str], columns: &[String], row: &SqlRow) -> Option<RowEntry> {
    let cell = |name: &str| {
        columns.iter().zip(row).find(|(column, _)| *column == name).map(|(_, value)| value)
    };
    let parts: Option<Vec<String>> = key.iter().map(|name| Some(key_part(cell(name)?))).collect();
    let fields = columns.iter().zip(row).filter(|(column, _)| *column != "tenant");
    let fields: serde_json::Map<String, serde_json::Value> =
        fields.map(|(column, value)| (column.clone(), value.to_json())).collect();
    let row = serde_json::value::to_raw_value(&fields).ok()?;
    Some(RowEntry { key: parts?.join(","), position: None, row })
}

/// Writes one column of a key; `,` and `\` inside are marked with `\`.
fn key_part(value: &Value) -> String {
    let text = match value.to_json() {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    };
    text.replace('\\', "\\\\").replace(',', "\\,")
}

fn split_key(facts: &Facts, key: &str) -> Result<Vec<String>, QueryError> {
    let Form::Columns(columns) = facts.form else {
        return Ok(vec![text_to_stored(key).into_owned()]);
    };
    let mut parts = vec![String::new()];
    let mut is_marked = false;
    for c in key.chars() {
        match c {
            '\\' if !is_marked => {
                is_marked = true;
                continue;
            }
            ',' if !is_marked => parts.push(String::new()),
            _ => parts.iter_mut().last().into_iter().for_each(|part| part.push(c)),
        }
        is_marked = false;
    }
    if parts.len() == columns.len() {
        return Ok(parts);
    }
    Err(QueryError::BadKey {
        name: facts.name.to_owned(),
        key: key.to_owned(),
        parts: list(columns),
    })
}

fn key_columns(facts: &Facts) -> Result<Vec<&'static str>, QueryError> {
    match facts.form {
        Form::Rows => Ok(vec!["key"]),
        Form::Columns([]) => Err(QueryError::NotServed { name: facts.name.to_owned() }),
        Form::Columns(columns) => Ok(columns.to_vec()),
    }
}

fn position(tx: &mut dyn TxEngine, name: &str) -> Result<Position, SqlError> {
    let live = checkpoint::load(tx, name)?.into_iter().find(|row| row.is_live);
    Ok(live.map_or(Position::ZERO, |row| row.position))
}

fn list(names: &[&str]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

//! Which log the rows are made of: rows of two logs in the same tables nobody could tell apart.

use crate::event::EventId;
use crate::sql::{SqlError, ToValue, TxEngine, Value};

/// Returns the first event of the log that the rows are made of; `None` when there are none yet.
pub(crate) fn load(tx: &mut dyn TxEngine) -> Result<Option<EventId>, SqlError> {
    let rows = tx.query("select first_event from projection_log where id = 1", &[])?;
    let Some(row) = rows.first() else { return Ok(None) };
    let first = row.first().and_then(Value::as_text).and_then(|text| text.parse().ok());
    first.map(Some).ok_or_else(|| {
        SqlError::Damaged("projection_log has no id of an event in column first_event".into())
    })
}

/// Says that the rows are made of the log with this first event, unless it is said already;
/// returns the first event of the log that they are made of from now on.
pub(crate) fn claim(tx: &mut dyn TxEngine, first: EventId) -> Result<EventId, SqlError> {
    let sql = "insert into projection_log (id, first_event) values (1, $1)
        on conflict (id) do nothing";
    tx.execute(sql, &[first.to_string().to_value()])?;
    // Read after the insert, which waits for whoever else is at it.
    Ok(load(tx)?.unwrap_or(first))
}

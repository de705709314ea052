//! The tables of the outbox: rows in, rows out. Their columns are described in
//! `migrations/outbox`.

mod attempt;
mod block;
mod cursor;
mod history;
mod left_out;
mod place;
mod report;
mod shard;
mod verdict;

pub(crate) use attempt::{AttemptLog, AttemptRow};
pub(crate) use block::{load as load_blocks, save as save_block};
pub(crate) use cursor::{
    Cursor, Feed, load as load_cursors, remove as remove_cursor, save as save_cursor,
};
pub(crate) use history::{
    AttemptQuery, AttemptView, MinuteCount, attempts, by_minute, one_attempt,
};
pub(crate) use left_out::{load as load_left_out, save as save_left_out};
pub(crate) use place::{AttemptPlace, PlaceError, WaitingPlace};
pub(crate) use report::{Standing, Waiting, WaitingEvent, replays, standings, waiting};
pub(crate) use shard::{beat, beats, enter, known};
pub(crate) use verdict::{VERDICTS, verdict_name, verdict_of};

use std::sync::Arc;

use headwater::event::{Position, Revision, Tenant};
use headwater::sql::{MigrationSet, SqlError, SqlRow, Value};
use jiff::Timestamp;

use crate::webhook::Verdict;

/// The steps of the outbox's schema.
pub const MIGRATIONS: MigrationSet = headwater::migrations!("outbox" in "../../migrations/outbox" {
    "0001_outbox",
    "0002_attempts" for each,
});

/// Which endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct EndpointKey {
    pub tenant: Tenant,
    pub id: Arc<str>,
}

impl EndpointKey {
    /// Returns the name by which it is sealed and sorted: tenants' names have no `/`.
    pub fn place(&self) -> String {
        format!("{}/{}", self.tenant, self.id)
    }

    /// Returns the values that begin the key of each table.
    fn values(&self) -> [Value; 2] {
        [Value::Text(self.tenant.as_str().to_owned()), Value::Text(self.id.to_string())]
    }
}

/// Reads the values of a row in order.
struct Cells(std::vec::IntoIter<Value>);

impl Cells {
    fn of(row: SqlRow) -> Self {
        Self(row.into_iter())
    }

    fn text(&mut self) -> Result<String, SqlError> {
        match self.0.next() {
            Some(Value::Text(text)) => Ok(text),
            other => Err(damaged(&format!("a text is {other:?}"))),
        }
    }

    fn text_or_none(&mut self) -> Option<String> {
        match self.0.next() {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    fn int(&mut self) -> Result<i64, SqlError> {
        self.int_or_none().ok_or_else(|| damaged("a number is missing"))
    }

    fn int_or_none(&mut self) -> Option<i64> {
        self.0.next().and_then(|value| value.as_int())
    }

    fn verdict(&mut self) -> Result<Verdict, SqlError> {
        let name = self.text()?;
        verdict_of(&name).ok_or_else(|| damaged(&format!("{name:?} is no verdict")))
    }

    fn count(&mut self) -> Result<u64, SqlError> {
        self.int().map(|number| u64::try_from(number).unwrap_or_default())
    }

    fn position(&mut self) -> Result<Position, SqlError> {
        self.count().map(Position::new)
    }

    fn revision(&mut self) -> Result<Revision, SqlError> {
        self.count().map(Revision::new)
    }

    fn time(&mut self) -> Result<Timestamp, SqlError> {
        let text = self.text()?;
        text.parse().map_err(|_| damaged(&format!("{text:?} is not a time")))
    }

    fn time_or_none(&mut self) -> Option<Timestamp> {
        self.text_or_none().and_then(|text| text.parse().ok())
    }
}

fn int(number: u64) -> Value {
    Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

fn damaged(what: &str) -> SqlError {
    SqlError::Damaged(format!("a table of the outbox: {what}"))
}

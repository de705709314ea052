//! A backfill in parts: which rows a part covers, and how far a run has come.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::sql::{Dialect, SqlError, SqlRow, TxEngine, Value, is_identifier};

use super::statement::{code, statements};

/// How long a part should take: others wait no longer than that for a row of it.
const TARGET: Duration = Duration::from_millis(100);
const SIZE_FIRST: u32 = 1_000;
const SIZE_MAX: u32 = 10_000;

/// Rows of a table in the order of a key, some at a time: `-- batch: orders by id size 500`.
///
/// The step's text is one statement over the rows whose key is `between $1 and $2`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The table.
    pub table: String,
    /// The column, which has an index and no nulls; numbers, texts and what is written as text.
    pub key: String,
    /// How many rows the first part has, 1 to 10000; the next ones as many as fit into 100 ms.
    pub size: u32,
}

/// How far a backfill is, as its entry keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Progress {
    /// The rows that were looked at.
    pub(super) rows: u64,
    /// About how many there were when it began.
    pub(super) rows_total: u64,
    /// How many rows the next part has.
    pub(super) size: u32,
    /// The last key that is done.
    reached: Option<Key>,
    /// The last key there was when it began: rows that come later are the program's own duty.
    end: Option<Key>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum Key {
    Number(i64),
    Text(String),
}

impl Batch {
    /// Reads `table by key`, with or without `size N` behind it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let (table, key, size) = match words.as_slice() {
            [table, "by", key] => (table, key, Some(SIZE_FIRST)),
            [table, "by", key, "size", size] => (table, key, size.parse().ok()),
            _ => return Err(wrong(text)),
        };
        let size = size.filter(|size| (1..=SIZE_MAX).contains(size));
        match size {
            Some(size) if is_identifier(table) && is_identifier(key) => {
                Ok(Self { table: (*table).to_owned(), key: (*key).to_owned(), size })
            }
            _ => Err(wrong(text)),
        }
    }

    /// Checks that a text is one statement over a range of keys.
    pub(super) fn check(script: &str) -> Result<(), String> {
        let text = match statements(script).as_slice() {
            [statement] => code(statement),
            more => {
                let count = more.len();
                return Err(format!("a step with `batch` is one statement, not {count}"));
            }
        };
        let is_range = text.contains("$1") && text.contains("$2") && !text.contains("$3");
        is_range.then_some(()).ok_or_else(|| {
            "a step with `batch` takes its rows by the key: `where key between $1 and $2`".into()
        })
    }

    /// Looks where the table begins and ends.
    pub(super) fn survey(&self, tx: &mut dyn TxEngine) -> Result<Progress, SqlError> {
        let Self { table, key, size } = self;
        let last = format!("select {key} from {table} order by {key} desc limit 1");
        let end = tx.query(&last, &[])?.first().map(|row| self.key_of(row)).transpose()?;
        let rows_total = self.count(tx)?;
        Ok(Progress { rows: 0, rows_total, size: *size, reached: None, end })
    }

    /// Does the next part; `None` when there is none.
    pub(super) fn advance(
        &self,
        tx: &mut dyn TxEngine,
        script: &str,
        progress: Progress,
    ) -> Result<Option<Progress>, SqlError> {
        let rows = self.next_keys(tx, &progress)?;
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Ok(None) };
        let [first, last] = [self.key_of(first)?, self.key_of(last)?];
        for statement in statements(script) {
            tx.execute(statement, &[first.value(), last.value()])?;
        }
        let rows = progress.rows + rows.len() as u64;
        Ok(Some(Progress { rows, reached: Some(last), ..progress }))
    }

    fn next_keys(
        &self,
        tx: &mut dyn TxEngine,
        progress: &Progress,
    ) -> Result<Vec<SqlRow>, SqlError> {
        let Self { table, key, .. } = self;
        let Some(end) = &progress.end else { return Ok(Vec::new()) };
        let (beyond, values) = match &progress.reached {
            Some(reached) => (format!("and {key} > $2"), vec![end.value(), reached.value()]),
            None => (String::new(), vec![end.value()]),
        };
        let size = progress.size;
        let sql = format!(
            "select {key} from {table} where {key} <= $1 {beyond} order by {key} limit {size}"
        );
        tx.query(&sql, &values)
    }

    fn key_of(&self, row: &SqlRow) -> Result<Key, SqlError> {
        match row.first() {
            Some(Value::Int(number)) => Ok(Key::Number(*number)),
            Some(Value::Text(text)) => Ok(Key::Text(text.clone())),
            other => Err(SqlError::Statement {
                problem: format!(
                    "column {} of {} cannot be the key of a backfill: {} in it, not a number or \
                     a text",
                    self.key,
                    self.table,
                    match other {
                        None | Some(Value::Null) => "null is",
                        Some(_) => "another type is",
                    }
                ),
                statement: format!("-- batch: {} by {}", self.table, self.key),
            }),
        }
    }

    /// Counts the rows; a server guesses, because counting reads the whole table.
    fn count(&self, tx: &mut dyn TxEngine) -> Result<u64, SqlError> {
        let number = |rows: Vec<SqlRow>| {
            let first = rows.first().and_then(|row| row.first()).and_then(Value::as_int);
            first.and_then(|count| u64::try_from(count).ok())
        };
        if tx.dialect() == Dialect::Postgres {
            let sql = "select reltuples::bigint from pg_class where oid = to_regclass($1::text)";
            let guess = number(tx.query(sql, &[Value::Text(self.table.clone())])?);
            if let Some(guess) = guess.filter(|guess| *guess > 0) {
                return Ok(guess);
            }
        }
        let sql = format!("select count(*) from {}", self.table);
        Ok(number(tx.query(&sql, &[])?).unwrap_or_default())
    }
}

impl Progress {
    pub(super) fn to_text(&self) -> Result<String, SqlError> {
        serde_json::to_string(self).map_err(|error| SqlError::Damaged(error.to_string()))
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// Returns it with so many rows in the next part.
    pub(super) fn sized(self, size: u32) -> Self {
        Self { size, ..self }
    }

    /// Makes the next part as large as fits into the target, but never changes it by more than
    /// twice: one slow part says little.
    pub(super) fn paced(self, took: Duration) -> Self {
        let factor = TARGET.as_secs_f64() / took.as_secs_f64().max(0.001);
        let next = f64::from(self.size) * factor.clamp(0.5, 2.0);
        // The bounds make it fit.
        self.sized((next as u32).clamp(1, SIZE_MAX))
    }
}

impl Key {
    fn value(&self) -> Value {
        match self {
            Self::Number(number) => Value::Int(*number),
            Self::Text(text) => Value::Text(text.clone()),
        }
    }
}

fn wrong(text: &str) -> String {
    format!("batch is {text:?}, not such as `orders by id` or `orders by id size 500` (1 to 10000)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_names_a_table_its_key_and_perhaps_a_size() {
        let batch = |size| Batch { table: "orders".into(), key: "id".into(), size };
        assert_eq!(Batch::parse("orders by id"), Ok(batch(SIZE_FIRST)));
        assert_eq!(Batch::parse("orders  by id size 20"), Ok(batch(20)));
        for text in ["", "orders", "orders by", "orders by id size", "orders by id size 0"] {
            assert!(Batch::parse(text).is_err(), "{text}");
        }
        for text in ["orders by id size 10001", "orders; by id", "o by a,b", "O by id"] {
            assert!(Batch::parse(text).unwrap_err().contains("orders by id size 500"), "{text}");
        }
    }

    #[test]
    fn a_batch_is_one_statement_over_a_range() {
        assert!(Batch::check("-- x\nupdate t set a = 1 where id between $1 and $2;\n").is_ok());
        for script in [
            "",
            "update t set a = 1",
            "update t set a = 1 where id > $1 -- $2",
            "update t set a = $3 where id between $1 and $2",
            "delete from t where id between $1 and $2; select 1",
        ] {
            assert!(Batch::check(script).is_err(), "{script}");
        }
    }

    #[test]
    fn parts_grow_and_shrink_towards_their_time_within_their_bounds() {
        let none = Progress { rows: 0, rows_total: 0, size: 0, reached: None, end: None };
        let size = |size, ms| none.clone().sized(size).paced(Duration::from_millis(ms)).size;
        assert_eq!([size(1000, 50), size(1000, 100), size(1000, 125)], [2000, 1000, 800]);
        assert_eq!([size(1000, 0), size(1000, 10_000)], [2000, 500]);
        assert_eq!([size(9000, 1), size(1, 10_000)], [SIZE_MAX, 1]);
    }

    #[test]
    fn how_far_a_backfill_is_comes_back_from_its_text() {
        let progress = Progress {
            rows: 7,
            rows_total: 9,
            size: 3,
            reached: Some(Key::Number(-4)),
            end: Some(Key::Text("7".into())),
        };
        assert_eq!(Progress::parse(&progress.to_text().unwrap()), Some(progress));
        assert_eq!(Progress::parse("{}"), None);
    }
}

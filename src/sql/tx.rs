//! A write transaction of the read side, as projections see it.

use std::any::Any;

use rustc_hash::FxHashMap;

use super::placement::place_tables;
use super::{SqlError, SqlRow, SqlRows, ToValue, Value, ValueRef};

/// Names the engine, for the few statements that truly differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite.
    Sqlite,
    /// PostgreSQL.
    Postgres,
}

/// What an engine does inside a transaction.
pub trait TxEngine {
    /// Runs one statement once for every `width` values and returns how many rows changed.
    ///
    /// A width of 0 runs it once. The statement is prepared once and kept.
    ///
    /// # Errors
    /// [`SqlError`]; values that do not fill the last run are a [`SqlError::Statement`].
    fn execute_many(
        &mut self,
        sql: &str,
        width: usize,
        values: &mut dyn Iterator<Item = ValueRef<'_>>,
    ) -> Result<u64, SqlError>;

    /// Runs a query and returns its rows with the names of the columns.
    ///
    /// # Errors
    /// [`SqlError`].
    fn select(&mut self, sql: &str, values: &[ValueRef<'_>]) -> Result<SqlRows, SqlError>;

    /// Runs statements without values, separated by `;`.
    ///
    /// # Errors
    /// [`SqlError`].
    fn run_script(&mut self, sql: &str) -> Result<(), SqlError>;

    /// Waits until no other write transaction holds this name, and holds it to the end.
    ///
    /// For work that must not run twice at once and has no row yet to wait at. On SQLite all
    /// writes wait for each other, so there is nothing to do.
    ///
    /// # Errors
    /// [`SqlError::Unavailable`] when it is held for too long.
    fn lock(&mut self, name: &str) -> Result<(), SqlError>;

    /// Returns which engine it is.
    fn dialect(&self) -> Dialect;

    /// Runs a statement and returns how many rows it changed.
    ///
    /// # Errors
    /// [`SqlError`].
    fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64, SqlError> {
        self.execute_many(sql, values.len(), &mut values.iter().map(Value::borrow))
    }

    /// Runs a query and returns its rows.
    ///
    /// # Errors
    /// [`SqlError`].
    fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<SqlRow>, SqlError> {
        let values: Vec<ValueRef<'_>> = values.iter().map(Value::borrow).collect();
        Ok(self.select(sql, &values)?.rows)
    }
}

/// What a projection may remember from one committed transaction to the next.
pub(crate) type Memory = Option<Box<dyn Any + Send>>;

/// A write transaction: what a projection writes commits together with its checkpoint.
///
/// `{name}` in a statement stands for the projection's own table `name`: the live one, or the
/// one beside it while a rebuild fills it. Braces inside `'…'` and braces around anything but
/// a name stay as they are.
pub struct Tx<'a> {
    engine: &'a mut dyn TxEngine,
    suffix: &'a str,
    placed: FxHashMap<String, String>,
    memory: Memory,
}

impl<'a> Tx<'a> {
    /// Wraps an engine's transaction; own tables get `suffix` behind their names.
    pub fn new(engine: &'a mut dyn TxEngine, suffix: &'a str) -> Self {
        Self { engine, suffix, placed: FxHashMap::default(), memory: None }
    }

    /// Lends what was remembered when the last transaction committed.
    pub(crate) fn with_memory(mut self, memory: Memory) -> Self {
        self.memory = memory;
        self
    }

    /// Ends the use of the transaction; what is remembered counts only once it commits.
    pub(crate) fn into_memory(self) -> Memory {
        self.memory
    }

    /// Takes what was remembered; put it back with [`Tx::remember`].
    pub(crate) fn recall<T: Any + Send>(&mut self) -> Option<Box<T>> {
        self.memory.take().and_then(|memory| memory.downcast().ok())
    }

    /// Keeps something for the next transaction, if this one commits.
    pub(crate) fn remember<T: Any + Send>(&mut self, memory: Box<T>) {
        self.memory = Some(memory);
    }

    /// Runs a statement and returns how many rows it changed.
    ///
    /// # Errors
    /// [`SqlError`].
    pub fn execute(&mut self, sql: &str, values: &[&dyn ToValue]) -> Result<u64, SqlError> {
        let mut refs = values.iter().map(|value| value.value_ref());
        let sql = placed(&mut self.placed, sql, self.suffix);
        self.engine.execute_many(sql, values.len(), &mut refs)
    }

    /// Runs one statement for every row of values and returns how many rows changed.
    ///
    /// The fastest way to write many: `tx.execute_many(sql, batch.iter().map(|event|
    /// [event.position().into(), event.tenant().into()]))`.
    ///
    /// # Errors
    /// [`SqlError`].
    pub fn execute_many<'v, const N: usize>(
        &mut self,
        sql: &str,
        rows: impl IntoIterator<Item = [ValueRef<'v>; N]>,
    ) -> Result<u64, SqlError> {
        let mut values = rows.into_iter().flatten().peekable();
        if values.peek().is_none() {
            return Ok(0);
        }
        let sql = placed(&mut self.placed, sql, self.suffix);
        self.engine.execute_many(sql, N, &mut values)
    }

    /// Runs a query and returns its rows.
    ///
    /// # Errors
    /// [`SqlError`].
    pub fn query(&mut self, sql: &str, values: &[&dyn ToValue]) -> Result<Vec<SqlRow>, SqlError> {
        let values: Vec<ValueRef<'_>> = values.iter().map(|value| value.value_ref()).collect();
        self.select(sql, &values)
    }

    /// Runs a query with values at hand and returns its rows.
    ///
    /// # Errors
    /// [`SqlError`].
    pub fn select(&mut self, sql: &str, values: &[ValueRef<'_>]) -> Result<Vec<SqlRow>, SqlError> {
        let sql = placed(&mut self.placed, sql, self.suffix);
        Ok(self.engine.select(sql, values)?.rows)
    }
}

/// Returns the statement with its physical names, made once per statement and transaction.
fn placed<'p>(known: &'p mut FxHashMap<String, String>, sql: &str, suffix: &str) -> &'p str {
    if !known.contains_key(sql) {
        known.insert(sql.to_owned(), place_tables(sql, suffix));
    }
    known.get(sql).map(String::as_str).unwrap_or_default()
}

//! A write transaction of the read side, as projections see it.

use super::{SqlRow, ToValue, Value};

/// Says why a statement failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SqlError {
    /// The engine is busy, gone or out of room for a while. Nobody: retried.
    #[error("read side is not available: {0}")]
    Unavailable(String),
    /// The statement or its values are wrong. Developer: correct the statement.
    #[error("statement failed: {problem}; statement: {statement}")]
    Statement {
        /// What the engine says.
        problem: String,
        /// The statement, without its values.
        statement: String,
    },
    /// The stored rows or the schema are not what they should be. Operator.
    #[error("read side is damaged: {0}")]
    Damaged(String),
}

/// What an engine does for a [`Tx`].
pub trait TxEngine {
    /// Runs a statement and returns how many rows it changed.
    ///
    /// # Errors
    /// [`SqlError`].
    fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64, SqlError>;

    /// Runs a query and returns its rows.
    ///
    /// # Errors
    /// [`SqlError`].
    fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<SqlRow>, SqlError>;
}

/// A write transaction: what a projection writes commits together with its checkpoint.
///
/// `{name}` in a statement stands for the projection's own table `name`: the live one, or the
/// one beside it while a rebuild fills it.
pub struct Tx<'a> {
    engine: &'a mut dyn TxEngine,
    suffix: &'a str,
}

impl<'a> Tx<'a> {
    /// Wraps an engine's transaction; own tables get `suffix` behind their names.
    pub fn new(engine: &'a mut dyn TxEngine, suffix: &'a str) -> Self {
        Self { engine, suffix }
    }

    /// Runs a statement and returns how many rows it changed.
    ///
    /// # Errors
    /// [`SqlError`].
    pub fn execute(&mut self, sql: &str, values: &[&dyn ToValue]) -> Result<u64, SqlError> {
        let values: Vec<Value> = values.iter().map(|value| value.to_value()).collect();
        self.engine.execute(&place_tables(sql, self.suffix), &values)
    }

    /// Runs a query and returns its rows.
    ///
    /// # Errors
    /// [`SqlError`].
    pub fn query(&mut self, sql: &str, values: &[&dyn ToValue]) -> Result<Vec<SqlRow>, SqlError> {
        let values: Vec<Value> = values.iter().map(|value| value.to_value()).collect();
        self.engine.query(&place_tables(sql, self.suffix), &values)
    }
}

/// Puts the physical names for the names in braces.
fn place_tables(sql: &str, suffix: &str) -> String {
    sql.replace('{', "").replace('}', suffix)
}

//! A transaction of one connection: prepares, binds, and remembers the first failure.

use tokio_postgres::Error;
use tokio_postgres::types::ToSql;

use super::bulk::{self, Arrays, Forms};
use super::cell::{Bound, Cell};
use super::fault::sql_error;
use super::insert::Insert;
use super::session::Link;
use crate::postgres::{Fault, FaultKind};
use crate::sql::{Dialect, SqlError, SqlRow, SqlRows, TxEngine, ValueRef};

/// The engine's side of a transaction that the worker has begun.
pub(super) struct PostgresTx<'s> {
    link: Link<'s>,
    failure: Option<Failure>,
    has_changed_schema: bool,
}

/// Why nothing more can be done in the transaction.
#[derive(Clone)]
pub(super) struct Failure {
    pub(super) error: SqlError,
    pub(super) ends_connection: bool,
}

impl<'s> PostgresTx<'s> {
    pub(super) const fn new(link: Link<'s>) -> Self {
        Self { link, failure: None, has_changed_schema: false }
    }

    /// Ends the use of the transaction: the first failure, and whether the schema may have
    /// changed.
    pub(super) fn into_parts(self) -> (Option<Failure>, bool) {
        (self.failure, self.has_changed_schema)
    }

    /// Waits for the server's answer to a statement.
    fn run<T>(
        &mut self,
        sql: &str,
        work: impl AsyncFnOnce(&mut Link<'s>) -> Result<T, Error>,
    ) -> Result<T, SqlError> {
        if let Some(failure) = &self.failure {
            return Err(failure.error.clone());
        }
        let runtime = self.link.runtime;
        let done = runtime.block_on(work(&mut self.link));
        done.map_err(|error| self.failed(&error, sql))
    }

    /// Remembers that the server has given up the transaction.
    fn failed(&mut self, error: &Error, sql: &str) -> SqlError {
        let fault = Fault::of(error, self.link.address);
        if fault.code().is_none() && fault.kind() == FaultKind::Statement {
            // The driver could not write a value: the server has not heard of the statement.
            return SqlError::Misfit { problem: fault.to_string(), statement: sql.to_owned() };
        }
        let is_stale = fault.code() == Some("0A000") && fault.to_string().contains("cached plan");
        let error = if is_stale {
            // Somebody has changed the table since: it is prepared anew when it is tried again.
            self.link.statements.clear();
            SqlError::Unavailable(fault.to_string())
        } else {
            sql_error(&fault, sql, self.link.address)
        };
        let ends_connection = fault.ends_connection();
        self.failure = Some(Failure { error: error.clone(), ends_connection });
        error
    }

    /// Ends the transaction after some of many runs were sent: how they ended is not known.
    fn give_up(&mut self, error: &SqlError) {
        let failure = Failure { error: error.clone(), ends_connection: false };
        self.failure.get_or_insert(failure);
    }

    /// Prepares a statement, and its form for many rows where it has one.
    fn forms(&mut self, sql: &str, width: usize, is_many: bool) -> Result<Forms, SqlError> {
        let single = self.run(sql, async |link| link.prepare(sql).await)?;
        check_width(sql, single.params().len(), width)?;
        let insert = is_many.then(|| Insert::parse(sql)).flatten().filter(|insert| {
            let types = single.params();
            insert.key.iter().all(|at| types.get(*at).is_some_and(bulk::is_exact))
        });
        let Some(insert) = insert else { return Ok(Forms { single, arrays: None }) };
        let Some(text) = insert.of_arrays(single.params()) else {
            return Ok(Forms { single, arrays: None });
        };
        let statement = self.run(sql, async |link| link.prepare(&text).await)?;
        Ok(Forms { single, arrays: Some(Arrays { statement, key: insert.key }) })
    }
}

impl TxEngine for PostgresTx<'_> {
    fn execute_many(
        &mut self,
        sql: &str,
        width: usize,
        values: &mut dyn Iterator<Item = ValueRef<'_>>,
    ) -> Result<u64, SqlError> {
        if width == 0 {
            check_width(sql, 0, values.count())?;
            let forms = self.forms(sql, 0, false)?;
            let none: [Bound<'_>; 0] = [];
            return self.run(sql, async |link| link.client.execute_raw(&forms.single, none).await);
        }
        let mut chunk = chunk(values, width);
        let forms = self.forms(sql, width, chunk.len() > width)?;
        let mut changed = 0;
        while !chunk.is_empty() {
            if !chunk.len().is_multiple_of(width) {
                let problem = format!("values are missing: {width} a run are needed");
                return Err(wrong(sql, problem));
            }
            let done =
                self.run(sql, async |link| bulk::run(link.client, &forms, width, &chunk).await);
            changed += done.inspect_err(|error| self.give_up(error))?;
            chunk = self::chunk(values, width);
        }
        Ok(changed)
    }

    fn select(&mut self, sql: &str, values: &[ValueRef<'_>]) -> Result<SqlRows, SqlError> {
        let statement = self.run(sql, async |link| link.prepare(sql).await)?;
        check_width(sql, statement.params().len(), values.len())?;
        let bound: Vec<Bound<'_>> = values.iter().map(Bound).collect();
        let bound: Vec<&(dyn ToSql + Sync)> = bound.iter().map(|one| one as _).collect();
        let rows = self.run(sql, async |link| link.client.query(&statement, &bound).await)?;
        let columns: Vec<String> =
            statement.columns().iter().map(|column| column.name().to_owned()).collect();
        let mut read = Vec::with_capacity(rows.len());
        for row in rows {
            let cells = (0..columns.len()).map(|at| Ok(row.try_get::<_, Cell>(at)?.0));
            let cells = cells.collect::<Result<SqlRow, Error>>();
            read.push(cells.map_err(|error| {
                sql_error(&Fault::of(&error, self.link.address), sql, self.link.address)
            })?);
        }
        Ok(SqlRows { columns, rows: read })
    }

    fn run_script(&mut self, sql: &str) -> Result<(), SqlError> {
        self.has_changed_schema = true;
        self.run(sql, async |link| link.client.batch_execute(sql).await)
    }

    fn lock(&mut self, name: &str) -> Result<(), SqlError> {
        let sql =
            "select pg_advisory_xact_lock(hashtextextended(current_schema() || '/' || $1, 0))";
        let name = ValueRef::from(name);
        let statement = self.run(sql, async |link| link.prepare(sql).await)?;
        let bound = [Bound(&name)];
        self.run(sql, async |link| link.client.execute_raw(&statement, bound).await).map(drop)
    }

    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }
}

/// Takes the values of the next rows, as many as go together.
fn chunk<'v>(values: &mut dyn Iterator<Item = ValueRef<'v>>, width: usize) -> Vec<ValueRef<'v>> {
    let mut chunk = Vec::new();
    let mut bytes = 0;
    while chunk.len() < bulk::ROWS_MAX * width && bytes < bulk::BYTES_MAX {
        let before = chunk.len();
        chunk.extend((0..width).map_while(|_| values.next()));
        let added = chunk.get(before..).unwrap_or_default();
        if added.is_empty() {
            break;
        }
        bytes += added.iter().map(bytes_of).sum::<usize>();
    }
    chunk
}

fn bytes_of(value: &ValueRef<'_>) -> usize {
    match value {
        ValueRef::Text(text) => text.len(),
        ValueRef::Bytes(bytes) => bytes.len(),
        _ => 8,
    }
}

fn check_width(sql: &str, wanted: usize, given: usize) -> Result<(), SqlError> {
    if wanted == given {
        return Ok(());
    }
    Err(wrong(sql, format!("statement takes {wanted} values as $1…, {given} are given")))
}

fn wrong(sql: &str, problem: String) -> SqlError {
    SqlError::Statement { problem, statement: sql.to_owned() }
}

//! The loop of a thread that owns a connection: one transaction after the other.

use std::time::Duration;

use rusqlite::Connection;

use super::fault::sql_error;
use super::transaction::SqliteTx;
use crate::sql::line::{Next, Request, Requests};
use crate::sql::{Durability, SqlError};

/// How long a connection without work keeps its page cache.
const IDLE: Duration = Duration::from_secs(10);

/// Works until the line is closed.
pub(super) fn work(connection: &Connection, path: &str, requests: &Requests) {
    let mut is_warm = false;
    loop {
        match requests.next(is_warm.then_some(IDLE)) {
            Next::Work(mut request) => {
                let outcome = transact(connection, path, &mut request);
                request.job.finish(outcome);
                is_warm = true;
            }
            Next::Idle => {
                // What stays in the cache costs only memory.
                let _ = connection.execute_batch("pragma shrink_memory");
                is_warm = false;
            }
            Next::Closed => return,
        }
    }
}

fn transact(connection: &Connection, path: &str, request: &mut Request) -> Result<(), SqlError> {
    let is_durable = request.durability == Durability::Power;
    let run = |sql: &str| connection.execute_batch(sql).map_err(|e| sql_error(&e, sql, path));
    if is_durable {
        run("pragma synchronous = full")?;
    }
    let outcome = begin_run_end(connection, path, request);
    if is_durable {
        run("pragma synchronous = normal")?;
    }
    outcome
}

fn begin_run_end(
    connection: &Connection,
    path: &str,
    request: &mut Request,
) -> Result<(), SqlError> {
    let run = |sql: &str| {
        let statement = connection.prepare_cached(sql);
        let done = statement.and_then(|mut statement| statement.raw_execute());
        done.map(drop).map_err(|error| sql_error(&error, sql, path))
    };
    run(if request.is_write { "begin immediate" } else { "begin" })?;
    let is_good = request.job.run(&mut SqliteTx::new(connection, path));
    let outcome = if is_good { run("commit") } else { Ok(()) };
    // A failed commit, a refusal of the job and some errors leave the transaction open.
    if connection.is_autocommit() { outcome } else { outcome.and(run("rollback")) }
}

//! The loop of a thread that owns a connection: one transaction after the other.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use parking_lot::Mutex;
use rusqlite::Connection;

use super::fault::sql_error;
use super::transaction::SqliteTx;
use crate::sql::{Durability, SqlError, TxJob};

/// How long a connection without work keeps its page cache.
const IDLE: Duration = Duration::from_secs(10);

/// A job on its way to a connection.
pub(super) struct Request {
    pub(super) job: Box<dyn TxJob>,
    pub(super) is_write: bool,
    pub(super) durability: Durability,
}

/// Works until every sender has gone.
pub(super) fn work(connection: &Connection, path: &str, requests: &Arc<Mutex<Receiver<Request>>>) {
    let mut is_warm = false;
    loop {
        match next(requests, is_warm) {
            Ok(mut request) => {
                let outcome = transact(connection, path, &mut request);
                request.job.finish(outcome);
                is_warm = true;
            }
            Err(RecvTimeoutError::Timeout) => {
                // What stays in the cache costs only memory.
                let _ = connection.execute_batch("pragma shrink_memory");
                is_warm = false;
            }
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Waits for a request; a warm connection only until it counts as idle.
fn next(requests: &Mutex<Receiver<Request>>, is_warm: bool) -> Result<Request, RecvTimeoutError> {
    let requests = requests.lock();
    match is_warm {
        true => requests.recv_timeout(IDLE),
        false => requests.recv().map_err(|_| RecvTimeoutError::Disconnected),
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

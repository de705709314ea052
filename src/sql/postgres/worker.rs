//! The loop of a thread that owns a connection: one transaction after the other.

use super::fault::sql_error;
use super::session::Session;
use super::transaction::{Failure, PostgresTx};
use crate::sql::line::{Next, Request, Requests};
use crate::sql::{Durability, SqlError};

/// Works until the line is closed.
pub(super) fn work(mut session: Session, requests: &Requests) {
    while let Next::Work(mut request) = requests.next(None) {
        let outcome = transact(&mut session, &mut request);
        request.job.finish(outcome);
    }
}

fn transact(session: &mut Session, request: &mut Request) -> Result<(), SqlError> {
    let begin = begin(session, request);
    let address = session.config().address.clone();
    let link = session.begin(&begin).map_err(|fault| sql_error(&fault, &begin, &address))?;
    let mut tx = PostgresTx::new(link);
    let is_good = request.job.run(&mut tx);
    let (failure, has_changed_schema) = tx.into_parts();
    if let Some(Failure { error, ends_connection }) = failure {
        // The server undoes a transaction with a failed statement, whatever the job made of it.
        if ends_connection {
            session.hang_up();
        }
        roll_back(session);
        // There is nothing to commit of a read: what it made of the failure stands.
        return if request.is_write { Err(error) } else { Ok(()) };
    }
    if !is_good {
        roll_back(session);
        return Ok(());
    }
    commit(session)?;
    if has_changed_schema {
        session.schema_changed();
    }
    Ok(())
}

fn begin(session: &Session, request: &Request) -> String {
    let config = session.config();
    let idle = config.idle_timeout_ms;
    if !request.is_write {
        return format!(
            "begin isolation level repeatable read read only; \
             set local idle_in_transaction_session_timeout = {idle}"
        );
    }
    let is_durable = request.durability == Durability::Power;
    let commit = if is_durable { "on" } else { "off" };
    let lock = config.lock_timeout_ms;
    format!(
        "begin; set local synchronous_commit = {commit}; set local lock_timeout = {lock}; \
         set local idle_in_transaction_session_timeout = {idle}"
    )
}

/// Commits. A connection lost on the way leaves open whether it was done.
///
/// A projection may try such a batch again without fear: its checkpoint commits with it, so
/// either the checkpoint has not moved and nothing was written, or it has, and the comparison
/// that begins the retry fails and sends the runner to read where it is.
fn commit(session: &mut Session) -> Result<(), SqlError> {
    let Some(link) = session.link() else { return Err(SqlError::Closed) };
    let done = link.runtime.block_on(link.client.batch_execute("commit"));
    let Err(error) = done else { return Ok(()) };
    let fault = crate::postgres::Fault::of(&error, link.address);
    if !fault.ends_connection() {
        return Err(sql_error(&fault, "commit", link.address));
    }
    session.hang_up();
    Err(SqlError::Unknown(fault.to_string()))
}

/// Rolls back; where that fails the connection goes, and the transaction with it.
fn roll_back(session: &mut Session) {
    let Some(link) = session.link() else { return };
    if link.runtime.block_on(link.client.batch_execute("rollback")).is_err() {
        session.hang_up();
    }
}

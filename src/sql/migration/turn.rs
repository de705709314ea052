//! One runner at a time on a server: a lock of a session that does nothing but hold it and run
//! what refuses to run in a transaction.
//!
//! The lock is asked for again and again, never waited for: a session that waits for it is a
//! transaction that `create index concurrently` waits for in turn, and neither would end.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_postgres::{Client, Row};
use uuid::Uuid;

use super::MigrationError;
use super::ledger::Signature;
use super::statement::names;
use crate::clock::{Clock, SystemClock};
use crate::postgres::{Address, Fault, connect};
use crate::sql::postgres::sql_error;
use crate::sql::{SqlError, machine_name};

/// The mean pause between two questions for the lock.
const POLL: Duration = Duration::from_millis(100);

/// One number for each schema of a database.
macro_rules! lock_key {
    () => {
        "hashtextextended('headwater migrations in ' || current_schema(), 0)"
    };
}

/// Sessions end neither a wait nor a long statement by a setting of the server.
const PREPARE: &str = "select set_config(name, '0', false) from pg_settings
    where name in ('statement_timeout', 'idle_session_timeout')";
const TRY: &str = concat!("select pg_try_advisory_lock(", lock_key!(), ")");
const RELEASE: &str = concat!("select pg_advisory_unlock(", lock_key!(), ")");
const SIGN: &str = "insert into schema_migrations_lock (id, token, owner, since)
    values (1, $1, $2, $3) on conflict (id) do update
    set token = excluded.token, owner = excluded.owner, since = excluded.since";
const HOLDER: &str = concat!(
    "select l.pid, t.owner, t.since from pg_locks as l left join schema_migrations_lock as t
     on t.id = 1 where l.locktype = 'advisory' and l.granted and l.objsubid = 1
     and l.database = (select oid from pg_database where datname = current_database())
     and (l.classid::bigint << 32) | l.objid::bigint = ",
    lock_key!()
);
/// Whose transaction keeps the row of the turn: that of a step, which moves it to itself.
const STRAGGLER: &str = "select held.pid, t.owner, t.since from schema_migrations_lock as t
    join pg_locks as held on held.locktype = 'transactionid' and held.granted
        and held.transactionid = t.xmax
    where t.id = 1 and held.pid is not null";
const INVALID: &str = "select c.relname::text from pg_index as i
    join pg_class as c on c.oid = i.indexrelid
    join pg_namespace as n on n.oid = c.relnamespace
    where n.nspname = current_schema() and not i.indisvalid";

/// The right to change the schema; it ends with the connection at the latest.
pub(super) struct Turn {
    client: Client,
    address: Address,
    token: String,
}

impl Turn {
    /// Waits for its turn, as long as said.
    pub(super) async fn take(address: Address, patience: Duration) -> Result<Self, MigrationError> {
        let client = connect(&address).await;
        let client = client.map_err(|fault| sql_error(&fault, "connect", &address))?;
        let turn = Self { client, address, token: Uuid::now_v7().to_string() };
        turn.run(PREPARE).await?;
        let end = Instant::now() + patience;
        while !turn.try_lock().await? {
            if Instant::now() >= end {
                let holder = turn.holder(HOLDER).await?;
                let holder = holder.unwrap_or_else(|| "a runner that has just ended".into());
                return Err(MigrationError::Busy { holder });
            }
            pause(POLL).await;
        }
        turn.sign(end).await?;
        Ok(turn)
    }

    /// Returns what marks the turn as this runner's.
    pub(super) fn token(&self) -> String {
        self.token.clone()
    }

    /// Returns whether the session is over, and the lock with it.
    pub(super) fn is_lost(&self) -> bool {
        self.client.is_closed()
    }

    /// Runs a statement outside of a transaction.
    pub(super) async fn run(&self, sql: &str) -> Result<(), SqlError> {
        self.client.batch_execute(sql).await.map_err(|error| self.fault(&error, sql))
    }

    /// Bounds how long the next statements wait for a lock.
    pub(super) async fn bound_locks(&self, timeout: Duration) -> Result<(), SqlError> {
        self.run(&format!("set lock_timeout = {}", timeout.as_millis())).await
    }

    /// Returns the indexes named in the script that a killed run has left invalid.
    pub(super) async fn invalid_indexes(&self, script: &str) -> Result<Vec<String>, SqlError> {
        let rows = self.query(INVALID, &[]).await?;
        let found: Result<Vec<String>, _> = rows.iter().map(|row| row.try_get(0)).collect();
        let found = found.map_err(|error| self.fault(&error, INVALID))?;
        Ok(found.into_iter().filter(|index| names(script, index)).collect())
    }

    /// Lets the next runner have its turn.
    pub(super) async fn end(self) {
        let sql = "delete from schema_migrations_lock where token = $1";
        // When the connection is gone, so is the lock.
        let _ = self.client.execute(sql, &[&self.token]).await;
        let _ = self.client.batch_execute(RELEASE).await;
    }

    async fn try_lock(&self) -> Result<bool, SqlError> {
        let rows = self.query(TRY, &[]).await?;
        let is_held = rows.first().map_or(Ok(false), |row| row.try_get(0));
        is_held.map_err(|error| self.fault(&error, TRY))
    }

    /// Says who it is; waits, as long as its turn may be waited for, for a step of a runner that
    /// has lost its own without noticing.
    async fn sign(&self, end: Instant) -> Result<(), MigrationError> {
        self.bound_locks(POLL).await?;
        loop {
            let Signature { at, by } = signature();
            let error = match self.query(SIGN, &[&self.token, &by, &at]).await {
                Err(error @ SqlError::Unavailable(_)) if !self.is_lost() => error,
                signed => return Ok(signed.map(drop)?),
            };
            if Instant::now() >= end {
                return Err(match self.holder(STRAGGLER).await? {
                    Some(holder) => MigrationError::Busy { holder },
                    None => error.into(),
                });
            }
            pause(POLL).await;
        }
    }

    /// Says who is at work, as the query tells; `None` when nobody is.
    async fn holder(&self, sql: &'static str) -> Result<Option<String>, SqlError> {
        let rows = self.query(sql, &[]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let read = || -> Result<(i32, Option<String>, Option<String>), tokio_postgres::Error> {
            Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))
        };
        let (session, owner, since) = read().map_err(|error| self.fault(&error, sql))?;
        let owner = owner.unwrap_or_else(|| "somebody".to_owned());
        let since = since.map(|since| format!(" since {since}")).unwrap_or_default();
        Ok(Some(format!("{owner}{since}, session {session} of the server")))
    }

    async fn query(
        &self,
        sql: &str,
        values: &[&(dyn tokio_postgres::types::ToSql + Sync)],
    ) -> Result<Vec<Row>, SqlError> {
        self.client.query(sql, values).await.map_err(|error| self.fault(&error, sql))
    }

    fn fault(&self, error: &tokio_postgres::Error, sql: &str) -> SqlError {
        sql_error(&Fault::of(error, &self.address), sql, &self.address)
    }
}

/// Says when it is and who this is: the process and its machine.
pub(super) fn signature() -> Signature {
    let machine = machine_name().unwrap_or_else(|| "an unnamed machine".to_owned());
    let by = format!("process {} on {machine}", std::process::id());
    Signature { at: SystemClock.now().to_string(), by }
}

/// Waits half to one and a half times as long, so that runners do not march in step.
pub(super) async fn pause(mean: Duration) {
    let mut random = [0_u8; 2];
    // Without randomness they march in step, which is only slower.
    let _ = getrandom::fill(&mut random);
    let share = f64::from(u16::from_ne_bytes(random)) / f64::from(u16::MAX);
    sleep(mean.mul_f64(0.5 + share)).await;
}

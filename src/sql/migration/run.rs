//! How a step is run: in a transaction with its entry, or statement by statement.

use std::time::Duration;

use super::ledger::{Mark, enter, keeps_turn, mark_of, remove};
use super::turn::{Turn, pause, signature};
use super::{Migration, MigrationError, StepHead};
use crate::sql::{Database, SqlError, TxEngine};

/// How often a step is tried again that could not have its locks in time.
const RETRIES: u32 = 5;

/// The mean wait before the first retry; each further one is twice as long.
const RETRY_FIRST: Duration = Duration::from_millis(200);

/// A step on its way up or down.
#[derive(Clone, Copy)]
pub(super) struct Run<'a> {
    pub(super) database: &'a Database,
    pub(super) capability: &'static str,
    pub(super) step: Migration,
    pub(super) is_up: bool,
    /// `None` on SQLite, where the write transaction keeps others away.
    pub(super) turn: Option<&'a Turn>,
}

/// What became of a transaction.
enum Outcome {
    Changed,
    /// Another runner has done it meanwhile.
    WasDone,
    Superseded,
}

impl Run<'_> {
    /// Runs the step and returns whether it was this runner who did.
    pub(super) async fn run(self) -> Result<bool, MigrationError> {
        let head = self.head()?;
        let mut wait = RETRY_FIRST;
        for _ in 0..RETRIES {
            match self.attempt(head).await {
                Err(MigrationError::Failed { source, .. })
                    if source.is_transient() && !self.turn.is_some_and(Turn::is_lost) =>
                {
                    tracing::debug!(step = self.step.stem, error = %source, "migration is retried");
                    pause(wait).await;
                    wait *= 2;
                }
                ended => return ended,
            }
        }
        self.attempt(head).await
    }

    fn head(self) -> Result<StepHead, MigrationError> {
        let head = self.step.head(self.database.dialect(), self.is_up);
        head.map_err(|source| MigrationError::Head {
            capability: self.capability.to_owned(),
            stem: self.step.stem.to_owned(),
            source,
        })
    }

    async fn attempt(self, head: StepHead) -> Result<bool, MigrationError> {
        match self.turn {
            Some(turn) if !head.is_in_transaction => self.by_statements(head, turn).await,
            _ => self.in_transaction(head).await,
        }
    }

    async fn in_transaction(self, head: StepHead) -> Result<bool, MigrationError> {
        let Self { capability, step, is_up, .. } = self;
        let lock_timeout = self.turn.map(|_| head.lock_timeout.as_millis());
        self.transact(move |tx| {
            if let Some(milliseconds) = lock_timeout {
                tx.run_script(&format!("set local lock_timeout = {milliseconds}"))?;
            }
            tx.run_script(step.text(tx.dialect(), is_up))?;
            finish(tx, capability, &step, is_up)
        })
        .await
    }

    /// Marks the step, heals what a killed run has left, runs each statement, marks it done.
    async fn by_statements(self, head: StepHead, turn: &Turn) -> Result<bool, MigrationError> {
        let Self { capability, step, is_up, .. } = self;
        let mark = if is_up { Mark::Doing } else { Mark::Undoing };
        let begin = move |tx: &mut dyn TxEngine| enter(tx, capability, &step, mark, signature());
        if !self.transact(begin).await? {
            return Ok(false);
        }
        let script = step.text(self.database.dialect(), is_up);
        run_statements(turn, head, script).await.map_err(|source| self.failed(source))?;
        self.transact(move |tx| finish(tx, capability, &step, is_up)).await
    }

    /// Changes the schema or the ledger in one transaction, unless somebody else has.
    async fn transact(
        self,
        change: impl FnOnce(&mut dyn TxEngine) -> Result<(), SqlError> + Send + 'static,
    ) -> Result<bool, MigrationError> {
        let Self { capability, step, is_up, .. } = self;
        let token = self.turn.map(Turn::token);
        let work = move |tx: &mut dyn TxEngine| {
            if let Some(token) = token
                && !keeps_turn(tx, &token)?
            {
                return Ok(Outcome::Superseded);
            }
            let wanted = is_up.then_some(Mark::Done);
            if mark_of(tx, capability, &step)? == wanted {
                return Ok(Outcome::WasDone);
            }
            change(tx).map(|()| Outcome::Changed)
        };
        match self.database.write_durably(work).await {
            Ok(Outcome::Changed) => Ok(true),
            Ok(Outcome::WasDone) => Ok(false),
            Ok(Outcome::Superseded) => Err(MigrationError::Superseded),
            Err(source) => Err(self.failed(source)),
        }
    }

    fn failed(self, source: SqlError) -> MigrationError {
        let (capability, stem) = (self.capability.to_owned(), self.step.stem.to_owned());
        MigrationError::Failed { capability, stem, source }
    }
}

fn finish(
    tx: &mut dyn TxEngine,
    capability: &str,
    step: &Migration,
    is_up: bool,
) -> Result<(), SqlError> {
    match is_up {
        true => enter(tx, capability, step, Mark::Done, signature()),
        false => remove(tx, capability, step),
    }
}

async fn run_statements(turn: &Turn, head: StepHead, script: &str) -> Result<(), SqlError> {
    turn.bound_locks(head.lock_timeout).await?;
    for index in turn.invalid_indexes(script).await? {
        // `if not exists` would take it for the index that is wanted.
        turn.run(&format!("drop index concurrently if exists \"{index}\"")).await?;
    }
    for statement in super::statement::statements(script) {
        turn.run(statement).await?;
    }
    match turn.invalid_indexes(script).await?.first() {
        None => Ok(()),
        Some(index) => Err(SqlError::Statement {
            problem: format!("index {index} was left invalid"),
            statement: format!("drop index concurrently {index}"),
        }),
    }
}

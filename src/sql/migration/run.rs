//! How a step is run: in a transaction with its entry, statement by statement, or in parts.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::batch::{Batch, Progress};
use super::change::Change;
use super::gate::{self, Stop};
use super::ledger::{Mark, enter, keeps_turn, mark_of, note, progress_of, remove};
use super::migrator::{MigrationProgress, Observer};
use super::turn::{Turn, pause, signature};
use super::{MigrationError, StepHead};
use crate::sql::{Database, SqlError, TxEngine};

/// How often something is tried again that could not have its locks in time.
const RETRIES: u32 = 5;

/// The mean wait before the first retry; each further one is twice as long.
const RETRY_FIRST: Duration = Duration::from_millis(200);

/// A step on its way up or down.
#[derive(Clone)]
pub(super) struct Run<'a> {
    pub(super) database: &'a Database,
    pub(super) change: Arc<Change>,
    /// `None` on SQLite, where the write transaction keeps others away.
    pub(super) turn: Option<&'a Turn>,
    pub(super) observer: Option<&'a Observer>,
}

/// What became of a part of a backfill.
enum Part {
    Done(Progress),
    /// There was none left, and the step is done.
    End,
    /// Another runner has turned the step round.
    Lost,
}

/// Whether programs that run are looked for first.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Gate {
    /// At the beginning.
    Closed,
    /// Once begun it goes on: half of a step helps nobody.
    Open,
}

impl Run<'_> {
    /// Runs the step and returns whether it was this runner who did.
    pub(super) async fn run(&self) -> Result<bool, MigrationError> {
        match (&self.change.head.batch, self.turn) {
            (Some(batch), _) => self.by_batches(batch).await,
            (None, Some(turn)) if !self.change.head.is_in_transaction => {
                self.retried(|| self.by_statements(turn)).await
            }
            _ => self.retried(|| self.in_transaction()).await,
        }
    }

    async fn retried<T, F>(&self, attempt: impl Fn() -> F) -> Result<T, MigrationError>
    where
        F: Future<Output = Result<T, MigrationError>>,
    {
        let mut wait = RETRY_FIRST;
        for _ in 0..RETRIES {
            match attempt().await {
                Err(MigrationError::Failed { source, .. })
                    if source.is_transient() && !self.turn.is_some_and(Turn::is_lost) =>
                {
                    let step = self.change.name();
                    tracing::debug!(step, error = %source, "migration is retried");
                    pause(wait).await;
                    wait *= 2;
                }
                ended => return ended,
            }
        }
        attempt().await
    }

    async fn in_transaction(&self) -> Result<bool, MigrationError> {
        let work = |tx: &mut dyn TxEngine, change: &Change| {
            tx.run_script(&change.script)?;
            finish(tx, change)
        };
        Ok(self.transact(Gate::Closed, work).await?.is_some())
    }

    /// Marks the step, heals what a killed run has left, runs each statement, marks it done.
    async fn by_statements(&self, turn: &Turn) -> Result<bool, MigrationError> {
        let begin = |tx: &mut dyn TxEngine, change: &Change| {
            enter(tx, change, change.mark(), None, signature())
        };
        if self.transact(Gate::Closed, begin).await?.is_none() {
            return Ok(false);
        }
        let Change { head, script, .. } = &*self.change;
        run_statements(turn, head, script).await.map_err(|source| self.failed(source))?;
        Ok(self.transact(Gate::Open, finish).await?.is_some())
    }

    /// Marks the step with where it ends, or finds how far it is, and does part after part.
    async fn by_batches(&self, batch: &Batch) -> Result<bool, MigrationError> {
        let Some(mut progress) = self.retried(|| self.begin_batches(batch)).await? else {
            return Ok(false);
        };
        loop {
            self.observe(&progress);
            let (next, took) = match self.retried(|| self.next_batch(batch, progress.size)).await? {
                // Another runner has done the rest.
                None => return Ok(false),
                Some((Part::Lost, _)) => return Err(MigrationError::Superseded),
                Some((Part::End, _)) => return Ok(true),
                Some((Part::Done(next), took)) => (next, took),
            };
            progress = next.paced(took);
            // As long as it worked, so that others have at least half of the database.
            pause(took).await;
        }
    }

    async fn begin_batches(&self, batch: &Batch) -> Result<Option<Progress>, MigrationError> {
        let survey = self.survey(batch).await?;
        let begin = move |tx: &mut dyn TxEngine, change: &Change| {
            if let Some(progress) = progress_of(tx, change, change.mark())? {
                return Ok(Some(progress));
            }
            if let Some(survey) = &survey {
                enter(tx, change, change.mark(), Some(survey), signature())?;
            }
            Ok(survey)
        };
        match self.transact(Gate::Closed, begin).await? {
            // It was under way a moment ago: another runner has turned it round.
            Some(None) => Err(MigrationError::Superseded),
            begun => Ok(begun.flatten()),
        }
    }

    /// Looks where the table begins and ends, unless the backfill is under way already. In a
    /// transaction of its own: counting must not keep writers waiting.
    async fn survey(&self, batch: &Batch) -> Result<Option<Progress>, MigrationError> {
        let (batch, change) = (batch.clone(), Arc::clone(&self.change));
        let work = move |tx: &mut dyn TxEngine| match progress_of(tx, &change, change.mark())? {
            Some(_) => Ok(None),
            None => batch.survey(tx).map(Some),
        };
        self.database.inspect(work).await.map_err(|source| self.failed(source))
    }

    /// Does a part and notes it, or marks the step done when none is left, in one transaction;
    /// and says how long that took. What was waited for before is not counted.
    async fn next_batch(
        &self,
        batch: &Batch,
        size: u32,
    ) -> Result<Option<(Part, Duration)>, MigrationError> {
        let batch = batch.clone();
        let work = move |tx: &mut dyn TxEngine, change: &Change| {
            let begun = Instant::now();
            // What the entry says counts: another runner may have done parts meanwhile.
            let Some(progress) = progress_of(tx, change, change.mark())? else {
                return Ok((Part::Lost, begun.elapsed()));
            };
            let part = match batch.advance(tx, &change.script, progress.sized(size))? {
                None => finish(tx, change).map(|()| Part::End)?,
                Some(next) => note(tx, change, &next).map(|()| Part::Done(next))?,
            };
            Ok((part, begun.elapsed()))
        };
        self.transact(Gate::Open, work).await
    }

    /// Changes the schema or the ledger in one transaction, unless somebody else has.
    async fn transact<T: Send + 'static>(
        &self,
        gate: Gate,
        work: impl FnOnce(&mut dyn TxEngine, &Change) -> Result<T, SqlError> + Send + 'static,
    ) -> Result<Option<T>, MigrationError> {
        let (change, token) = (Arc::clone(&self.change), self.turn.map(Turn::token));
        let work = move |tx: &mut dyn TxEngine| {
            if let Some(token) = token {
                if !keeps_turn(tx, &token)? {
                    return Err(Stop::Superseded);
                }
                let timeout = change.head.lock_timeout.as_millis();
                tx.run_script(&format!("set local lock_timeout = {timeout}"))?;
            }
            if mark_of(tx, &change)? == change.is_up.then_some(Mark::Done) {
                return Ok(None);
            }
            if gate == Gate::Open {
                return Ok(Some(work(tx, &change)?));
            }
            gate::check(tx, &change)?;
            let done = work(tx, &change)?;
            gate::check_last(tx, &change)?;
            Ok(Some(done))
        };
        self.database.transact_durably(work).await.map_err(|stop| match stop {
            Stop::Sql(source) => self.failed(source),
            Stop::Superseded => MigrationError::Superseded,
            Stop::InUse(nodes) => self.in_use(nodes),
        })
    }

    fn observe(&self, progress: &Progress) {
        if let Some(observer) = self.observer {
            observer(&MigrationProgress {
                capability: self.change.capability.clone(),
                stem: self.change.stem.clone(),
                rows: progress.rows,
                rows_total: progress.rows_total,
            });
        }
    }

    fn in_use(&self, nodes: String) -> MigrationError {
        let way = if self.change.is_up { "replace them by programs that know" } else { "replace" };
        let (capability, stem) = (self.change.capability.clone(), self.change.stem.clone());
        MigrationError::InUse { capability, stem, nodes, way }
    }

    fn failed(&self, source: SqlError) -> MigrationError {
        let (capability, stem) = (self.change.capability.clone(), self.change.stem.clone());
        MigrationError::Failed { capability, stem, source }
    }
}

impl Change {
    /// Returns what marks it while it is under way.
    const fn mark(&self) -> Mark {
        if self.is_up { Mark::Doing } else { Mark::Undoing }
    }
}

fn finish(tx: &mut dyn TxEngine, change: &Change) -> Result<(), SqlError> {
    match change.is_up {
        true => enter(tx, change, Mark::Done, None, signature()),
        false => remove(tx, change),
    }
}

async fn run_statements(turn: &Turn, head: &StepHead, script: &str) -> Result<(), SqlError> {
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{Migration, MigrationSet, Migrator, Script};
    use super::*;
    use crate::sql::{Dialect, SqliteConfig};

    const GROUND: Migration = Migration {
        stem: "0001_ground",
        up: Script::Same(
            "create table t (id bigint primary key, x bigint);
            insert into t (id) values (1), (2)",
        ),
        down: Script::Same("drop table t"),
    };
    const FILL: Migration = Migration {
        stem: "0002_fill",
        up: Script::Same(
            "-- phase: backfill\n-- batch: t by id\nupdate t set x = 1 where id between $1 and $2",
        ),
        down: Script::Same(""),
    };

    /// A database in which the backfill is the next step.
    async fn grounded(folder: &Path) -> (Database, Arc<Change>, Batch) {
        let database = SqliteConfig::at(folder.join("read.db")).open().unwrap();
        let set = |steps| MigrationSet { capability: "sample", steps };
        Migrator::only(database.clone(), [set(&[GROUND])]).up().await.unwrap();
        let change = Change::of(&set(&[GROUND, FILL]), &FILL, Dialect::Sqlite, true).unwrap();
        let batch = change.head.batch.clone().unwrap();
        (database, Arc::new(change), batch)
    }

    #[tokio::test]
    async fn a_backfill_without_rows_left_is_marked_done_by_the_look_for_them() {
        let folder = tempfile::tempdir().unwrap();
        let (database, change, batch) = grounded(folder.path()).await;
        let run = Run { database: &database, change: change.clone(), turn: None, observer: None };
        run.begin_batches(&batch).await.unwrap();
        let first = run.next_batch(&batch, 9).await.unwrap();
        assert!(matches!(first, Some((Part::Done(_), _))));
        let last = run.next_batch(&batch, 9).await.unwrap();
        assert!(matches!(last, Some((Part::End, _))));
        let mark = database.inspect(move |tx| mark_of(tx, &change)).await;
        assert_eq!(mark.unwrap(), Some(Mark::Done));
    }

    #[tokio::test]
    async fn a_backfill_that_is_under_way_is_not_surveyed_again() {
        let folder = tempfile::tempdir().unwrap();
        let (database, change, batch) = grounded(folder.path()).await;
        let run = Run { database: &database, change, turn: None, observer: None };
        let begun = run.begin_batches(&batch).await.unwrap();
        // A key that no survey can read.
        let insert = "insert into t (id) values (x'00')";
        database.write(move |tx| tx.run_script(insert)).await.unwrap();
        assert_eq!(run.begin_batches(&batch).await.unwrap(), begun);
    }
}

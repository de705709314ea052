//! The runner: what is known against what is done, and the way from one to the other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::apart::apart;
use super::change::Change;
use super::ledger::{self, Applied, Entry, Mark, key, read_applied};
use super::reach::{Pending, Reach};
use super::run::Run;
use super::turn::Turn;
use super::{CORE, Migration, MigrationError, MigrationSet, NODES, Phase};
use crate::sql::{Database, SqlError};

/// How long a runner waits for another one unless it is told otherwise.
const PATIENCE: Duration = Duration::from_secs(120);

/// Brings a database's schema up and down, one runner at a time.
///
/// A run has a thread of its own; dropping its future ends it as a kill would.
#[derive(Clone)]
pub struct Migrator {
    database: Database,
    sets: Vec<MigrationSet>,
    patience: Duration,
    observer: Option<Observer>,
}

/// How far a backfill is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationProgress {
    /// The capability.
    pub capability: String,
    /// `NNNN_name`.
    pub stem: String,
    /// The rows that were looked at, by earlier runs too.
    pub rows: u64,
    /// About how many there were when it began.
    pub rows_total: u64,
}

pub(super) type Observer = Arc<dyn Fn(&MigrationProgress) + Send + Sync>;

impl Migrator {
    /// Knows the framework's steps and those of the capabilities, which run in this order.
    #[must_use]
    pub fn new(database: Database, capabilities: impl IntoIterator<Item = MigrationSet>) -> Self {
        Self::only(database, [CORE, NODES].into_iter().chain(capabilities))
    }

    /// Knows these steps and no others, such as [`STORE`](super::STORE)'s in the database of the
    /// log.
    #[must_use]
    pub fn only(database: Database, sets: impl IntoIterator<Item = MigrationSet>) -> Self {
        let sets = sets.into_iter().collect();
        Self { database, sets, patience: PATIENCE, observer: None }
    }

    /// Sets how long it waits while another runner works on the same schema; 2 minutes unless
    /// said. On SQLite the bound is that of a write.
    #[must_use]
    pub const fn waiting(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Tells somebody how far a backfill is, before its first part and after each.
    #[must_use]
    pub fn observed(
        mut self,
        observer: impl Fn(&MigrationProgress) + Send + Sync + 'static,
    ) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// Does what a program may do by itself when it starts, and returns how many steps this
    /// runner did. Without such a step it waits for nobody.
    ///
    /// Steps of phase contract and backfills in parts are left to [`Migrator::advance`], unless
    /// the first run of their capability has not come to its end yet.
    ///
    /// # Errors
    /// [`MigrationError`]; steps before the one that failed stay done, and a first run that was
    /// killed between two of them is gone on with as such.
    pub async fn up(&self) -> Result<usize, MigrationError> {
        self.advance_by(Reach::start()).await
    }

    /// Does every step that is not done, as far as is said, and returns how many this runner did.
    ///
    /// # Errors
    /// [`MigrationError`]; steps before the one that failed stay done.
    pub async fn advance(&self, reach: &Reach) -> Result<usize, MigrationError> {
        self.advance_by(reach.clone()).await
    }

    async fn advance_by(&self, reach: Reach) -> Result<usize, MigrationError> {
        reach.check(&self.sets)?;
        // What waits for another step is refused in its turn: a runner may be about to do that.
        if let Ok([taken, left]) = reach.select(self.pending(&self.checked().await?)?)
            && taken.is_empty()
        {
            log_left(&left);
            return Ok(0);
        }
        let own = self.clone();
        apart(async move {
            let turn = own.take_turn().await?;
            let done = own.go_up(&reach, turn.as_ref()).await;
            end(turn).await;
            done
        })
        .await
    }

    /// Undoes a capability's steps above number `to`, latest first; 0 undoes all. Steps of a
    /// newer program are undone by the text that it has left.
    ///
    /// # Errors
    /// [`MigrationError`]; steps undone before the one that failed stay undone.
    pub async fn down(&self, capability: &str, to: u32) -> Result<usize, MigrationError> {
        let set = self.sets.iter().find(|set| set.capability == capability);
        let set = set.ok_or_else(|| MigrationError::UnknownCapability {
            capability: capability.to_owned(),
        })?;
        if self.done().await?.is_empty() {
            return Ok(0);
        }
        let (own, set) = (self.clone(), *set);
        apart(async move {
            let turn = own.take_turn().await?;
            let done = own.go_down(&set, to, turn.as_ref()).await;
            end(turn).await;
            done
        })
        .await
    }

    /// Compares what is done with what is known and returns everything that does not fit.
    ///
    /// A program that starts looks once more when its row in `nodes` is written: a contract step
    /// that was done meanwhile has either seen the row and given up, or is seen now.
    ///
    /// # Errors
    /// [`MigrationError::Sql`] when the table of done steps cannot be read.
    pub async fn verify(&self) -> Result<Vec<MigrationError>, MigrationError> {
        let done = self.done().await?;
        Ok(self.problems(&done))
    }

    /// Checks that the schema is as [`Migrator::up`] would make it, and changes nothing; for
    /// programs that only look.
    ///
    /// # Errors
    /// [`MigrationError::Pending`], and whatever does not fit.
    pub async fn check(&self) -> Result<(), MigrationError> {
        let pending = self.pending(&self.checked().await?)?;
        let [taken, _] = Reach::start().select(pending)?;
        let Some(Pending { set, step, .. }) = taken.first() else { return Ok(()) };
        let (capability, stem) = (set.capability.to_owned(), step.stem.to_owned());
        Err(MigrationError::Pending { capability, stem })
    }

    /// Knows one capability more.
    pub(crate) fn with(mut self, set: MigrationSet) -> Self {
        self.sets.push(set);
        self
    }

    /// Returns the number of the last step of each capability.
    pub(crate) fn last_steps(&self) -> BTreeMap<String, u32> {
        let last = |set: &MigrationSet| (set.capability.to_owned(), set.steps.len() as u32);
        self.sets.iter().map(last).collect()
    }

    pub(super) fn sets(&self) -> &[MigrationSet] {
        &self.sets
    }

    pub(crate) const fn database(&self) -> &Database {
        &self.database
    }

    pub(super) async fn done(&self) -> Result<Applied, MigrationError> {
        Ok(self.database.inspect::<_, SqlError>(read_applied).await?)
    }

    /// Reads what is done and checks it against what is known.
    async fn checked(&self) -> Result<Applied, MigrationError> {
        let done = self.done().await?;
        match self.problems(&done).into_iter().next() {
            Some(problem) => Err(problem),
            None => Ok(done),
        }
    }

    fn pending<'a>(&'a self, done: &Applied) -> Result<Vec<Pending<'a>>, MigrationError> {
        let mut pending = Vec::new();
        for set in &self.sets {
            let is_fresh = is_fresh(set, done);
            for step in set.steps.iter().filter(|step| !is_done(done.get(&key(set, step)))) {
                let head = Change::of(set, step, self.database.dialect(), true)?.head;
                pending.push(Pending { set, step: *step, head, is_fresh });
            }
        }
        Ok(pending)
    }

    /// Waits for its turn where there is a server; a file has its write transaction.
    async fn take_turn(&self) -> Result<Option<Turn>, MigrationError> {
        self.database.write(ledger::make).await?;
        match self.database.address() {
            Some(address) => Turn::take(address, self.patience).await.map(Some),
            None => Ok(None),
        }
    }

    async fn go_up(&self, reach: &Reach, turn: Option<&Turn>) -> Result<usize, MigrationError> {
        // Read again: another runner may have had its turn before.
        let done = self.checked().await?;
        let mut count = 0;
        let [taken, left] = reach.select(self.pending(&done)?)?;
        log_left(&left);
        for pending in taken {
            let first_run_to = reach.first_run_to(&pending, &left);
            let Pending { set, step, .. } = pending;
            let change = Change::of(set, &step, self.database.dialect(), true)?;
            count += usize::from(self.run(Change { first_run_to, ..change }, turn).await?);
        }
        Ok(count)
    }

    async fn go_down(
        &self,
        set: &MigrationSet,
        to: u32,
        turn: Option<&Turn>,
    ) -> Result<usize, MigrationError> {
        let done = self.done().await?;
        // What a newer program did is about to be undone.
        let is_newer = |problem: &MigrationError| matches!(problem, MigrationError::Newer { capability, .. } if capability == set.capability);
        if let Some(problem) = self.problems(&done).into_iter().find(|it| !is_newer(it)) {
            return Err(problem);
        }
        let mut count = 0;
        for ((capability, number), entry) in done.iter().rev() {
            if capability == set.capability && *number > to {
                let change = match set.steps.iter().find(|step| step.number() == *number) {
                    Some(step) => Change::of(set, step, self.database.dialect(), false)?,
                    None => Change::stored(capability, *number, entry)?,
                };
                count += usize::from(self.run(change, turn).await?);
            }
        }
        Ok(count)
    }

    async fn run(&self, change: Change, turn: Option<&Turn>) -> Result<bool, MigrationError> {
        let (database, observer) = (&self.database, self.observer.as_ref());
        Run { database, change: Arc::new(change), turn, observer }.run().await
    }

    fn problems(&self, done: &Applied) -> Vec<MigrationError> {
        self.sets.iter().flat_map(|set| self.problems_of(set, done)).collect()
    }

    fn problems_of(&self, set: &MigrationSet, done: &Applied) -> Vec<MigrationError> {
        let mut problems = Vec::new();
        let mut has_gap = false;
        for (at, step) in set.steps.iter().enumerate() {
            let (capability, stem) = (set.capability.to_owned(), step.stem.to_owned());
            let entry = done.get(&key(set, step));
            let heads = [true, false].map(|is_up| step.head(self.database.dialect(), is_up));
            if let Some(source) = heads.into_iter().find_map(Result::err) {
                problems.push(MigrationError::Head { capability, stem, source });
            } else if step.number() as usize != at + 1 || (entry.is_some() && has_gap) {
                problems.push(MigrationError::Order { capability, stem });
            } else if self.is_changed(step, entry) {
                problems.push(MigrationError::Changed { capability, stem });
            }
            has_gap |= !is_done(entry);
        }
        // What a newer program adds does not harm this one; what it takes away does.
        let missing = unknown(set, done).find(|(_, entry)| takes_away(entry));
        problems.extend(missing.map(|(_, entry)| MigrationError::Newer {
            capability: set.capability.to_owned(),
            stem: entry.stem.clone(),
        }));
        problems
    }

    /// Whether a done step has another text; one that was never finished may be corrected.
    pub(super) fn is_changed(&self, step: &Migration, entry: Option<&Entry>) -> bool {
        let checksum = step.checksum(self.database.dialect());
        entry.is_some_and(|entry| entry.mark == Mark::Done && entry.checksum != checksum)
    }
}

async fn end(turn: Option<Turn>) {
    if let Some(turn) = turn {
        turn.end().await;
    }
}

fn log_left(left: &[Pending<'_>]) {
    for Pending { set, step, head, .. } in left {
        let (capability, step, phase) = (set.capability, step.stem, head.phase);
        tracing::info!(capability, step, %phase, "migration is left to an operator");
    }
}

/// Whether nothing of a capability is done yet, or its first run was begun and did not reach the
/// step that it was to end with.
fn is_fresh(set: &MigrationSet, done: &Applied) -> bool {
    let last = done.iter().rfind(|((capability, _), _)| capability == set.capability);
    let is_under_way = |number: u32, entry: &Entry| {
        let is_short = entry.first_run_to.is_some_and(|to| i64::from(number) < to);
        is_short || (entry.first_run_to.is_some() && entry.mark == Mark::Doing)
    };
    last.is_none_or(|((_, number), entry)| is_under_way(*number, entry))
}

pub(super) fn is_done(entry: Option<&Entry>) -> bool {
    entry.is_some_and(|entry| entry.mark == Mark::Done)
}

/// Whether a step may have removed what a program that does not know it uses.
pub(super) fn takes_away(entry: &Entry) -> bool {
    entry.phase.is_none_or(|phase| phase == Phase::Contract)
}

/// Returns the entries of a capability past its last known step.
pub(super) fn unknown<'a>(
    set: &'a MigrationSet,
    done: &'a Applied,
) -> impl Iterator<Item = (&'a (String, u32), &'a Entry)> {
    let known = set.steps.len() as u32;
    done.iter()
        .filter(move |((capability, number), _)| capability == set.capability && *number > known)
}

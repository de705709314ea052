//! The runner: what is known against what is done, and the way from one to the other.

use std::collections::BTreeMap;
use std::time::Duration;

use super::apart::apart;
use super::ledger::{Applied, Entry, Mark, key, read_applied};
use super::run::Run;
use super::turn::Turn;
use super::{CORE, Migration, MigrationError, MigrationSet, NODES, StepHead};
use crate::sql::Database;

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
}

/// What is known of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationStatus {
    /// The capability.
    pub capability: String,
    /// `NNNN_name`.
    pub stem: String,
    /// How far it is.
    pub state: StepState,
    /// When it was done; `None` while it is not.
    pub applied_at: Option<String>,
    /// Who has done or begun it; `None` when nobody has, or an early program did.
    pub applied_by: Option<String>,
    /// How it is run; the defaults for a step that is unknown here.
    pub head: StepHead,
}

/// How far a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepState {
    /// Not begun.
    Pending,
    /// Done.
    Done,
    /// Begun without a transaction and not finished: a run goes on, or was killed; the next
    /// `up` heals and finishes it.
    Unfinished,
    /// The same on its way down; the next `up` does it again, the next `down` undoes it.
    UnfinishedDown,
    /// Done with another text than this program's.
    Changed,
    /// Done by a newer program, not known here.
    Unknown,
}

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
        Self { database, sets: sets.into_iter().collect(), patience: PATIENCE }
    }

    /// Sets how long it waits while another runner works on the same schema; 2 minutes unless
    /// said. On SQLite the bound is that of a write.
    #[must_use]
    pub const fn waiting(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Does every step that is not done and returns how many this runner did. Without such a
    /// step it waits for nobody.
    ///
    /// # Errors
    /// [`MigrationError`]; steps before the one that failed stay done.
    pub async fn up(&self) -> Result<usize, MigrationError> {
        if self.pending(&self.checked().await?).next().is_none() {
            return Ok(0);
        }
        let own = self.clone();
        apart(async move {
            let turn = own.take_turn().await?;
            let done = own.go_up(turn.as_ref()).await;
            end(turn).await;
            done
        })
        .await
    }

    /// Undoes a capability's steps above number `to`, latest first; 0 undoes all.
    ///
    /// # Errors
    /// [`MigrationError`]; steps undone before the one that failed stay undone.
    pub async fn down(&self, capability: &str, to: u32) -> Result<usize, MigrationError> {
        let set = self.sets.iter().find(|set| set.capability == capability);
        let set = set.ok_or_else(|| MigrationError::UnknownCapability {
            capability: capability.to_owned(),
        })?;
        self.checked().await?;
        let (own, set) = (self.clone(), *set);
        apart(async move {
            let turn = own.take_turn().await?;
            let done = own.go_down(&set, to, turn.as_ref()).await;
            end(turn).await;
            done
        })
        .await
    }

    /// Lists every step and how far it is, those too that are unknown here.
    ///
    /// # Errors
    /// [`MigrationError::Head`] and [`MigrationError::Sql`].
    pub async fn status(&self) -> Result<Vec<MigrationStatus>, MigrationError> {
        let done = self.done().await?;
        let mut all = Vec::new();
        for set in &self.sets {
            for step in set.steps {
                all.push(self.status_of(set, step, done.get(&key(set, step)))?);
            }
            all.extend(unknown(set, &done).map(|(_, entry)| MigrationStatus {
                capability: set.capability.to_owned(),
                stem: entry.stem.clone(),
                state: StepState::Unknown,
                applied_at: (entry.mark == Mark::Done).then(|| entry.at.clone()),
                applied_by: entry.by.clone(),
                head: StepHead::default(),
            }));
        }
        Ok(all)
    }

    /// Compares what is done with what is known and returns everything that does not fit.
    ///
    /// # Errors
    /// [`MigrationError::Sql`] when the table of done steps cannot be read.
    pub async fn verify(&self) -> Result<Vec<MigrationError>, MigrationError> {
        let done = self.done().await?;
        Ok(self.problems(&done))
    }

    /// Returns the number of the last step of each capability.
    pub(crate) fn last_steps(&self) -> BTreeMap<String, u32> {
        let last = |set: &MigrationSet| (set.capability.to_owned(), set.steps.len() as u32);
        self.sets.iter().map(last).collect()
    }

    async fn done(&self) -> Result<Applied, MigrationError> {
        Ok(self.database.write(read_applied).await?)
    }

    /// Reads what is done and checks it against what is known.
    async fn checked(&self) -> Result<Applied, MigrationError> {
        let done = self.done().await?;
        match self.problems(&done).into_iter().next() {
            Some(problem) => Err(problem),
            None => Ok(done),
        }
    }

    fn pending<'a>(
        &'a self,
        done: &'a Applied,
    ) -> impl Iterator<Item = (&'a MigrationSet, Migration)> {
        let steps = self.sets.iter().flat_map(|set| set.steps.iter().map(move |step| (set, *step)));
        steps.filter(|(set, step)| !is_done(done.get(&key(set, step))))
    }

    /// Waits for its turn where there is a server; a file has its write transaction.
    async fn take_turn(&self) -> Result<Option<Turn>, MigrationError> {
        match self.database.address() {
            Some(address) => Turn::take(address, self.patience).await.map(Some),
            None => Ok(None),
        }
    }

    async fn go_up(&self, turn: Option<&Turn>) -> Result<usize, MigrationError> {
        // Read again: another runner may have had its turn before.
        let done = self.checked().await?;
        let mut count = 0;
        for (set, step) in self.pending(&done) {
            count += usize::from(self.run(set, step, true, turn).await?);
        }
        Ok(count)
    }

    async fn go_down(
        &self,
        set: &MigrationSet,
        to: u32,
        turn: Option<&Turn>,
    ) -> Result<usize, MigrationError> {
        let done = self.checked().await?;
        let mut count = 0;
        for step in set.steps.iter().rev().filter(|step| step.number() > to) {
            if done.contains_key(&key(set, step)) {
                count += usize::from(self.run(set, *step, false, turn).await?);
            }
        }
        Ok(count)
    }

    async fn run(
        &self,
        set: &MigrationSet,
        step: Migration,
        is_up: bool,
        turn: Option<&Turn>,
    ) -> Result<bool, MigrationError> {
        let (database, capability) = (&self.database, set.capability);
        Run { database, capability, step, is_up, turn }.run().await
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
        problems.extend(unknown(set, done).map(|(_, entry)| MigrationError::Newer {
            capability: set.capability.to_owned(),
            stem: entry.stem.clone(),
        }));
        problems
    }

    /// Whether a done step has another text; one that was never finished may be corrected.
    fn is_changed(&self, step: &Migration, entry: Option<&Entry>) -> bool {
        let checksum = step.checksum(self.database.dialect());
        entry.is_some_and(|entry| entry.mark == Mark::Done && entry.checksum != checksum)
    }

    fn status_of(
        &self,
        set: &MigrationSet,
        step: &Migration,
        entry: Option<&Entry>,
    ) -> Result<MigrationStatus, MigrationError> {
        let (capability, stem) = (set.capability.to_owned(), step.stem.to_owned());
        let head = step.head(self.database.dialect(), true);
        let head = head.map_err(|source| MigrationError::Head {
            capability: capability.clone(),
            stem: stem.clone(),
            source,
        })?;
        let state = match entry.map(|entry| entry.mark) {
            None => StepState::Pending,
            Some(Mark::Doing) => StepState::Unfinished,
            Some(Mark::Undoing) => StepState::UnfinishedDown,
            Some(Mark::Done) if self.is_changed(step, entry) => StepState::Changed,
            Some(Mark::Done) => StepState::Done,
        };
        let applied_at = entry.filter(|entry| is_done(Some(entry))).map(|entry| entry.at.clone());
        let applied_by = entry.and_then(|entry| entry.by.clone());
        Ok(MigrationStatus { capability, stem, state, applied_at, applied_by, head })
    }
}

async fn end(turn: Option<Turn>) {
    if let Some(turn) = turn {
        turn.end().await;
    }
}

fn is_done(entry: Option<&Entry>) -> bool {
    entry.is_some_and(|entry| entry.mark == Mark::Done)
}

/// Returns the entries of a capability past its last known step.
fn unknown<'a>(
    set: &'a MigrationSet,
    done: &'a Applied,
) -> impl Iterator<Item = (&'a (String, u32), &'a Entry)> {
    let known = set.steps.len() as u32;
    done.iter()
        .filter(move |((capability, number), _)| capability == set.capability && *number > known)
}

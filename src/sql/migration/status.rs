//! What is known of each step, for those who look.

use super::change::Change;
use super::ledger::{Entry, Mark, key};
use super::migrator::{is_done, takes_away, unknown};
use super::{Migration, MigrationError, MigrationSet, Migrator, Phase, StepHead};

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
    /// How it is run; the defaults, but for the phase, for a step that is unknown here.
    pub head: StepHead,
    /// The rows that an unfinished backfill has looked at, and about how many there were when it
    /// began; `None` for every other step.
    pub rows: Option<(u64, u64)>,
}

/// How far a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepState {
    /// Not begun.
    Pending,
    /// Done.
    Done,
    /// Begun in parts or without a transaction and not finished: a run goes on, or was killed;
    /// the next `up` finishes it.
    Unfinished,
    /// The same on its way down; the next `up` does it again, the next `down` undoes it.
    UnfinishedDown,
    /// Done with another text than this program's.
    Changed,
    /// Done by a newer program, not known here; this program can work beside it.
    Unknown,
    /// The same, and it takes away what this program may need.
    UnknownContract,
}

impl Migrator {
    /// Lists every step and how far it is, those too that are unknown here.
    ///
    /// # Errors
    /// [`MigrationError::Head`] and [`MigrationError::Sql`].
    pub async fn status(&self) -> Result<Vec<MigrationStatus>, MigrationError> {
        let done = self.done().await?;
        let mut all = Vec::new();
        for set in self.sets() {
            for step in set.steps {
                all.push(self.status_of(set, step, done.get(&key(set, step)))?);
            }
            all.extend(unknown(set, &done).map(|(_, entry)| status_of_unknown(set, entry)));
        }
        Ok(all)
    }

    fn status_of(
        &self,
        set: &MigrationSet,
        step: &Migration,
        entry: Option<&Entry>,
    ) -> Result<MigrationStatus, MigrationError> {
        let change = Change::of(set, step, self.database().dialect(), true)?;
        let state = match entry.map(|entry| entry.mark) {
            None => StepState::Pending,
            Some(Mark::Doing) => StepState::Unfinished,
            Some(Mark::Undoing) => StepState::UnfinishedDown,
            Some(Mark::Done) if self.is_changed(step, entry) => StepState::Changed,
            Some(Mark::Done) => StepState::Done,
        };
        Ok(MigrationStatus {
            capability: change.capability,
            stem: change.stem,
            state,
            applied_at: applied_at(entry),
            applied_by: entry.and_then(|entry| entry.by.clone()),
            head: change.head,
            rows: entry.and_then(rows),
        })
    }
}

fn status_of_unknown(set: &MigrationSet, entry: &Entry) -> MigrationStatus {
    let is_harmless = !takes_away(entry);
    let phase = entry.phase.unwrap_or(Phase::Contract);
    MigrationStatus {
        capability: set.capability.to_owned(),
        stem: entry.stem.clone(),
        state: if is_harmless { StepState::Unknown } else { StepState::UnknownContract },
        applied_at: applied_at(Some(entry)),
        applied_by: entry.by.clone(),
        head: StepHead { phase, ..StepHead::default() },
        rows: rows(entry),
    }
}

fn applied_at(entry: Option<&Entry>) -> Option<String> {
    entry.filter(|entry| is_done(Some(entry))).map(|entry| entry.at.clone())
}

fn rows(entry: &Entry) -> Option<(u64, u64)> {
    entry.progress.as_ref().map(|progress| (progress.rows, progress.rows_total))
}

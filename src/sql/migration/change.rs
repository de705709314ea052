//! A step on its way up or down, with its texts.

use super::ledger::Entry;
use super::{Migration, MigrationError, MigrationSet, Phase, StepHead, checksum_of};
use crate::sql::Dialect;

/// What is to be done, whether a step of this program says so or the text that another has left.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) capability: String,
    pub(super) number: u32,
    pub(super) stem: String,
    /// The phase of the way up.
    pub(super) phase: Phase,
    /// Of both texts.
    pub(super) checksum: String,
    /// What is run.
    pub(super) script: String,
    /// What undoes the step.
    pub(super) down: String,
    /// How the script is run.
    pub(super) head: StepHead,
    pub(super) is_up: bool,
    /// The last step of the run, when that is the first of the capability and will do them all.
    pub(super) first_run_to: Option<u32>,
}

impl Change {
    /// Does or undoes a step that this program knows.
    pub(super) fn of(
        set: &MigrationSet,
        step: &Migration,
        dialect: Dialect,
        is_up: bool,
    ) -> Result<Self, MigrationError> {
        let head = |is_up| {
            step.head(dialect, is_up).map_err(|source| MigrationError::Head {
                capability: set.capability.to_owned(),
                stem: step.stem.to_owned(),
                source,
            })
        };
        Ok(Self {
            capability: set.capability.to_owned(),
            number: step.number(),
            stem: step.stem.to_owned(),
            phase: head(true)?.phase,
            checksum: step.checksum(dialect),
            script: step.text(dialect, is_up).to_owned(),
            down: step.text(dialect, false).to_owned(),
            head: head(is_up)?,
            is_up,
            first_run_to: None,
        })
    }

    /// Undoes a step that only a newer program knows, by the text it has left.
    pub(super) fn stored(
        capability: &str,
        number: u32,
        entry: &Entry,
    ) -> Result<Self, MigrationError> {
        let stem = entry.stem.clone();
        let unusable = |problem| MigrationError::Stored {
            capability: capability.to_owned(),
            stem: stem.clone(),
            problem,
        };
        let down = entry.down.as_ref().ok_or_else(|| unusable("is missing"))?;
        if down.checksum.as_deref() != Some(checksum_of(&[&down.text]).as_str()) {
            return Err(unusable("was changed after it was stored"));
        }
        let head = down.text.parse().map_err(|source| MigrationError::Head {
            capability: capability.to_owned(),
            stem: stem.clone(),
            source,
        })?;
        Ok(Self {
            capability: capability.to_owned(),
            number,
            stem: stem.clone(),
            phase: entry.phase.unwrap_or_default(),
            checksum: entry.checksum.clone(),
            script: down.text.clone(),
            down: down.text.clone(),
            head,
            is_up: false,
            first_run_to: None,
        })
    }

    /// Returns the step's name with its capability's.
    pub(super) fn name(&self) -> String {
        format!("{}/{}", self.capability, self.stem)
    }
}

//! How far a run goes.

use super::{Migration, MigrationError, MigrationSet, Phase, StepHead};

/// How far an operator wants to go: everything unless less is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    phase: Phase,
    to: Option<(String, u32)>,
    has_batches: bool,
}

/// A step that is not done.
#[derive(Clone)]
pub(super) struct Pending<'a> {
    pub(super) set: &'a MigrationSet,
    pub(super) step: Migration,
    pub(super) head: StepHead,
    /// Whether the first run of its capability has not come to its end, so that there is nothing
    /// in its tables and nobody uses them.
    pub(super) is_fresh: bool,
}

impl Reach {
    /// Goes to the end.
    #[must_use]
    pub const fn all() -> Self {
        Self { phase: Phase::Contract, to: None, has_batches: true }
    }

    /// Stops in each capability before the first step of a later phase.
    #[must_use]
    pub const fn phase(mut self, phase: Phase) -> Self {
        self.phase = phase;
        self
    }

    /// Does the steps of one capability alone, and none above the number.
    #[must_use]
    pub fn to(mut self, capability: impl Into<String>, number: u32) -> Self {
        self.to = Some((capability.into(), number));
        self
    }

    /// What a program does by itself when it starts: neither what an older program beside it
    /// would miss, nor what keeps it from starting for long.
    pub(super) const fn start() -> Self {
        Self { phase: Phase::Backfill, to: None, has_batches: false }
    }

    /// Checks that the step to go to is known.
    pub(super) fn check(&self, sets: &[MigrationSet]) -> Result<(), MigrationError> {
        let Some((capability, number)) = &self.to else { return Ok(()) };
        let set = sets.iter().find(|set| set.capability == capability);
        let set = set
            .ok_or_else(|| MigrationError::UnknownCapability { capability: capability.clone() })?;
        if set.steps.iter().any(|step| step.number() == *number) {
            return Ok(());
        }
        Err(MigrationError::UnknownStep { capability: capability.clone(), number: *number })
    }

    /// Parts those of the steps that are to be done, in their order, from those left for later.
    ///
    /// # Errors
    /// [`MigrationError::Waits`] when one comes after another of its capability that is not.
    pub(super) fn select<'a>(
        &self,
        pending: Vec<Pending<'a>>,
    ) -> Result<[Vec<Pending<'a>>; 2], MigrationError> {
        let mut left: Vec<Pending<'a>> = Vec::new();
        let mut taken = Vec::new();
        for step in pending.into_iter().filter(|step| self.covers(step)) {
            let capability = step.set.capability;
            let behind = left.iter().find(|other| other.set.capability == capability);
            match (self.takes(&step), behind) {
                (false, _) => left.push(step),
                (true, None) => taken.push(step),
                (true, Some(behind)) => {
                    return Err(MigrationError::Waits {
                        capability: capability.to_owned(),
                        stem: step.step.stem.to_owned(),
                        behind: behind.step.stem.to_owned(),
                        phase: behind.head.phase,
                    });
                }
            }
        }
        Ok([taken, left])
    }

    /// Returns the number of the last of these steps of a capability, if it is new and all its
    /// steps are among them: a run that is killed before that one has still been the first.
    pub(super) fn first_run_to(&self, step: &Pending<'_>, left: &[Pending<'_>]) -> Option<u32> {
        let capability = step.set.capability;
        let is_whole = self.to.is_none() && left.iter().all(|it| it.set.capability != capability);
        (step.is_fresh && is_whole).then_some(step.set.steps.len() as u32)
    }

    fn covers(&self, step: &Pending<'_>) -> bool {
        let number = step.step.number();
        self.to
            .as_ref()
            .is_none_or(|(capability, to)| step.set.capability == capability && number <= *to)
    }

    fn takes(&self, step: &Pending<'_>) -> bool {
        let is_start = !self.has_batches;
        (is_start && step.is_fresh)
            || (step.head.phase <= self.phase && (self.has_batches || step.head.batch.is_none()))
    }
}

impl Default for Reach {
    fn default() -> Self {
        Self::all()
    }
}

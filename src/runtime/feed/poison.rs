//! What happens when a batch fails: wait and retry, look for the bad event, follow the policy.

use tokio::time::Instant;

use super::StepError;
use super::lane::{Context, Lane, stream_key};
use crate::event::{Position, RecordedEvent};
use crate::projection::parked;
use crate::projection::{PoisonPolicy, ProjectionError, ProjectionState, Step};
use crate::sql::{SqlError, TxEngine, for_people};

impl Lane {
    /// Decides what to do after a range of events failed and was rolled back.
    pub(crate) async fn failed(
        &mut self,
        cx: &Context,
        error: ProjectionError,
    ) -> Result<Step, StepError> {
        let reason = for_people(error.to_string());
        self.last_error = Some(reason.clone());
        match &error {
            ProjectionError::Sql(SqlError::Closed) => Err(SqlError::Closed.into()),
            // The batch may be committed: the checkpoint tells, before it is tried again.
            ProjectionError::Sql(unknown @ SqlError::Unknown(_)) => Err(unknown.clone().into()),
            ProjectionError::Sql(SqlError::Damaged(_)) => self.halt(cx, reason, None).await,
            // However long it takes: no event is to blame, and nobody has to resume it.
            ProjectionError::Sql(sql) if sql.is_transient() => Ok(self.put_off(cx, reason)),
            ProjectionError::PoisonEvent { position, .. } => {
                self.suspect(cx, Some(*position), reason).await
            }
            _ => self.suspect(cx, None, reason).await,
        }
    }

    /// Retries a batch that may hold a bad event, then narrows it down to that one.
    async fn suspect(
        &mut self,
        cx: &Context,
        named: Option<Position>,
        reason: String,
    ) -> Result<Step, StepError> {
        let is_isolating =
            self.work.as_ref().is_some_and(crate::projection::work::Work::is_isolating);
        let attempts = self.work.as_ref().map(|work| work.attempt);
        if !is_isolating && attempts.is_some_and(|attempts| attempts < cx.config.retries_max) {
            return Ok(self.put_off(cx, reason));
        }
        let Some(work) = &mut self.work else { return self.halt(cx, reason, None).await };
        let attempt = work.attempt;
        match work.narrow(named) {
            Some(event) => self.condemn(cx, &event, reason).await,
            None => Ok(Step::Failed { attempt, error: reason }),
        }
    }

    /// Puts the next try off.
    fn put_off(&mut self, cx: &Context, error: String) -> Step {
        let attempt = self.work.as_ref().map_or(0, |work| work.attempt).saturating_add(1);
        if let Some(work) = &mut self.work {
            work.attempt = attempt;
        }
        self.not_before = Some(Instant::now() + cx.config.retry_wait(attempt));
        Step::Failed { attempt, error }
    }

    /// Follows the policy for an event that cannot be applied; all before it are committed.
    pub(crate) async fn condemn(
        &mut self,
        cx: &Context,
        event: &RecordedEvent,
        reason: String,
    ) -> Result<Step, StepError> {
        let reason = for_people(reason);
        self.last_error = Some(reason.clone());
        match cx.facts.poison {
            PoisonPolicy::Skip if self.counts.skipped < cx.config.skipped_max => {
                self.skip(cx, event, reason).await
            }
            PoisonPolicy::Park if self.counts.parked < cx.config.parked_max => {
                self.park(cx, event, reason).await
            }
            _ => self.halt(cx, reason, Some(event)).await,
        }
    }

    /// Stops and waits for an operator.
    pub(crate) async fn halt(
        &mut self,
        cx: &Context,
        reason: String,
        event: Option<&RecordedEvent>,
    ) -> Result<Step, StepError> {
        let (ticket, poison) = (self.ticket(cx), event.map(RecordedEvent::position));
        let text = match event {
            Some(event) => {
                format!("event {} at position {}: {reason}", event.id(), event.position())
            }
            None => reason.clone(),
        };
        let error = text.clone();
        let work = move |tx: &mut dyn TxEngine| {
            ticket.set_state(tx, ProjectionState::Halted, Some((&error, poison)))
        };
        // Without the read side it halts all the same, but does not remember it.
        let is_owner = match cx.database.write(work).await {
            Ok(is_owner) => is_owner,
            Err(error) => error.is_transient() || matches!(error, SqlError::Damaged(_)),
        };
        if !is_owner {
            return Err(cx.fenced());
        }
        self.state = ProjectionState::Halted;
        self.last_error = Some(text);
        self.poison = poison;
        self.set_aside();
        Ok(event.map_or(Step::Halted, |event| poisoned(event, reason)))
    }

    /// Passes over an event and records it as skipped.
    pub(crate) async fn skip(
        &mut self,
        cx: &Context,
        event: &RecordedEvent,
        reason: String,
    ) -> Result<Step, StepError> {
        let (ticket, own, why, at) =
            (self.ticket(cx), event.clone(), reason.clone(), cx.clock.now());
        let work = move |tx: &mut dyn TxEngine| {
            let is_owner = ticket.advance(tx, own.position(), 0)?;
            if is_owner {
                parked::skip(tx, &ticket, &own, (&why, at))?;
            }
            Ok(is_owner)
        };
        if !cx.database.write(work).await? {
            return Err(cx.fenced());
        }
        self.counts.skipped += 1;
        self.passed(event);
        Ok(poisoned(event, reason))
    }

    /// Passes over an event and records it as parked; what follows in its stream waits behind.
    async fn park(
        &mut self,
        cx: &Context,
        event: &RecordedEvent,
        reason: String,
    ) -> Result<Step, StepError> {
        let (ticket, own, why, at) =
            (self.ticket(cx), event.clone(), reason.clone(), cx.clock.now());
        let work = move |tx: &mut dyn TxEngine| {
            let is_owner = ticket.advance(tx, own.position(), 0)?;
            if is_owner {
                parked::park(tx, &ticket, [(&own, Some(why.as_str()))].into_iter(), at)?;
            }
            Ok(is_owner)
        };
        if !cx.database.write(work).await? {
            return Err(cx.fenced());
        }
        self.counts.parked += 1;
        self.parked_streams.insert(stream_key(event));
        self.passed(event);
        Ok(poisoned(event, reason))
    }

    /// Goes on behind an event; the rest of the batch is read again, for its stream may be
    /// parked now.
    fn passed(&mut self, event: &RecordedEvent) {
        self.persisted = event.position();
        self.position = event.position();
        self.set_aside();
    }

    /// Forgets the batch in hand.
    pub(crate) fn set_aside(&mut self) {
        self.work = None;
        self.not_before = None;
    }
}

fn poisoned(event: &RecordedEvent, reason: String) -> Step {
    Step::Poisoned { position: event.position(), event_id: event.id(), reason }
}

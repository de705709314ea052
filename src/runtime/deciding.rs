//! Runs the aggregate's own code on one command, and lets none of its panics out.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::batch::{Job, Outcome};
use super::envelope::Message;
use super::error::SendError;
use super::kind::Kind;
use super::outcome::CommandOutcome;
use super::recovery::Loaded;
use super::tally::count;
use super::trace::{parent_span_id, trace_id};
use crate::aggregate::{Aggregate, Context};
use crate::event::{NewEvent, NewEventError, Revision};

/// What the aggregate's code made of a command.
pub(super) enum Verdict<A: Aggregate> {
    /// These events follow; the state holds them already.
    Events(Vec<NewEvent>),
    /// Nothing follows; the state is as before.
    Refused(SendError<A::Rejection>),
    /// The state may be half changed: drop it.
    Panicked,
}

/// Decides a command and folds what follows into the state.
pub(super) fn decide<A: Aggregate>(
    kind: &Kind<A>,
    loaded: &mut Loaded<A>,
    (message, generation): (&Message<A>, u32),
) -> Verdict<A> {
    if let Some(expected) = message.expected.filter(|expected| *expected != loaded.revision) {
        let actual = loaded.revision;
        return Verdict::Refused(SendError::RevisionMismatch { expected, actual });
    }
    let context = Context {
        now: kind.world.clock.now(),
        tenant: message.key.tenant.clone(),
        stream: message.key.stream.clone(),
        metadata: message.metadata.clone(),
    };
    let span = tracing::info_span!(
        parent: &message.span,
        "decide",
        tenant = %context.tenant,
        stream = %context.stream,
        command = message.decision.name(),
        correlation_id = context.metadata.correlation_id,
        trace_id = trace_id(&context.metadata),
        parent_span_id = parent_span_id(&context.metadata),
    );
    let run = || span.in_scope(|| run(loaded, (message, generation), &context));
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| {
        count(&kind.tally.panics);
        span.in_scope(|| tracing::error!("aggregate code panicked"));
        Verdict::Panicked
    })
}

fn run<A: Aggregate>(
    loaded: &mut Loaded<A>,
    (message, generation): (&Message<A>, u32),
    context: &Context,
) -> Verdict<A> {
    let events = match message.decision.decide(&loaded.state, context) {
        Ok(events) => events,
        Err(rejection) => {
            let revision = loaded.revision;
            return Verdict::Refused(SendError::Rejected { rejection, revision });
        }
    };
    // All are written before the first is folded: a refused command leaves no trace.
    let written: Result<Vec<_>, _> =
        (0..).zip(&events).map(|(at, e)| write(message, (generation, at), e)).collect();
    let written = match written {
        Ok(written) => written,
        Err(error) => return Verdict::Refused(SendError::Invalid(error.to_string())),
    };
    for event in &events {
        loaded.state.evolve(event);
    }
    loaded.revision = Revision::plus(loaded.revision, events.len() as u64);
    Verdict::Events(written)
}

fn write<A: Aggregate>(
    message: &Message<A>,
    (generation, ordinal): (u32, u32),
    event: &A::Event,
) -> Result<NewEvent, NewEventError> {
    // The metadata's bounds were checked when the command was sent, the tags' are here.
    let new = NewEvent::typed_as(message.event_id(generation, ordinal), event)?;
    Ok(new.with_metadata(message.metadata.clone()))
}

/// Returns whether an outcome is kept: that of a keyed command which the rules refused or which
/// had nothing to do. Events are found by their ids, and what else is refused may be decided
/// again.
pub(super) fn keeps<A: Aggregate>(job: &Job<A>, outcome: &Outcome<A>) -> bool {
    let is_without_events =
        matches!(outcome, Outcome::Events(0) | Outcome::Refused(SendError::Rejected { .. }));
    is_without_events && job.envelope.message.is_keyed()
}

/// Makes the event that keeps an outcome, and takes it out of the tenant's budget; `None` when
/// the outcome is not kept.
pub(super) fn outcome_to_keep<A: Aggregate>(
    kind: &Kind<A>,
    job: &Job<A>,
    outcome: &Outcome<A>,
    revision: Revision,
) -> Result<Option<NewEvent>, SendError<A::Rejection>> {
    if !keeps(job, outcome) {
        return Ok(None);
    }
    let message = &job.envelope.message;
    let (key, command) = (&message.key, message.decision.name());
    let outcome = match outcome {
        Outcome::Refused(SendError::Rejected { rejection, revision }) => {
            CommandOutcome::rejected(key, command, *revision, rejection)
        }
        _ => CommandOutcome::unchanged(key, command, revision),
    };
    kind.world.outcomes.take(&key.tenant)?;
    let id = message.event_id(job.generation, 0);
    let event = outcome.to_event(id, message.metadata.clone());
    event.map(Some).map_err(|error| SendError::Invalid(error.to_string()))
}

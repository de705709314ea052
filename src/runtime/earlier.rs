//! Looks whether a command was done before, and with which answer.

use std::sync::Arc;

use super::envelope::Message;
use super::outcome::{CommandOutcome, KeptOutcome, is_expired};
use super::world::World;
use crate::aggregate::{Aggregate, Receipt};
use crate::event::{EventId, Position, RecordedEvent, Revision};
use crate::store::{StoreError, StreamRead};

/// What an earlier sending of a command left in the log.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Earlier {
    /// Nothing that counts: the command is to be decided, in this generation of its key.
    Nothing { generation: u32 },
    /// Events, or a receipt without any.
    Receipt { receipt: Receipt, command_hash: Option<String> },
    /// A rejection.
    Rejection { code: String, detail: String, revision: Revision, command_hash: Option<String> },
}

/// A command's first event id, and what is in the log under it.
pub(super) type LookedUp = (EventId, Earlier);

/// Looks for what several commands of one aggregate left.
pub(super) async fn look_up<A: Aggregate>(
    world: Arc<World>,
    messages: Vec<Arc<Message<A>>>,
) -> Result<Vec<LookedUp>, StoreError> {
    let mut found = Vec::with_capacity(messages.len());
    for message in messages {
        found.push((message.first_id, find(&world, &message).await?));
    }
    Ok(found)
}

/// Finds the newest answer of a command; one generation of its key after the other has expired.
async fn find<A: Aggregate>(world: &World, message: &Message<A>) -> Result<Earlier, StoreError> {
    let mut generation = 0;
    loop {
        let (tenant, id) = (message.key.tenant.clone(), message.event_id(generation, 0));
        let Some(first) = world.store.find_event(tenant, id).await? else {
            return Ok(Earlier::Nothing { generation });
        };
        match KeptOutcome::read(&first) {
            Some(_) if is_expired(first.recorded_at(), world.clock.now()) => generation += 1,
            Some(kept) => return answer_of(world, message, kept).await,
            None => return receipt_of(world, (message, generation), first).await,
        }
    }
}

/// Turns a kept outcome into the answer that was given.
async fn answer_of<A: Aggregate>(
    world: &World,
    message: &Message<A>,
    kept: KeptOutcome,
) -> Result<Earlier, StoreError> {
    let command_hash = kept.command_hash;
    match kept.outcome {
        CommandOutcome::CommandRejected { code, detail, revision, .. } => {
            let revision = Revision::new(revision);
            Ok(Earlier::Rejection { code, detail, revision, command_hash })
        }
        CommandOutcome::CommandChangedNothing { revision, .. } => {
            let revision = Revision::new(revision);
            let position = position_of(world, message, revision).await?;
            let receipt = Receipt { revision, position, events: 0, replayed: true };
            Ok(Earlier::Receipt { receipt, command_hash })
        }
    }
}

/// Returns where the event lies that gave the aggregate a revision; 0 for revision 0.
async fn position_of<A: Aggregate>(
    world: &World,
    message: &Message<A>,
    revision: Revision,
) -> Result<Position, StoreError> {
    let (tenant, stream) = (message.key.tenant.clone(), message.key.stream.clone());
    let read = StreamRead::before(tenant, stream, revision.next(), 1);
    let page = world.store.read_stream(read).await?;
    Ok(page.events.first().map_or(Position::ZERO, RecordedEvent::position))
}

/// Makes the receipt of a command whose first event was found.
async fn receipt_of<A: Aggregate>(
    world: &World,
    (message, generation): (&Message<A>, u32),
    first: RecordedEvent,
) -> Result<Earlier, StoreError> {
    let key = &message.key;
    let command_hash = first.metadata().command_hash;
    let mut last = first;
    let mut events = 1;
    // A command's events lie side by side, so the first foreign id ends them.
    'pages: loop {
        let (tenant, stream) = (key.tenant.clone(), key.stream.clone());
        let read = StreamRead::after(tenant, stream, last.revision(), 64);
        let page = world.store.read_stream(read).await?;
        for event in &page.events {
            if event.id() != message.event_id(generation, events) {
                break 'pages;
            }
            events += 1;
            last = event.clone();
        }
        if page.next.is_none() {
            break;
        }
    }
    let (revision, position) = (last.revision(), last.position());
    let receipt = Receipt { revision, position, events, replayed: true };
    Ok(Earlier::Receipt { receipt, command_hash })
}

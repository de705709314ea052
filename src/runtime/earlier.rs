//! Looks whether a command was done before, and with which receipt.

use std::sync::Arc;

use super::envelope::Message;
use super::world::World;
use crate::aggregate::{Aggregate, Receipt};
use crate::event::EventId;
use crate::store::{StoreError, StreamRead};

/// What an earlier sending of a command left in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Earlier {
    pub receipt: Receipt,
    pub command_hash: Option<String>,
}

/// A command's first event id, and what is in the log under it.
pub(super) type LookedUp = (EventId, Option<Earlier>);

/// Looks for the events of several commands of one aggregate.
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

async fn find<A: Aggregate>(
    world: &World,
    message: &Message<A>,
) -> Result<Option<Earlier>, StoreError> {
    let key = &message.key;
    let Some(first) = world.store.find_event(key.tenant.clone(), message.first_id).await? else {
        return Ok(None);
    };
    let mut last = first.clone();
    let mut events = 1;
    // A command's events lie side by side, so the first foreign id ends them.
    'pages: loop {
        let (tenant, stream) = (key.tenant.clone(), key.stream.clone());
        let read = StreamRead::after(tenant, stream, last.revision(), 64);
        let page = world.store.read_stream(read).await?;
        for event in &page.events {
            if event.id() != message.event_id(events) {
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
    Ok(Some(Earlier { receipt, command_hash: first.metadata().command_hash }))
}

//! Reads again what waits behind a failure.

use std::sync::Arc;

use headwater::event::{NameError, Revision, StreamId, Tenant};
use headwater::store::{LogRead, SharedStore, StoreError, StreamRead};

use super::backlog::Fetched;
use super::block::Head;
use super::sieve::Sieve;
use super::window::Line;

/// The most events of a stream that are read at once.
const PAGE_EVENTS: usize = 16;

/// Says why events could not be read again.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    /// The store failed; its error says who acts.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A stored name is not one. Operator.
    #[error(transparent)]
    Name(#[from] NameError),
}

/// Reads the events of a stream behind a revision, or the one event of a line of its own.
pub(super) async fn fetch(
    store: &SharedStore,
    sieve: &Arc<Sieve>,
    (line, head): (&Line, &Head),
    after: Revision,
) -> Result<Fetched, FetchError> {
    let is_stream = line.contains('/');
    if !is_stream {
        let page = store.read_log(LogRead::after(head.position.previous(), 1)).await?;
        return Ok(Fetched { events: page.events, considered: head.revision, is_end: true });
    }
    let stream = StreamId::new(&head.category, &head.stream)?;
    let read = StreamRead::after(Tenant::new(&head.tenant)?, stream, after, PAGE_EVENTS);
    let page = store.read_stream(read).await?;
    let considered = page.events.last().map_or(after, |event| event.revision());
    let is_end = page.next.is_none();
    let events = sieve.pass(page.events).await;
    Ok(Fetched { events, considered, is_end })
}

//! The end of the log, read once for all endpoints of a node.
//!
//! Endpoints that have caught up get each page as it is appended; one that is behind reads the
//! log by itself, and costs the others nothing.

use std::sync::Arc;

use headwater::event::{Position, RecordedEvent};
use headwater::store::{EventQuery, SharedStore, StoreError, Subscription};
use tokio::sync::broadcast;

/// Pages that are kept for endpoints that fall behind a little.
const PAGES_KEPT: usize = 32;
/// The most events of a page.
const PAGE_EVENTS: usize = 256;

/// Events as they are appended.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    /// The page holds every event behind this position.
    pub after: Position,
    /// And up to this one.
    pub next: Position,
    pub events: Arc<[RecordedEvent]>,
}

/// Hands out pages.
#[derive(Clone, Debug)]
pub(crate) struct Tail {
    pages: broadcast::Sender<Page>,
}

impl Tail {
    /// Makes a tail that nobody reads yet.
    pub fn new() -> Self {
        Self { pages: broadcast::Sender::new(PAGES_KEPT) }
    }

    /// Returns a way to the pages from now on.
    pub fn follow(&self) -> broadcast::Receiver<Page> {
        self.pages.subscribe()
    }

    /// Reads the log from a place near its end on, as long as it can be read; `first` sees each
    /// page before all others.
    pub async fn run(
        &self,
        store: SharedStore,
        from: Position,
        first: impl Fn(&Page),
    ) -> Result<(), StoreError> {
        let subscription = Subscription::new(store, from, EventQuery::all());
        let mut subscription = subscription.with_page_limit(PAGE_EVENTS);
        loop {
            let after = subscription.position();
            let page = subscription.next().await?;
            let page = Page { after, next: page.next, events: page.events.into() };
            first(&page);
            // Nobody may be listening.
            let _ = self.pages.send(page);
        }
    }
}

//! What one endpoint reads: the log from its place on, then the tail's pages.

use std::sync::Arc;
use std::time::Duration;

use headwater::event::{Position, RecordedEvent};
use headwater::store::{LogRead, SharedStore, StoreError};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc, watch};

use super::lane::Reading;
use super::sieve::Sieve;
use super::tail::{Page, Tail};

/// How long the tail may say nothing before the log's end is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// The wait before the next try when the log could not be read.
const OUTAGE_WAIT: Duration = Duration::from_secs(1);
/// The most events that are read at once.
const PAGE_EVENTS: usize = 512;

/// A reader of the log for one endpoint.
pub(crate) struct Reader {
    store: SharedStore,
    sieve: watch::Receiver<Arc<Sieve>>,
    pages: broadcast::Receiver<Page>,
    /// Everything up to it was read.
    at: Position,
    /// Not beyond this position.
    until: Position,
    /// Whether it was at the log's end, so that the tail has what comes.
    is_live: bool,
}

/// What was read.
pub(crate) struct Batch {
    /// The events that the endpoint gets.
    pub events: Vec<RecordedEvent>,
    /// Everything up to it was read.
    pub next: Position,
}

impl Reader {
    /// Starts behind a position and ends at another.
    pub fn new(
        store: SharedStore,
        tail: &Tail,
        sieve: watch::Receiver<Arc<Sieve>>,
        (at, until): (Position, Position),
    ) -> Self {
        Self { store, sieve, pages: tail.follow(), at, until, is_live: false }
    }

    /// Reads on a task of its own, which is one batch ahead of whoever takes them.
    pub fn start(mut self) -> Reading {
        let (tell, batches) = mpsc::channel(1);
        let task = tokio::task::spawn_local(async move {
            while !self.is_over() {
                match self.next(PAGE_EVENTS).await {
                    Ok(batch) => {
                        if tell.send(batch).await.is_err() {
                            return;
                        }
                    }
                    Err(error) => {
                        tracing::warn!(%error, "log could not be read for an endpoint");
                        tokio::time::sleep(OUTAGE_WAIT).await;
                    }
                }
            }
        });
        Reading { batches, task }
    }

    /// Returns whether there is nothing more to read, ever.
    pub fn is_over(&self) -> bool {
        self.at >= self.until
    }

    /// Waits for events behind its place, and returns at most `room` that pass the filter.
    ///
    /// Cancelling the future loses nothing.
    pub async fn next(&mut self, room: usize) -> Result<Batch, StoreError> {
        loop {
            if !self.is_live {
                let head = *self.store.head().borrow();
                self.is_live = self.at >= head;
            }
            match self.is_live {
                true => {
                    if let Some(batch) = self.push().await {
                        return Ok(batch);
                    }
                }
                false => return self.read(room).await,
            }
        }
    }

    /// Waits for the tail's next page; `None` when there is none behind the place, or it begins
    /// too far behind it, or the tail says nothing although the log has grown.
    async fn push(&mut self) -> Option<Batch> {
        let page = tokio::time::timeout(LOOK, self.pages.recv()).await;
        match page {
            Ok(Ok(page)) if page.after <= self.at => return self.take(&page).await,
            Ok(Ok(_) | Err(RecvError::Lagged(_))) => self.is_live = false,
            Ok(Err(RecvError::Closed)) => {
                tokio::time::sleep(LOOK).await;
                self.is_live = false;
            }
            Err(_) => self.is_live = false,
        }
        None
    }

    /// Takes what a page has behind the place; `None` when it has nothing.
    async fn take(&mut self, page: &Page) -> Option<Batch> {
        let end = page.next.min(self.until);
        if end <= self.at {
            return None;
        }
        let behind = page.events.iter().filter(|event| event.position() > self.at);
        let events = behind.take_while(|event| event.position() <= end).cloned().collect();
        Some(self.keep(events, end).await)
    }

    async fn read(&mut self, room: usize) -> Result<Batch, StoreError> {
        let sieve = Arc::clone(&self.sieve.borrow());
        let read = LogRead::after(self.at, room.clamp(1, self.store.limits().page_events_max));
        let page = self.store.read_log(sieve.narrow(read)).await?;
        let end = page.next.min(self.until);
        let is_within = |event: &RecordedEvent| event.position() <= end;
        let events = page.events.into_iter().filter(is_within).collect();
        Ok(self.keep(events, end).await)
    }

    /// Keeps what the endpoint gets of what was read up to a position.
    async fn keep(&mut self, events: Vec<RecordedEvent>, end: Position) -> Batch {
        let sieve = Arc::clone(&self.sieve.borrow());
        let events = sieve.pass(events).await;
        self.at = end;
        Batch { events, next: end }
    }
}

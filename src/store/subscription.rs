//! A reader that catches up and then waits at the end of the log.

use tokio::sync::watch;

use super::{EventQuery, LogPage, LogRead, SharedStore, StoreError, check_place};
use crate::event::{Position, Tenant};

/// Follows the log from a position: first what is there, then what comes, without gap or
/// double.
///
/// It holds nothing but its place, so a slow subscriber costs the writer and the others
/// nothing: it reads further behind. Dropping it ends it.
pub struct Subscription {
    store: SharedStore,
    head: watch::Receiver<Position>,
    read: LogRead,
    is_checked: bool,
}

impl Subscription {
    /// Starts after a position.
    #[must_use]
    pub fn new(store: SharedStore, after: Position, query: EventQuery) -> Self {
        let head = store.head();
        let limit = store.limits().page_events_max;
        let read = LogRead::after(after, limit).matching(query);
        Self { store, head, read, is_checked: false }
    }

    /// Narrows it to one tenant.
    #[must_use]
    pub fn of_tenant(mut self, tenant: Tenant) -> Self {
        self.read.tenant = Some(tenant);
        self
    }

    /// Bounds the events of a page.
    #[must_use]
    pub fn with_page_limit(mut self, limit: usize) -> Self {
        self.read.limit = limit.max(1);
        self
    }

    /// Returns the position up to which everything has been considered.
    #[must_use]
    pub const fn position(&self) -> Position {
        self.read.from
    }

    /// Waits until the log goes beyond the place and returns what lies there.
    ///
    /// The page may hold no event when none of the new ones match; [`Subscription::position`]
    /// has moved all the same. Cancelling the future loses nothing.
    ///
    /// # Errors
    /// [`StoreError::BeyondEnd`] when the place it starts from lies beyond the end of the log;
    /// [`StoreError`] when the store cannot be read or was closed.
    pub async fn next(&mut self) -> Result<LogPage, StoreError> {
        let from = self.read.from;
        if !self.is_checked {
            check_place(&*self.store, from).await?;
            self.is_checked = true;
        }
        self.head.wait_for(|head| *head > from).await.map_err(|_| StoreError::Closed)?;
        let page = self.store.read_log(self.read.clone()).await?;
        self.read.from = page.next;
        Ok(page)
    }
}

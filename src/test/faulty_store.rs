//! A store that misbehaves on demand: the failures every user of a store must live with.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, TryFutureExt};
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::event::{EventId, Position, RecordedEvent, Tenant};
use crate::store::{
    Append, AppendError, Appended, EventStore, LogPage, LogRead, SharedStore, StoreError,
    StoreLimits, StreamList, StreamListPage, StreamPage, StreamRead,
};

/// What happens to one of the next appends.
pub enum AppendFault {
    /// It is refused with this error and not recorded.
    Refuse(AppendError),
    /// It is recorded, and the outcome reported as unknown.
    LoseAnswer,
    /// Another append comes first.
    Overtake(Append),
}

/// Wraps a store; appends can be held back, refused, overtaken, or their answers lost, and what
/// is read of streams is counted.
pub struct FaultyStore {
    inner: SharedStore,
    faults: Mutex<VecDeque<AppendFault>>,
    is_held: watch::Sender<bool>,
    held: watch::Sender<usize>,
    stream_events: Arc<AtomicU64>,
}

impl FaultyStore {
    /// Wraps a store, without faults so far.
    #[must_use]
    pub fn over(inner: SharedStore) -> Arc<Self> {
        Arc::new(Self {
            inner,
            faults: Mutex::default(),
            is_held: watch::Sender::new(false),
            held: watch::Sender::new(0),
            stream_events: Arc::default(),
        })
    }

    /// Adds a fault for the next append that has none yet.
    pub fn fail_next(&self, fault: AppendFault) {
        self.faults.lock().push_back(fault);
    }

    /// Holds back every append from now on, until [`FaultyStore::release`].
    pub fn hold(&self) {
        self.is_held.send_replace(true);
    }

    /// Lets go of what is held back.
    pub fn release(&self) {
        self.is_held.send_replace(false);
    }

    /// Waits until so many appends are held back.
    pub async fn wait_held(&self, appends: usize) {
        // The sender lives as long as this borrow, so the wait cannot fail.
        let _ = self.held.subscribe().wait_for(|held| *held >= appends).await;
    }

    /// Returns how many events were read of streams since it was last asked.
    pub fn take_stream_events(&self) -> u64 {
        self.stream_events.swap(0, Ordering::SeqCst)
    }
}

impl EventStore for FaultyStore {
    fn append(&self, append: Append) -> BoxFuture<'static, Result<Appended, AppendError>> {
        let fault = self.faults.lock().pop_front();
        let inner = Arc::clone(&self.inner);
        let (mut is_held, held) = (self.is_held.subscribe(), self.held.clone());
        async move {
            if *is_held.borrow() {
                held.send_modify(|held| *held += 1);
                let _ = is_held.wait_for(|is_held| !is_held).await;
                held.send_modify(|held| *held = held.saturating_sub(1));
            }
            match fault {
                None => inner.append(append).await,
                Some(AppendFault::Refuse(error)) => Err(error),
                Some(AppendFault::LoseAnswer) => {
                    inner.append(append).await?;
                    Err(AppendError::Unknown { cause: "answer lost".into() })
                }
                Some(AppendFault::Overtake(other)) => {
                    inner.append(other).await?;
                    inner.append(append).await
                }
            }
        }
        .boxed()
    }

    fn read_stream(&self, read: StreamRead) -> BoxFuture<'static, Result<StreamPage, StoreError>> {
        let (page, counted) = (self.inner.read_stream(read), Arc::clone(&self.stream_events));
        page.inspect_ok(move |page| {
            counted.fetch_add(page.events.len() as u64, Ordering::SeqCst);
        })
        .boxed()
    }

    fn read_log(&self, read: LogRead) -> BoxFuture<'static, Result<LogPage, StoreError>> {
        self.inner.read_log(read)
    }

    fn find_event(
        &self,
        tenant: Tenant,
        id: EventId,
    ) -> BoxFuture<'static, Result<Option<RecordedEvent>, StoreError>> {
        self.inner.find_event(tenant, id)
    }

    fn list_streams(
        &self,
        list: StreamList,
    ) -> BoxFuture<'static, Result<StreamListPage, StoreError>> {
        self.inner.list_streams(list)
    }

    fn head(&self) -> watch::Receiver<Position> {
        self.inner.head()
    }

    fn limits(&self) -> &StoreLimits {
        self.inner.limits()
    }

    fn engine(&self) -> &'static str {
        self.inner.engine()
    }
}

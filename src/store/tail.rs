//! The end of the log, read once for all who follow it.
//!
//! One task reads each page as it is appended and keeps the newest few. It wakes only those
//! followers whose filter matches an event of the page, some at a time; they take the events from
//! what was read. A follower that is behind reads the log by itself until it has caught up.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use tokio::sync::Notify;

use super::{EventQuery, LogPage, LogRead, SharedStore, StoreError, check_place};
use crate::event::{Position, RecordedEvent, Tenant};

/// The most events that are read at once.
const PAGE_EVENTS: usize = 256;
/// The most bytes of events that are kept for followers that are a little behind.
const KEPT_BYTES: usize = 4 << 20;
/// Followers that are woken before others have the thread.
const GROUP: usize = 64;
/// The wait before the next try when the log could not be read.
const OUTAGE_WAIT: Duration = Duration::from_secs(1);

/// The end of a store's log, shared by all who follow it.
#[derive(Clone)]
pub struct Tail {
    store: SharedStore,
    ring: Arc<Mutex<Ring>>,
}

/// Follows the log from a position: first what is there, then what comes, without gap or double.
pub struct Follower {
    tail: Tail,
    read: LogRead,
    seat: Option<(u64, Arc<Notify>)>,
    is_checked: bool,
}

/// The newest pages, and who waits for more.
#[derive(Default)]
struct Ring {
    pages: VecDeque<Kept>,
    bytes: usize,
    /// The pages hold everything behind this position.
    start: Position,
    /// And up to this one.
    end: Position,
    seats: FxHashMap<u64, Seat>,
    next_seat: u64,
    is_running: bool,
    is_closed: bool,
    reads: u64,
    wakes: u64,
}

struct Kept {
    next: Position,
    events: Vec<RecordedEvent>,
    bytes: usize,
}

/// A follower that has caught up.
struct Seat {
    tenant: Option<Tenant>,
    query: EventQuery,
    /// Where it has something to take; nothing before it matches.
    pending: Option<Position>,
    wake: Arc<Notify>,
}

/// What a follower has to do next.
enum Next {
    Read,
    Take(Position),
    Wait(Arc<Notify>),
}

impl Tail {
    /// Makes the tail of a store, which reads nothing while nobody follows.
    #[must_use]
    pub fn new(store: SharedStore) -> Self {
        Self { store, ring: Arc::default() }
    }

    /// Starts following after a position; must be used on a runtime of tokio.
    #[must_use]
    pub fn follow(&self, after: Position, query: EventQuery) -> Follower {
        let limit = self.store.limits().page_events_max;
        let read = LogRead { limit, ..LogRead::after(after, limit).matching(query) };
        Follower { tail: self.clone(), read, seat: None, is_checked: false }
    }

    /// Returns how many pages it has read of the log, and how often it has woken a follower.
    #[must_use]
    pub fn work(&self) -> (u64, u64) {
        let ring = self.ring.lock();
        (ring.reads, ring.wakes)
    }

    /// Gives a follower that has read up to a position a seat, if the kept pages reach back to it.
    fn sit(&self, read: &LogRead) -> Option<(u64, Arc<Notify>)> {
        let mut ring = self.ring.lock();
        if !ring.is_running {
            ring.restart(read.from);
            let (store, weak) = (self.store.clone(), Arc::downgrade(&self.ring));
            tokio::spawn(run(weak, store, read.from));
        }
        if read.from < ring.start {
            return None;
        }
        let wake = Arc::new(Notify::new());
        let pending = (read.from < ring.end).then_some(read.from);
        let (tenant, query) = (read.tenant.clone(), read.query.clone());
        let number = ring.next_seat;
        ring.next_seat += 1;
        ring.seats.insert(number, Seat { tenant, query, pending, wake: wake.clone() });
        Some((number, wake))
    }
}

impl Follower {
    /// Narrows it to one tenant.
    #[must_use]
    pub fn of_tenant(mut self, tenant: Tenant) -> Self {
        self.read.tenant = Some(tenant);
        self
    }

    /// Bounds the events and the bytes of a page; a page with one larger event holds just that.
    #[must_use]
    pub fn with_page_limit(mut self, events: usize, bytes: usize) -> Self {
        self.read.limit = events.max(1);
        self.read.bytes_max = bytes;
        self
    }

    /// Returns the position up to which everything has been considered.
    pub fn position(&mut self) -> Position {
        if let Some((number, _)) = &self.seat {
            let ring = self.tail.ring.lock();
            let is_quiet = ring.seats.get(number).is_some_and(|seat| seat.pending.is_none());
            if is_quiet {
                self.read.from = self.read.from.max(ring.end);
            }
        }
        self.read.from
    }

    /// Waits until the log may hold something behind the place.
    ///
    /// # Errors
    /// As [`Follower::next`].
    pub async fn ready(&mut self) -> Result<(), StoreError> {
        if !self.is_checked {
            check_place(&*self.tail.store, self.read.from).await?;
            self.is_checked = true;
        }
        loop {
            match self.look()? {
                Next::Read | Next::Take(_) => return Ok(()),
                Next::Wait(wake) => wake.notified().await,
            }
        }
    }

    /// Waits until the log goes beyond the place and returns what lies there.
    ///
    /// The page may hold no event when none of those that it considered match. Cancelling the
    /// future loses nothing.
    ///
    /// # Errors
    /// [`StoreError::BeyondEnd`] when the place it starts from lies beyond the end of the log;
    /// [`StoreError`] when the store cannot be read or was closed.
    pub async fn next(&mut self) -> Result<LogPage, StoreError> {
        self.ready().await?;
        let kept = match self.look()? {
            Next::Take(at) => self.take(at),
            Next::Read | Next::Wait(_) => None,
        };
        let page = match kept {
            Some(page) => page,
            None => self.tail.store.read_log(self.read.clone()).await?,
        };
        self.read.from = page.next;
        Ok(page)
    }

    fn look(&mut self) -> Result<Next, StoreError> {
        if self.seat.is_none() {
            if self.read.from < *self.tail.store.head().borrow() {
                return Ok(Next::Read);
            }
            self.seat = self.tail.sit(&self.read);
        }
        let Some((number, wake)) = &self.seat else { return Ok(Next::Read) };
        let ring = self.tail.ring.lock();
        if ring.is_closed {
            return Err(StoreError::Closed);
        }
        let pending = ring.seats.get(number).and_then(|seat| seat.pending);
        let Some(pending) = pending else {
            self.read.from = self.read.from.max(ring.end);
            return Ok(Next::Wait(wake.clone()));
        };
        let at = self.read.from.max(pending);
        if at >= ring.start {
            return Ok(Next::Take(at));
        }
        drop(ring);
        self.fall_behind(at);
        Ok(Next::Read)
    }

    /// Takes what matches behind a position from the kept pages; `None` when it is kept no more.
    fn take(&mut self, at: Position) -> Option<LogPage> {
        let tail = self.tail.clone();
        let mut ring = tail.ring.lock();
        if at < ring.start {
            drop(ring);
            self.fall_behind(at);
            return None;
        }
        let end = ring.end.max(at);
        let (mut events, mut bytes, mut looked_at) = (Vec::new(), 0, 0);
        let mut next = end;
        let first = ring.pages.partition_point(|page| page.next <= at);
        let behind = ring.pages.iter().skip(first).flat_map(|page| &page.events);
        for event in behind.filter(|event| event.position() > at) {
            looked_at += 1;
            if !self.read.matches(event) {
                continue;
            }
            bytes += event.as_bytes().len();
            let is_full = events.len() >= self.read.limit || bytes > self.read.bytes_max;
            if is_full && let Some(last) = events.last().map(RecordedEvent::position) {
                next = last;
                break;
            }
            events.push(event.clone());
        }
        if let Some((number, _)) = &self.seat
            && let Some(seat) = ring.seats.get_mut(number)
        {
            seat.pending = (next < end).then_some(next);
        }
        Some(LogPage { events, next, is_end: next >= end, looked_at })
    }

    /// Goes on by reading the log.
    fn fall_behind(&mut self, at: Position) {
        self.read.from = at;
        self.leave();
    }

    fn leave(&mut self) {
        if let Some((number, _)) = self.seat.take() {
            self.tail.ring.lock().seats.remove(&number);
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.leave();
    }
}

impl Ring {
    fn restart(&mut self, at: Position) {
        (self.start, self.end, self.bytes, self.is_running) = (at, at, 0, true);
        self.pages.clear();
    }

    /// Keeps a page and returns whom to wake; `None` when nobody follows any more.
    fn put(&mut self, page: LogPage) -> Option<Vec<Arc<Notify>>> {
        self.reads += 1;
        if self.seats.is_empty() {
            self.is_running = false;
            self.pages.clear();
            return None;
        }
        let after = self.end;
        let mut wakes = Vec::new();
        for seat in self.seats.values_mut().filter(|seat| seat.pending.is_none()) {
            if page.events.iter().any(|event| seat.wants(event)) {
                seat.pending = Some(after);
                wakes.push(seat.wake.clone());
            }
        }
        self.wakes += wakes.len() as u64;
        let bytes = page.events.iter().map(|event| event.as_bytes().len()).sum();
        (self.end, self.bytes) = (page.next, self.bytes + bytes);
        self.pages.push_back(Kept { next: page.next, events: page.events, bytes });
        while self.bytes > KEPT_BYTES && self.pages.len() > 1 {
            let Some(oldest) = self.pages.pop_front() else { break };
            (self.start, self.bytes) = (oldest.next, self.bytes - oldest.bytes);
        }
        Some(wakes)
    }

    fn close(&mut self) {
        self.is_closed = true;
        self.seats.values().for_each(|seat| seat.wake.notify_one());
    }
}

impl Seat {
    fn wants(&self, event: &RecordedEvent) -> bool {
        self.tenant.as_ref().is_none_or(|tenant| tenant.as_str() == event.tenant())
            && self.query.matches(event)
    }
}

/// Reads each page as it is appended, for as long as somebody follows.
async fn run(ring: Weak<Mutex<Ring>>, store: SharedStore, mut at: Position) {
    let mut head = store.head();
    loop {
        let is_open = head.wait_for(|head| *head > at).await.is_ok();
        let page = match is_open {
            true => store.read_log(LogRead::after(at, PAGE_EVENTS)).await,
            false => Err(StoreError::Closed),
        };
        let Some(ring) = ring.upgrade() else { return };
        let wakes = match page {
            Ok(page) => {
                at = page.next;
                ring.lock().put(page)
            }
            Err(StoreError::Closed) => return ring.lock().close(),
            Err(error) => {
                tracing::warn!(%error, "end of the log could not be read");
                tokio::time::sleep(OUTAGE_WAIT).await;
                continue;
            }
        };
        let Some(wakes) = wakes else { return };
        for group in wakes.chunks(GROUP) {
            group.iter().for_each(|wake| wake.notify_one());
            tokio::task::yield_now().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{EventType, NewEvent, QueryItem, StreamId};
    use crate::store::{Append, Expected, MemoryStore};

    fn of_type(event_type: &str) -> EventQuery {
        let types = vec![EventType::new(event_type).unwrap()];
        EventQuery { items: vec![QueryItem { types, ..QueryItem::default() }] }
    }

    async fn put(store: &SharedStore, event_type: &str) -> Position {
        let event = NewEvent::json(event_type, 1, "{}").unwrap();
        let stream = StreamId::new("note", "1").unwrap();
        let tenant = Tenant::default_tenant();
        let append = Append::to_stream(tenant, stream, Expected::Any, vec![event]);
        store.append(append).await.unwrap().position
    }

    /// Followers that have caught up, each with a task that waits for its next page.
    async fn waiting(
        tail: &Tail,
        count: usize,
        event_type: &str,
    ) -> Vec<tokio::task::JoinHandle<LogPage>> {
        let follow = |_| {
            let mut follower = tail.follow(*tail.store.head().borrow(), of_type(event_type));
            tokio::spawn(async move { follower.next().await.unwrap() })
        };
        let tasks = (0..count).map(follow).collect();
        while tail.ring.lock().seats.len() < count {
            tokio::task::yield_now().await;
        }
        tasks
    }

    #[tokio::test]
    async fn what_is_appended_is_read_once_for_all_who_follow() {
        let store: SharedStore = MemoryStore::shared();
        put(&store, "Noted").await;
        let tail = Tail::new(store.clone());
        let tasks = waiting(&tail, 500, "Noted").await;
        let position = put(&store, "Noted").await;
        for task in tasks {
            let page = task.await.unwrap();
            assert_eq!(page.events.first().unwrap().position(), position);
        }
        assert_eq!(tail.work(), (1, 500));
    }

    #[tokio::test]
    async fn a_follower_whose_filter_does_not_match_is_not_woken() {
        let store: SharedStore = MemoryStore::shared();
        let tail = Tail::new(store.clone());
        let quiet = waiting(&tail, 50, "Rare").await;
        let mut witness = tail.follow(Position::ZERO, of_type("Noted"));
        for _ in 0..20 {
            put(&store, "Noted").await;
            assert_eq!(witness.next().await.unwrap().events.len(), 1);
        }
        assert!(tail.work().1 <= 20, "{:?}", tail.work());
        put(&store, "Rare").await;
        for task in quiet {
            assert_eq!(task.await.unwrap().events.len(), 1);
        }
    }

    #[tokio::test]
    async fn a_follower_gets_every_event_once_and_in_order() {
        let store: SharedStore = MemoryStore::shared();
        let tail = Tail::new(store.clone());
        let mut follower =
            tail.follow(Position::ZERO, of_type("Noted")).with_page_limit(3, usize::MAX);
        let (mut expected, mut found) = (Vec::new(), Vec::new());
        for round in 0..40 {
            for step in 0..round % 7 {
                let event_type = if step % 2 == 0 { "Noted" } else { "Rare" };
                let position = put(&store, event_type).await;
                expected.extend((step % 2 == 0).then_some(position));
            }
            while found.len() < expected.len() {
                let page = follower.next().await.unwrap();
                found.extend(page.events.iter().map(RecordedEvent::position));
            }
        }
        assert_eq!(found, expected);
    }

    #[tokio::test]
    async fn a_place_beyond_the_end_is_refused_at_once() {
        let store: SharedStore = MemoryStore::shared();
        let mut follower = Tail::new(store).follow(Position::new(7), EventQuery::all());
        let refused = follower.next().await.unwrap_err();
        assert!(matches!(refused, StoreError::BeyondEnd(beyond) if beyond.end == Position::ZERO));
    }
}

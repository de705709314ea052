//! The engine that keeps the log in memory: for tests, and the contract in its plainest form.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use parking_lot::RwLock;
use tokio::sync::watch;

use super::condition::{Examined, ROUNDS_MAX, examine, is_short};
use super::{
    Append, AppendError, Appended, BeyondEnd, Direction, EventStore, LogPage, LogRead, StoreError,
    StoreLimits, StreamList, StreamListPage, StreamPage, StreamRead, WrittenStream,
};
use crate::clock::{SharedClock, SystemClock};
use crate::event::{
    EventId, NewEvent, Position, RecordedEvent, Revision, StreamId, Tenant, encode_record,
    is_repeat, seal_record,
};

/// A log in memory: the whole contract but durability.
pub struct MemoryStore {
    log: RwLock<Log>,
    head: watch::Sender<Position>,
    limits: StoreLimits,
    clock: SharedClock,
}

#[derive(Default)]
struct Log {
    events: Vec<RecordedEvent>,
    streams: HashMap<(Tenant, StreamId), Vec<usize>>,
    ids: HashMap<(Tenant, EventId), usize>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new(StoreLimits::default(), SystemClock::shared())
    }
}

impl MemoryStore {
    /// Makes an empty log.
    #[must_use]
    pub fn new(limits: StoreLimits, clock: SharedClock) -> Self {
        let head = watch::Sender::new(Position::ZERO);
        Self { log: RwLock::default(), head, limits, clock }
    }

    /// Makes an empty log with the default bounds, ready to be shared.
    #[must_use]
    pub fn shared() -> Arc<Self> {
        Arc::new(Self::default())
    }

    fn append_now(&self, append: &Append) -> Result<Appended, AppendError> {
        self.limits.check(append)?;
        for round in 0..ROUNDS_MAX {
            let examined = self.examined(append).map(|own| own.in_round(round));
            match self.append_examined(append, examined.as_ref()) {
                Err(AppendError::ConditionOutrun) => {}
                outcome => return outcome,
            }
        }
        Err(AppendError::ConditionOutrun)
    }

    /// Looks at what the append's condition asks about before anybody has to wait for it.
    fn examined(&self, append: &Append) -> Option<Examined> {
        let condition = append.condition.as_ref()?;
        if is_short(condition, self.log.read().position()) {
            return Some(Examined::unseen(condition));
        }
        let page = |read| ready(self.page_now(&read));
        // Every page is there at once, so that nothing is waited for.
        examine((&append.tenant, condition), &self.limits, page).now_or_never()
    }

    fn page_now(&self, read: &LogRead) -> Result<LogPage, StoreError> {
        self.limits.check_query(&read.query).map_err(StoreError::Query)?;
        let log = self.log.read();
        if read.direction == Direction::Forward {
            BeyondEnd::check(read.from, log.position())?;
        }
        Ok(log.log_page(read, &self.limits))
    }

    fn append_examined(
        &self,
        append: &Append,
        condition: Option<&Examined>,
    ) -> Result<Appended, AppendError> {
        let mut log = self.log.write();
        if let Some(appended) = log.duplicate_of(append)? {
            return Ok(appended);
        }
        log.check(append, condition)?;
        let last = log.events.last().map(RecordedEvent::recorded_at);
        let at = last.map_or_else(|| self.clock.now(), |last| last.max(self.clock.now()));
        let streams = append.writes.iter().map(|write| {
            let key = (append.tenant.clone(), write.stream.clone());
            let before = log.revision(&key);
            for event in &write.events {
                log.push(&key, event, at);
            }
            let (first, last) = (before.next(), log.revision(&key));
            WrittenStream { stream: write.stream.clone(), first, last }
        });
        let streams = streams.collect();
        let position = log.position();
        self.head.send_if_modified(|head| std::mem::replace(head, position) != position);
        Ok(Appended { position, streams, duplicate: false })
    }
}

impl EventStore for MemoryStore {
    fn append(&self, append: Append) -> BoxFuture<'static, Result<Appended, AppendError>> {
        ready(self.append_now(&append)).boxed()
    }

    fn read_stream(&self, read: StreamRead) -> BoxFuture<'static, Result<StreamPage, StoreError>> {
        ready(Ok(self.log.read().stream_page(&read, &self.limits))).boxed()
    }

    fn read_log(&self, read: LogRead) -> BoxFuture<'static, Result<LogPage, StoreError>> {
        ready(self.page_now(&read)).boxed()
    }

    fn find_event(
        &self,
        tenant: Tenant,
        id: EventId,
    ) -> BoxFuture<'static, Result<Option<RecordedEvent>, StoreError>> {
        let log = self.log.read();
        let event = log.ids.get(&(tenant, id)).and_then(|at| log.events.get(*at)).cloned();
        ready(Ok(event)).boxed()
    }

    fn list_streams(
        &self,
        list: StreamList,
    ) -> BoxFuture<'static, Result<StreamListPage, StoreError>> {
        let log = self.log.read();
        let checked = BeyondEnd::check(list.after, log.position());
        ready(checked.map(|()| log.list(&list)).map_err(StoreError::from)).boxed()
    }

    fn head(&self) -> watch::Receiver<Position> {
        self.head.subscribe()
    }

    fn limits(&self) -> &StoreLimits {
        &self.limits
    }

    fn engine(&self) -> &'static str {
        "memory"
    }
}

impl Log {
    fn position(&self) -> Position {
        Position::new(self.events.len() as u64)
    }

    fn revision(&self, key: &(Tenant, StreamId)) -> Revision {
        Revision::new(self.streams.get(key).map_or(0, Vec::len) as u64)
    }

    fn push(&mut self, key: &(Tenant, StreamId), event: &NewEvent, at: jiff::Timestamp) {
        let mut record = Vec::new();
        encode_record(&mut record, &key.0, &key.1, event);
        seal_record(&mut record, self.position().next(), self.revision(key).next(), at);
        let Ok(recorded) = RecordedEvent::parse(&Bytes::from(record)) else { return };
        let at = self.events.len();
        self.ids.insert((key.0.clone(), event.id), at);
        self.streams.entry(key.clone()).or_default().push(at);
        self.events.push(recorded);
    }

    fn check(&self, append: &Append, condition: Option<&Examined>) -> Result<(), AppendError> {
        for write in &append.writes {
            let actual = self.revision(&(append.tenant.clone(), write.stream.clone()));
            if !write.expected.holds(actual) {
                let (stream, expected) = (write.stream.clone(), write.expected);
                return Err(AppendError::Conflict { stream, expected, actual });
            }
        }
        let Some(condition) = condition else { return Ok(()) };
        condition.check_rest(self.position())?;
        let mut later = self.events.iter().skip(index(condition.upto));
        let tenant = append.tenant.as_str();
        match later.find(|event| event.tenant() == tenant && condition.query.matches(event)) {
            Some(event) => Err(AppendError::ConditionFailed { position: event.position() }),
            None => Ok(()),
        }
    }

    /// Finds the earlier append with the same ids in the same streams, if there was one.
    fn duplicate_of(&self, append: &Append) -> Result<Option<Appended>, AppendError> {
        let events = || append.writes.iter().flat_map(|w| w.events.iter().map(move |e| (w, e)));
        let mut seen = HashSet::new();
        if let Some((_, event)) = events().find(|(_, event)| !seen.insert(event.id)) {
            return Err(AppendError::Invalid(format!("event id {} occurs twice", event.id)));
        }
        let at = |id| self.ids.get(&(append.tenant.clone(), id));
        let found: Vec<_> = events().map(|(w, e)| (w, e, at(e.id))).collect();
        let Some(first) = found.iter().find_map(|(_, event, at)| at.map(|at| (event.id, *at)))
        else {
            return Ok(None);
        };
        let base = found.first().and_then(|(_, _, at)| at.copied());
        let other = found.iter().enumerate().find(|(step, (write, event, at))| {
            let mut sent = Vec::new();
            encode_record(&mut sent, &append.tenant, &write.stream, event);
            let stored = at.and_then(|at| self.events.get(*at));
            at.copied() != base.map(|base| base + step)
                || !stored.is_some_and(|stored| is_repeat(&sent, stored.as_bytes()))
        });
        if let Some((_, (_, event, at))) = other {
            let (id, at) = at.map_or(first, |at| (event.id, *at));
            return Err(AppendError::IdReused { id, position: Position::new(at as u64 + 1) });
        }
        Ok(Some(self.receipt_again(append, base.unwrap_or_default())))
    }

    fn receipt_again(&self, append: &Append, base: usize) -> Appended {
        let mut at = base;
        let streams = append.writes.iter().map(|write| {
            let own = self.events.get(at..at + write.events.len()).unwrap_or_default();
            at += own.len();
            let first = own.first().map(RecordedEvent::revision).unwrap_or_default();
            let last = own.last().map(RecordedEvent::revision).unwrap_or_default();
            WrittenStream { stream: write.stream.clone(), first, last }
        });
        let streams = streams.collect();
        Appended { position: Position::new(at as u64), streams, duplicate: true }
    }

    fn stream_page(&self, read: &StreamRead, limits: &StoreLimits) -> StreamPage {
        let key = (read.tenant.clone(), read.stream.clone());
        let all = self.streams.get(&key).map(Vec::as_slice).unwrap_or_default();
        let revision = Revision::new(all.len() as u64);
        let events = all.iter().filter_map(|at| self.events.get(*at));
        let limit = read.limit.clamp(1, limits.page_events_max);
        let events: Vec<RecordedEvent> = match read.direction {
            Direction::Forward => {
                bounded(events.filter(|e| e.revision() > read.from), limit, limits.page_bytes_max)
            }
            Direction::Backward => bounded(
                events.rev().filter(|e| e.revision() < read.from),
                limit,
                limits.page_bytes_max,
            ),
        };
        let last = events.last().map(RecordedEvent::revision);
        let end = match read.direction {
            Direction::Forward => revision,
            Direction::Backward => Revision::FIRST,
        };
        StreamPage { events, revision, next: last.filter(|last| *last != end) }
    }

    fn log_page(&self, read: &LogRead, limits: &StoreLimits) -> LogPage {
        let from = index(read.from);
        let window: Vec<&RecordedEvent> = match read.direction {
            Direction::Forward => {
                self.events.iter().skip(from).take(limits.page_scan_max).collect()
            }
            Direction::Backward => {
                let before = from.saturating_sub(1).min(self.events.len());
                let older = self.events.iter().take(before).rev();
                older.take(limits.page_scan_max).collect()
            }
        };
        let limit = read.limit.clamp(1, limits.page_events_max);
        let matching = window.iter().copied().filter(|event| read.matches(event));
        let events = bounded(matching.clone(), limit, limits.page_bytes_max.min(read.bytes_max));
        let is_cut = matching.count() > events.len();
        let last = if is_cut { events.last() } else { window.last().copied() };
        let (next, is_end) = match read.direction {
            Direction::Forward => {
                let next = last.map_or(read.from, RecordedEvent::position);
                (next, next >= self.position())
            }
            Direction::Backward => {
                let next = last.map_or(Position::FIRST, RecordedEvent::position);
                (next, next <= Position::FIRST)
            }
        };
        LogPage { events, next, is_end, looked_at: window.len() }
    }

    fn list(&self, list: &StreamList) -> StreamListPage {
        let firsts = self.events.iter().skip(index(list.after));
        let firsts = firsts.filter(|event| {
            event.revision() == Revision::FIRST
                && event.tenant() == list.tenant.as_str()
                && list.category.as_ref().is_none_or(|c| c.as_str() == event.category())
        });
        let limit = list.limit.max(1);
        let mut streams: Vec<_> = firsts
            .take(limit + 1)
            .filter_map(|event| Some((event.stream().ok()?, event.position())))
            .collect();
        let has_more = streams.len() > limit;
        streams.truncate(limit);
        let next = streams.last().filter(|_| has_more).map(|(_, position)| *position);
        StreamListPage { streams, next }
    }
}

fn index(position: Position) -> usize {
    usize::try_from(position.get()).unwrap_or(usize::MAX)
}

/// Takes events up to the limit and up to the page's bytes, and at least one.
fn bounded<'a>(
    events: impl Iterator<Item = &'a RecordedEvent>,
    limit: usize,
    bytes_max: usize,
) -> Vec<RecordedEvent> {
    let mut bytes = 0;
    events
        .take(limit)
        .take_while(|event| {
            let is_first = bytes == 0;
            bytes += event.as_bytes().len();
            is_first || bytes <= bytes_max
        })
        .cloned()
        .collect()
}

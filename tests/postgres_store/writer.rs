//! Writers that keep many appends under way and write down what each was told.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use headwater::event::{EventQuery, NewEvent, QueryItem, Revision, StreamId, Tenant};
use headwater::store::postgres::PostgresStore;
use headwater::store::{
    Append, AppendCondition, AppendError, Appended, EventStore, Expected, StreamWrite,
};

use super::audit::Ledger;
use super::note::{ANY, CLOSER, EXISTS, Note, tag};
use super::random::Random;

/// Appends that a writer keeps under way.
const UNDER_WAY: usize = 6;
const MARKS: usize = 16;

/// What all writers of a log know of its streams: revisions that were true a moment ago.
pub struct Streams(Vec<AtomicU64>);

impl Streams {
    /// Makes some, not one of them begun.
    pub fn new(count: u64) -> Arc<Self> {
        Arc::new(Self((0..count).map(|_| AtomicU64::new(0)).collect()))
    }

    fn learn(&self, appended: &Appended) {
        for write in &appended.streams {
            let stream: usize = write.stream.id().parse().unwrap();
            self.0[stream].fetch_max(write.last.get(), Ordering::Relaxed);
        }
    }
}

/// One of many that append at once.
pub struct Writer {
    pub number: usize,
    pub store: Arc<PostgresStore>,
    pub streams: Arc<Streams>,
    pub random: Random,
}

impl Writer {
    /// Appends until the log is long enough and everything sent is answered; returns for each
    /// append its last position, 0 if it was refused.
    pub async fn run(mut self, until: u64) -> Vec<u64> {
        let (mut told, mut under_way) = (Vec::new(), FuturesUnordered::new());
        let head = self.store.head();
        loop {
            while under_way.len() < UNDER_WAY && head.borrow().get() < until {
                let request = self.next_append(told.len());
                under_way.push(settle(self.store.clone(), request, told.len()));
                told.push(0);
                self.pause().await;
            }
            let Some((append, outcome)) = under_way.next().await else { return told };
            if let Some(appended) = outcome {
                told[append] = appended.position.get();
                self.streams.learn(&appended);
            }
        }
    }

    async fn pause(&mut self) {
        if self.random.one_in(16) {
            for _ in 0..self.random.below(50) {
                tokio::task::yield_now().await;
            }
        }
    }

    fn next_append(&mut self, append: usize) -> Append {
        let sizes = match self.random.below(40) {
            0..20 => vec![1],
            20..32 => vec![self.up_to(10)],
            32..34 => vec![self.up_to(10), self.up_to(10)],
            34..38 => vec![self.up_to(100)],
            38 => vec![self.up_to(100), 1, self.up_to(10)],
            _ => vec![self.up_to(400)],
        };
        let watched = self.random.one_in(12).then(|| {
            let head = self.store.head().borrow().get();
            (self.random.index(MARKS), head.saturating_sub(self.random.below(50)))
        });
        let count = sizes.iter().sum();
        let note = Note { writer: self.number, append, at: 0, count, expected: ANY, watched };
        let (mut writes, mut start) = (Vec::new(), 0);
        let first = self.random.index(self.streams.0.len());
        for (number, size) in sizes.into_iter().enumerate() {
            let stream = (first + number) % self.streams.0.len();
            writes.push(self.write(stream, Note { at: start, ..note }, size));
            start += size;
        }
        let condition = watched.map(|(mark, after)| AppendCondition {
            query: EventQuery {
                items: vec![QueryItem { tags: vec![tag(mark)], ..QueryItem::default() }],
            },
            after: headwater::event::Position::new(after),
        });
        Append { tenant: Tenant::default_tenant(), writes, condition }
    }

    fn up_to(&mut self, end: usize) -> usize {
        1 + self.random.index(end)
    }

    fn write(&mut self, stream: usize, first: Note, size: usize) -> StreamWrite {
        let (expected, said) = match self.random.below(8) {
            0 => (Expected::Exists, EXISTS),
            1 => (Expected::NoStream, 0),
            2..4 => {
                let last = self.streams.0[stream].load(Ordering::Relaxed);
                (Expected::At(Revision::new(last)), i64::try_from(last).unwrap())
            }
            _ => (Expected::Any, ANY),
        };
        let mark = self.random.one_in(10).then(|| self.random.index(MARKS));
        let event = |number| {
            let expected = if number == 0 { said } else { ANY };
            Note { at: first.at + number, expected, ..first }.event(mark.filter(|_| number == 0))
        };
        let stream = StreamId::new("order", stream.to_string()).unwrap();
        StreamWrite { stream, expected, events: (0..size).map(event).collect() }
    }
}

/// Sends an append until it is known what came of it; `None` is: refused.
async fn settle(
    store: Arc<PostgresStore>,
    request: Append,
    append: usize,
) -> (usize, Option<Appended>) {
    let mut head = store.head();
    loop {
        match store.append(request.clone()).await {
            Ok(appended) => return (append, Some(appended)),
            Err(AppendError::Conflict { .. } | AppendError::ConditionFailed { .. }) => {
                return (append, None);
            }
            Err(AppendError::Unknown { .. } | AppendError::Unavailable { .. }) => {
                // The database is away: others may see it come back, or it is tried again.
                let _ = tokio::time::timeout(Duration::from_millis(20), head.changed()).await;
            }
            Err(error) => panic!("{error}"),
        }
    }
}

/// Starts writers on the nodes in turn.
pub fn start(
    nodes: &[Arc<PostgresStore>],
    count: usize,
    (seed, until): (u64, u64),
) -> Vec<tokio::task::JoinHandle<Vec<u64>>> {
    let streams = Streams::new(50 + until / 5_000);
    let writer = |number: usize| Writer {
        number,
        store: nodes[number % nodes.len()].clone(),
        streams: streams.clone(),
        random: Random::new(seed.wrapping_mul(31).wrapping_add(2 * number as u64)),
    };
    (0..count).map(|number| tokio::spawn(writer(number).run(until))).collect()
}

/// Waits for the writers, then puts the event behind theirs that tells readers to stop.
pub async fn finish(
    writers: Vec<tokio::task::JoinHandle<Vec<u64>>>,
    store: &PostgresStore,
) -> Ledger {
    let mut told = Ledger::new();
    for writer in writers {
        told.push(writer.await.unwrap());
    }
    let note = Note { writer: CLOSER, append: 0, at: 0, count: 1, expected: ANY, watched: None };
    let events: Vec<NewEvent> = vec![note.event(None)];
    let stream = StreamId::new("order", "closed").unwrap();
    let last = Append::to_stream(Tenant::default_tenant(), stream, Expected::NoStream, events);
    store.append(last).await.unwrap();
    told
}

//! One feed of one endpoint: reads, sends, and notes what came of it.

mod setup;
mod state;

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use headwater::event::{Position, RecordedEvent, Revision};
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep_until, timeout};

use super::backlog::{Again, Now, Outcome, Task, Ticket, Together};
use super::block::LastFailure;
use super::directory::Registered;
use super::fetch::{FetchError, fetch};
use super::pace::Pace;
use super::reader::{Batch, Reader};
use super::sieve::Sieve;
use super::signal::Signals;
use super::window::Line;
use crate::metric::SinkMetrics;
use crate::plugin::Shared;
use crate::sink::{Delivery, Sink, Unusable};
use crate::webhook::Verdict;

pub(super) use setup::rules;
pub(super) use state::{LaneState, SharedLane};

/// The most bytes of events in one message of several.
const MESSAGE_BYTES_MAX: usize = 1 << 20;
/// How long a stop waits for requests under way.
const DRAIN: Duration = Duration::from_secs(5);

/// Runs a feed.
pub(super) struct Lane {
    pub shared: Arc<Shared>,
    pub state: SharedLane,
    pub registered: watch::Receiver<Arc<Registered>>,
    pub stop: watch::Receiver<bool>,
    pub signals: Signals,
}

/// Why a lane ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LaneEnd {
    /// It was asked to stop.
    Stopped,
    /// A replay has sent everything.
    Over,
}

/// A lane at work.
struct Running {
    lane: Lane,
    sink: Rc<dyn Sink>,
    sieve: watch::Sender<Arc<Sieve>>,
    pace: Pace,
    metrics: SinkMetrics,
    /// Of the endpoint's stream: everything up to it is in force.
    revision: Revision,
    is_active: bool,
    /// Whether it was paused or disabled.
    has_stood: bool,
    under_way: FuturesUnordered<LocalBoxFuture<'static, Done>>,
}

/// What has ended.
enum Done {
    Sent { ticket: Ticket, event: RecordedEvent, attempt: u32, delivery: Delivery },
    SentTogether { together: Together, delivery: Delivery },
    Fetched { line: Line, fetched: Result<super::backlog::Fetched, FetchError> },
}

impl Lane {
    /// Runs until it is asked to stop, or a replay is over.
    pub async fn run(mut self) -> LaneEnd {
        let Some((registered, sieve)) = self.sieve().await else { return LaneEnd::Stopped };
        let Some(config) = &registered.endpoint.config else { return LaneEnd::Stopped };
        let (sieve, _) = watch::channel(Arc::new(sieve));
        let (pace, is_active, has_stood) = (Pace::default(), false, false);
        let sink: Rc<dyn Sink> = Rc::new(Unusable(String::new()));
        let under_way = FuturesUnordered::new();
        let metrics = self.shared.metrics.of_sink(config.target.kind());
        let mut running = Running {
            lane: self,
            sink,
            sieve,
            pace,
            metrics,
            revision: Revision::ZERO,
            is_active,
            has_stood,
            under_way,
        };
        running.set_up(&registered);
        running.go().await
    }

    /// Waits for a filter that can be asked: one that another version of this program stored may
    /// not parse here, and the endpoint stands still until it is changed.
    async fn sieve(&mut self) -> Option<(Arc<Registered>, Sieve)> {
        loop {
            let registered = self.registered.borrow_and_update().clone();
            let tenant = self.state.borrow().feed.endpoint.tenant.clone();
            let whose = (&tenant, &self.shared.brokers.operator);
            match Sieve::new(whose, &registered.endpoint.config.as_ref()?.filter) {
                Ok(sieve) => return Some((registered, sieve)),
                Err(error) => {
                    let endpoint = self.state.borrow().feed.endpoint.place();
                    tracing::error!(endpoint, %error, "endpoint stands still: change its filter");
                }
            }
            tokio::select! {
                () = stopped(&mut self.stop) => return None,
                changed = self.registered.changed() => changed.ok()?,
            }
        }
    }

    fn span(&self) -> (Position, Position) {
        let state = self.state.borrow();
        (state.backlog.frontier(), state.until.unwrap_or(Position::MAX))
    }
}

impl Running {
    async fn go(mut self) -> LaneEnd {
        let (store, tail) = (self.lane.shared.store(), self.lane.shared.directory.tail().clone());
        let sieve = self.sieve.subscribe();
        let mut reading = Reader::new(store, &tail, sieve, self.lane.span()).start();
        loop {
            self.send_all();
            self.lane.state.borrow_mut().backlog.relieve(self.now());
            if self.lane.state.borrow().is_over() {
                return LaneEnd::Over;
            }
            let takes = self.takes();
            let wake = self.wake_at();
            let stored = Rc::clone(&self.lane.state.borrow().has_stored);
            tokio::select! {
                biased;
                () = stopped(&mut self.lane.stop) => break,
                // First, so that something is ready when a request ends.
                Some(batch) = reading.batches.recv(), if takes => self.offer(batch),
                Some(done) = self.under_way.next() => self.take_all(done),
                changed = self.lane.registered.changed() => match changed {
                    Ok(()) => self.change(),
                    // The endpoint was removed.
                    Err(_) => break,
                },
                () = stored.notified(), if self.is_full() => {}
                () = sleep_until(wake.unwrap_or_else(Instant::now).into()), if wake.is_some() => {}
            }
        }
        drop(reading);
        self.drain().await;
        LaneEnd::Stopped
    }

    /// Waits for requests under way: what they come to need not be sent again.
    async fn drain(&mut self) {
        self.sink.close();
        let end = async {
            while let Some(done) = self.under_way.next().await {
                self.take(done, self.now());
            }
        };
        // What is still under way then is sent again by whoever goes on.
        let _ = timeout(DRAIN, end).await;
    }

    /// Returns whether it takes what was read. One that is paused takes a little, so that it is
    /// known how old the oldest event is that waits for it.
    fn takes(&self) -> bool {
        let backlog = &self.lane.state.borrow().backlog;
        backlog.room() > 0 && (self.is_active || !backlog.owes())
    }

    fn is_full(&self) -> bool {
        self.lane.state.borrow().is_full()
    }

    fn wake_at(&self) -> Option<Instant> {
        if !self.is_active || self.is_full() {
            return None;
        }
        let state = self.lane.state.borrow();
        let due = state.backlog.wake_at();
        // While all places are taken, an end of one of them wakes it.
        let due = due.filter(|_| !state.backlog.is_crowded());
        // What is ready is in no time of the backlog.
        self.pace.waits_until().or(due)
    }

    /// Begins everything that may be sent or read now.
    fn send_all(&mut self) {
        let now = self.now();
        while self.is_active && !self.is_full() && self.pace.grants() {
            let task = self.lane.state.borrow_mut().backlog.next(now);
            match task {
                None => return,
                Some(Task::Send { ticket, event, attempt }) => {
                    self.pace.spend();
                    let delivering = self.sink.deliver(&event, attempt);
                    let done = async move {
                        let delivery = delivering.await;
                        Done::Sent { ticket, event, attempt, delivery }
                    };
                    self.under_way.push(done.boxed_local());
                }
                Some(Task::SendTogether(together)) => {
                    self.pace.spend();
                    let delivering = self.sink.deliver_together(&together.events);
                    let done = async move {
                        let delivery = delivering.await;
                        Done::SentTogether { together, delivery }
                    };
                    self.under_way.push(done.boxed_local());
                }
                Some(Task::Fetch { line, head, after }) => {
                    let (store, sieve) =
                        (self.lane.shared.store(), Arc::clone(&self.sieve.borrow()));
                    let done = async move {
                        let fetched = fetch(&store, &sieve, (&line, &head), after).await;
                        Done::Fetched { line, fetched }
                    };
                    self.under_way.push(done.boxed_local());
                }
            }
        }
    }

    fn offer(&mut self, batch: Batch) {
        self.catch_up();
        let mut state = self.lane.state.borrow_mut();
        batch.events.into_iter().for_each(|event| state.backlog.offer(event));
        state.backlog.advance(batch.next);
        drop(state);
        // An order may have waited for what was read now.
        self.do_orders();
    }

    /// Takes everything that has ended by now, so that what follows is begun at once.
    fn take_all(&mut self, done: Done) {
        let now = self.now();
        self.take(done, now);
        while let Some(Some(done)) = self.under_way.next().now_or_never() {
            self.take(done, now);
        }
    }

    fn take(&mut self, done: Done, now: Now) {
        match done {
            Done::Sent { ticket, event, attempt, delivery } => {
                let (outcome, attempted) = (outcome(&delivery), delivery.attempted);
                let verdict = attempted.verdict;
                let mut state = self.lane.state.borrow_mut();
                state.backlog.finished(ticket, &event, outcome, now);
                if delivery.was_made {
                    self.metrics.count(&attempted, [&event], now.wall);
                    state.note(event, now.wall, attempt, attempted);
                }
                drop(state);
                self.tell(verdict);
            }
            Done::SentTogether { together, delivery } => {
                let (outcome, attempted) = (outcome(&delivery), delivery.attempted);
                let verdict = attempted.verdict;
                self.metrics.count(&attempted, together.events.iter(), now.wall);
                let mut state = self.lane.state.borrow_mut();
                for event in &together.events {
                    state.note(event.clone(), now.wall, together.attempt, attempted.clone());
                }
                state.backlog.finished_together(together, outcome, now);
                drop(state);
                self.tell(verdict);
            }
            Done::Fetched { line, fetched } => {
                let backlog = &mut self.lane.state.borrow_mut().backlog;
                match fetched {
                    Ok(fetched) => backlog.fetched(&line, fetched),
                    Err(error) => {
                        tracing::warn!(%error, "events of a stream could not be read again");
                        backlog.not_fetched(&line, now);
                    }
                }
            }
        }
    }

    /// Lets the endpoint's own history know that it is gone; that it fails for long, the shard.
    fn tell(&self, verdict: Verdict) {
        if verdict == Verdict::Gone {
            return self.lane.signals.gone();
        }
        if self.lane.state.borrow().backlog.failing.is_none() {
            self.lane.signals.works();
        }
    }

    fn now(&self) -> Now {
        self.lane.shared.now()
    }
}

fn outcome(delivery: &Delivery) -> Outcome {
    let attempted = &delivery.attempted;
    let last = || LastFailure { status: attempted.status, error: attempted.error.clone() };
    match attempted.verdict {
        _ if !delivery.was_made => Outcome::Untried,
        Verdict::Delivered => Outcome::Delivered,
        _ if delivery.is_hopeless => Outcome::Hopeless(last()),
        verdict => Outcome::Failed(Again {
            is_throttled: verdict == Verdict::Throttled,
            retry_after: attempted.retry_after,
            last: last(),
        }),
    }
}

/// Waits until a lane is asked to stop; a shard that is gone asks as well.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|is_stopped| *is_stopped).await;
}

/// Keeps a reading task alive.
pub(super) struct Reading {
    pub batches: mpsc::Receiver<Batch>,
    pub task: tokio::task::JoinHandle<()>,
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.task.abort();
    }
}

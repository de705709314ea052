//! A part of the endpoints, worked by one node at a time.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use headwater::event::{Position, Revision};
use headwater::nodes::Tenure;
use headwater::runtime::{ActorContext, ActorError, ActorResult, ActorSpec};
use headwater::sql::TxEngine;
use jiff::Timestamp;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::backlog::{Backlog, Now};
use super::block::Block;
use super::directory::{Ordered, Registered, View};
use super::lane::{Lane, LaneEnd, LaneState, SharedLane, rules};
use super::signal::Signals;
use super::store::{Commit, commit};
use super::window::Line;
use crate::endpoint::{Phase, Start};
use crate::metric::{ShardMetrics, ShardStanding};
use crate::plugin::Shared;
use crate::table::{self, AttemptRow, Cursor, EndpointKey, Feed};

/// How many shards there are; part of what is stored, so it never changes.
pub(crate) const SHARDS: u32 = 8;
/// How often what has changed is stored.
const STORE_EVERY: Duration = Duration::from_millis(500);
/// How often a shard without changes says that it is at work.
const BEAT_EVERY: Duration = Duration::from_secs(5);
/// Generation of the dispatcher, for the share-out between nodes.
const VERSION: u32 = 1;

/// Describes the actor of a shard.
pub(crate) fn shard_actor(number: u32, shared: Arc<Shared>) -> ActorSpec {
    ActorSpec::leased(lease(number), VERSION, move |actor, tenure| {
        run(number, Arc::clone(&shared), actor, tenure)
    })
}

/// Returns the name of the lease under which a node works for an endpoint.
pub(crate) fn lease_of(key: &EndpointKey) -> String {
    lease(shard_of(key))
}

fn lease(number: u32) -> String {
    format!("outbox shard {number}")
}

/// Returns the shard of an endpoint.
pub(crate) fn shard_of(key: &EndpointKey) -> u32 {
    // FNV-1a, 64 bit: stored numbers depend on it, so it is no library's to change.
    let place = key.place();
    let hash = place.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (hash % u64::from(SHARDS)) as u32
}

/// A shard at work.
struct Shard {
    number: u32,
    shared: Arc<Shared>,
    actor: ActorContext,
    tenure: Tenure,
    lanes: BTreeMap<Feed, Running>,
    tasks: JoinSet<(Feed, LaneEnd)>,
    /// What is stored of endpoints that this node does not know of yet.
    unmet: Stored,
    /// The generation of the endpoints that its lanes know of.
    met: Option<u64>,
    /// Feeds that are over, to be removed from the tables.
    over: Vec<Feed>,
    metrics: ShardMetrics,
    stop: watch::Sender<bool>,
    position: Position,
    stored_at: Instant,
}

struct Running {
    state: SharedLane,
    registered: watch::Sender<Arc<Registered>>,
}

/// Cursors and blocks as they are stored.
type Stored = Vec<(Feed, Cursor, Vec<(Line, Block)>)>;

async fn run(number: u32, shared: Arc<Shared>, actor: ActorContext, tenure: Tenure) -> ActorResult {
    let mut directory = shared.directory.watch();
    let is_stopped = tokio::select! {
        // What the tables know is not judged before the endpoints are known.
        _ = actor.heartbeat.idle(directory.wait_for(|view| view.is_complete)) => false,
        () = actor.stopped() => true,
    };
    if is_stopped {
        return Ok(());
    }
    let Some((position, stored)) = enter(number, &shared, &tenure).await? else {
        // It is another node's: soon this one is asked to stop.
        actor.heartbeat.idle(actor.stopped()).await;
        return Ok(());
    };
    let metrics = shared.metrics.of_shard(number);
    let mut shard = Shard {
        number,
        shared,
        actor,
        tenure,
        lanes: BTreeMap::new(),
        tasks: JoinSet::new(),
        unmet: Stored::new(),
        met: None,
        over: Vec::new(),
        metrics,
        stop: watch::Sender::new(false),
        position,
        stored_at: Instant::now(),
    };
    for (feed, cursor, blocks) in stored {
        shard.resume(feed, cursor, blocks);
    }
    shard.work(directory).await
}

/// Takes a shard over; `None` when the lease is lost.
async fn enter(
    number: u32,
    shared: &Shared,
    tenure: &Tenure,
) -> Result<Option<(Position, Stored)>, ActorError> {
    let (tenure, now) = (tenure.clone(), shared.now());
    let work = move |tx: &mut dyn TxEngine| {
        let Some(position) = table::enter(tx, number, &tenure, now.wall)? else { return Ok(None) };
        let mut stored = Stored::new();
        for (feed, cursor) in table::load_cursors(tx, number)? {
            let blocks = table::load_blocks(tx, &feed, now)?;
            stored.push((feed, cursor, blocks));
        }
        Ok(Some((position, stored)))
    };
    shared.database().write(work).await.map_err(|error| ActorError(error.to_string()))
}

impl Shard {
    async fn work(mut self, mut directory: watch::Receiver<Arc<View>>) -> ActorResult {
        let mut ticks = interval(STORE_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let view = directory.borrow_and_update().clone();
        self.meet(&view);
        loop {
            let (actor, tasks) = (self.actor.clone(), &mut self.tasks);
            tokio::select! {
                biased;
                () = actor.heartbeat.idle(actor.stopped()) => break,
                Some(ended) = tasks.join_next() => {
                    let (feed, end) = ended.map_err(|error| ActorError(error.to_string()))?;
                    if end == LaneEnd::Over {
                        self.over.push(feed);
                    }
                }
                Ok(()) = directory.changed() => {
                    let view = directory.borrow_and_update().clone();
                    self.meet(&view);
                }
                _ = ticks.tick() => {
                    let view = directory.borrow_and_update().clone();
                    self.meet(&view);
                    self.measure(self.shared.clock.now());
                    if !self.store(false).await? {
                        self.tasks.shutdown().await;
                        self.actor.heartbeat.idle(self.actor.stopped()).await;
                        return Ok(());
                    }
                }
            }
        }
        self.stop.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
        self.store(true).await.map(drop)
    }

    /// Lets lanes know what has changed, and begins those of new endpoints.
    fn meet(&mut self, view: &View) {
        self.position = self.position.max(view.position);
        if self.met.replace(view.generation) == Some(view.generation) {
            return;
        }
        for (feed, cursor, blocks) in std::mem::take(&mut self.unmet) {
            self.resume(feed, cursor, blocks);
        }
        for (key, registered) in &view.endpoints {
            if shard_of(key) != self.number || registered.endpoint.config.is_none() {
                continue;
            }
            let feeds: Vec<Feed> = self.feeds_of(key).cloned().collect();
            if registered.endpoint.phase == Phase::Removed {
                self.forget(feeds);
                continue;
            }
            for lane in feeds.iter().filter_map(|feed| self.lanes.get(feed)) {
                let is_new = |own: &Arc<Registered>| own.revision < registered.revision;
                lane.registered.send_if_modified(|own| {
                    let is_new = is_new(own);
                    *own = Arc::clone(registered);
                    is_new
                });
            }
            let feed = Feed { endpoint: key.clone(), number: 0 };
            let is_stored = self.unmet.iter().any(|(own, _, _)| *own == feed);
            if !self.lanes.contains_key(&feed) && !is_stored {
                let start = match registered.endpoint.start {
                    Start::Now => registered.at,
                    Start::Beginning => Position::ZERO,
                    Start::After(position) => position,
                };
                self.begin(feed, new_cursor(start, None), Vec::new(), registered);
            }
        }
    }

    /// Returns the feeds of an endpoint that have lanes.
    fn feeds_of(&self, key: &EndpointKey) -> impl Iterator<Item = &Feed> {
        let feed = |number| Feed { endpoint: key.clone(), number };
        self.lanes.range(feed(0)..=feed(u64::MAX)).map(|(feed, _)| feed)
    }

    fn forget(&mut self, feeds: Vec<Feed>) {
        for feed in feeds {
            self.lanes.remove(&feed);
            self.over.push(feed);
        }
    }

    /// Goes on with what is stored.
    fn resume(&mut self, feed: Feed, cursor: Cursor, blocks: Vec<(Line, Block)>) {
        match self.shared.directory.get(&feed.endpoint) {
            Some(registered) => {
                self.begin(feed.clone(), cursor.clone(), blocks, &registered);
                if let Some(lane) = self.lanes.get(&feed) {
                    lane.state.borrow_mut().stored = Some(cursor);
                }
            }
            // This node has not read so far yet.
            None => self.unmet.push((feed, cursor, blocks)),
        }
    }

    fn begin(
        &mut self,
        feed: Feed,
        cursor: Cursor,
        blocks: Vec<(Line, Block)>,
        registered: &Arc<Registered>,
    ) {
        let Some(config) = &registered.endpoint.config else { return };
        let mut backlog = Backlog::new(rules(config), cursor.position, blocks);
        backlog.delivered = cursor.delivered;
        backlog.failed = cursor.failed;
        backlog.failing_since = cursor.failing_since;
        let state = Rc::new(RefCell::new(LaneState {
            feed: feed.clone(),
            backlog,
            until: cursor.until,
            orders: cursor.orders,
            attempts: Vec::new(),
            attempt_bytes: 0,
            storing: 0,
            moved_at: Instant::now(),
            replays: Vec::new(),
            stored: None,
            has_stored: Rc::new(Notify::new()),
        }));
        let (tell, told) = watch::channel(Arc::clone(registered));
        let lane = Lane {
            shared: Arc::clone(&self.shared),
            state: Rc::clone(&state),
            registered: told,
            stop: self.stop.subscribe(),
            signals: Signals::new(self.actor.system.clone(), feed.endpoint.clone()),
        };
        let name = feed.clone();
        self.tasks.spawn_local(async move { (name, lane.run().await) });
        self.lanes.insert(feed, Running { state, registered: tell });
    }

    /// Stores what has changed; false when the shard is another node's by now.
    async fn store(&mut self, is_last: bool) -> Result<bool, ActorError> {
        let commit_now = Arc::new(self.gather(is_last));
        if commit_now.is_empty() && self.stored_at.elapsed() < BEAT_EVERY {
            return Ok(true);
        }
        self.actor.heartbeat.beat();
        let database = self.shared.database();
        let (log, work) = (&self.shared.attempt_log, Arc::clone(&commit_now));
        let stored = self.actor.heartbeat.idle(commit(&database, work, log)).await;
        // The writer has let go of it by now.
        let commit_now = Arc::unwrap_or_clone(commit_now);
        match stored {
            Ok(true) => {
                self.stored_at = Instant::now();
                self.metrics.committed(self.shared.clock.now());
                self.has_stored(commit_now);
                Ok(true)
            }
            Ok(false) => {
                tracing::info!(shard = self.number, "another node has taken the shard over");
                Ok(false)
            }
            Err(error) if error.is_transient() => {
                tracing::warn!(shard = self.number, %error, "outbox was not stored");
                self.not_stored(commit_now);
                Ok(true)
            }
            Err(error) => Err(ActorError(error.to_string())),
        }
    }

    /// Tells how the endpoints stand that are neither paused nor disabled.
    fn measure(&self, now: Timestamp) {
        let head = self.shared.store().head().borrow().get();
        let mut standing = ShardStanding::default();
        for lane in self.lanes.values() {
            let state = lane.state.borrow();
            if lane.registered.borrow().endpoint.phase == Phase::Active {
                standing.add(&state.backlog, head);
            }
        }
        self.metrics.set(standing, now);
    }

    /// Takes what has changed in each lane.
    fn gather(&mut self, is_last: bool) -> Commit {
        let mut commit = Commit::new(self.number, self.tenure.token(), self.position);
        commit.now = self.shared.clock.now();
        commit.removed = std::mem::take(&mut self.over);
        for (feed, lane) in &self.lanes {
            let mut state = lane.state.borrow_mut();
            let blocks = state.backlog.changes().into_iter();
            let cursor = state.cursor();
            if is_last || state.is_worth_storing(&cursor) {
                state.moved_at = Instant::now();
                commit.cursors.push((feed.clone(), cursor));
            }
            state.storing = state.attempts.len();
            state.attempt_bytes = 0;
            commit.blocks.extend(blocks.map(|(line, block)| (feed.clone(), line, block)));
            commit.attempts.append(&mut state.attempts);
            let replays = std::mem::take(&mut state.replays);
            commit.replays.extend(replays.into_iter().map(|own| (feed.endpoint.clone(), own)));
        }
        // What came of its last requests is stored, its place is not.
        for feed in &commit.removed {
            self.lanes.remove(feed);
        }
        commit
    }

    /// Notes what is stored now, and begins replays that were ordered.
    fn has_stored(&mut self, commit: Commit) {
        for (feed, cursor) in commit.cursors {
            if let Some(lane) = self.lanes.get(&feed) {
                lane.state.borrow_mut().stored = Some(cursor);
            }
        }
        for lane in self.lanes.values() {
            let mut state = lane.state.borrow_mut();
            state.storing = 0;
            state.has_stored.notify_one();
        }
        for (key, ordered) in commit.replays {
            let Some(registered) = self.shared.directory.get(&key) else { continue };
            let (feed, cursor) = replay(key, &ordered);
            self.begin(feed, cursor, Vec::new(), &registered);
        }
    }

    /// Takes back what was not stored.
    fn not_stored(&mut self, commit: Commit) {
        self.over.extend(commit.removed);
        for (feed, line, _) in commit.blocks {
            if let Some(lane) = self.lanes.get(&feed) {
                lane.state.borrow_mut().backlog.note_change(line);
            }
        }
        let mut attempts: BTreeMap<Feed, Vec<AttemptRow>> = BTreeMap::new();
        for row in commit.attempts {
            attempts.entry(row.feed.clone()).or_default().push(row);
        }
        for (feed, lane) in &self.lanes {
            let mut state = lane.state.borrow_mut();
            state.storing = 0;
            state.attempts.splice(0..0, attempts.remove(feed).unwrap_or_default());
        }
        for (key, replay) in commit.replays {
            if let Some(lane) = self.lanes.get(&Feed { endpoint: key, number: 0 }) {
                lane.state.borrow_mut().replays.push(replay);
            }
        }
    }
}

impl ShardStanding {
    fn add(&mut self, backlog: &Backlog, head: u64) {
        let oldest = [self.oldest_at, backlog.oldest_at()];
        self.oldest_at = oldest.into_iter().flatten().min();
        self.lag = self.lag.max(head.saturating_sub(backlog.position().get()));
        self.in_flight += backlog.in_flight();
        self.retrying += backlog.retrying();
        self.dead += backlog.dead();
        self.broken += usize::from(backlog.is_broken());
    }
}

/// Returns the feed of a replay and where it begins.
pub(super) fn replay(key: EndpointKey, ordered: &Ordered) -> (Feed, Cursor) {
    let selection = &ordered.order.selection;
    let from = selection.from.unwrap_or(Position::ZERO).previous();
    // What lies behind the order comes by itself.
    let until = selection.to.unwrap_or(ordered.position).min(ordered.position);
    let cursor = Cursor { orders: ordered.revision, ..new_cursor(from, Some(until)) };
    (Feed { endpoint: key, number: ordered.revision.get() }, cursor)
}

const fn new_cursor(position: Position, until: Option<Position>) -> Cursor {
    Cursor {
        position,
        until,
        orders: Revision::ZERO,
        delivered: 0,
        failed: 0,
        failing_since: None,
        oldest_at: None,
        is_broken: false,
    }
}

impl Shared {
    /// Returns the time on both clocks.
    pub(super) fn now(&self) -> Now {
        Now { wall: self.clock.now(), tick: Instant::now() }
    }
}

//! A part of the endpoints, worked by one node at a time.

mod storing;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use headwater::event::{Position, Revision};
use headwater::nodes::Tenure;
use headwater::runtime::{ActorContext, ActorError, ActorResult, ActorSpec};
use headwater::sql::TxEngine;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::backlog::{Backlog, Now, Owed};
use super::directory::{Ordered, Registered, View};
use super::failing::Failing;
use super::lane::{Lane, LaneEnd, LaneState, SharedLane, rules};
use super::signal::Signals;
use crate::endpoint::{Phase, Start};
use crate::metric::ShardMetrics;
use crate::plugin::Shared;
use crate::table::{self, Cursor, EndpointKey, Feed};

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
    /// Up to which revision each is known, so that a change of one costs nothing for the others.
    known: BTreeMap<EndpointKey, Revision>,
    /// Feeds that are over, to be removed from the tables.
    over: Vec<Feed>,
    metrics: ShardMetrics,
    stop: watch::Sender<bool>,
    position: Position,
    stored_at: Instant,
}

struct Running {
    state: SharedLane,
    signals: Signals,
    registered: watch::Sender<Arc<Registered>>,
}

/// Cursors and what is owed, as they are stored.
type Stored = Vec<(Feed, Cursor, Owed)>;

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
        known: BTreeMap::new(),
        over: Vec::new(),
        metrics,
        stop: watch::Sender::new(false),
        position,
        stored_at: Instant::now(),
    };
    for (feed, cursor, owed) in stored {
        shard.resume(feed, cursor, owed);
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
            let left_out = table::load_left_out(tx, &feed)?;
            stored.push((feed, cursor, Owed { blocks, left_out }));
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
                    self.warn();
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
        for (feed, cursor, owed) in std::mem::take(&mut self.unmet) {
            self.resume(feed, cursor, owed);
        }
        let number = self.number;
        for (key, registered) in view.endpoints.iter().filter(|(_, own)| own.shard == number) {
            if self.known.get(key) != Some(&registered.revision) {
                self.known.insert(key.clone(), registered.revision);
                self.meet_one(key, registered);
            }
        }
    }

    fn meet_one(&mut self, key: &EndpointKey, registered: &Arc<Registered>) {
        if registered.endpoint.config.is_none() {
            return;
        }
        let feeds: Vec<Feed> = self.feeds_of(key).cloned().collect();
        if registered.endpoint.phase == Phase::Removed {
            return self.forget(feeds);
        }
        for lane in feeds.iter().filter_map(|feed| self.lanes.get(feed)) {
            lane.registered.send_if_modified(|own| {
                let is_new = own.revision < registered.revision;
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
            self.begin(feed, new_cursor(start, None), Owed::default(), registered);
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
    fn resume(&mut self, feed: Feed, cursor: Cursor, owed: Owed) {
        match self.shared.directory.get(&feed.endpoint) {
            Some(registered) => {
                self.begin(feed.clone(), cursor.clone(), owed, &registered);
                if let Some(lane) = self.lanes.get(&feed) {
                    lane.state.borrow_mut().stored = Some(cursor);
                }
            }
            // This node has not read so far yet.
            None => self.unmet.push((feed, cursor, owed)),
        }
    }

    fn begin(&mut self, feed: Feed, cursor: Cursor, owed: Owed, registered: &Arc<Registered>) {
        let Some(config) = &registered.endpoint.config else { return };
        let mut backlog = Backlog::new(rules(config), cursor.position, owed);
        backlog.delivered = cursor.delivered;
        backlog.failed = cursor.failed;
        let now = self.shared.now();
        let since = cursor.failing_since;
        // Whoever resumed the endpoint since gave it all of its time again.
        let since = since.filter(|since| registered.resumed_at.is_none_or(|at| at <= *since));
        backlog.failing = since.map(|since| Failing::resume(since, now));
        let state = Rc::new(RefCell::new(LaneState {
            feed: feed.clone(),
            backlog,
            until: cursor.until,
            orders: cursor.orders,
            attempts: Vec::new(),
            attempt_bytes: 0,
            storing: 0,
            is_held: false,
            moved_at: Instant::now(),
            replays: Vec::new(),
            stored: None,
            has_stored: Rc::new(Notify::new()),
        }));
        let signals = Signals::new(self.actor.system.clone(), feed.endpoint.clone());
        let (tell, told) = watch::channel(Arc::clone(registered));
        let lane = Lane {
            shared: Arc::clone(&self.shared),
            state: Rc::clone(&state),
            registered: told,
            stop: self.stop.subscribe(),
            signals: signals.clone(),
        };
        let name = feed.clone();
        self.tasks.spawn_local(async move { (name, lane.run().await) });
        self.lanes.insert(feed, Running { state, signals, registered: tell });
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

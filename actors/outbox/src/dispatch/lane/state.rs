//! What a shard stores of a lane, and shares with it.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use headwater::event::{Position, RecordedEvent, Revision};
use jiff::Timestamp;
use tokio::sync::Notify;

use crate::dispatch::backlog::Backlog;
use crate::dispatch::directory::Ordered;
use crate::table::{AttemptRow, Cursor, Feed};
use crate::webhook::Attempted;

/// Attempts that wait to be stored; beyond it nothing is sent until they are.
const ATTEMPTS_MAX: usize = 20_000;
/// The most bytes of their events.
const ATTEMPT_BYTES_MAX: usize = 32 << 20;
/// How often the place of an endpoint is stored that gets nothing.
const MOVE_EVERY: Duration = Duration::from_secs(2);

/// What a shard stores of a lane.
pub(in crate::dispatch) struct LaneState {
    pub feed: Feed,
    pub backlog: Backlog,
    /// Where a replay ends.
    pub until: Option<Position>,
    /// Orders up to this revision are done.
    pub orders: Revision,
    /// Attempts that are not stored yet.
    pub attempts: Vec<AttemptRow>,
    /// The bytes of their events.
    pub attempt_bytes: usize,
    /// How many are being stored.
    pub storing: usize,
    /// Replays that were ordered and not begun yet.
    pub replays: Vec<Ordered>,
    /// When its place was stored last.
    pub moved_at: Instant,
    /// What is stored.
    pub stored: Option<Cursor>,
    /// Whether nothing may be sent because nothing can be stored: another node may work for the
    /// endpoint by now.
    pub is_held: bool,
    /// Told when attempts were stored.
    pub has_stored: Rc<Notify>,
}

/// A lane's state, shared between its task and its shard on one thread.
pub(in crate::dispatch) type SharedLane = Rc<RefCell<LaneState>>;

impl LaneState {
    /// Returns the cursor as it should be stored.
    pub fn cursor(&self) -> Cursor {
        Cursor {
            position: self.backlog.position(),
            until: self.until,
            orders: self.orders,
            delivered: self.backlog.delivered,
            failed: self.backlog.failed,
            failing_since: self.backlog.failing.map(|own| own.since()),
            oldest_at: self.backlog.oldest_at(),
            is_broken: self.backlog.is_broken(),
        }
    }

    /// Returns whether more has changed than the place, or that long ago.
    pub fn is_worth_storing(&self, cursor: &Cursor) -> bool {
        let Some(stored) = &self.stored else { return true };
        let moved = Cursor { position: cursor.position, ..stored.clone() };
        moved != *cursor || (stored != cursor && self.moved_at.elapsed() >= MOVE_EVERY)
    }

    /// Notes an attempt, which is stored later.
    pub fn note(
        &mut self,
        event: RecordedEvent,
        at: Timestamp,
        attempt: u32,
        attempted: Attempted,
    ) {
        let feed = self.feed.clone();
        self.attempt_bytes += event.as_bytes().len();
        self.attempts.push(AttemptRow { feed, event, at, attempt, attempted });
    }

    /// Returns whether no more attempts may be made before something was stored.
    pub fn is_full(&self) -> bool {
        self.is_held
            || self.attempts.len() + self.storing >= ATTEMPTS_MAX
            || self.attempt_bytes >= ATTEMPT_BYTES_MAX
    }

    /// Returns whether a replay has sent everything.
    pub fn is_over(&self) -> bool {
        let backlog = &self.backlog;
        self.until.is_some_and(|until| backlog.position() >= until)
            && backlog.is_idle()
            && backlog.dead() == 0
    }
}

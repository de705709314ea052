//! What a shard stores, twice a second, of all its lanes at once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use headwater::runtime::ActorError;
use headwater::sql::SqlError;
use jiff::Timestamp;

use super::{BEAT_EVERY, Shard, replay};
use crate::dispatch::backlog::{Backlog, Changes, Owed};
use crate::dispatch::store::{Commit, commit};
use crate::endpoint::Phase;
use crate::metric::ShardStanding;
use crate::table::{AttemptRow, Feed};

/// How long a shard may fail to store before it sends nothing more: then another node may have
/// taken it over, and orders of operators may be unknown here.
const CUT_OFF_AFTER: Duration = Duration::from_secs(6);

impl Shard {
    /// Stores what has changed; false when the shard is another node's by now.
    pub(super) async fn store(&mut self, is_last: bool) -> Result<bool, ActorError> {
        let commit_now = Arc::new(self.gather(is_last));
        if commit_now.is_empty() && self.stored_at.elapsed() < BEAT_EVERY {
            return Ok(true);
        }
        self.actor.heartbeat.beat();
        let stored = self.commit(Arc::clone(&commit_now)).await;
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

    /// Commits; while that takes so long that another node may have taken over, nothing is sent.
    async fn commit(&self, work: Arc<Commit>) -> Result<bool, SqlError> {
        let database = self.shared.database();
        let storing = commit(&database, work, &self.shared.attempt_log);
        let mut storing = std::pin::pin!(self.actor.heartbeat.idle(storing));
        match tokio::time::timeout(CUT_OFF_AFTER, &mut storing).await {
            Ok(stored) => stored,
            Err(_) => {
                self.hold();
                storing.await
            }
        }
    }

    /// Tells how the endpoints stand that are neither paused nor disabled.
    pub(super) fn measure(&self, now: Timestamp) {
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

    /// Warns of endpoints that have only failed for long, though nothing fails just now: the next
    /// try may be a day away.
    pub(super) fn warn(&self) {
        let now = Instant::now();
        // A replay may fail while what comes is taken.
        for (_, lane) in self.lanes.iter().filter(|(feed, _)| feed.number == 0) {
            let (state, registered) = (lane.state.borrow(), lane.registered.borrow());
            let endpoint = &registered.endpoint;
            let failing = state.backlog.failing.filter(|_| state.backlog.owes());
            if let (Some(failing), Some(config), Phase::Active) =
                (failing, &endpoint.config, endpoint.phase)
            {
                lane.signals.failing(failing, now, config.disable_after_hours);
            }
        }
    }

    /// Lets nothing more be sent before something was stored.
    fn hold(&self) {
        for lane in self.lanes.values() {
            lane.state.borrow_mut().is_held = true;
        }
    }

    /// Takes what has changed in each lane.
    fn gather(&mut self, is_last: bool) -> Commit {
        let mut commit = Commit::new(self.number, self.tenure.token(), self.position);
        commit.now = self.shared.clock.now();
        commit.removed = std::mem::take(&mut self.over);
        for (feed, lane) in &self.lanes {
            let mut state = lane.state.borrow_mut();
            let Changes { blocks, left_out } = state.backlog.changes();
            let cursor = state.cursor();
            // What was left out may be forgotten only with a cursor beyond it.
            if is_last || !left_out.is_empty() || state.is_worth_storing(&cursor) {
                state.moved_at = Instant::now();
                commit.cursors.push((feed.clone(), cursor));
            }
            state.storing = state.attempts.len();
            state.attempt_bytes = 0;
            let blocks = blocks.into_iter().map(|(line, block)| (feed.clone(), line, block));
            commit.blocks.extend(blocks);
            let left_out = left_out.into_iter().map(|(line, to)| (feed.clone(), line, to));
            commit.left_out.extend(left_out);
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
            (state.storing, state.is_held) = (0, false);
            state.has_stored.notify_one();
        }
        for (key, ordered) in commit.replays {
            let Some(registered) = self.shared.directory.get(&key) else { continue };
            let (feed, cursor) = replay(key, &ordered);
            self.begin(feed, cursor, Owed::default(), &registered);
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
        for (feed, line, _) in commit.left_out {
            if let Some(lane) = self.lanes.get(&feed) {
                lane.state.borrow_mut().backlog.note_left_out(line);
            }
        }
        let mut attempts: BTreeMap<Feed, Vec<AttemptRow>> = BTreeMap::new();
        for row in commit.attempts {
            attempts.entry(row.feed.clone()).or_default().push(row);
        }
        if self.stored_at.elapsed() > CUT_OFF_AFTER {
            self.hold();
        }
        for (feed, lane) in &self.lanes {
            let mut state = lane.state.borrow_mut();
            state.storing = 0;
            state.attempts.splice(0..0, attempts.remove(feed).unwrap_or_default());
            let bytes = state.attempts.iter().map(|row| row.event.as_bytes().len());
            state.attempt_bytes = bytes.sum();
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

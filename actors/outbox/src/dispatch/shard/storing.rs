//! What a shard stores, twice a second, of all its lanes at once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use headwater::runtime::ActorError;
use jiff::Timestamp;

use super::{BEAT_EVERY, Shard, replay};
use crate::dispatch::backlog::Backlog;
use crate::dispatch::store::{Commit, commit};
use crate::endpoint::Phase;
use crate::metric::ShardStanding;
use crate::table::{AttemptRow, Feed};

impl Shard {
    /// Stores what has changed; false when the shard is another node's by now.
    pub(super) async fn store(&mut self, is_last: bool) -> Result<bool, ActorError> {
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

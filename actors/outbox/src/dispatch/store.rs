//! Stores what has changed in the lanes of a shard, in one transaction.

use std::sync::Arc;

use headwater::event::Position;
use headwater::sql::{Database, SqlError, TxEngine};
use jiff::Timestamp;

use super::block::Block;
use super::directory::Ordered;
use super::shard::replay;
use super::window::Line;
use crate::table::{self, AttemptLog, AttemptRow, Cursor, EndpointKey, Feed};

/// What is stored at once.
#[derive(Clone, Debug)]
pub(super) struct Commit {
    shard: u32,
    owner: i64,
    position: Position,
    pub now: Timestamp,
    pub cursors: Vec<(Feed, Cursor)>,
    /// Blocks that changed; `None` when one is gone.
    pub blocks: Vec<(Feed, Line, Option<Block>)>,
    /// Up to where lines were left out; `None` when that is past.
    pub left_out: Vec<(Feed, Line, Option<Position>)>,
    pub attempts: Vec<AttemptRow>,
    pub replays: Vec<(EndpointKey, Ordered)>,
    /// Feeds that are over.
    pub removed: Vec<Feed>,
}

impl Commit {
    pub const fn new(shard: u32, owner: i64, position: Position) -> Self {
        Self {
            shard,
            owner,
            position,
            now: Timestamp::UNIX_EPOCH,
            cursors: Vec::new(),
            blocks: Vec::new(),
            left_out: Vec::new(),
            attempts: Vec::new(),
            replays: Vec::new(),
            removed: Vec::new(),
        }
    }

    /// Returns whether there is nothing to store but a sign of life.
    pub const fn is_empty(&self) -> bool {
        self.cursors.is_empty()
            && self.blocks.is_empty()
            && self.left_out.is_empty()
            && self.attempts.is_empty()
            && self.replays.is_empty()
            && self.removed.is_empty()
    }

    fn write(&self, tx: &mut dyn TxEngine, log: &AttemptLog) -> Result<bool, SqlError> {
        if !table::beat(tx, self.shard, self.owner, (self.position, self.now))? {
            return Ok(false);
        }
        for (feed, line, block) in &self.blocks {
            table::save_block(tx, feed, line, block.as_ref())?;
        }
        for (feed, line, to) in &self.left_out {
            table::save_left_out(tx, feed, line, *to)?;
        }
        for (feed, cursor) in &self.cursors {
            table::save_cursor(tx, self.shard, (feed, cursor), self.now)?;
        }
        for (key, ordered) in &self.replays {
            let (feed, cursor) = replay(key.clone(), ordered);
            table::save_cursor(tx, self.shard, (&feed, &cursor), self.now)?;
        }
        self.removed.iter().try_for_each(|feed| table::remove_cursor(tx, feed))?;
        log.add(tx, &self.attempts)?;
        Ok(true)
    }
}

/// Stores; false when the shard is another node's by now, and nothing was stored.
pub(super) async fn commit(
    database: &Database,
    work: Arc<Commit>,
    log: &AttemptLog,
) -> Result<bool, SqlError> {
    let count = work.attempts.len() as u64;
    let own = log.clone();
    let is_owner = database.write(move |tx| work.write(tx, &own)).await?;
    if is_owner
        && count > 0
        && let Err(error) = log.note(database, count).await
    {
        tracing::warn!(%error, "oldest attempts were not removed");
    }
    Ok(is_owner)
}

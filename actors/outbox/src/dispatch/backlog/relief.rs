//! What keeps the place of an endpoint from standing still.

use super::{BLOCKS_MAX, Backlog, Now, Source, Ticket};
use crate::dispatch::block::{Block, BlockPhase};
use crate::endpoint::Ordering;

impl Backlog {
    /// Makes room when nothing can be sent because one request is under way for long and the
    /// window is full of what was delivered behind it: its event becomes a block, as if it had
    /// failed, and its line alone waits for it. Messages of several events stay, and so does the
    /// order of `strict`.
    pub fn relieve(&mut self, now: Now) {
        while self.is_stuck()
            && let Some((number, event)) = self.window.stuck()
        {
            let line = self.block_line(&event);
            let waiting = match self.rules.ordering {
                Ordering::PerStream => self.window.hold(&line),
                _ => {
                    self.window.settle(number);
                    0
                }
            };
            let phase = BlockPhase::Busy(now.tick, now.wall);
            let block = Block { waiting, phase, ..Block::of(&event, now.wall) };
            self.blocks.insert(line.clone(), block);
            self.changed.insert(line.clone());
            self.lifted.insert(number, line);
        }
    }

    fn is_stuck(&self) -> bool {
        self.is_window_full()
            && self.window.is_mostly_settled()
            && !self.has_fresh()
            && !self.is_crowded()
            && self.blocks.len() < BLOCKS_MAX
            && self.rules.ordering != Ordering::Strict
    }

    /// Returns the ticket of an event that was lifted out of the window since it was taken.
    pub(super) fn relocated(&mut self, ticket: Ticket) -> Ticket {
        let Source::Window(number) = &ticket.from else { return ticket };
        match self.lifted.remove(number) {
            Some(line) => Ticket { from: Source::Block(line), is_early: false },
            None => ticket,
        }
    }
}

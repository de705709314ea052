//! What operators order about dead letters, and that what they leave out does not come back.

use std::time::{Duration, Instant};

use headwater::event::{Position, RecordedEvent};
use jiff::Timestamp;

use super::{Backlog, Now, later};
use crate::dispatch::block::Head;
use crate::dispatch::window::Line;
use crate::endpoint::{Order, OrderKind, Ordering, Selectable};

impl Backlog {
    /// Does what an operator ordered at a position of the log; false when the event in question is
    /// not read yet, so that it must be tried again later.
    pub fn apply(&mut self, (order, at): (&Order, Position), now: Now) -> bool {
        let dead = self.blocks.iter().filter(|(_, block)| block.is_dead());
        let mut selected: Vec<(Position, Line)> = dead
            .filter(|(_, block)| order.selection.matches(selectable(&block.head)))
            .map(|(line, block)| (block.head.position, line.clone()))
            .collect();
        selected.sort();
        if self.rules.ordering == Ordering::Strict && order.kind != OrderKind::Redrive {
            // What a filter lets through no more is read when the place behind it is.
            let is_read = |(at, _): &(Position, Line)| match self.window.oldest() {
                Some(event) => event.position() >= *at,
                None => self.window.frontier() >= *at,
            };
            if !selected.iter().all(is_read) {
                return false;
            }
        }
        let pace = order.rate_per_second.map(|rate| Duration::from_secs(1) / rate.max(1));
        self.next_slot = None;
        for (_, line) in selected {
            if let Some(block) = self.blocks.get_mut(&line) {
                (block.attempts, block.pace) = (0, pace);
            }
            self.do_ordered((order.kind, at), &line, now);
        }
        true
    }

    /// Returns when an event may be sent that goes on in a line: at once, unless an operator has
    /// ordered it with a rate, which all those lines have in common.
    pub(super) fn slot(&mut self, line: &Line, now: Now) -> (Instant, Timestamp) {
        let pace = self.blocks.get(line).and_then(|block| block.pace);
        let Some(pace) = pace else { return (now.tick, now.wall) };
        let at = self.next_slot.map_or(now.tick, |slot| slot.max(now.tick));
        self.next_slot = Some(at + pace);
        (at, later(now.wall, at.saturating_duration_since(now.tick)))
    }

    fn do_ordered(&mut self, (kind, at): (OrderKind, Position), line: &Line, now: Now) {
        let due = self.slot(line, now);
        let (ordering, frontier) = (self.rules.ordering, self.window.frontier());
        let Some(block) = self.blocks.get_mut(line) else { return };
        let head = block.head.position;
        match (kind, ordering) {
            (OrderKind::Redrive, _) => self.set_due(line, due),
            (OrderKind::Replay, _) => {}
            (_, Ordering::Strict) => {
                if self.window.oldest().is_some_and(|event| event.position() == head)
                    && let Some((number, _)) = self.window.take()
                {
                    self.window.settle(number);
                }
                self.unblock(line);
            }
            (_, Ordering::None) => {
                self.leave_out(line, head);
                self.unblock(line);
            }
            (OrderKind::Discard, Ordering::PerStream) => {
                // After a restart the head and what came before the order may lie ahead.
                self.leave_out(line, frontier.max(head).max(at));
                self.unblock(line);
            }
            (OrderKind::Skip, Ordering::PerStream) => {
                block.after = block.head.revision;
                self.leave_out(line, head);
                self.set_due(line, due);
            }
        }
    }

    /// Leaves a line out up to a position, also when it is read again after a restart because the
    /// place of the endpoint lies before it.
    pub(super) fn leave_out(&mut self, line: &Line, to: Position) {
        let known = self.left_out.entry(line.clone()).or_default();
        *known = to.max(*known);
        self.changed_left_out.insert(line.clone());
    }

    pub(super) fn is_left_out(&self, event: &RecordedEvent) -> bool {
        !self.left_out.is_empty()
            && self.left_out.get(&self.block_line(event)).is_some_and(|to| event.position() <= *to)
    }

    /// Forgets what the endpoint's place is beyond, and returns what has changed.
    pub(super) fn changes_left_out(&mut self) -> Vec<(Line, Option<Position>)> {
        let place = self.position();
        let past = self.left_out.extract_if(|_, to| *to <= place).map(|(line, _)| line);
        self.changed_left_out.extend(past);
        let changed = std::mem::take(&mut self.changed_left_out);
        changed.into_iter().map(|line| (line.clone(), self.left_out.get(&line).copied())).collect()
    }
}

fn selectable(head: &Head) -> Selectable<'_> {
    Selectable {
        position: head.position,
        tenant: &head.tenant,
        category: &head.category,
        stream: &head.stream,
        event_type: &head.event_type,
    }
}

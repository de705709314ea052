//! What operators order about dead letters.

use std::time::{Duration, Instant};

use headwater::event::Position;
use jiff::Timestamp;

use super::{Backlog, Now, later};
use crate::dispatch::block::Head;
use crate::dispatch::window::Line;
use crate::endpoint::{Order, OrderKind, Ordering, Selectable};

impl Backlog {
    /// Does what an operator ordered; false when the event in question is not read yet, so that
    /// it must be tried again later.
    pub fn apply(&mut self, order: &Order, now: Now) -> bool {
        let dead = self.blocks.iter().filter(|(_, block)| block.is_dead());
        let mut selected: Vec<(Position, Line)> = dead
            .filter(|(_, block)| order.selection.matches(selectable(&block.head)))
            .map(|(line, block)| (block.head.position, line.clone()))
            .collect();
        selected.sort();
        if self.rules.ordering == Ordering::Strict && order.kind != OrderKind::Redrive {
            let is_read = |(at, _): &(Position, Line)| {
                self.window.oldest().is_some_and(|event| event.position() == *at)
            };
            if !selected.iter().all(is_read) {
                return false;
            }
        }
        let between = order.rate_per_second.map(|rate| Duration::from_secs(1) / rate.max(1));
        for (number, (_, line)) in (0_u32..).zip(selected) {
            let wait = between.unwrap_or_default().saturating_mul(number);
            self.do_ordered(order.kind, &line, (now.tick + wait, later(now.wall, wait)));
        }
        true
    }

    fn do_ordered(&mut self, kind: OrderKind, line: &Line, due: (Instant, Timestamp)) {
        let ordering = self.rules.ordering;
        let Some(block) = self.blocks.get_mut(line) else { return };
        block.attempts = 0;
        match (kind, ordering) {
            (OrderKind::Redrive, _) => self.set_due(line, due),
            (OrderKind::Replay, _) => {}
            (_, Ordering::Strict) => {
                if let Some((number, _)) = self.window.take() {
                    self.window.settle(number);
                }
                self.unblock(line);
            }
            (_, Ordering::None) | (OrderKind::Discard, _) => self.unblock(line),
            (OrderKind::Skip, Ordering::PerStream) => {
                block.after = block.head.revision;
                self.set_due(line, due);
            }
        }
    }
}

fn selectable(head: &Head) -> Selectable<'_> {
    Selectable {
        position: head.position,
        category: &head.category,
        stream: &head.stream,
        event_type: &head.event_type,
    }
}

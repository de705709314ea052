//! What is to be done next.

use std::time::Instant;

use super::{Backlog, Now, Source, Task, Ticket};
use crate::dispatch::block::BlockPhase;
use crate::dispatch::breaker::Leave;
use crate::dispatch::window::Line;
use crate::endpoint::Ordering;

impl Backlog {
    /// Returns what is to be done now; `None` when nothing is.
    pub fn next(&mut self, now: Now) -> Option<Task> {
        if self.in_flight >= self.rules.in_flight_max {
            return None;
        }
        match self.breaker.leave(now.tick) {
            Leave::None => None,
            Leave::Free => {
                let waiting = self.due_block(now).or_else(|| self.early_block(now));
                waiting.or_else(|| self.fresh(now))
            }
            Leave::Probe => {
                let task = self.probe(now)?;
                if !matches!(task, Task::Fetch { .. }) {
                    self.breaker.probe();
                }
                Some(task)
            }
        }
    }

    /// Returns when there may be something to do, if nothing else happens.
    pub fn wake_at(&self) -> Option<Instant> {
        if !self.has_work() {
            return None;
        }
        let due = self.due.first().map(|(at, _)| *at);
        match self.breaker.rests_until() {
            Some(until) if self.breaker.is_asked() && !self.may_send_fresh() => {
                Some(due.map_or(until, |due| due.max(until)))
            }
            Some(until) => Some(until),
            None if self.breaker.is_open() => None,
            None => due.into_iter().chain(self.ripe_at()).min(),
        }
    }

    /// Returns whether there is something to send, now or later.
    pub(super) fn has_work(&self) -> bool {
        match self.rules.ordering {
            // The event of a block is the first of the window.
            Ordering::Strict => self.has_fresh() && self.dead() == 0,
            _ => self.has_fresh() || !self.due.is_empty(),
        }
    }

    /// Takes what is next in the window, if it is not to wait for more.
    fn fresh(&mut self, now: Now) -> Option<Task> {
        if self.is_filling(now.tick) { None } else { self.fresh_now() }
    }

    /// Returns whether the window has something to send; of a strict endpoint nothing while an
    /// event of it waits for a retry.
    fn may_send_fresh(&self) -> bool {
        let is_held = self.rules.ordering == Ordering::Strict && !self.blocks.is_empty();
        self.has_fresh() && !is_held
    }

    /// Takes what is next in the window.
    fn fresh_now(&mut self) -> Option<Task> {
        if !self.may_send_fresh() {
            return None;
        }
        let task = match (self.again.pop_front(), self.rules.filling) {
            (Some(together), _) => Task::SendTogether(together),
            (None, Some(filling)) => self.together(filling.load)?,
            (None, None) => self.alone()?,
        };
        self.in_flight += 1;
        Some(task)
    }

    /// Takes the next event of the window.
    fn alone(&mut self) -> Option<Task> {
        let (number, event) = self.window.take()?;
        let ticket = Ticket { from: Source::Window(number), is_early: false };
        Some(Task::Send { ticket, event, attempt: 1 })
    }

    fn due_block(&mut self, now: Now) -> Option<Task> {
        let (at, line) = self.due.first().cloned()?;
        if at > now.tick { None } else { self.take_block(&line, now) }
    }

    /// Takes a block before its time.
    fn early_block(&mut self, now: Now) -> Option<Task> {
        while let Some(line) = self.early.pop_front() {
            if self.blocks.get(&line).is_some_and(|own| own.pace.is_some()) {
                continue;
            }
            let task = self.take_block(&line, now);
            if matches!(task, Some(Task::Fetch { .. })) {
                self.fetching_early.insert(line);
            }
            if task.is_some() {
                return task;
            }
        }
        None
    }

    /// Takes one event to see whether the endpoint works again: blocks and others by turns. Of
    /// blocks only one that is due, where the endpoint asked to be left alone.
    fn probe(&mut self, now: Now) -> Option<Task> {
        self.probes_block = !self.probes_block;
        let takes_any = !self.breaker.is_asked();
        let block = self.due.first().filter(|(at, _)| takes_any || *at <= now.tick);
        let block = block.map(|(_, line)| line.clone());
        let is_fresh = self.may_send_fresh() && !self.probes_block;
        match block {
            Some(line) if !is_fresh => self.take_block(&line, now).or_else(|| self.fresh_now()),
            _ => self.fresh_now(),
        }
    }

    fn take_block(&mut self, line: &Line, now: Now) -> Option<Task> {
        let is_strict = self.rules.ordering == Ordering::Strict;
        let block = self.blocks.get_mut(line)?;
        let BlockPhase::Due(at, wall) = block.phase else { return None };
        let attempt = block.attempts + 1;
        let task = match (is_strict, block.queue.front()) {
            (true, _) => {
                // Its event is the first of the window, once that is read.
                let (number, event) = self.window.take()?;
                let ticket = Ticket { from: Source::Window(number), is_early: at > now.tick };
                Task::Send { ticket, event, attempt }
            }
            (false, Some(event)) => {
                let from = Source::Block(line.clone());
                let ticket = Ticket { from, is_early: at > now.tick };
                Task::Send { ticket, event: event.clone(), attempt }
            }
            (false, None) => {
                Task::Fetch { line: line.clone(), head: block.head.clone(), after: block.after }
            }
        };
        block.phase = BlockPhase::Busy(at, wall);
        self.due.remove(&(at, line.clone()));
        self.in_flight += 1;
        Some(task)
    }
}

//! What one endpoint owes: pure, so that every order of events, failures and crashes can be
//! tried out.
//!
//! Events go through a [`Window`]; everything up to its low water mark is settled, and that is
//! all that is stored while deliveries succeed. An event that fails makes a [`Block`], which is
//! stored: in `per_stream` it takes its stream out of the window, and when it is delivered at
//! last, the stream's later events are fetched from the stream itself until it has caught up
//! with what was read. So nothing is written for an event that only waits.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use headwater::event::{Position, RecordedEvent, Revision};
use jiff::{SignedDuration, Timestamp};
use rustc_hash::{FxHashMap, FxHashSet};

use super::block::{Block, BlockPhase, Head, LastFailure};
use super::breaker::{Breaker, Leave};
use super::window::{Line, Window};
use crate::endpoint::{Order, OrderKind, Ordering, Selectable};
use crate::schedule::{Failure, RetrySchedule};

/// The most events that were read and not settled.
pub(crate) const WINDOW_EVENTS_MAX: usize = 8_192;
/// The most bytes of them.
const WINDOW_BYTES_MAX: usize = 32 << 20;
/// The most lines that wait for a retry or an operator.
pub(crate) const BLOCKS_MAX: usize = 10_000;

/// The time: one clock for rows, one that never jumps for what is due.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    pub wall: Timestamp,
    pub tick: Instant,
}

/// What an endpoint is held to.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub ordering: Ordering,
    pub retry: RetrySchedule,
    pub in_flight_max: usize,
}

/// What is to be done next.
#[derive(Clone, Debug)]
pub(crate) enum Task {
    /// An event is to be sent.
    Send {
        ticket: Ticket,
        event: RecordedEvent,
        /// From 1.
        attempt: u32,
    },
    /// The event of a block, or what follows in its stream, is to be read.
    Fetch { line: Line, head: Head, after: Revision },
}

/// Says what an outcome is about.
#[derive(Clone, Debug)]
pub(crate) struct Ticket {
    from: Source,
    /// Whether it is a try before its time, which does not count when it fails.
    is_early: bool,
}

#[derive(Clone, Debug)]
enum Source {
    Window(u64),
    Block(Line),
}

/// What came of sending an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Delivered,
    /// To be tried again.
    Failed(Again),
    /// Of no use to try again, because of the event itself.
    Hopeless(LastFailure),
}

/// What decides when to try again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Again {
    pub is_throttled: bool,
    pub retry_after: Option<Duration>,
    pub last: LastFailure,
}

/// What was read for a block.
#[derive(Clone, Debug)]
pub(crate) struct Fetched {
    /// The events that match, oldest first.
    pub events: Vec<RecordedEvent>,
    /// Everything of the stream up to this revision was considered.
    pub considered: Revision,
    /// Whether the stream ends there.
    pub is_end: bool,
}

/// What an endpoint owes.
#[derive(Debug)]
pub(crate) struct Backlog {
    rules: Rules,
    window: Window,
    blocks: FxHashMap<Line, Block>,
    due: BTreeSet<(Instant, Line)>,
    breaker: Breaker,
    in_flight: usize,
    /// Whether the next probe is of a block, if there is one.
    probes_block: bool,
    changed: FxHashSet<Line>,
    /// The first failure since the last success.
    pub failing_since: Option<Timestamp>,
    pub delivered: u64,
    pub failed: u64,
}

impl Backlog {
    /// Begins behind a position, with blocks that were stored.
    pub fn new(rules: Rules, after: Position, blocks: Vec<(Line, Block)>) -> Self {
        let mut own = Self {
            rules,
            window: Window::after(after),
            blocks: FxHashMap::default(),
            due: BTreeSet::new(),
            breaker: Breaker::default(),
            in_flight: 0,
            probes_block: false,
            changed: FxHashSet::default(),
            failing_since: None,
            delivered: 0,
            failed: 0,
        };
        for (line, block) in blocks {
            if let BlockPhase::Due(at, _) = block.phase {
                own.due.insert((at, line.clone()));
            }
            own.blocks.insert(line, block);
        }
        own
    }

    /// Puts other rules into force, but for the ordering, which stays.
    pub fn set_rules(&mut self, rules: Rules) {
        self.rules = Rules { ordering: self.rules.ordering, ..rules };
    }

    /// Returns how many events it takes now.
    pub fn room(&self) -> usize {
        let is_full = self.window.bytes() >= WINDOW_BYTES_MAX
            || self.blocks.len() >= BLOCKS_MAX
            // Something must be there to see whether the endpoint works again.
            || (self.breaker.is_open() && self.has_work());
        if is_full { 0 } else { WINDOW_EVENTS_MAX.saturating_sub(self.window.len()) }
    }

    /// Takes an event, which lies behind all that it took before.
    pub fn offer(&mut self, event: RecordedEvent) {
        let line = self.line_of(&event);
        if self.rules.ordering == Ordering::PerStream {
            let waits =
                line.as_ref().and_then(|line| self.blocks.get_mut(line).map(|own| (line, own)));
            if let Some((line, block)) = waits {
                block.waiting += 1;
                self.changed.insert(line.clone());
                return self.window.advance(event.position());
            }
        }
        self.window.push(event, line);
    }

    /// Notes that everything up to a position was offered.
    pub fn advance(&mut self, frontier: Position) {
        self.window.advance(frontier);
    }

    /// Returns the position up to which everything was offered.
    pub const fn frontier(&self) -> Position {
        self.window.frontier()
    }

    /// Returns the position up to which everything is settled or in a block.
    pub fn position(&self) -> Position {
        self.window.low_water()
    }

    /// Returns when the oldest event was recorded that is neither delivered nor given up.
    pub fn oldest_at(&self) -> Option<Timestamp> {
        let blocks = self.blocks.values().filter(|block| !block.is_dead());
        let heads = blocks.map(|block| block.head.recorded_at);
        heads.chain(self.window.oldest().map(RecordedEvent::recorded_at)).min()
    }

    /// Returns whether nothing is left to do before more is offered.
    pub fn is_idle(&self) -> bool {
        self.in_flight == 0 && self.window.len() == 0 && self.due.is_empty()
    }

    /// Returns whether as many requests are under way as may be.
    pub const fn is_crowded(&self) -> bool {
        self.in_flight >= self.rules.in_flight_max
    }

    /// Returns whether few requests are made because all have failed.
    pub const fn is_broken(&self) -> bool {
        self.breaker.is_open()
    }

    /// Returns how many lines wait for an operator.
    pub fn dead(&self) -> usize {
        self.blocks.values().filter(|block| block.is_dead()).count()
    }

    /// Returns when there may be something to do, if nothing else happens.
    pub fn wake_at(&self) -> Option<Instant> {
        if !self.has_work() {
            return None;
        }
        match self.breaker.rests_until() {
            Some(until) => Some(until),
            None if self.breaker.is_open() => None,
            None => self.due.first().map(|(at, _)| *at),
        }
    }

    /// Returns whether there is something to send, now or later.
    fn has_work(&self) -> bool {
        match self.rules.ordering {
            // The event of a block is the first of the window.
            Ordering::Strict => self.window.has_ready() && self.dead() == 0,
            _ => self.window.has_ready() || !self.due.is_empty(),
        }
    }

    /// Returns what is to be done now; `None` when nothing is.
    pub fn next(&mut self, now: Now) -> Option<Task> {
        if self.in_flight >= self.rules.in_flight_max {
            return None;
        }
        match self.breaker.leave(now.tick) {
            Leave::None => None,
            Leave::Free => self.due_block(now).or_else(|| self.fresh(false)),
            Leave::Probe => {
                let task = self.probe(now)?;
                if matches!(task, Task::Send { .. }) {
                    self.breaker.probe();
                }
                Some(task)
            }
        }
    }

    /// Takes what was read for a block.
    pub fn fetched(&mut self, line: &Line, fetched: Fetched, now: Now) {
        self.in_flight = self.in_flight.saturating_sub(1);
        let frontier = self.window.frontier();
        let Some(block) = self.blocks.get_mut(line) else { return };
        let count = fetched.events.len();
        // What lies beyond the frontier comes through the window.
        block.queue = fetched.events.into_iter().filter(|own| own.position() <= frontier).collect();
        let is_end = fetched.is_end || block.queue.len() < count;
        if block.queue.is_empty() && is_end {
            return self.unblock(line);
        }
        match block.queue.front() {
            None => block.after = fetched.considered,
            Some(first) if block.attempts == 0 => block.head = Head::of(first),
            Some(_) => {}
        }
        let BlockPhase::Busy(at, wall) = block.phase else { return };
        // A retry before its time stays one.
        self.set_due(line, (at, wall.min(now.wall)));
    }

    /// Takes what could not be read for a block: it is tried again after a while.
    pub fn not_fetched(&mut self, line: &Line, now: Now) {
        self.in_flight = self.in_flight.saturating_sub(1);
        let at = now.tick + Duration::from_secs(1);
        self.set_due(line, (at, now.wall));
    }

    /// Takes what came of sending an event.
    pub fn finished(&mut self, ticket: Ticket, event: &RecordedEvent, outcome: Outcome, now: Now) {
        self.in_flight = self.in_flight.saturating_sub(1);
        match outcome {
            Outcome::Delivered => self.succeeded(ticket.from, event, now),
            Outcome::Failed(again) => {
                self.note_failure(event, now);
                self.failed(ticket, event, again, now);
            }
            Outcome::Hopeless(last) => {
                self.failed += 1;
                self.give_up(ticket.from, event, last, now);
            }
        }
    }

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

    /// Notes that a line must be asked for again.
    pub fn note_change(&mut self, line: Line) {
        self.changed.insert(line);
    }

    /// Returns the blocks that have changed since it was asked last; `None` when one is gone.
    pub fn changes(&mut self) -> Vec<(Line, Option<Block>)> {
        let changed = std::mem::take(&mut self.changed);
        let now = |line: Line| {
            let block = self.blocks.get(&line).map(Block::without_queue);
            (line, block)
        };
        changed.into_iter().map(now).collect()
    }
}

impl Backlog {
    fn line_of(&self, event: &RecordedEvent) -> Option<Line> {
        match self.rules.ordering {
            Ordering::PerStream => {
                Some(format!("{}/{}", event.category(), event.stream_id()).into())
            }
            Ordering::Strict => Some("".into()),
            Ordering::None => None,
        }
    }

    /// Returns the line under which a failed event waits.
    fn block_line(&self, event: &RecordedEvent) -> Line {
        self.line_of(event).unwrap_or_else(|| event.position().to_string().into())
    }

    /// Takes the next event of the window.
    fn fresh(&mut self, is_early: bool) -> Option<Task> {
        if self.rules.ordering == Ordering::Strict && !self.blocks.is_empty() {
            return None;
        }
        let (number, event) = self.window.take()?;
        self.in_flight += 1;
        let ticket = Ticket { from: Source::Window(number), is_early };
        Some(Task::Send { ticket, event, attempt: 1 })
    }

    fn due_block(&mut self, now: Now) -> Option<Task> {
        let (at, line) = self.due.first().cloned()?;
        if at > now.tick { None } else { self.take_block(&line, now) }
    }

    /// Takes one event to see whether the endpoint works again: blocks and others by turns.
    fn probe(&mut self, now: Now) -> Option<Task> {
        self.probes_block = !self.probes_block;
        let block = self.due.first().map(|(_, line)| line.clone());
        let is_fresh = self.window.has_ready() && !self.probes_block;
        match block {
            Some(line) if !is_fresh => self.take_block(&line, now).or_else(|| self.fresh(false)),
            _ => self.fresh(false),
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

    fn set_due(&mut self, line: &Line, (at, wall): (Instant, Timestamp)) {
        let Some(block) = self.blocks.get_mut(line) else { return };
        if let BlockPhase::Due(before, _) = block.phase {
            self.due.remove(&(before, line.clone()));
        }
        block.phase = BlockPhase::Due(at, wall);
        self.due.insert((at, line.clone()));
        self.changed.insert(line.clone());
    }

    fn unblock(&mut self, line: &Line) {
        if let Some(BlockPhase::Due(at, _)) = self.blocks.remove(line).map(|block| block.phase) {
            self.due.remove(&(at, line.clone()));
        }
        self.changed.insert(line.clone());
    }

    fn succeeded(&mut self, from: Source, event: &RecordedEvent, now: Now) {
        self.delivered += 1;
        self.failing_since = None;
        if self.breaker.succeeded() {
            self.hasten(now);
        }
        match from {
            Source::Window(number) => {
                self.window.settle(number);
                if self.rules.ordering == Ordering::Strict && !self.blocks.is_empty() {
                    self.unblock(&"".into());
                }
            }
            Source::Block(line) if self.rules.ordering == Ordering::None => self.unblock(&line),
            Source::Block(line) => self.go_on(&line, event, now),
        }
    }

    /// Goes on with a stream whose first event was delivered at last.
    fn go_on(&mut self, line: &Line, event: &RecordedEvent, now: Now) {
        let Some(block) = self.blocks.get_mut(line) else { return };
        block.queue.pop_front();
        block.head = Head::of(block.queue.front().unwrap_or(event));
        block.after = event.revision();
        block.waiting = block.waiting.saturating_sub(1);
        block.attempts = 0;
        self.set_due(line, (now.tick, now.wall));
    }

    /// Makes what waits for a retry due at once: the endpoint works again.
    fn hasten(&mut self, now: Now) {
        let waiting: Vec<Line> = self.due.iter().map(|(_, line)| line.clone()).collect();
        waiting.iter().for_each(|line| self.set_due(line, (now.tick, now.wall)));
    }

    fn note_failure(&mut self, event: &RecordedEvent, now: Now) {
        self.failed += 1;
        self.failing_since.get_or_insert(now.wall);
        let seed = RetrySchedule::seed(event.id(), u32::MAX);
        self.breaker.failed(now.tick, seed as f64 / u64::MAX as f64);
    }

    fn failed(&mut self, ticket: Ticket, event: &RecordedEvent, again: Again, now: Now) {
        if ticket.is_early {
            return self.stays_due(ticket.from, event, again.last);
        }
        let line = self.held(ticket.from, event, now);
        let Some(block) = self.blocks.get_mut(&line) else { return };
        block.attempts += 1;
        block.last = again.last;
        let failure = Failure {
            attempt: block.attempts,
            seed: RetrySchedule::seed(event.id(), block.attempts),
            throttled: again.is_throttled,
            retry_after: again.retry_after,
        };
        match self.rules.retry.after(failure) {
            Some(wait) => self.set_due(&line, (now.tick + wait, later(now.wall, wait))),
            None => self.bury(&line, now),
        }
    }

    fn give_up(&mut self, from: Source, event: &RecordedEvent, last: LastFailure, now: Now) {
        let line = self.held(from, event, now);
        if let Some(block) = self.blocks.get_mut(&line) {
            block.attempts += 1;
            block.last = last;
        }
        self.bury(&line, now);
    }

    /// A try before its time has failed: nothing changes but what is known of it.
    fn stays_due(&mut self, from: Source, event: &RecordedEvent, last: LastFailure) {
        let line = match from {
            Source::Window(number) => {
                self.window.put_back(number);
                self.block_line(event)
            }
            Source::Block(line) => line,
        };
        let Some(block) = self.blocks.get_mut(&line) else { return };
        block.last = last;
        block.queue.clear();
        if let BlockPhase::Busy(at, wall) = block.phase {
            self.set_due(&line, (at, wall));
        }
    }

    /// Takes the line of an event that has failed out of the window and returns its name.
    fn held(&mut self, from: Source, event: &RecordedEvent, now: Now) -> Line {
        let line = match from {
            Source::Block(line) => line,
            Source::Window(number) => {
                let line = self.block_line(event);
                let waiting = match self.rules.ordering {
                    Ordering::PerStream => self.window.hold(&line),
                    Ordering::Strict => {
                        self.window.put_back(number);
                        0
                    }
                    Ordering::None => {
                        self.window.settle(number);
                        0
                    }
                };
                let block = self.blocks.entry(line.clone());
                block.or_insert_with(|| Block::of(event, now.wall)).waiting += waiting;
                line
            }
        };
        if let Some(block) = self.blocks.get_mut(&line) {
            if block.attempts == 0 {
                (block.head, block.first_failed_at) = (Head::of(event), now.wall);
            }
            block.after = event.revision().previous();
            block.queue.clear();
        }
        line
    }

    fn bury(&mut self, line: &Line, now: Now) {
        let Some(block) = self.blocks.get_mut(line) else { return };
        if let BlockPhase::Due(at, _) = block.phase {
            self.due.remove(&(at, line.clone()));
        }
        block.phase = BlockPhase::Dead(now.wall);
        self.changed.insert(line.clone());
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

fn later(wall: Timestamp, wait: Duration) -> Timestamp {
    let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX);
    wall.saturating_add(wait).unwrap_or(Timestamp::MAX)
}

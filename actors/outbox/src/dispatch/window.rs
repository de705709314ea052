//! The events of an endpoint that were read and not settled yet, and which may be sent next.

use std::collections::VecDeque;
use std::sync::Arc;

use headwater::event::{Position, RecordedEvent};
use rustc_hash::FxHashMap;

/// What keeps its events in order: a stream, or the whole endpoint.
pub(crate) type Line = Arc<str>;

/// Events in the order of the log. Of a line, the first that is not settled may be sent; an
/// event without line may be sent at once.
#[derive(Debug, Default)]
pub(crate) struct Window {
    slots: VecDeque<Slot>,
    /// The number of the first slot.
    first: u64,
    lines: FxHashMap<Line, VecDeque<u64>>,
    ready: VecDeque<u64>,
    bytes: usize,
    frontier: Position,
}

#[derive(Debug)]
struct Slot {
    event: RecordedEvent,
    line: Option<Line>,
    is_settled: bool,
}

impl Window {
    /// Begins behind a position.
    pub fn after(frontier: Position) -> Self {
        Self { frontier, ..Self::default() }
    }

    /// Adds an event, which lies behind all others.
    pub fn push(&mut self, event: RecordedEvent, line: Option<Line>) {
        let number = self.first + self.slots.len() as u64;
        match &line {
            None => self.ready.push_back(number),
            Some(line) => {
                let queue = self.lines.entry(Arc::clone(line)).or_default();
                if queue.is_empty() {
                    self.ready.push_back(number);
                }
                queue.push_back(number);
            }
        }
        self.frontier = self.frontier.max(event.position());
        self.bytes += event.as_bytes().len();
        self.slots.push_back(Slot { event, line, is_settled: false });
    }

    /// Notes that everything up to a position was read.
    pub fn advance(&mut self, frontier: Position) {
        self.frontier = self.frontier.max(frontier);
    }

    /// Returns the position up to which everything was read.
    pub const fn frontier(&self) -> Position {
        self.frontier
    }

    /// Returns the position up to which everything is settled.
    pub fn low_water(&self) -> Position {
        self.slots.front().map_or(self.frontier, |slot| slot.event.position().previous())
    }

    /// Returns the first event that is not settled.
    pub fn oldest(&self) -> Option<&RecordedEvent> {
        self.slots.front().map(|slot| &slot.event)
    }

    /// Returns how many events it holds, settled ones behind others included.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Returns how many bytes its events have.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns whether an event may be sent.
    pub fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Takes the next event that may be sent, with its number.
    pub fn take(&mut self) -> Option<(u64, RecordedEvent)> {
        let number = self.ready.pop_front()?;
        let slot = self.slots.get(self.at(number))?;
        Some((number, slot.event.clone()))
    }

    /// Gives an event back that was taken; it is the next again.
    pub fn put_back(&mut self, number: u64) {
        self.ready.push_front(number);
    }

    /// Settles an event that was taken: the next of its line may be sent.
    pub fn settle(&mut self, number: u64) {
        let at = self.at(number);
        let Some(slot) = self.slots.get_mut(at) else { return };
        slot.is_settled = true;
        if let Some(line) = slot.line.clone() {
            self.go_on(&line);
        }
        self.trim();
    }

    /// Settles every event of a line, whose first was taken; returns how many followed that one.
    pub fn hold(&mut self, line: &Line) -> u64 {
        let queue = self.lines.remove(line).unwrap_or_default();
        for number in &queue {
            let at = self.at(*number);
            if let Some(slot) = self.slots.get_mut(at) {
                slot.is_settled = true;
            }
        }
        self.trim();
        (queue.len() as u64).saturating_sub(1)
    }

    fn go_on(&mut self, line: &Line) {
        let Some(queue) = self.lines.get_mut(line) else { return };
        queue.pop_front();
        match queue.front() {
            Some(next) => self.ready.push_back(*next),
            None => drop(self.lines.remove(line)),
        }
    }

    fn at(&self, number: u64) -> usize {
        usize::try_from(number.saturating_sub(self.first)).unwrap_or(usize::MAX)
    }

    /// Lets go of what is settled at the front.
    fn trim(&mut self) {
        while self.slots.front().is_some_and(|slot| slot.is_settled) {
            let Some(slot) = self.slots.pop_front() else { return };
            self.bytes = self.bytes.saturating_sub(slot.event.as_bytes().len());
            self.first += 1;
        }
    }
}

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
    /// How many of the slots are settled.
    settled: usize,
    frontier: Position,
}

#[derive(Debug)]
struct Slot {
    event: RecordedEvent,
    line: Option<Line>,
    is_settled: bool,
    /// Whether it was taken by itself.
    is_taken: bool,
    /// Whether it goes in a message of its own, because one with others was refused.
    is_alone: bool,
}

/// The most that goes in one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Load {
    pub events: usize,
    pub bytes: usize,
}

/// What may go in one message now.
struct Gathered {
    /// In the order of the log.
    numbers: Vec<u64>,
    /// How many entries of `ready` they come from.
    entries: usize,
    /// Whether nothing that comes later could join.
    is_full: bool,
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
        self.slots.push_back(Slot {
            event,
            line,
            is_settled: false,
            is_taken: false,
            is_alone: false,
        });
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

    /// Returns whether most of its events are settled and stay for those before them alone.
    pub fn is_mostly_settled(&self) -> bool {
        self.settled >= self.slots.len() / 4 * 3
    }

    /// Returns whether an event may be sent.
    pub fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Takes the next event that may be sent, with its number.
    pub fn take(&mut self) -> Option<(u64, RecordedEvent)> {
        let number = self.ready.pop_front()?;
        let at = self.at(number);
        let slot = self.slots.get_mut(at)?;
        slot.is_taken = true;
        Some((number, slot.event.clone()))
    }

    /// Returns the first event, which nothing behind it can pass, if it was taken by itself.
    pub fn stuck(&self) -> Option<(u64, RecordedEvent)> {
        let slot = self.slots.front().filter(|slot| slot.is_taken)?;
        Some((self.first, slot.event.clone()))
    }

    /// Takes the next events that may go in one message, with their numbers, in the order of the
    /// log: of each line those that follow one another.
    pub fn take_together(&mut self, load: Load) -> Vec<(u64, RecordedEvent)> {
        let Gathered { numbers, entries, .. } = self.gather(load);
        self.ready.drain(..entries);
        let event = |number| Some((number, self.slots.get(self.at(number))?.event.clone()));
        numbers.into_iter().filter_map(event).collect()
    }

    /// Returns whether a message that is sent now has no room for what may come.
    pub fn has_full_message(&self, load: Load) -> bool {
        self.gather(load).is_full
    }

    /// Gives an event back that was taken; it is the next again.
    pub fn put_back(&mut self, number: u64) {
        let at = self.at(number);
        if let Some(slot) = self.slots.get_mut(at) {
            slot.is_taken = false;
        }
        self.ready.push_front(number);
    }

    /// Gives events back that were taken together; each goes alone from now on.
    pub fn put_back_apart(&mut self, numbers: &[u64]) {
        for number in numbers.iter().rev() {
            let at = self.at(*number);
            let Some(slot) = self.slots.get_mut(at) else { continue };
            slot.is_alone = true;
            let queue = slot.line.as_ref().and_then(|line| self.lines.get(line));
            if queue.is_none_or(|queue| queue.front() == Some(number)) {
                self.ready.push_front(*number);
            }
        }
    }

    /// Settles an event that was taken: the next of its line may be sent.
    pub fn settle(&mut self, number: u64) {
        self.settle_all(&[number]);
    }

    /// Settles events that were taken together, in the order of the log.
    pub fn settle_all(&mut self, numbers: &[u64]) {
        for number in numbers {
            let at = self.at(*number);
            let Some(slot) = self.slots.get_mut(at) else { continue };
            self.settled += usize::from(!std::mem::replace(&mut slot.is_settled, true));
            if let Some(line) = slot.line.clone() {
                self.go_on(&line, numbers);
            }
        }
        self.trim();
    }

    /// Settles every event of a line, whose first was taken; returns how many followed that one.
    pub fn hold(&mut self, line: &Line) -> u64 {
        let queue = self.lines.remove(line).unwrap_or_default();
        for number in &queue {
            let at = self.at(*number);
            if let Some(slot) = self.slots.get_mut(at) {
                self.settled += usize::from(!std::mem::replace(&mut slot.is_settled, true));
            }
        }
        self.trim();
        (queue.len() as u64).saturating_sub(1)
    }

    /// Goes on in a line behind its first event; what is settled next is not ready again.
    fn go_on(&mut self, line: &Line, settled: &[u64]) {
        let Some(queue) = self.lines.get_mut(line) else { return };
        queue.pop_front();
        match queue.front() {
            Some(next) if settled.binary_search(next).is_ok() => {}
            Some(next) => self.ready.push_back(*next),
            None => drop(self.lines.remove(line)),
        }
    }

    /// Looks for what may go in one message; one event may always, however large it is.
    fn gather(&self, load: Load) -> Gathered {
        let mut found = Gathered { numbers: Vec::new(), entries: 0, is_full: false };
        let mut bytes = 0;
        for first in &self.ready {
            let before = found.numbers.len();
            for number in self.run_of(*first) {
                let Some(slot) = self.slots.get(self.at(number)) else { break };
                bytes += slot.event.as_bytes().len();
                let is_first = found.numbers.is_empty();
                if !is_first && (slot.is_alone || bytes > load.bytes) {
                    found.is_full = true;
                    break;
                }
                found.numbers.push(number);
                found.is_full = slot.is_alone || found.numbers.len() >= load.events;
                if found.is_full {
                    break;
                }
            }
            found.entries += usize::from(found.numbers.len() > before);
            if found.is_full {
                break;
            }
        }
        found.numbers.sort_unstable();
        found
    }

    /// Returns the numbers of a line from its first on; an event without line is one by itself.
    fn run_of(&self, first: u64) -> impl Iterator<Item = u64> {
        let line = self.slots.get(self.at(first)).and_then(|slot| slot.line.as_ref());
        let queue = line.and_then(|line| self.lines.get(line));
        let alone = queue.is_none().then_some(first);
        queue.into_iter().flatten().copied().chain(alone)
    }

    fn at(&self, number: u64) -> usize {
        usize::try_from(number.saturating_sub(self.first)).unwrap_or(usize::MAX)
    }

    /// Lets go of what is settled at the front.
    fn trim(&mut self) {
        while self.slots.front().is_some_and(|slot| slot.is_settled) {
            let Some(slot) = self.slots.pop_front() else { return };
            self.bytes = self.bytes.saturating_sub(slot.event.as_bytes().len());
            self.settled = self.settled.saturating_sub(1);
            self.first += 1;
        }
    }
}

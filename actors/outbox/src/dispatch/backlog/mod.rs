//! What one endpoint owes: pure, so that every order of events, failures and crashes can be
//! tried out.
//!
//! Events go through a [`Window`]; everything up to its low water mark is settled, and that is
//! all that is stored while deliveries succeed. An event that fails makes a [`Block`], which is
//! stored: in `per_stream` it takes its stream out of the window, and when it is delivered at
//! last, the stream's later events are fetched from the stream itself until it has caught up
//! with what was read. So nothing is written for an event that only waits.
//!
//! Where a message may hold several events, those of the window go [`Together`]; what was refused
//! goes one by one from then on, so blocks are always about one event.

mod choice;
mod order;
mod outcome;
mod relief;
mod together;

use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use headwater::event::{Position, RecordedEvent, Revision};
use jiff::{SignedDuration, Timestamp};
use rustc_hash::{FxHashMap, FxHashSet};

use super::block::{Block, BlockPhase, Head, LastFailure};
use super::breaker::Breaker;
use super::failing::Failing;
use super::window::{Line, Load, Window};
use crate::endpoint::Ordering;
use crate::schedule::RetrySchedule;

/// The most events that were read and not settled; few in the simulation, so that it fills it.
const WINDOW_EVENTS_MAX: usize = if cfg!(test) { 64 } else { 8_192 };
/// The most bytes of them.
const WINDOW_BYTES_MAX: usize = 32 << 20;
/// The most lines that wait for a retry or an operator.
const BLOCKS_MAX: usize = 10_000;

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
    /// When a message may hold several events.
    pub filling: Option<Filling>,
    /// Whether a failure says something of the endpoint as a whole, so that few requests are
    /// made after many and it is disabled after long. Not so of one whose consumers come and go.
    pub judges_endpoint: bool,
}

/// When a message is sent that may hold several events.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Filling {
    pub load: Load,
    /// How long it waits for more events while there is room.
    pub wait: Duration,
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
    /// Several events are to be sent in one message.
    SendTogether(Together),
    /// The event of a block, or what follows in its stream, is to be read.
    Fetch { line: Line, head: Head, after: Revision },
}

/// Events that go in one message, in the order of the log: of each line those that are next in
/// it. What becomes of the message becomes of all.
#[derive(Clone, Debug)]
pub(crate) struct Together {
    numbers: Vec<u64>,
    pub events: Vec<RecordedEvent>,
    /// From 1.
    pub attempt: u32,
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
    /// Not sent: it is as if it had not been begun.
    Untried,
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

/// What is stored of a backlog beside its place.
#[derive(Clone, Debug, Default)]
pub(crate) struct Owed {
    pub blocks: Vec<(Line, Block)>,
    /// Up to where lines were left out.
    pub left_out: Vec<(Line, Position)>,
}

/// What has changed of it; `None` is gone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Changes {
    pub blocks: Vec<(Line, Option<Block>)>,
    pub left_out: Vec<(Line, Option<Position>)>,
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
    /// Lines that are tried once before their time, because the endpoint works again.
    early: VecDeque<Line>,
    /// Lines of those whose event is read first.
    fetching_early: FxHashSet<Line>,
    /// What was taken out of the window while it was under way, by its number there.
    lifted: FxHashMap<u64, Line>,
    /// Up to where lines were left out by orders, until the cursor is beyond.
    left_out: FxHashMap<Line, Position>,
    /// When the next event is sent of those that operators have ordered with a rate.
    next_slot: Option<Instant>,
    /// Messages of several events that are sent again as they were.
    again: VecDeque<Together>,
    /// Since when a message waits for more events.
    filling_since: Option<Instant>,
    /// Whether the next probe is of a block, if there is one.
    probes_block: bool,
    changed: FxHashSet<Line>,
    changed_left_out: FxHashSet<Line>,
    /// The failures since the last success.
    pub failing: Option<Failing>,
    pub delivered: u64,
    pub failed: u64,
}

impl Backlog {
    /// Begins with what was stored.
    pub fn new(rules: Rules, after: Position, owed: Owed) -> Self {
        let mut own = Self {
            rules,
            window: Window::after(after),
            blocks: FxHashMap::default(),
            due: BTreeSet::new(),
            breaker: Breaker::default(),
            in_flight: 0,
            early: VecDeque::new(),
            fetching_early: FxHashSet::default(),
            lifted: FxHashMap::default(),
            left_out: owed.left_out.into_iter().collect(),
            next_slot: None,
            again: VecDeque::new(),
            filling_since: None,
            probes_block: false,
            changed: FxHashSet::default(),
            changed_left_out: FxHashSet::default(),
            failing: None,
            delivered: 0,
            failed: 0,
        };
        for (line, block) in owed.blocks {
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
        // Something must be there to see whether the endpoint works again.
        let has_probe = match self.breaker.is_asked() {
            true => self.has_fresh(),
            false => self.has_work(),
        };
        let is_full = self.is_window_full()
            || self.blocks.len() >= BLOCKS_MAX
            || (self.breaker.is_open() && has_probe);
        if is_full { 0 } else { WINDOW_EVENTS_MAX.saturating_sub(self.window.len()) }
    }

    fn is_window_full(&self) -> bool {
        self.window.len() >= WINDOW_EVENTS_MAX || self.window.bytes() >= WINDOW_BYTES_MAX
    }

    /// Takes an event, which lies behind all that it took before.
    pub fn offer(&mut self, event: RecordedEvent) {
        if self.is_left_out(&event) {
            return self.window.advance(event.position());
        }
        let line = self.line_of(&event);
        if self.rules.ordering == Ordering::PerStream {
            let waits =
                line.as_ref().and_then(|line| self.blocks.get_mut(line).map(|own| (line, own)));
            if let Some((line, block)) = waits {
                if block.wait_behind(event.revision()) {
                    self.changed.insert(line.clone());
                }
                return self.window.advance(event.position());
            }
        }
        let is_blocked = || self.blocks.contains_key(&self.block_line(&event));
        if self.rules.ordering == Ordering::None && is_blocked() {
            // It was read before a restart, and waits already.
            return self.window.advance(event.position());
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

    /// Returns when the oldest event was recorded that is neither delivered nor given up. Where so
    /// much was given up that nothing more is read, what was given up counts too: it holds back
    /// what comes.
    pub fn oldest_at(&self) -> Option<Timestamp> {
        let is_stalled = self.blocks.len() >= BLOCKS_MAX;
        let blocks = self.blocks.values().filter(|block| is_stalled || !block.is_dead());
        let heads = blocks.map(|block| block.head.recorded_at);
        heads.chain(self.window.oldest().map(RecordedEvent::recorded_at)).min()
    }

    /// Returns whether nothing is left to do before more is offered.
    pub fn is_idle(&self) -> bool {
        self.in_flight == 0 && self.window.len() == 0 && self.due.is_empty()
    }

    /// Returns whether something that was read is neither delivered nor given up.
    pub fn owes(&self) -> bool {
        self.window.len() > 0 || self.retrying() > 0
    }

    /// Returns whether as many requests are under way as may be.
    pub const fn is_crowded(&self) -> bool {
        self.in_flight >= self.rules.in_flight_max
    }

    /// Returns whether few requests are made because all have failed.
    pub const fn is_broken(&self) -> bool {
        self.breaker.is_open()
    }

    /// Returns how many requests are under way.
    pub const fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Returns how many lines are to be tried again.
    pub fn retrying(&self) -> usize {
        self.blocks.len() - self.dead()
    }

    /// Returns how many lines wait for an operator.
    pub fn dead(&self) -> usize {
        self.blocks.values().filter(|block| block.is_dead()).count()
    }

    /// Returns the positions of events that wait for an operator.
    #[cfg(test)]
    pub fn dead_heads(&self) -> Vec<u64> {
        let dead = self.blocks.values().filter(|block| block.is_dead());
        dead.map(|block| block.head.position.get()).collect()
    }

    /// Notes that a line must be asked for again.
    pub fn note_change(&mut self, line: Line) {
        self.changed.insert(line);
    }

    /// Notes that what was left out of a line must be asked for again.
    pub fn note_left_out(&mut self, line: Line) {
        self.changed_left_out.insert(line);
    }

    /// Returns what has changed since it was asked last.
    pub fn changes(&mut self) -> Changes {
        let changed = std::mem::take(&mut self.changed);
        let now = |line: Line| {
            let block = self.blocks.get_mut(&line).map(|own| {
                own.told = own.waiting;
                own.without_queue()
            });
            (line, block)
        };
        let blocks = changed.into_iter().map(now).collect();
        Changes { blocks, left_out: self.changes_left_out() }
    }
}

impl Backlog {
    pub(super) fn line_of(&self, event: &RecordedEvent) -> Option<Line> {
        match self.rules.ordering {
            Ordering::PerStream => {
                // No name of a tenant or a category has one of these signs.
                let (tenant, category) = (event.tenant(), event.category());
                Some(format!("{tenant}:{category}/{}", event.stream_id()).into())
            }
            Ordering::Strict => Some("".into()),
            Ordering::None => None,
        }
    }

    /// Returns the line under which a failed event waits.
    pub(super) fn block_line(&self, event: &RecordedEvent) -> Line {
        self.line_of(event).unwrap_or_else(|| event.position().to_string().into())
    }

    pub(super) fn set_due(&mut self, line: &Line, (at, wall): (Instant, Timestamp)) {
        let Some(block) = self.blocks.get_mut(line) else { return };
        if let BlockPhase::Due(before, _) = block.phase {
            self.due.remove(&(before, line.clone()));
        }
        block.phase = BlockPhase::Due(at, wall);
        self.due.insert((at, line.clone()));
        self.changed.insert(line.clone());
    }

    pub(super) fn unblock(&mut self, line: &Line) {
        if let Some(BlockPhase::Due(at, _)) = self.blocks.remove(line).map(|block| block.phase) {
            self.due.remove(&(at, line.clone()));
        }
        self.changed.insert(line.clone());
    }
}

pub(super) fn later(wall: Timestamp, wait: Duration) -> Timestamp {
    let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX);
    wall.saturating_add(wait).unwrap_or(Timestamp::MAX)
}

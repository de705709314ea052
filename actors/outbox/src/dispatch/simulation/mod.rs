//! A backlog against a simulated log and receiver: any order of reading, sending, failing,
//! storing and crashing.

mod load;
mod order;
mod pull;
mod stuck;
mod together;

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;
use headwater::event::{
    NewEvent, Position, RecordedEvent, Revision, StreamId, Tenant, encode_record, seal_record,
};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::backlog::{
    Again, Backlog, Changes, Fetched, Filling, Now, Outcome, Owed, Rules, Task, Ticket,
};
use super::block::{Block, BlockPhase, Head, LastFailure};
use super::window::{Line, Load};
use crate::endpoint::{Order, OrderKind, Ordering, Selection};
use crate::schedule::RetrySchedule;

/// Makes an event as a store would.
fn event(position: u64, stream: &str, revision: u64) -> RecordedEvent {
    let new = NewEvent::json("Done", 1, format!("{{\"n\":{position}}}")).unwrap();
    let id = StreamId::new("thing", stream).unwrap();
    let mut bytes = Vec::new();
    encode_record(&mut bytes, &Tenant::default_tenant(), &id, &new);
    let at = Timestamp::from_second(1_700_000_000 + position as i64).unwrap();
    seal_record(&mut bytes, Position::new(position), Revision::new(revision), at);
    RecordedEvent::parse(&Bytes::from(bytes)).unwrap()
}

/// Draws numbers from a seed.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound.max(1)
    }

    fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }
}

/// Makes a log of events spread over streams.
fn log(draw: &mut Draw, events: u64, streams: u64) -> Vec<RecordedEvent> {
    let mut revisions = BTreeMap::new();
    let mut log = Vec::new();
    for position in 1..=events {
        let stream = draw.below(streams);
        let revision = revisions.entry(stream).or_insert(0);
        *revision += 1;
        log.push(event(position, &format!("s{stream}"), *revision));
    }
    log
}

struct World {
    draw: Draw,
    log: Vec<RecordedEvent>,
    rules: Rules,
    backlog: Backlog,
    /// What was stored: a cursor and blocks.
    cursor: Position,
    blocks: BTreeMap<Line, Block>,
    left_out: BTreeMap<Line, Position>,
    read: u64,
    /// How much of the log is there already.
    appended: u64,
    /// Tasks, each with how much of the log was there when it began.
    under_way: Vec<(Task, u64)>,
    /// How often each event arrived.
    arrived: BTreeMap<u64, u64>,
    /// Events that are refused until they are mended.
    poison: Vec<u64>,
    is_failing: bool,
    now: Now,
}

/// Draws when a message is full, if it may hold several events.
fn filling(draw: &mut Draw) -> Option<Filling> {
    let load = Load { events: 1 + draw.below(9) as usize, bytes: 150 + draw.below(2_000) as usize };
    let wait = Duration::from_millis(draw.below(3) * 600);
    draw.one_in(2).then_some(Filling { load, wait })
}

impl World {
    fn new(seed: u64, ordering: Ordering) -> Self {
        let mut draw = Draw(seed);
        let filling = filling(&mut draw);
        Self::filled(draw, ordering, filling)
    }

    fn filled(mut draw: Draw, ordering: Ordering, filling: Option<Filling>) -> Self {
        let (events, streams) = (1 + draw.below(120), 1 + draw.below(12));
        let log = log(&mut draw, events, streams);
        let retry = RetrySchedule::new(vec![1_000; 50]).unwrap();
        let in_flight_max =
            if ordering == Ordering::Strict { 1 } else { 1 + draw.below(8) as usize };
        let rules = Rules { ordering, retry, in_flight_max, filling, judges_endpoint: true };
        let poison = (0..draw.below(3)).map(|_| 1 + draw.below(events)).collect();
        let backlog = Backlog::new(rules.clone(), Position::ZERO, Owed::default());
        Self {
            draw,
            log,
            rules,
            backlog,
            cursor: Position::ZERO,
            blocks: BTreeMap::new(),
            left_out: BTreeMap::new(),
            read: 0,
            appended: 0,
            under_way: Vec::new(),
            arrived: BTreeMap::new(),
            poison,
            is_failing: true,
            now: Now { wall: Timestamp::from_second(1_800_000_000).unwrap(), tick: Instant::now() },
        }
    }

    fn wait(&mut self, time: Duration) {
        self.now.tick += time;
        self.now.wall += SignedDuration::try_from(time).unwrap();
    }

    fn append_some(&mut self) {
        self.appended = (self.appended + self.draw.below(12)).min(self.log.len() as u64);
    }

    fn read_some(&mut self) {
        let count = self.draw.below(10).min(self.backlog.room() as u64);
        let end = (self.read + count).min(self.appended);
        for at in self.read..end {
            self.backlog.offer(self.log[at as usize].clone());
        }
        self.read = end;
        self.backlog.advance(Position::new(end));
    }

    fn begin_some(&mut self) {
        self.backlog.relieve(self.now);
        while let Some(task) = self.backlog.next(self.now) {
            match &task {
                Task::Send { event, .. } => self.check_order(event, &[]),
                Task::SendTogether(together) => self.check_together(&together.events),
                Task::Fetch { .. } => {}
            }
            self.under_way.push((task, self.appended));
        }
        // Whoever sleeps until then must find something to do.
        let is_soon = self.backlog.wake_at().is_some_and(|at| at <= self.now.tick);
        assert!(!is_soon || self.backlog.is_crowded(), "wakes for nothing");
    }

    /// An event may go out only when everything that it must follow has arrived, or is before it
    /// in the same message.
    fn check_order(&self, event: &RecordedEvent, with: &[RecordedEvent]) {
        let before = self.log.iter().take_while(|own| own.position() < event.position());
        let earlier = before.filter(|own| match self.rules.ordering {
            Ordering::PerStream => own.stream_id() == event.stream_id(),
            Ordering::Strict => true,
            Ordering::None => false,
        });
        for own in earlier {
            let position = own.position().get();
            let is_with = with.iter().any(|other| other.position() == own.position());
            let is_there = is_with || self.arrived.contains_key(&position);
            assert!(is_there, "{event:?} before {position}");
        }
    }

    fn end_one(&mut self) {
        if self.under_way.is_empty() {
            return;
        }
        let at = self.draw.below(self.under_way.len() as u64) as usize;
        match self.under_way.swap_remove(at) {
            (Task::Send { ticket, event, .. }, _) => self.end_send(ticket, &event),
            (Task::SendTogether(together), _) => self.end_together(together),
            (Task::Fetch { line, head, after }, seen) => {
                self.end_fetch(&line, (&head, after), seen);
            }
        }
    }

    fn end_send(&mut self, ticket: Ticket, event: &RecordedEvent) {
        let position = event.position().get();
        let outcome = if self.poison.contains(&position) {
            Outcome::Hopeless(LastFailure::default())
        } else if self.is_failing && self.draw.one_in(3) {
            Outcome::Failed(self.failure())
        } else {
            self.arrive(std::slice::from_ref(event));
            Outcome::Delivered
        };
        self.backlog.finished(ticket, event, outcome, self.now);
    }

    /// Draws what a receiver says that does not take an event.
    fn failure(&mut self) -> Again {
        let status = [None, Some(500), Some(429), Some(504)][self.draw.below(4) as usize];
        let asks = status == Some(429) && self.draw.one_in(2);
        let retry_after = asks.then(|| Duration::from_secs(1 + self.draw.below(5)));
        let is_throttled = status.is_some_and(|status| status != 500);
        Again { is_throttled, retry_after, last: LastFailure { status, error: None } }
    }

    fn arrive(&mut self, events: &[RecordedEvent]) {
        for event in events {
            *self.arrived.entry(event.position().get()).or_default() += 1;
        }
    }

    fn has_poison(&self, events: &[RecordedEvent]) -> bool {
        events.iter().any(|event| self.poison.contains(&event.position().get()))
    }

    fn end_fetch(&mut self, line: &Line, (head, after): (&Head, Revision), seen: u64) {
        if self.draw.one_in(10) {
            return self.backlog.not_fetched(line, self.now);
        }
        let is_stream = line.contains('/');
        let own = |event: &&RecordedEvent| match is_stream {
            true => event.stream_id() == head.stream && event.revision() > after,
            false => event.position() == head.position,
        };
        let there = self.log.iter().take(seen as usize);
        let rest: Vec<RecordedEvent> = there.filter(own).cloned().collect();
        let events: Vec<RecordedEvent> = rest.iter().take(2).cloned().collect();
        let considered = events.last().map_or(after, RecordedEvent::revision);
        let is_end = !is_stream || events.len() == rest.len();
        self.backlog.fetched(line, Fetched { events, considered, is_end });
    }

    fn store(&mut self) {
        self.cursor = self.backlog.position();
        let Changes { blocks, left_out } = self.backlog.changes();
        apply(&mut self.blocks, blocks);
        apply(&mut self.left_out, left_out);
    }

    /// Everything that was not stored is lost; some of what was under way has arrived.
    fn crash(&mut self) {
        for task in std::mem::take(&mut self.under_way) {
            let events = match task.0 {
                Task::Send { event, .. } => vec![event],
                Task::SendTogether(together) => together.events,
                Task::Fetch { .. } => Vec::new(),
            };
            if self.draw.one_in(2) && !self.has_poison(&events) {
                self.arrive(&events);
            }
        }
        let now = self.now;
        let revived = |(line, block): (&Line, &Block)| {
            let mut block = block.clone();
            (block.seen, block.queue) = (Revision::ZERO, VecDeque::new());
            block.phase = stored_phase(block.phase, now);
            (line.clone(), block)
        };
        let blocks = self.blocks.iter().map(revived).collect();
        let left_out = self.left_out.iter().map(|(line, to)| (line.clone(), *to)).collect();
        let owed = Owed { blocks, left_out };
        self.backlog = Backlog::new(self.rules.clone(), self.cursor, owed);
        self.read = self.cursor.get();
    }

    fn step(&mut self) {
        match self.draw.below(13) {
            12 => self.append_some(),
            0..=2 => self.read_some(),
            3..=4 => self.begin_some(),
            5..=8 => self.end_one(),
            9 => self.wait(Duration::from_millis(700)),
            10 => self.store(),
            _ if self.draw.one_in(8) => self.crash(),
            _ => {}
        }
    }

    /// Goes on without failures until nothing is left to do.
    fn finish(&mut self) {
        self.is_failing = false;
        for _ in 0..100_000 {
            self.append_some();
            self.read_some();
            self.begin_some();
            self.end_one();
            self.wait(Duration::from_millis(500));
            if self.read == self.log.len() as u64 && self.backlog.is_idle() {
                return;
            }
            if self.rules.ordering == Ordering::Strict && self.backlog.dead() > 0 {
                return;
            }
        }
        panic!("does not come to rest: {:?}", self.backlog);
    }

    fn order(&mut self, kind: OrderKind) {
        let selection = Selection { all: true, ..Selection::default() };
        let order = Order { kind, selection, rate_per_second: None };
        let at = Position::new(self.appended);
        while !self.backlog.apply((&order, at), self.now) {
            self.read_some();
        }
    }

    /// Nothing may be missing but what is behind an event that is refused.
    fn check_missing(&self) {
        let stream = |position: u64| self.log[position as usize - 1].stream_id();
        for lost in self.missing() {
            let is_behind = |bad: &u64| match self.rules.ordering {
                Ordering::PerStream => *bad <= lost && stream(*bad) == stream(lost),
                Ordering::Strict => *bad <= lost,
                Ordering::None => *bad == lost,
            };
            let poison = &self.poison;
            assert!(poison.iter().any(is_behind), "{lost} is missing, poison is {poison:?}");
        }
    }

    fn missing(&self) -> Vec<u64> {
        let positions = self.log.iter().map(|event| event.position().get());
        positions.filter(|position| !self.arrived.contains_key(position)).collect()
    }
}

fn run(seed: u64, ordering: Ordering) {
    let mut world = World::new(seed, ordering);
    for _ in 0..400 {
        world.step();
    }
    world.finish();
    world.check_missing();
    // The receiver is mended.
    world.poison.clear();
    world.order(OrderKind::Redrive);
    world.finish();
    assert_eq!(world.missing(), [0_u64; 0]);
    world.store();
    assert!(world.blocks.is_empty(), "{:?}", world.blocks);
    assert_eq!(world.cursor.get(), world.log.len() as u64);
}

/// `HEADWATER_SEEDS` sets how many runs there are of each property; 2,000 otherwise.
fn cases() -> u32 {
    std::env::var("HEADWATER_SEEDS").map_or(2_000, |text| text.parse().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    #[test]
    fn per_stream_nothing_is_lost_and_no_stream_gets_out_of_order(seed in any::<u64>()) {
        run(seed, Ordering::PerStream);
    }

    #[test]
    fn strictly_nothing_is_lost_and_nothing_gets_out_of_order(seed in any::<u64>()) {
        run(seed, Ordering::Strict);
    }

    #[test]
    fn without_order_nothing_is_lost(seed in any::<u64>()) {
        run(seed, Ordering::None);
    }
}

#[test]
fn while_everything_fails_little_is_tried_and_little_is_kept() {
    let load = Load { events: 100, bytes: 1 << 20 };
    let filling = Filling { load, wait: Duration::from_secs(2) };
    for filling in [None, Some(filling)] {
        all_fails(World::filled(Draw(1), Ordering::PerStream, filling));
    }
}

fn all_fails(mut world: World) {
    let mut draw = Draw(5);
    world.log = log(&mut draw, 20_000, 5_000);
    world.poison.clear();
    let mut tries = 0;
    world.appended = 20_000;
    for _ in 0..3_600 {
        world.read_some();
        world.begin_some();
        for (task, seen) in std::mem::take(&mut world.under_way) {
            match task {
                Task::Send { ticket, event, .. } => {
                    tries += 1;
                    let outcome = Outcome::Failed(Again::default());
                    world.backlog.finished(ticket, &event, outcome, world.now);
                }
                Task::SendTogether(together) => {
                    tries += 1;
                    let outcome = Outcome::Failed(Again::default());
                    world.backlog.finished_together(together, outcome, world.now);
                }
                Task::Fetch { line, head, after } => world.end_fetch(&line, (&head, after), seen),
            }
        }
        world.wait(Duration::from_secs(1));
    }
    // An hour: some at first, then one a minute.
    assert!((50..150).contains(&tries), "{tries}");
}

/// Does to a table what has changed.
fn apply<T>(table: &mut BTreeMap<Line, T>, changes: Vec<(Line, Option<T>)>) {
    for (line, row) in changes {
        match row {
            Some(row) => drop(table.insert(line, row)),
            None => drop(table.remove(&line)),
        }
    }
}

/// Returns a phase as it is read back: what was under way is due when it was.
fn stored_phase(phase: BlockPhase, now: Now) -> BlockPhase {
    match phase {
        BlockPhase::Dead(at) => BlockPhase::Dead(at),
        BlockPhase::Due(_, at) | BlockPhase::Busy(_, at) => {
            let wait = Duration::try_from(at.duration_since(now.wall)).unwrap_or_default();
            BlockPhase::Due(now.tick + wait, at)
        }
    }
}

//! The same backlog behind consumers that ask for its events: they fall silent, come too late,
//! say no, break connections, and the node crashes or hands over.

use tokio::sync::watch;

use super::*;
use crate::payload::Format;
use crate::pull::{Answer, Deliveries, End, Message, Nack, RETURNS_MAX, Stage, Taker, Token};

const ACK_TIMEOUT: Duration = Duration::from_millis(1_500);

/// An event that is offered to consumers.
struct Offer {
    ticket: Ticket,
    event: RecordedEvent,
    number: u64,
    stage: watch::Receiver<Stage>,
}

struct Shop {
    world: World,
    deliveries: Deliveries,
    offers: Vec<Offer>,
    /// What consumers believe to have, rightly or not, with the event's position.
    held: Vec<(Token, u64)>,
    connections: Vec<u64>,
    /// Whether consumers do everything that they should not.
    is_wild: bool,
}

impl Shop {
    fn new(seed: u64, ordering: Ordering) -> Self {
        let mut world = World::new(seed, ordering);
        world.rules.judges_endpoint = false;
        world.rules.filling = None;
        world.backlog = Backlog::new(world.rules.clone(), Position::ZERO, Owed::default());
        Self {
            world,
            deliveries: Deliveries::new(ACK_TIMEOUT),
            offers: Vec::new(),
            held: Vec::new(),
            connections: Vec::new(),
            is_wild: true,
        }
    }

    fn begin_some(&mut self) {
        while let Some(task) = self.world.backlog.next(self.world.now) {
            match task {
                Task::Send { ticket, event, attempt } => {
                    self.world.check_order(&event, &[]);
                    let message = Message::new((Format::Event, "/test"), &event, attempt).unwrap();
                    let (number, stage) = self.deliveries.offer(message);
                    self.offers.push(Offer { ticket, event, number, stage });
                }
                Task::SendTogether(together) => panic!("consumers get one by one: {together:?}"),
                fetch @ Task::Fetch { .. } => {
                    self.world.under_way.push((fetch, self.world.appended));
                }
            }
        }
        self.check_offers();
    }

    /// No more is with consumers than may be, and of what keeps order one at a time.
    fn check_offers(&self) {
        let rules = &self.world.rules;
        assert!(self.offers.len() <= rules.in_flight_max);
        let streams = self.offers.iter().map(|offer| offer.event.stream_id());
        let streams: std::collections::BTreeSet<&str> = streams.collect();
        match rules.ordering {
            Ordering::PerStream => assert_eq!(streams.len(), self.offers.len()),
            Ordering::Strict => assert!(self.offers.len() <= 1),
            Ordering::None => {}
        }
    }

    fn take_some(&mut self) {
        let draw = &mut self.world.draw;
        let connection = match draw.below(3) {
            0 => None,
            1 => self.deliveries.join().map(|(number, _)| number),
            _ => self.connections.first().copied(),
        };
        self.connections.extend(connection.filter(|own| !self.connections.contains(own)));
        let taker = Taker { consumer: "one".into(), connection };
        let max = 1 + draw.below(4) as usize;
        for one in self.deliveries.take(&taker, max, self.world.now.tick) {
            assert!(one.returned <= RETURNS_MAX);
            self.held.push((one.token, one.message.position.get()));
        }
    }

    /// A consumer says what became of something that it has, or had.
    fn say_something(&mut self) {
        if self.held.is_empty() {
            return;
        }
        let at = self.world.draw.below(self.held.len() as u64) as usize;
        let ((token, position), now) = (self.held[at], self.world.now.tick);
        if self.world.poison.contains(&position) {
            let nack = Nack { is_hopeless: true, ..Nack::default() };
            self.deliveries.reject(token, nack, now);
        } else if self.is_wild && self.world.draw.one_in(5) {
            self.deliveries.reject(token, Nack::default(), now);
        } else if self.is_wild && self.world.draw.one_in(5) {
            self.deliveries.extend(token, now);
        } else {
            self.acknowledge(token, position);
        }
        // Some say the same again.
        if !self.is_wild || !self.world.draw.one_in(4) {
            self.held.swap_remove(at);
        }
    }

    fn acknowledge(&mut self, token: Token, position: u64) {
        if self.deliveries.acknowledge(token, self.world.now.tick) == Answer::Done {
            let event = self.world.log[position as usize - 1].clone();
            self.world.check_order(&event, &[]);
            *self.world.arrived.entry(position).or_default() += 1;
        }
    }

    fn break_connection(&mut self) {
        if !self.connections.is_empty() {
            let at = self.world.draw.below(self.connections.len() as u64) as usize;
            self.deliveries.leave(self.connections.swap_remove(at), self.world.now.tick);
        }
    }

    /// The lane's part: what has run out ends, and what has ended is taken.
    fn settle(&mut self) {
        let now = self.world.now;
        for offer in std::mem::take(&mut self.offers) {
            self.deliveries.expire(offer.number, now.tick);
            let end = match &*offer.stage.borrow() {
                Stage::Ended(ended) => Some(ended.end.clone()),
                Stage::Waiting | Stage::Taken { .. } => None,
            };
            let Some(end) = end else {
                self.offers.push(offer);
                continue;
            };
            let outcome = match end {
                End::Acknowledged => Outcome::Delivered,
                End::Rejected(nack) if nack.is_hopeless => {
                    Outcome::Hopeless(LastFailure::default())
                }
                End::Untried => Outcome::Untried,
                End::Rejected(_) | End::Expired(_) | End::Abandoned(_) => {
                    Outcome::Failed(Again::default())
                }
            };
            self.world.backlog.finished(offer.ticket, &offer.event, outcome, now);
        }
    }

    /// Every offer is taken back; consumers know nothing of it.
    fn close(&mut self) {
        self.deliveries.withdraw_all(self.world.now.tick);
        self.settle();
        assert!(self.offers.is_empty());
        self.open_anew();
    }

    /// The node is killed; consumers know nothing of it.
    fn crash(&mut self) {
        self.offers.clear();
        self.open_anew();
        self.world.crash();
    }

    fn open_anew(&mut self) {
        self.connections.clear();
        self.deliveries = Deliveries::new(ACK_TIMEOUT);
    }

    fn step(&mut self) {
        match self.world.draw.below(16) {
            0 => self.world.append_some(),
            1..=2 => self.world.read_some(),
            3..=4 => self.begin_some(),
            5..=7 => self.take_some(),
            8..=10 => self.say_something(),
            11 => self.break_connection(),
            12 => self.settle(),
            13 => self.world.end_one(),
            14 => self.world.wait(Duration::from_millis(700)),
            _ if self.world.draw.one_in(4) => self.world.store(),
            _ if self.world.draw.one_in(8) => self.crash(),
            _ if self.world.draw.one_in(8) => self.close(),
            _ => {}
        }
    }

    /// Goes on with consumers that deal with everything until nothing is left to do.
    fn finish(&mut self) {
        self.is_wild = false;
        self.world.is_failing = false;
        for _ in 0..100_000 {
            self.world.append_some();
            self.world.read_some();
            self.begin_some();
            self.take_some();
            (0..4).for_each(|_| self.say_something());
            self.settle();
            self.world.end_one();
            self.world.wait(Duration::from_millis(500));
            let backlog = &self.world.backlog;
            let is_stuck = self.world.rules.ordering == Ordering::Strict && backlog.dead() > 0;
            if is_stuck || self.world.read == self.world.log.len() as u64 && backlog.is_idle() {
                return;
            }
        }
        panic!("does not come to rest: {:?}", self.world.backlog);
    }
}

fn run(seed: u64, ordering: Ordering) {
    let mut shop = Shop::new(seed, ordering);
    for _ in 0..600 {
        shop.step();
    }
    shop.finish();
    shop.world.check_missing();
    shop.world.poison.clear();
    shop.world.order(OrderKind::Redrive);
    shop.finish();
    assert_eq!(shop.world.missing(), [0_u64; 0]);
    let backlog = &shop.world.backlog;
    assert!(!backlog.is_broken() && backlog.failing.is_none());
    shop.world.store();
    assert!(shop.world.blocks.is_empty(), "{:?}", shop.world.blocks);
    assert_eq!(shop.world.cursor.get(), shop.world.log.len() as u64);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn consumers_of_any_kind_lose_nothing_and_acknowledge_each_stream_in_order(seed in any::<u64>()) {
        run(seed, Ordering::PerStream);
    }

    #[test]
    fn consumers_of_a_strict_endpoint_lose_nothing_and_acknowledge_in_order(seed in any::<u64>()) {
        run(seed, Ordering::Strict);
    }

    #[test]
    fn consumers_without_order_lose_nothing(seed in any::<u64>()) {
        run(seed, Ordering::None);
    }
}

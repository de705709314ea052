//! What an endpoint's consumers share: the events that are offered, and who has which.
//!
//! Time comes in from outside, and nothing here waits, so that every order of consumers that
//! come, go, fall silent and come too late can be tried out.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use headwater::event::EventId;
use rustc_hash::FxHashMap;
use tokio::sync::{Notify, watch};

use super::offer::{End, Ended, Message, Stage};
use super::recent::Recent;
use super::token::Token;

/// The longest time for which one delivery may be held, however often that is extended.
const HOLD_MAX: Duration = Duration::from_hours(12);
/// So many connections may break while they have an event before that counts as a failure of it:
/// it may be the event that breaks them.
pub(crate) const RETURNS_MAX: u32 = 8;
/// The most connections at once.
const CONNECTIONS_MAX: usize = 128;
/// What is handed out at once has at most about so many bytes.
const HANDED_BYTES_MAX: usize = 4 << 20;

/// The events of one endpoint that are offered and not decided.
#[derive(Debug)]
pub(crate) struct Deliveries {
    incarnation: u64,
    ack_timeout: Duration,
    /// The last number of an offer, delivery or connection.
    last: u64,
    offers: FxHashMap<u64, Offer>,
    /// The offers that nobody has, by age.
    waiting: BTreeSet<u64>,
    /// Which offer each delivery is of.
    taken: FxHashMap<u64, u64>,
    connections: FxHashMap<u64, Connection>,
    acknowledged: Recent,
}

#[derive(Debug)]
struct Offer {
    message: Arc<Message>,
    /// How many connections broke while they had it.
    returned: u32,
    holder: Option<Holder>,
    stage: watch::Sender<Stage>,
}

#[derive(Debug)]
struct Holder {
    delivery: u64,
    consumer: Arc<str>,
    connection: Option<u64>,
    since: Instant,
    until: Instant,
}

#[derive(Debug, Default)]
struct Connection {
    held: usize,
    freed: Arc<Notify>,
}

/// Who takes events.
#[derive(Clone, Debug)]
pub(crate) struct Taker {
    pub consumer: Arc<str>,
    /// What returns them when it breaks; `None` when they stay taken until they are decided.
    pub connection: Option<u64>,
}

/// An event as it is handed to a consumer.
#[derive(Clone, Debug)]
pub(crate) struct Handed {
    pub token: Token,
    pub message: Arc<Message>,
    /// How often it was handed out before in the same attempt.
    pub returned: u32,
    pub until: Instant,
}

/// Why a consumer does not take an event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Nack {
    pub reason: Option<String>,
    pub retry_after: Option<Duration>,
    /// Whether it is of no use to hand it out again.
    pub is_hopeless: bool,
}

/// What is said to a consumer that says what became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It counts.
    Done,
    /// The consumer has time until then.
    Extended(Instant),
    /// The delivery is not the consumer's any more.
    Gone,
}

impl Deliveries {
    pub fn new(ack_timeout: Duration) -> Self {
        // The last 62 bits of a fresh id are random.
        let incarnation = u128::from_be_bytes(EventId::fresh().to_bytes()) as u64;
        Self {
            incarnation,
            ack_timeout,
            last: 0,
            offers: FxHashMap::default(),
            waiting: BTreeSet::new(),
            taken: FxHashMap::default(),
            connections: FxHashMap::default(),
            acknowledged: Recent::default(),
        }
    }

    /// Sets how long consumers have for what they take from now on.
    pub const fn set_ack_timeout(&mut self, ack_timeout: Duration) {
        self.ack_timeout = ack_timeout;
    }

    /// Offers an event behind all others; returns the offer's number.
    pub fn offer(&mut self, message: Message) -> (u64, watch::Receiver<Stage>) {
        let (number, (stage, seen)) = (self.fresh(), watch::channel(Stage::Waiting));
        let message = Arc::new(message);
        self.offers.insert(number, Offer { message, returned: 0, holder: None, stage });
        self.waiting.insert(number);
        (number, seen)
    }

    /// Hands out the oldest events that nobody has, at most so many.
    pub fn take(&mut self, taker: &Taker, max: usize, now: Instant) -> Vec<Handed> {
        let (mut handed, mut bytes) = (Vec::new(), 0);
        while handed.len() < max && bytes < HANDED_BYTES_MAX {
            let Some(number) = self.waiting.pop_first() else { break };
            let Some(one) = self.hand_out(number, taker, now) else { continue };
            bytes += one.message.bytes();
            handed.push(one);
        }
        handed
    }

    fn hand_out(&mut self, number: u64, taker: &Taker, now: Instant) -> Option<Handed> {
        let (delivery, until) = (self.fresh(), now + self.ack_timeout);
        let offer = self.offers.get_mut(&number)?;
        let Taker { consumer, connection } = taker.clone();
        offer.holder = Some(Holder { delivery, consumer, connection, since: now, until });
        offer.stage.send_replace(Stage::Taken { until });
        let (message, returned) = (Arc::clone(&offer.message), offer.returned);
        self.taken.insert(delivery, number);
        if let Some(own) = connection.and_then(|own| self.connections.get_mut(&own)) {
            own.held += 1;
        }
        let token = Token { incarnation: self.incarnation, number: delivery };
        Some(Handed { token, message, returned, until })
    }

    /// Takes that a consumer has dealt with an event. Said again it is true again.
    pub fn acknowledge(&mut self, token: Token, now: Instant) -> Answer {
        if token.incarnation == self.incarnation && self.acknowledged.has(token.number) {
            return Answer::Done;
        }
        let Some(number) = self.offer_of(token) else { return Answer::Gone };
        self.end(number, End::Acknowledged, now);
        self.acknowledged.add(token.number);
        Answer::Done
    }

    /// Takes that a consumer could not deal with an event.
    pub fn reject(&mut self, token: Token, nack: Nack, now: Instant) -> Answer {
        let Some(number) = self.offer_of(token) else { return Answer::Gone };
        self.end(number, End::Rejected(nack), now);
        Answer::Done
    }

    /// Gives a consumer the whole time again, from now on.
    pub fn extend(&mut self, token: Token, now: Instant) -> Answer {
        let number = self.offer_of(token);
        let Some(offer) = number.and_then(|number| self.offers.get_mut(&number)) else {
            return Answer::Gone;
        };
        let Some(holder) = &mut offer.holder else { return Answer::Gone };
        holder.until = (now + self.ack_timeout).min(holder.since + HOLD_MAX).max(holder.until);
        offer.stage.send_replace(Stage::Taken { until: holder.until });
        Answer::Extended(holder.until)
    }

    /// Ends an offer whose consumer has had its time.
    pub fn expire(&mut self, number: u64, now: Instant) {
        let holder = self.offers.get(&number).and_then(|offer| offer.holder.as_ref());
        let Some(holder) = holder.filter(|holder| holder.until <= now) else { return };
        let had = holder.until.saturating_duration_since(holder.since);
        self.end(number, End::Expired(had), now);
    }

    /// Takes an offer back, whoever has it.
    pub fn withdraw(&mut self, number: u64, now: Instant) {
        self.end(number, End::Untried, now);
    }

    /// Ends every offer without an outcome.
    pub fn withdraw_all(&mut self, now: Instant) {
        let all: Vec<u64> = self.offers.keys().copied().collect();
        all.into_iter().for_each(|number| self.withdraw(number, now));
    }

    /// Notes a connection, which is told when something that it has is decided; `None` when
    /// there are too many.
    pub fn join(&mut self) -> Option<(u64, Arc<Notify>)> {
        if self.connections.len() >= CONNECTIONS_MAX {
            return None;
        }
        let (number, own) = (self.fresh(), Connection::default());
        let freed = Arc::clone(&own.freed);
        self.connections.insert(number, own);
        Some((number, freed))
    }

    /// Returns how many events a connection has.
    pub fn held_by(&self, connection: u64) -> usize {
        self.connections.get(&connection).map_or(0, |own| own.held)
    }

    /// Takes back what a connection has that is gone; returns how much of it waits again.
    pub fn leave(&mut self, connection: u64, now: Instant) -> usize {
        let is_own = |holder: &Holder| holder.connection == Some(connection);
        let own = self.offers.iter().filter(|(_, offer)| offer.holder.as_ref().is_some_and(is_own));
        let own: Vec<u64> = own.map(|(number, _)| *number).collect();
        let waiting = own.into_iter().filter(|number| self.give_back(*number, now)).count();
        self.connections.remove(&connection);
        waiting
    }

    /// Lets others have an offer; false when too many connections have broken over it.
    fn give_back(&mut self, number: u64, now: Instant) -> bool {
        let Some(offer) = self.offers.get_mut(&number) else { return false };
        offer.returned += 1;
        if offer.returned > RETURNS_MAX {
            let returned = offer.returned;
            self.end(number, End::Abandoned(returned), now);
            return false;
        }
        if let Some(holder) = offer.holder.take() {
            self.taken.remove(&holder.delivery);
        }
        offer.stage.send_replace(Stage::Waiting);
        self.waiting.insert(number)
    }

    fn end(&mut self, number: u64, end: End, now: Instant) {
        let Some(offer) = self.offers.remove(&number) else { return };
        self.waiting.remove(&number);
        let mut ended = Ended { end, consumer: None, held: Duration::ZERO };
        if let Some(holder) = offer.holder {
            self.taken.remove(&holder.delivery);
            let connection = holder.connection.and_then(|own| self.connections.get_mut(&own));
            if let Some(own) = connection {
                own.held = own.held.saturating_sub(1);
                own.freed.notify_one();
            }
            ended.held = now.saturating_duration_since(holder.since);
            ended.consumer = Some(holder.consumer);
        }
        offer.stage.send_replace(Stage::Ended(ended));
    }

    fn offer_of(&self, token: Token) -> Option<u64> {
        let is_own = token.incarnation == self.incarnation;
        self.taken.get(&token.number).copied().filter(|_| is_own)
    }

    const fn fresh(&mut self) -> u64 {
        self.last += 1;
        self.last
    }
}

//! The consumers of one endpoint, on the node that works for it.

use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use super::deliveries::{Answer, Deliveries, Nack, Taker};
use super::offer::{Message, Offered};
use super::token::Token;
use super::{Handed, Settings};
use crate::endpoint::Phase;

/// What lanes and consumers of an endpoint share.
#[derive(Debug)]
pub(crate) struct Group {
    deliveries: Mutex<Deliveries>,
    /// Told once for each event that can be taken.
    has_more: Notify,
    state: watch::Sender<State>,
}

/// Whether a group hands events out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    pub phase: Phase,
    /// Whether this node works for the endpoint no more.
    pub is_closed: bool,
}

impl State {
    pub const fn hands_out(self) -> bool {
        matches!(self.phase, Phase::Active) && !self.is_closed
    }
}

impl Group {
    pub(super) fn new(settings: Settings) -> Self {
        let state = State { phase: settings.phase, is_closed: false };
        Self {
            deliveries: Mutex::new(Deliveries::new(settings.ack_timeout)),
            has_more: Notify::new(),
            state: watch::Sender::new(state),
        }
    }

    /// Returns whether the endpoint gets events.
    pub fn phase(&self) -> Phase {
        self.state.borrow().phase
    }

    /// Returns whether this node works for the endpoint no more.
    pub fn is_closed(&self) -> bool {
        self.state.borrow().is_closed
    }

    pub(super) fn watch(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    pub(super) const fn has_more(&self) -> &Notify {
        &self.has_more
    }

    pub(super) fn set(&self, settings: Settings) {
        self.deliveries.lock().set_ack_timeout(settings.ack_timeout);
        self.state.send_if_modified(|state| {
            let is_new = state.phase != settings.phase;
            state.phase = settings.phase;
            is_new
        });
    }

    /// Offers an event to the consumers.
    pub fn offer(self: &Arc<Self>, message: Message) -> Offered {
        let mut deliveries = self.deliveries.lock();
        let (number, stage) = deliveries.offer(message);
        if self.is_closed() {
            deliveries.withdraw(number, Instant::now());
        }
        drop(deliveries);
        self.has_more.notify_one();
        Offered::new(Arc::clone(self), number, stage)
    }

    /// Hands out nothing more; what is offered ends without an outcome, taken or not.
    pub fn close(&self) {
        self.state.send_modify(|state| state.is_closed = true);
        self.deliveries.lock().withdraw_all(Instant::now());
    }

    /// Takes what there is, at most so many.
    pub fn take_now(&self, taker: &Taker, max: usize) -> Vec<Handed> {
        if !self.state.borrow().hands_out() {
            return Vec::new();
        }
        self.deliveries.lock().take(taker, max, Instant::now())
    }

    /// Takes that a consumer has dealt with an event.
    pub fn acknowledge(&self, token: Token) -> Answer {
        self.deliveries.lock().acknowledge(token, Instant::now())
    }

    /// Takes that a consumer could not deal with an event.
    pub fn reject(&self, token: Token, nack: Nack) -> Answer {
        self.deliveries.lock().reject(token, nack, Instant::now())
    }

    /// Gives a consumer more time.
    pub fn extend(&self, token: Token) -> Answer {
        self.deliveries.lock().extend(token, Instant::now())
    }

    pub(super) fn expire(&self, number: u64, now: Instant) {
        self.deliveries.lock().expire(number, now);
    }

    pub(super) fn withdraw(&self, number: u64) {
        self.deliveries.lock().withdraw(number, Instant::now());
    }

    pub(super) fn join(&self) -> Option<(u64, Arc<Notify>)> {
        self.deliveries.lock().join()
    }

    pub(super) fn held_by(&self, connection: u64) -> usize {
        self.deliveries.lock().held_by(connection)
    }

    pub(super) fn leave(&self, connection: u64) {
        let waiting = self.deliveries.lock().leave(connection, Instant::now());
        (0..waiting).for_each(|_| self.has_more.notify_one());
    }
}

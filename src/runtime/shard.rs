//! A shard of the registry: knows which aggregates are in memory, and owns the handshake by
//! which they leave it (G6).
//!
//! An aggregate is *Active*, *Passivating* or *Gone*. An active one gets its commands at once.
//! A passivating one has been asked to finish and stop; what comes for it meanwhile is
//! buffered here. Only its farewell, which it sends however it ends, makes it gone; then a
//! next incarnation is started if the buffer holds anything. So no command is ever put into
//! the mailbox of an actor that is about to stop, where actix would drop it.

use std::collections::VecDeque;
use std::collections::hash_map::Entry as Place;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::prelude::SendError as Unsent;
use actix::{Actor, Addr, AsyncContext, Context, Handler, StreamHandler};
use rustc_hash::FxHashMap;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::aggregate_actor::{AggregateActor, Farewell, Gone, Passivate};
use super::envelope::{Envelope, Key};
use super::error::SendError;
use super::kind::Kind;
use super::tally::count;
use crate::aggregate::Aggregate;

/// The live aggregates of one shard.
pub(super) struct RegistryShard<A: Aggregate> {
    kind: Arc<Kind<A>>,
    entries: FxHashMap<Key, Entry<A>>,
    /// Active aggregates, the longest unused ones in front. A used one is put back when it
    /// comes to the front, so that using it costs no more than a glance at the clock.
    order: VecDeque<(Key, Instant)>,
    /// Unbounded by itself; an actor sends one farewell, so it holds no more than those.
    farewells: UnboundedSender<Gone>,
    incarnations: u64,
    is_timer_set: bool,
}

/// An aggregate that is not gone.
enum Entry<A: Aggregate> {
    Active { actor: Addr<AggregateActor<A>>, incarnation: u64, used: Instant },
    Passivating { incarnation: u64, buffer: VecDeque<Envelope<A>> },
}

impl<A: Aggregate> RegistryShard<A> {
    /// Starts a shard on the current thread.
    pub fn start(kind: Arc<Kind<A>>) -> Addr<Self> {
        let mut context = Context::new();
        context.set_mailbox_capacity(kind.world.config.waiting_commands_max.saturating_add(1));
        let (farewells, mut heard) = unbounded_channel();
        let stream = futures_util::stream::poll_fn(move |task| heard.poll_recv(task));
        context.add_stream(stream);
        context.run(Self {
            kind,
            entries: FxHashMap::default(),
            order: VecDeque::new(),
            farewells,
            incarnations: 0,
            is_timer_set: false,
        })
    }

    fn deliver(&mut self, mut envelope: Envelope<A>) {
        let now = Instant::now();
        match self.entries.get_mut(&envelope.message.key) {
            Some(Entry::Active { actor, used, .. }) => {
                *used = now;
                match actor.try_send(envelope) {
                    Ok(()) => return,
                    Err(Unsent::Full(mut envelope)) => {
                        return envelope.answer(Err(SendError::Overloaded));
                    }
                    // It was lost and its farewell is still on its way here.
                    Err(Unsent::Closed(lost)) => envelope = lost,
                }
                count(&self.kind.tally.lost);
            }
            Some(Entry::Passivating { buffer, .. }) => {
                if buffer.len() < self.kind.bounds.waiting_max {
                    return buffer.push_back(envelope);
                }
                return envelope.answer(Err(SendError::Overloaded));
            }
            None => {}
        }
        let key = envelope.message.key.clone();
        self.bring_up(key, VecDeque::from([envelope]), now);
    }

    /// Starts the next incarnation of an aggregate and hands it what waits.
    fn bring_up(&mut self, key: Key, waiting: VecDeque<Envelope<A>>, now: Instant) {
        if self.kind.world.is_crowded() {
            self.passivate_one(now);
        }
        self.incarnations += 1;
        let incarnation = self.incarnations;
        let farewell = Farewell { key: key.clone(), incarnation, shard: self.farewells.clone() };
        let actor = AggregateActor::start(&self.kind, farewell);
        for envelope in waiting {
            if let Err(Unsent::Full(mut envelope) | Unsent::Closed(mut envelope)) =
                actor.try_send(envelope)
            {
                envelope.answer(Err(SendError::Overloaded));
            }
        }
        self.order.push_back((key.clone(), now));
        self.entries.insert(key, Entry::Active { actor, incarnation, used: now });
    }

    /// Asks the least used aggregate that was last used at or before `until` to leave.
    ///
    /// Returns whether there was one.
    fn passivate_one(&mut self, until: Instant) -> bool {
        // Each is looked at once, so aggregates in use are not gone round for ever.
        for _ in 0..self.order.len() {
            let Some((key, queued)) = self.order.pop_front() else { return false };
            let Some(Entry::Active { actor, incarnation, used }) = self.entries.get(&key) else {
                continue;
            };
            let (incarnation, used) = (*incarnation, *used);
            if queued > until {
                self.order.push_front((key, queued));
                return false;
            }
            if used > queued || actor.try_send(Passivate).is_err() {
                self.order.push_back((key, used));
                continue;
            }
            count(&self.kind.tally.passivated);
            let entry = Entry::Passivating { incarnation, buffer: VecDeque::new() };
            self.entries.insert(key, entry);
            return true;
        }
        false
    }

    fn let_idle_go(&mut self, context: &mut Context<Self>) {
        let idle = self.kind.world.config.idle_timeout;
        if idle.is_zero() {
            let now = Instant::now();
            while self.passivate_one(now) {}
        } else if !self.is_timer_set {
            self.set_timer(idle, context);
        }
    }

    fn set_timer(&mut self, after: Duration, context: &mut Context<Self>) {
        let Some((_, oldest)) = self.order.front() else { return };
        let wait = after.saturating_sub(oldest.elapsed()).max(Duration::from_millis(1));
        self.is_timer_set = true;
        context.run_later(wait, move |shard, context| {
            shard.is_timer_set = false;
            let now = Instant::now();
            if let Some(until) = now.checked_sub(after) {
                while shard.passivate_one(until) {}
            }
            shard.set_timer(after, context);
        });
    }
}

impl<A: Aggregate> Actor for RegistryShard<A> {
    type Context = Context<Self>;
}

impl<A: Aggregate> Handler<Envelope<A>> for RegistryShard<A> {
    type Result = ();

    fn handle(&mut self, envelope: Envelope<A>, context: &mut Self::Context) {
        self.deliver(envelope);
        self.let_idle_go(context);
    }
}

impl<A: Aggregate> StreamHandler<Gone> for RegistryShard<A> {
    fn handle(&mut self, gone: Gone, _: &mut Self::Context) {
        let Place::Occupied(place) = self.entries.entry(gone.key.clone()) else { return };
        match place.get() {
            // A later incarnation; this farewell is not about it.
            Entry::Active { incarnation, .. } | Entry::Passivating { incarnation, .. }
                if *incarnation != gone.incarnation => {}
            Entry::Active { .. } => {
                count(&self.kind.tally.lost);
                place.remove();
            }
            Entry::Passivating { .. } => {
                if let Entry::Passivating { buffer, .. } = place.remove()
                    && !buffer.is_empty()
                {
                    self.bring_up(gone.key, buffer, Instant::now());
                }
            }
        }
    }
}

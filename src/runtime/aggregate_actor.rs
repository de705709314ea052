//! One live aggregate: an actor that does the I/O of its pipeline.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, WrapFuture};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use tokio::sync::mpsc::UnboundedSender;

use super::earlier::look_up;
use super::envelope::{Envelope, Key};
use super::kind::Kind;
use super::outcome::outcome_stream;
use super::pipeline::{Pipeline, Work};
use super::recovery::{recover, snapshot_key};
use super::tally::count;
use super::trace::Traces;
use crate::aggregate::Aggregate;
use crate::event::{NewEvent, Position, Revision};
use crate::sql::StoredSnapshot;
use crate::store::{Append, AppendError, Appended, Expected, StreamWrite};

/// Decides the commands of one aggregate, one after the other.
pub(super) struct AggregateActor<A: Aggregate> {
    kind: Arc<Kind<A>>,
    key: Key,
    /// Boxed, because actix wants actors that can be moved whatever their state is.
    pipeline: Box<Pipeline<A>>,
    is_leaving: bool,
    is_timer_set: bool,
    is_watched: bool,
    farewell: Farewell,
    _alive: Alive<A>,
}

/// Counts an incarnation for as long as it exists.
struct Alive<A>(Arc<Kind<A>>);

/// The last word of an actor to its shard, sent however the actor ends.
pub(super) struct Farewell {
    pub key: Key,
    pub incarnation: u64,
    pub shard: UnboundedSender<Gone>,
}

/// Says that an incarnation of an aggregate is gone and holds no command any more.
#[derive(Debug)]
pub(super) struct Gone {
    pub key: Key,
    pub incarnation: u64,
}

/// Asks an actor to finish what it has and stop; its shard sends nothing behind it.
pub(super) struct Passivate;

impl actix::Message for Passivate {
    type Result = ();
}

impl<A: Aggregate> AggregateActor<A> {
    /// Starts an incarnation on the current thread.
    pub fn start(kind: &Arc<Kind<A>>, farewell: Farewell) -> actix::Addr<Self> {
        let mut context = Context::new();
        // All that a shard may have let through at once; the pipeline's own bound is told.
        context.set_mailbox_capacity(kind.bounds.waiting_max.saturating_add(1));
        context.run(Self {
            kind: Arc::clone(kind),
            key: farewell.key.clone(),
            pipeline: Box::new(Pipeline::new(Arc::clone(kind))),
            is_leaving: false,
            is_timer_set: false,
            is_watched: false,
            farewell,
            _alive: Alive::new(kind),
        })
    }

    fn advance(&mut self, context: &mut Context<Self>) {
        while let Some(work) = self.pipeline.next_work(Instant::now()) {
            self.begin(work, context);
        }
        if self.pipeline.is_lingering() && !self.is_watched {
            self.watch(context);
        }
        if self.pipeline.is_idle() {
            if self.is_leaving {
                context.stop();
            }
        } else if !self.is_timer_set {
            self.set_timer(context);
        }
    }

    fn begin(&mut self, work: Work<A>, context: &mut Context<Self>) {
        match work {
            Work::Load => {
                let load = recover(Arc::clone(&self.kind), self.key.clone()).into_actor(self);
                context.spawn(load.map(|loaded, actor, context| {
                    actor.pipeline.on_loaded(loaded);
                    actor.advance(context);
                }));
            }
            Work::LookUp(messages) => {
                let look = look_up(Arc::clone(&self.kind.world), messages).into_actor(self);
                context.spawn(look.map(|found, actor, context| {
                    actor.pipeline.on_looked_up(found);
                    actor.advance(context);
                }));
            }
            Work::Append { base, events, kept } => {
                let append = self.append(base, events, kept).into_actor(self);
                context.spawn(append.map(|result, actor, context| {
                    if actor.pipeline.on_appended(result, Instant::now()) {
                        count(&actor.kind.tally.conflicts);
                    }
                    actor.advance(context);
                }));
            }
            Work::KeepSnapshot { revision, position, state } => {
                self.keep(revision, position, &state);
            }
        }
    }

    fn append(
        &self,
        base: Revision,
        events: Vec<NewEvent>,
        kept: Vec<NewEvent>,
    ) -> BoxFuture<'static, Result<Appended, AppendError>> {
        let (tenant, stream) = (self.key.tenant.clone(), self.key.stream.clone());
        let traces = self.traces(base, &events);
        let mut append = Append::to_stream(tenant, stream, Expected::At(base), events);
        if !kept.is_empty() {
            match outcome_stream(&self.key) {
                Ok(stream) => {
                    let expected = Expected::Any;
                    append.writes.push(StreamWrite { stream, expected, events: kept });
                }
                Err(error) => {
                    return ready(Err(AppendError::Invalid(error.to_string()))).boxed();
                }
            }
        }
        let appended = self.kind.world.store.append(append);
        if traces.is_empty() {
            return appended;
        }
        async move {
            let appended = appended.await;
            drop(traces);
            appended
        }
        .boxed()
    }

    /// Begins the spans of an append; none when nobody wants them.
    fn traces(&self, base: Revision, events: &[NewEvent]) -> Traces {
        let mut traces = Traces::default();
        if !Traces::are_wanted() {
            return traces;
        }
        for event in events {
            traces.add(&event.metadata, |trace_id, parent_span_id| {
                tracing::debug_span!(
                    parent: None,
                    "append",
                    tenant = %self.key.tenant,
                    stream = %self.key.stream,
                    revision = %base.next(),
                    correlation_id = event.metadata.correlation_id,
                    trace_id,
                    parent_span_id,
                )
            });
        }
        traces
    }

    /// Keeps a snapshot beside the work; nobody waits for it, and losing it costs only time.
    fn keep(&self, revision: Revision, position: Position, state: &[u8]) {
        let Some(policy) = &self.kind.policy else { return };
        let mut bytes = position.get().to_le_bytes().to_vec();
        bytes.extend_from_slice(state);
        let key = snapshot_key(&self.key, policy);
        let snapshots = self.kind.world.snapshots.clone();
        actix_rt::spawn(async move {
            let kept = StoredSnapshot { revision, state: bytes };
            if let Err(error) = snapshots.save(key, kept).await {
                tracing::warn!(%error, "snapshot was not kept");
            }
        });
    }

    /// Sees to it that an append that lingers goes in time.
    ///
    /// It waits for microseconds, and timers of this runtime count milliseconds. So the clock
    /// is looked at again and again; in between everything else on this thread runs, and
    /// other threads do, since the senders that are waited for may need this very core.
    fn watch(&mut self, context: &mut Context<Self>) {
        self.is_watched = true;
        let pause = async {
            std::thread::yield_now();
            tokio::task::yield_now().await;
        };
        context.spawn(pause.into_actor(self).map(|(), actor, context| {
            actor.is_watched = false;
            actor.pipeline.look(Instant::now());
            actor.advance(context);
        }));
    }

    /// Sees to it that no sender waits for ever, whatever the store does.
    fn set_timer(&mut self, context: &mut Context<Self>) {
        self.is_timer_set = true;
        context.run_later(self.kind.world.config.command_timeout, |actor, context| {
            actor.is_timer_set = false;
            actor.pipeline.expire(Instant::now());
            actor.advance(context);
        });
    }
}

impl<A: Aggregate> Actor for AggregateActor<A> {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        // When the shard is lost, its successor starts incarnations of its own.
        let shard = self.farewell.shard.clone();
        let lost = async move { shard.closed().await }.into_actor(self);
        context.spawn(lost.map(|(), actor, context| {
            actor.is_leaving = true;
            actor.advance(context);
        }));
    }
}

impl<A: Aggregate> Handler<Envelope<A>> for AggregateActor<A> {
    type Result = ();

    fn handle(&mut self, envelope: Envelope<A>, context: &mut Self::Context) {
        self.pipeline.accept(envelope);
        self.advance(context);
    }
}

impl<A: Aggregate> Handler<Passivate> for AggregateActor<A> {
    type Result = ();

    fn handle(&mut self, _: Passivate, context: &mut Self::Context) {
        self.is_leaving = true;
        self.advance(context);
    }
}

impl<A> Alive<A> {
    fn new(kind: &Arc<Kind<A>>) -> Self {
        kind.world.live.fetch_add(1, Ordering::Relaxed);
        kind.tally.active.fetch_add(1, Ordering::Relaxed);
        count(&kind.tally.started);
        Self(Arc::clone(kind))
    }
}

impl<A> Drop for Alive<A> {
    fn drop(&mut self) {
        self.0.world.live.fetch_sub(1, Ordering::Relaxed);
        self.0.tally.active.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Farewell {
    fn drop(&mut self) {
        let gone = Gone { key: self.key.clone(), incarnation: self.incarnation };
        // Nobody listens when the shard itself is gone.
        let _ = self.shard.send(gone);
    }
}

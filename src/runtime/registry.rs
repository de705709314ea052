//! The registry of one aggregate type: finds the shard of a stream and waits for the answer.

use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use actix::Addr;
use actix::prelude::SendError as Unsent;
use actix_rt::ArbiterHandle;
use parking_lot::Mutex;
use rustc_hash::FxBuildHasher;
use tokio::sync::oneshot;

use super::arbiters::Arbiters;
use super::cause;
use super::envelope::{Answer, Decision, Envelope, Key, Message, SendOptions, keyed_id};
use super::error::SendError;
use super::intake::Refusal;
use super::kind::Kind;
use super::shard::RegistryShard;
use crate::aggregate::Aggregate;
use crate::event::EventId;

/// How often a command is handed on when its actor is lost before it answered.
const SENDS_MAX: u32 = 5;

/// The live aggregates of one type, in shards over the arbiters.
pub(super) struct Registry<A: Aggregate> {
    pub kind: Arc<Kind<A>>,
    shards: Vec<Shard<A>>,
}

struct Shard<A: Aggregate> {
    arbiter: ArbiterHandle,
    address: Mutex<Addr<RegistryShard<A>>>,
}

impl<A: Aggregate> Registry<A> {
    /// Starts the shards; `None` when the arbiters are gone already.
    pub async fn start(kind: Arc<Kind<A>>, arbiters: &Arbiters) -> Option<Self> {
        let mut shards = Vec::new();
        for at in 0..kind.world.config.shards.max(1) {
            let arbiter = arbiters.at(at)?.clone();
            let (kind, (tell, told)) = (Arc::clone(&kind), oneshot::channel());
            arbiter.spawn_fn(move || drop(tell.send(RegistryShard::start(kind))));
            shards.push(Shard { arbiter, address: Mutex::new(told.await.ok()?) });
        }
        Some(Self { kind, shards })
    }

    /// Sends a command and waits until it is durable, refused or given up.
    pub async fn send(
        &self,
        key: Key,
        decision: Box<dyn Decision<A>>,
        options: SendOptions,
    ) -> Answer<A> {
        let message = Arc::new(self.message(key, decision, options)?);
        for sending in 0..SENDS_MAX {
            let slot = self.kind.world.intake.enter().map_err(|refusal| match refusal {
                Refusal::Full => SendError::Overloaded,
                Refusal::Closed => SendError::Stopping,
            })?;
            let (envelope, answer) = Envelope::new(Arc::clone(&message), sending > 0, slot);
            self.hand_over(envelope).await;
            // Without an answer the actor was lost with the command; whether it was done is
            // found by its event ids.
            if let Ok(answer) = answer.await {
                return answer;
            }
        }
        Err(SendError::Lost { attempts: SENDS_MAX })
    }

    fn message(
        &self,
        key: Key,
        decision: Box<dyn Decision<A>>,
        options: SendOptions,
    ) -> Result<Message<A>, SendError<A::Rejection>> {
        let mut metadata = options.metadata;
        let mut first_id = None;
        if let Some(idempotency_key) = options.idempotency_key {
            let invalid = |error: serde_json::Error| SendError::Invalid(error.to_string());
            first_id = Some(keyed_id(&key, &idempotency_key, (0, 0)));
            metadata.idempotency_key = Some(idempotency_key);
            metadata.command_hash = Some(decision.fingerprint().map_err(invalid)?);
        }
        let first_id = first_id.unwrap_or_else(EventId::fresh);
        let metadata = cause::complete(metadata, first_id);
        metadata.check().map_err(|error| SendError::Invalid(error.to_string()))?;
        Ok(Message {
            key,
            decision,
            expected: options.expected,
            metadata,
            first_id,
            span: tracing::Span::current(),
            deadline: Instant::now() + self.kind.world.config.command_timeout,
        })
    }

    async fn hand_over(&self, envelope: Envelope<A>) {
        let hash = FxBuildHasher.hash_one(&envelope.message.key);
        // The upper bits: the lower ones of this hash are the weaker ones.
        let at = (hash >> 32) as usize % self.shards.len().max(1);
        let Some(shard) = self.shards.get(at) else { return };
        let sent = shard.address.lock().try_send(envelope);
        match sent {
            Ok(()) => {}
            Err(Unsent::Full(mut envelope)) => envelope.answer(Err(SendError::Overloaded)),
            Err(Unsent::Closed(envelope)) => self.hand_to_successor(shard, envelope).await,
        }
    }

    /// Puts a new shard in the place of a lost one. Incarnations of the lost one finish what
    /// they have; the store's revisions keep them and their successors apart.
    async fn hand_to_successor(&self, shard: &Shard<A>, envelope: Envelope<A>) {
        let (kind, (tell, told)) = (Arc::clone(&self.kind), oneshot::channel());
        shard.arbiter.spawn_fn(move || drop(tell.send(RegistryShard::start(kind))));
        let Ok(successor) = told.await else { return };
        let mut address = shard.address.lock();
        if !address.connected() {
            self.kind.tally.shard_restarts.fetch_add(1, Ordering::Relaxed);
            *address = successor;
        }
        if let Err(Unsent::Full(mut envelope) | Unsent::Closed(mut envelope)) =
            address.try_send(envelope)
        {
            envelope.answer(Err(SendError::Overloaded));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::time::Duration;

    use actix::Handler;
    use futures_util::future::join_all;
    use serde::{Deserialize, Serialize};

    use super::super::config::RuntimeConfig;
    use super::super::envelope::Typed;
    use super::super::world::World;
    use super::*;
    use crate::aggregate::{Command, Context, Decide};
    use crate::clock::SystemClock;
    use crate::event::{StreamId, Tenant};
    use crate::sql::SqliteConfig;
    use crate::store::{EventStore, MemoryStore};
    use crate::test::FaultyStore;

    #[derive(Default)]
    struct Tally;

    #[derive(Clone, Serialize, Deserialize)]
    enum TallyEvent {
        Ticked {},
    }

    crate::event_schema! { TallyEvent in "tally" { Ticked = 1 } }

    #[derive(Clone, Serialize, Deserialize, utoipa::ToSchema)]
    struct Tick {}

    impl Command for Tick {
        const NAME: &'static str = "tick";
    }

    impl Aggregate for Tally {
        type Event = TallyEvent;
        type Rejection = Infallible;

        fn evolve(&mut self, _: &TallyEvent) {}
    }

    impl Decide<Tick> for Tally {
        fn decide(&self, _: Tick, _: &Context) -> Result<Vec<TallyEvent>, Infallible> {
            Ok(vec![TallyEvent::Ticked {}])
        }
    }

    struct Crash;

    impl actix::Message for Crash {
        type Result = ();
    }

    impl Handler<Crash> for RegistryShard<Tally> {
        type Result = ();

        fn handle(&mut self, _: Crash, _: &mut Self::Context) {
            panic!("shard is to be lost")
        }
    }

    async fn registry(store: Arc<FaultyStore>) -> (Registry<Tally>, Arbiters, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let database = SqliteConfig::at(folder.path().join("read.db")).open().unwrap();
        let config = RuntimeConfig { shards: 2, ..RuntimeConfig::default() };
        let world = World::new(store, SystemClock::shared(), database, config);
        let arbiters = Arbiters::start(2).unwrap();
        let registry = Registry::start(Arc::new(Kind::new(Arc::new(world))), &arbiters).await;
        (registry.unwrap(), arbiters, folder)
    }

    fn tick(id: u64) -> (Key, Box<dyn Decision<Tally>>) {
        let stream = StreamId::new("tally", (id % 7).to_string()).unwrap();
        (Key { tenant: Tenant::default_tenant(), stream }, Box::new(Typed(Tick {})))
    }

    #[tokio::test]
    async fn no_command_is_lost_or_doubled_when_its_shard_is_lost() {
        let memory = MemoryStore::shared();
        let store = FaultyStore::over(memory.clone());
        let (registry, arbiters, _folder) = registry(Arc::clone(&store)).await;
        store.hold();
        let send = |id| {
            let (key, decision) = tick(id);
            registry.send(key, decision, SendOptions::default())
        };
        let before = async { join_all((0..50).map(send)).await };
        let crash_and_go_on = async {
            store.wait_held(7).await;
            for shard in &registry.shards {
                shard.address.lock().try_send(Crash).unwrap();
            }
            let after = join_all((50..100).map(send));
            store.release();
            after.await
        };
        let (before, after) = tokio::time::timeout(Duration::from_secs(20), async {
            tokio::join!(before, crash_and_go_on)
        })
        .await
        .unwrap();
        assert!(before.iter().chain(&after).all(Result::is_ok), "{before:?} {after:?}");
        assert_eq!(memory.head().borrow().get(), 100);
        assert_eq!(registry.kind.tally.shard_restarts.load(Ordering::Relaxed), 2);
        drop(arbiters);
    }
}

//! The handle to everything that runs.

use std::any::Any;
use std::future::Future;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use actix::Addr;
use prometheus::Registry;
use tokio::sync::{oneshot, watch};

use super::arbiters::Threads;
use super::builder::SystemBuilder;
use super::catalog::{Catalog, JsonCommand};
use super::envelope::Key;
use super::error::{AddressError, JsonSendError};
use super::handle::AggregateHandle;
use super::health::{Check, HealthCheck, run_all};
use super::places::Places;
use super::read_models::ReadModels;
use super::report::{ActorReport, SystemReport};
use super::spec::CommandInfo;
use super::supervised_actor::ActorSpec;
use super::supervisor::{ActorState, ActorStatus, Resume, StopAll, Supervised, Supervisor};
use super::world::World;
use crate::aggregate::{Aggregate, Receipt};
use crate::event::{Event, StreamId, Tenant};
use crate::sql::Database;
use crate::store::SharedStore;

/// A running system; cheap to clone, usable from any thread and executor.
///
/// It runs until [`System::shutdown`], or until the last handle is dropped.
#[derive(Clone)]
pub struct System {
    inner: Arc<Inner>,
}

/// A way to a system that does not keep it running; what its own actors have.
#[derive(Clone)]
pub struct WeakSystem {
    inner: Weak<Inner>,
}

struct Inner {
    world: Arc<World>,
    threads: Threads,
    catalog: Catalog,
    read_models: ReadModels,
    outside: Outside,
    supervision: OnceLock<Supervision>,
}

/// What plugins brought for those who look at the system from outside, and the databases that
/// know of it.
pub(super) struct Outside {
    pub checks: Vec<Check>,
    pub routes: Vec<Routes>,
    pub metrics: Vec<Registry>,
    pub places: Places,
}

struct Supervision {
    supervisor: Addr<Supervisor>,
    actors: Vec<Supervised>,
}

/// Something for whoever serves the system.
type Routes = Arc<dyn Any + Send + Sync>;

/// What a shutdown could not wait for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leftover {
    /// Commands without an answer when the time was over; they may or may not be done.
    pub commands: usize,
    /// Supervised actors that had not ended when the time was over.
    pub actors: Vec<String>,
}

impl System {
    /// Begins to put a system together over a log and a read side.
    #[must_use]
    pub fn builder(store: SharedStore, database: Database) -> SystemBuilder {
        SystemBuilder::new(store, database)
    }

    pub(super) fn new(
        (world, threads): (Arc<World>, Threads),
        catalog: Catalog,
        read_models: ReadModels,
        outside: Outside,
    ) -> Self {
        let supervision = OnceLock::new();
        let inner = Inner { world, threads, catalog, read_models, outside, supervision };
        Self { inner: Arc::new(inner) }
    }

    /// Starts the supervisor and its actors; `None` when its thread is gone already.
    pub(super) async fn supervise(&self, specs: Vec<ActorSpec>) -> Option<()> {
        let workers = self.inner.threads.workers.all().to_vec();
        let rules = self.inner.world.config.supervision.clone();
        let (weak, (tell, told)) = (self.downgrade(), oneshot::channel());
        let arbiter = self.inner.threads.watch.at(0)?;
        arbiter.spawn_fn(move || drop(tell.send(Supervisor::start(weak, rules, workers, specs))));
        let (supervisor, actors) = told.await.ok()?;
        self.inner.supervision.set(Supervision { supervisor, actors }).ok()
    }

    /// Returns a handle that does not keep the system running.
    #[must_use]
    pub fn downgrade(&self) -> WeakSystem {
        WeakSystem { inner: Arc::downgrade(&self.inner) }
    }

    /// Addresses an aggregate.
    ///
    /// # Errors
    /// [`AddressError`] when its type is not registered or the id is not a name.
    pub fn at<A: Aggregate>(
        &self,
        tenant: &Tenant,
        id: impl AsRef<str>,
    ) -> Result<AggregateHandle<A>, AddressError> {
        let category = <A::Event as Event>::CATEGORY;
        let registry = self.inner.catalog.typed::<A>();
        let registry = registry
            .ok_or_else(|| AddressError::NotRegistered { category: category.to_owned() })?;
        let key = Key { tenant: tenant.clone(), stream: StreamId::new(category, id)? };
        Ok(AggregateHandle::new(registry, key))
    }

    /// Sends a command by name.
    ///
    /// # Errors
    /// [`JsonSendError`]; each variant says who acts.
    pub async fn send_json(&self, command: JsonCommand) -> Result<Receipt, JsonSendError> {
        self.inner.catalog.send(command).await
    }

    /// Returns every command that can be sent by name.
    #[must_use]
    pub fn commands(&self) -> Vec<CommandInfo> {
        self.inner.catalog.commands()
    }

    /// Returns whether the events of a category come from its aggregate's commands alone
    /// ([`AggregateSpec::reserved`](super::AggregateSpec::reserved)).
    #[must_use]
    pub fn is_reserved(&self, category: &str) -> bool {
        self.inner.catalog.is_reserved(category)
    }

    /// Returns the log.
    #[must_use]
    pub fn store(&self) -> &SharedStore {
        &self.inner.world.store
    }

    /// Returns the read side.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.inner.world.database
    }

    /// Returns what the plugins brought of type `R`, in their order.
    #[must_use]
    pub fn routes<R: Any + Send + Sync>(&self) -> Vec<Arc<R>> {
        let routes = self.inner.outside.routes.iter();
        routes.filter_map(|routes| Arc::clone(routes).downcast().ok()).collect()
    }

    /// Returns what the actors say of themselves.
    #[must_use]
    pub fn report(&self) -> SystemReport {
        let mut actors = self.inner.catalog.report();
        actors.extend(self.supervised().iter().map(ActorReport::of_supervised));
        SystemReport {
            waiting_commands: self.inner.world.intake.waiting(),
            live_aggregates: self.inner.world.live.load(Ordering::Relaxed),
            actors,
        }
    }

    /// Asks every part whether it works: read side, supervised actors, then the plugins'
    /// checks. A check that does not answer within 2 s counts as failed.
    pub async fn health(&self) -> Vec<HealthCheck> {
        let database = self.inner.world.database.clone();
        let mut checks = vec![Check::new("read side".into(), move || {
            let database = database.clone();
            async move {
                let answer = database.read("select 1", Vec::new()).await;
                answer.map(drop).map_err(|error| error.to_string())
            }
        })];
        checks.extend(self.inner.outside.checks.iter().cloned());
        let mut found = self.on_watch_thread(run_all(checks)).await.unwrap_or_default();
        found.extend(self.supervised().iter().map(Supervised::health));
        found
    }

    /// Watches a supervised actor; `None` when there is none of that name.
    #[must_use]
    pub fn watch_actor(&self, name: &str) -> Option<watch::Receiver<ActorStatus>> {
        let found = self.supervised().iter().find(|actor| actor.name == name);
        found.map(|actor| actor.status.clone())
    }

    /// Starts a halted actor again.
    ///
    /// Returns whether there was a halted one of that name.
    pub async fn resume_actor(&self, name: &str) -> bool {
        let Some(supervision) = self.inner.supervision.get() else { return false };
        supervision.supervisor.send(Resume(name.to_owned())).await.unwrap_or(false)
    }

    /// Takes no more commands, waits until those under way are answered and every supervised
    /// actor has ended, and ends every thread; at most for `within`.
    ///
    /// Returns what was left when the time was over.
    pub async fn shutdown(&self, within: Duration) -> Leftover {
        let intake = self.inner.world.intake.clone();
        intake.close();
        let actors = self.supervised().to_vec();
        let supervisor = self.inner.supervision.get().map(|own| own.supervisor.clone());
        let system = self.clone();
        let drain = async move {
            // Commands first: an actor that is still at work may send some.
            intake.drained().await;
            if let Some(supervisor) = supervisor {
                let _ = supervisor.send(StopAll).await;
            }
            for mut actor in actors {
                let has_ended =
                    |state: ActorState| matches!(state, ActorState::Ended | ActorState::Halted);
                let _ = actor.status.wait_for(|status| has_ended(status.state)).await;
            }
            system.inner.outside.places.leave().await;
        };
        let _ = self.on_watch_thread(tokio::time::timeout(within, drain)).await;
        let leftover = self.leftover();
        self.inner.threads.stop();
        leftover
    }

    pub(super) fn plugin_metrics(&self) -> &[Registry] {
        &self.inner.outside.metrics
    }

    pub(super) fn read_models(&self) -> &ReadModels {
        &self.inner.read_models
    }

    fn leftover(&self) -> Leftover {
        let busy = self.supervised().iter().filter(|actor| actor.is_busy());
        let actors = busy.map(|actor| actor.name.clone()).collect();
        Leftover { commands: self.inner.world.intake.waiting(), actors }
    }

    fn supervised(&self) -> &[Supervised] {
        self.inner.supervision.get().map(|own| own.actors.as_slice()).unwrap_or_default()
    }

    /// Lets a future run on a thread of the system until it ends or the threads do.
    pub(super) fn spawn_on_watch_thread(&self, future: impl Future<Output = ()> + Send + 'static) {
        if let Some(watch) = self.inner.threads.watch.at(0) {
            watch.spawn(future);
        }
    }

    /// Runs a future on a thread of the system, which has a timer; the caller's executor may
    /// have none. `None` when the threads are gone.
    pub(super) async fn on_watch_thread<F>(&self, future: F) -> Option<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send,
    {
        let (tell, told) = oneshot::channel();
        self.inner.threads.watch.at(0)?.spawn(async move {
            let _ = tell.send(future.await);
        });
        told.await.ok()
    }
}

impl WeakSystem {
    /// Returns the system; `None` when it is not running any more.
    #[must_use]
    pub fn upgrade(&self) -> Option<System> {
        Some(System { inner: self.inner.upgrade()? })
    }
}

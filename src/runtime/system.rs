//! The handle to everything that runs.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::oneshot;

use super::arbiters::Arbiters;
use super::builder::SystemBuilder;
use super::catalog::{Catalog, JsonCommand};
use super::envelope::{Key, SendOptions, Typed};
use super::error::{AddressError, JsonSendError, SendError};
use super::registry::Registry;
use super::report::SystemReport;
use super::spec::CommandInfo;
use super::world::World;
use crate::aggregate::{Aggregate, Command, Decide, Receipt};
use crate::event::{Event, StreamId, Tenant};
use crate::store::SharedStore;

/// A running system; cheap to clone, usable from any thread and executor.
///
/// It runs until [`System::shutdown`], or until the last handle is dropped.
#[derive(Clone)]
pub struct System {
    inner: Arc<Inner>,
}

struct Inner {
    world: Arc<World>,
    arbiters: Arc<Arbiters>,
    catalog: Catalog,
}

/// An aggregate that commands can be sent to; it need not exist yet.
pub struct AggregateHandle<A: Aggregate> {
    registry: Arc<Registry<A>>,
    key: Key,
}

/// What a shutdown could not wait for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leftover {
    /// Commands without an answer when the time was over; they may or may not be done.
    pub commands: usize,
}

impl System {
    /// Begins to put a system together over a log.
    #[must_use]
    pub fn builder(store: SharedStore) -> SystemBuilder {
        SystemBuilder::new(store)
    }

    pub(super) fn new(world: Arc<World>, arbiters: Arc<Arbiters>, catalog: Catalog) -> Self {
        Self { inner: Arc::new(Inner { world, arbiters, catalog }) }
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
        Ok(AggregateHandle { registry, key })
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

    /// Returns the log.
    #[must_use]
    pub fn store(&self) -> &SharedStore {
        &self.inner.world.store
    }

    /// Returns what the actors say of themselves.
    #[must_use]
    pub fn report(&self) -> SystemReport {
        SystemReport {
            waiting_commands: self.inner.world.intake.waiting(),
            live_aggregates: self.inner.world.live.load(Ordering::Relaxed),
            actors: self.inner.catalog.report(),
        }
    }

    /// Takes no more commands, waits until those under way are answered, and ends every
    /// thread; at most for `within`.
    ///
    /// Returns what was left when the time was over.
    pub async fn shutdown(&self, within: Duration) -> Leftover {
        let world = Arc::clone(&self.inner.world);
        world.intake.close();
        // On a thread of the system, which has a timer; the caller's executor may have none.
        let (tell, told) = oneshot::channel();
        if let Some(arbiter) = self.inner.arbiters.at(0) {
            arbiter.spawn(async move {
                let _ = tokio::time::timeout(within, world.intake.drained()).await;
                let _ = tell.send(());
            });
        }
        let _ = told.await;
        let leftover = Leftover { commands: self.inner.world.intake.waiting() };
        drop(self.inner.arbiters.stop());
        leftover
    }
}

impl<A: Aggregate> AggregateHandle<A> {
    /// Sends a command and waits until what it led to is durable.
    ///
    /// # Errors
    /// [`SendError`]; each variant says who acts.
    pub async fn send<C: Command>(&self, command: C) -> Result<Receipt, SendError<A::Rejection>>
    where
        A: Decide<C>,
    {
        self.send_with(command, SendOptions::default()).await
    }

    /// Sends a command with its cause, key or expected revision.
    ///
    /// # Errors
    /// [`SendError`]; each variant says who acts.
    pub async fn send_with<C: Command>(
        &self,
        command: C,
        options: SendOptions,
    ) -> Result<Receipt, SendError<A::Rejection>>
    where
        A: Decide<C>,
    {
        self.registry.send(self.key.clone(), Box::new(Typed(command)), options).await
    }
}

//! All registered aggregates: by type for typed senders, by category for JSON.

use std::any::{Any, TypeId};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use rustc_hash::FxHashMap;

use super::arbiters::Arbiters;
use super::envelope::{Key, SendOptions};
use super::error::JsonSendError;
use super::kind::Kind;
use super::outcome::OUTCOME_CATEGORY;
use super::registry::Registry;
use super::report::ActorReport;
use super::spec::{AggregateSpec, CommandInfo};
use super::world::World;
use crate::aggregate::{Aggregate, Receipt};
use crate::event::{Category, Event, StreamId, Tenant};

/// A command by name.
#[derive(Clone, Debug)]
pub struct JsonCommand {
    /// Who owns the aggregate.
    pub tenant: Tenant,
    /// The aggregate's category.
    pub category: String,
    /// The aggregate's id inside its category.
    pub id: String,
    /// The command's name.
    pub command: String,
    /// The command's fields, as a JSON object.
    pub body: Bytes,
    /// What the sender adds.
    pub options: SendOptions,
}

/// How a JSON command is answered.
pub(super) type JsonAnswer = Result<Receipt, JsonSendError>;

/// The registries of a system.
#[derive(Default)]
pub(super) struct Catalog {
    by_type: FxHashMap<TypeId, Arc<dyn Any + Send + Sync>>,
    by_category: FxHashMap<&'static str, Arc<dyn Registered>>,
}

/// A registry that has not been started yet.
pub(super) trait Unstarted: Send {
    fn category(&self) -> &'static str;

    fn commands(&self) -> Vec<&'static str>;

    fn start<'a>(
        self: Box<Self>,
        world: Arc<World>,
        arbiters: &'a Arbiters,
        catalog: &'a mut Catalog,
    ) -> BoxFuture<'a, Option<()>>;
}

/// A registry whose type is not known.
trait Registered: Send + Sync {
    fn commands(&self) -> Vec<CommandInfo>;

    fn send(self: Arc<Self>, command: JsonCommand) -> BoxFuture<'static, JsonAnswer>;

    fn report(&self) -> ActorReport;

    fn is_reserved(&self) -> bool;
}

struct Named<A: Aggregate> {
    registry: Arc<Registry<A>>,
    category: Category,
    spec: AggregateSpec<A>,
}

impl Catalog {
    /// Returns the registry of a type; `None` when it was not registered.
    pub fn typed<A: Aggregate>(&self) -> Option<Arc<Registry<A>>> {
        Arc::clone(self.by_type.get(&TypeId::of::<A>())?).downcast().ok()
    }

    pub async fn send(&self, command: JsonCommand) -> JsonAnswer {
        let Some(registered) = self.by_category.get(command.category.as_str()) else {
            let mut known: Vec<_> = self.by_category.keys().copied().collect();
            known.sort_unstable();
            return Err(JsonSendError::UnknownCategory { category: command.category, known });
        };
        Arc::clone(registered).send(command).await
    }

    /// Returns every command, by category and then as registered.
    pub fn commands(&self) -> Vec<CommandInfo> {
        let mut all: Vec<_> = self.by_category.values().flat_map(|own| own.commands()).collect();
        all.sort_by_key(|info| info.category);
        all
    }

    /// Returns whether a category is that of an aggregate that reserved it, or that of outcomes.
    pub fn is_reserved(&self, category: &str) -> bool {
        category == OUTCOME_CATEGORY
            || self.by_category.get(category).is_some_and(|own| own.is_reserved())
    }

    pub fn report(&self) -> Vec<ActorReport> {
        let mut all: Vec<_> = self.by_category.values().map(|own| own.report()).collect();
        all.sort_by(|one, other| one.kind.cmp(&other.kind));
        all
    }
}

impl<A: Aggregate> Unstarted for AggregateSpec<A> {
    fn category(&self) -> &'static str {
        <A::Event as Event>::CATEGORY
    }

    fn commands(&self) -> Vec<&'static str> {
        self.commands.iter().map(|command| command.name).collect()
    }

    fn start<'a>(
        self: Box<Self>,
        world: Arc<World>,
        arbiters: &'a Arbiters,
        catalog: &'a mut Catalog,
    ) -> BoxFuture<'a, Option<()>> {
        async move {
            let name = Unstarted::category(&*self);
            let category = Category::new(name).ok()?;
            let registry = Registry::<A>::start(Arc::new(Kind::new(world)), arbiters).await?;
            let registry = Arc::new(registry);
            let any: Arc<dyn Any + Send + Sync> = Arc::<Registry<A>>::clone(&registry);
            catalog.by_type.insert(TypeId::of::<A>(), any);
            let named = Named { registry, category, spec: *self };
            catalog.by_category.insert(name, Arc::new(named));
            Some(())
        }
        .boxed()
    }
}

impl<A: Aggregate> Registered for Named<A> {
    fn commands(&self) -> Vec<CommandInfo> {
        let category = <A::Event as Event>::CATEGORY;
        self.spec.commands.iter().map(|command| (command.info)(category)).collect()
    }

    fn send(self: Arc<Self>, command: JsonCommand) -> BoxFuture<'static, JsonAnswer> {
        async move {
            let Some(spec) = self.spec.commands.iter().find(|own| own.name == command.command)
            else {
                let known = Unstarted::commands(&self.spec);
                let (category, command) = (command.category, command.command);
                return Err(JsonSendError::UnknownCommand { category, command, known });
            };
            let stream = StreamId::of(self.category.clone(), &command.id)?;
            let decision = (spec.parse)(&command.body)?;
            let key = Key { tenant: command.tenant, stream };
            Ok(self.registry.send(key, decision, command.options).await?)
        }
        .boxed()
    }

    fn report(&self) -> ActorReport {
        ActorReport::of_aggregate(self.category.as_str(), &self.registry.kind.tally)
    }

    fn is_reserved(&self) -> bool {
        self.spec.is_reserved
    }
}

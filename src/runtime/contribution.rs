//! The parts a system is made of, from the program itself and from each plugin.

use std::any::Any;
use std::future::Future;
use std::sync::Arc;

use prometheus::Registry;

use super::catalog::Unstarted;
use super::health::Check;
use super::spec::AggregateSpec;
use super::supervised_actor::ActorSpec;
use crate::aggregate::Aggregate;
use crate::projection::{Definition, Projection, RowProjection};
use crate::sql::MigrationSet;

/// Collects parts; each verb adds one.
#[derive(Default)]
pub struct Contribution {
    pub(super) migrations: Vec<MigrationSet>,
    pub(super) aggregates: Vec<Box<dyn Unstarted>>,
    pub(super) projections: Vec<Definition>,
    pub(super) actors: Vec<ActorSpec>,
    pub(super) checks: Vec<Check>,
    pub(super) routes: Vec<Arc<dyn Any + Send + Sync>>,
    pub(super) metrics: Vec<Registry>,
}

impl Contribution {
    /// Adds steps of the read side's schema, done before anything starts.
    #[must_use]
    pub fn migrations(mut self, set: MigrationSet) -> Self {
        self.migrations.push(set);
        self
    }

    /// Returns the steps that have been added.
    #[must_use]
    pub fn migration_sets(&self) -> &[MigrationSet] {
        &self.migrations
    }

    /// Adds an aggregate and its commands.
    #[must_use]
    pub fn aggregate<A: Aggregate>(mut self, spec: AggregateSpec<A>) -> Self {
        self.aggregates.push(Box::new(spec));
        self
    }

    /// Adds a projection in SQL form.
    #[must_use]
    pub fn projection<P: Projection>(mut self, projection: P) -> Self {
        self.projections.push(Definition::of(projection));
        self
    }

    /// Adds a projection in row form.
    #[must_use]
    pub fn rows<P: RowProjection>(mut self, projection: P) -> Self {
        self.projections.push(Definition::of_rows(projection));
        self
    }

    /// Adds a supervised actor.
    #[must_use]
    pub fn actor(mut self, spec: ActorSpec) -> Self {
        self.actors.push(spec);
        self
    }

    /// Adds a health check: `Err` says in words what is wrong.
    #[must_use]
    pub fn health<F, C>(mut self, name: impl Into<String>, check: F) -> Self
    where
        F: Fn() -> C + Send + Sync + 'static,
        C: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.checks.push(Check::new(name.into(), check));
        self
    }

    /// Adds numbers that are collected with the system's own ([`System::metrics`]).
    ///
    /// Their names begin with `headwater_` and the plugin's name, so that no two are the same.
    ///
    /// [`System::metrics`]: super::System::metrics
    #[must_use]
    pub fn metrics(mut self, registry: Registry) -> Self {
        self.metrics.push(registry);
        self
    }

    /// Adds something for whoever serves the system to the outside: the server asks for its
    /// own type with [`System::routes`](super::System::routes), the runtime does not look.
    #[must_use]
    pub fn routes<R: Any + Send + Sync>(mut self, routes: R) -> Self {
        self.routes.push(Arc::new(routes));
        self
    }
}

//! Puts a system together and starts it.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use super::arbiters::Threads;
use super::catalog::{Catalog, Unstarted};
use super::config::RuntimeConfig;
use super::contribution::Contribution;
use super::feed::{Catalog as ProjectionCatalog, StepError};
use super::places::Places;
use super::read_models::ReadModels;
use super::spec::AggregateSpec;
use super::supervised_actor::ActorSpec;
use super::system::{Outside, System};
use super::world::World;
use crate::aggregate::Aggregate;
use crate::clock::{SharedClock, SystemClock};
use crate::event::{Category, NameError};
use crate::nodes::NodeConfig;
use crate::plugin::Plugin;
use crate::projection::{Projection, RowProjection};
use crate::sql::{Database, MigrationError, Migrator, OpenError, SqlError};
use crate::store::SharedStore;

/// Says why a system could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Two aggregates share a category. Developer: rename or leave out one of them.
    #[error("category {category:?} is registered twice: rename or leave out one aggregate")]
    CategoryTwice {
        /// The category.
        category: &'static str,
    },
    /// Two commands of an aggregate share a name. Developer: rename one.
    #[error("command {command:?} of category {category:?} is registered twice: rename one")]
    CommandTwice {
        /// The category.
        category: &'static str,
        /// The command's name.
        command: &'static str,
    },
    /// Two parts of one sort share a name. Developer: rename or leave out one of them.
    #[error("{what} {name:?} is registered twice: rename or leave out one")]
    NameTwice {
        /// What sort: plugin, actor.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// The schema of the read side could not be brought up; the error says who acts.
    #[error(transparent)]
    Migration(#[from] MigrationError),
    /// A projection's tables could not be prepared; the error says who acts.
    #[error(transparent)]
    Projection(#[from] StepError),
    /// The read side did not take its place among the nodes. Nobody while it is transient, else
    /// operator.
    #[error(transparent)]
    Nodes(#[from] SqlError),
    /// The read side cannot be opened once more for heartbeats. Operator: the limits of the
    /// machine.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A category is not a name. Developer: rename it.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The threads could not be started. Operator: look at the limits of the machine.
    #[error("threads of the runtime could not be started: {0}")]
    Threads(#[from] io::Error),
}

/// Collects what a system consists of.
pub struct SystemBuilder {
    store: SharedStore,
    clock: SharedClock,
    database: Database,
    config: RuntimeConfig,
    node: NodeConfig,
    log_tables: Option<Database>,
    plugins: Vec<&'static str>,
    parts: Contribution,
}

impl SystemBuilder {
    pub(super) fn new(store: SharedStore, database: Database) -> Self {
        Self {
            store,
            clock: SystemClock::shared(),
            database,
            config: RuntimeConfig::default(),
            node: NodeConfig::default(),
            log_tables: None,
            plugins: Vec::new(),
            parts: Contribution::default(),
        }
    }

    /// Sets the clock that decisions see; the machine's by default.
    #[must_use]
    pub fn clock(mut self, clock: SharedClock) -> Self {
        self.clock = clock;
        self
    }

    /// Sets the bounds.
    #[must_use]
    pub fn config(mut self, config: RuntimeConfig) -> Self {
        self.config = config;
        self
    }

    /// Sets how this program presents itself to others that share the read side.
    #[must_use]
    pub fn node(mut self, node: NodeConfig) -> Self {
        self.node = node;
        self
    }

    /// Says where the log's tables lie, if it has any, so that no migration takes away what this
    /// program needs of them.
    #[must_use]
    pub fn log_tables(mut self, tables: Option<Database>) -> Self {
        self.log_tables = tables;
        self
    }

    /// Adds a capability with all its parts.
    #[must_use]
    pub fn plugin(mut self, plugin: impl Plugin) -> Self {
        self.plugins.push(plugin.name());
        self.parts = plugin.contribute(self.parts);
        self
    }

    /// Adds an aggregate and its commands.
    #[must_use]
    pub fn aggregate<A: Aggregate>(mut self, spec: AggregateSpec<A>) -> Self {
        self.parts = self.parts.aggregate(spec);
        self
    }

    /// Adds a projection in SQL form.
    #[must_use]
    pub fn projection<P: Projection>(mut self, projection: P) -> Self {
        self.parts = self.parts.projection(projection);
        self
    }

    /// Adds a projection in row form.
    #[must_use]
    pub fn rows<P: RowProjection>(mut self, projection: P) -> Self {
        self.parts = self.parts.rows(projection);
        self
    }

    /// Adds a supervised actor.
    #[must_use]
    pub fn actor(mut self, spec: ActorSpec) -> Self {
        self.parts = self.parts.actor(spec);
        self
    }

    /// Brings the schema of the read side up and starts every actor; when it returns, commands
    /// and orders for projections are taken.
    ///
    /// # Errors
    /// [`StartError`] when two things share a name or the threads cannot be started; nothing
    /// is left running then.
    pub async fn start(self) -> Result<System, StartError> {
        let parts = self.parts;
        check_names(&parts.aggregates)?;
        check_unique("plugin", self.plugins.iter().copied())?;
        let migrator = Migrator::new(self.database.clone(), parts.migrations);
        match self.node.is_visitor {
            true => migrator.check().await?,
            false => migrator.up().await.map(drop)?,
        }
        let (database, store) = (self.database.clone(), Arc::clone(&self.store));
        let bounds = self.config.projections.clone();
        let projections =
            ProjectionCatalog::open(database, store, parts.projections, bounds).await?;
        let places = Places::join(&self.database, migrator, self.log_tables, self.node).await?;
        let read_models = ReadModels::new(projections, places.read_side.clone());
        read_models.stand_ready();
        let threads = Threads::start(&self.config)?;
        if let Some(watch) = threads.watch.at(0) {
            for place in places.all() {
                watch.spawn(place.live());
            }
        }
        let world = Arc::new(World::new(self.store, self.clock, self.database, self.config));
        let mut catalog = Catalog::default();
        for aggregate in parts.aggregates {
            let started =
                aggregate.start(Arc::clone(&world), &threads.aggregates, &mut catalog).await;
            started.ok_or_else(|| io::Error::other("an arbiter ended at its start"))?;
        }
        let mut actors = read_models.actors();
        actors.extend(parts.actors);
        check_unique("actor", actors.iter().map(|actor| actor.name.as_str()))?;
        let (checks, routes, metrics) = (parts.checks, parts.routes, parts.metrics);
        let outside = Outside { checks, routes, metrics, places };
        let system = System::new((world, threads), catalog, read_models, outside);
        let supervised = system.supervise(actors).await;
        supervised.ok_or_else(|| io::Error::other("the supervisor ended at its start"))?;
        system.follow_projection_actors();
        system.projections_ready().await;
        Ok(system)
    }
}

fn check_unique<'a>(
    what: &'static str,
    names: impl Iterator<Item = &'a str>,
) -> Result<(), StartError> {
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(StartError::NameTwice { what, name: name.to_owned() });
        }
    }
    Ok(())
}

fn check_names(aggregates: &[Box<dyn Unstarted>]) -> Result<(), StartError> {
    let mut categories = BTreeSet::new();
    for aggregate in aggregates {
        let category = aggregate.category();
        Category::new(category)?;
        if !categories.insert(category) {
            return Err(StartError::CategoryTwice { category });
        }
        let mut commands = BTreeSet::new();
        for command in aggregate.commands() {
            if !commands.insert(command) {
                return Err(StartError::CommandTwice { category, command });
            }
        }
    }
    Ok(())
}

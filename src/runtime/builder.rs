//! Puts a system together and starts it.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use super::arbiters::Arbiters;
use super::catalog::{Catalog, Unstarted};
use super::config::RuntimeConfig;
use super::snapshot::{NoSnapshots, SharedSnapshots, SnapshotCache};
use super::spec::AggregateSpec;
use super::system::System;
use super::world::World;
use crate::aggregate::Aggregate;
use crate::clock::{SharedClock, SystemClock};
use crate::event::{Category, NameError};
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
    snapshots: SharedSnapshots,
    config: RuntimeConfig,
    aggregates: Vec<Box<dyn Unstarted>>,
}

impl SystemBuilder {
    pub(super) fn new(store: SharedStore) -> Self {
        Self {
            store,
            clock: SystemClock::shared(),
            snapshots: Arc::new(NoSnapshots),
            config: RuntimeConfig::default(),
            aggregates: Vec::new(),
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

    /// Sets where snapshots are kept.
    #[must_use]
    pub fn snapshots(mut self, snapshots: Arc<dyn SnapshotCache>) -> Self {
        self.snapshots = snapshots;
        self
    }

    /// Adds an aggregate and its commands.
    #[must_use]
    pub fn aggregate<A: Aggregate>(mut self, spec: AggregateSpec<A>) -> Self {
        self.aggregates.push(Box::new(spec));
        self
    }

    /// Starts every actor.
    ///
    /// # Errors
    /// [`StartError`] when two things share a name or the threads cannot be started; nothing
    /// is left running then.
    pub async fn start(self) -> Result<System, StartError> {
        check_names(&self.aggregates)?;
        let arbiters = Arc::new(Arbiters::start(self.config.arbiters)?);
        let world = Arc::new(World::new(self.store, self.clock, self.snapshots, self.config));
        let mut catalog = Catalog::default();
        for aggregate in self.aggregates {
            let started = aggregate.start(Arc::clone(&world), &arbiters, &mut catalog).await;
            started.ok_or_else(|| io::Error::other("an arbiter ended at its start"))?;
        }
        Ok(System::new(world, arbiters, catalog))
    }
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

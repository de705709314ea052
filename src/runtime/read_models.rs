//! The projections of a system: how they stand, and what operators may do to them.

use std::sync::Arc;
use std::time::Duration;

use rustc_hash::FxHashMap;
use tokio::sync::watch;

use super::feed::Catalog;
use super::projection_actor::{ControlError, ProjectionControl, Request};
use super::supervised_actor::ActorSpec;
use super::supervisor::{ActorState, ActorStatus};
use super::system::System;
use crate::event::Position;
use crate::nodes::Membership;
use crate::projection::{ProjectionStatus, QueryError};

/// The catalog of projections, and the way to the actors that run them.
#[derive(Clone)]
pub(super) struct ReadModels {
    pub catalog: Catalog,
    pub membership: Membership,
    controls: Arc<FxHashMap<&'static str, ProjectionControl>>,
}

impl ReadModels {
    pub fn new(catalog: Catalog, membership: Membership) -> Self {
        let names = catalog.list().into_iter().map(|readable| readable.name);
        let controls = names.map(|name| (name, ProjectionControl::default())).collect();
        Self { catalog, membership, controls: Arc::new(controls) }
    }

    /// Describes the actors, by name of the projection.
    pub fn actors(&self) -> Vec<ActorSpec> {
        let names = self.catalog.list().into_iter().map(|readable| readable.name);
        let actor = |name| {
            let control = self.controls.get(name)?;
            Some(control.actor(name, self.catalog.clone(), self.membership.clone()))
        };
        names.filter_map(actor).collect()
    }

    /// Says that this node can run every projection.
    pub fn stand_ready(&self) {
        for name in self.controls.keys() {
            self.membership.set_able(&ProjectionControl::actor_name(name), self.version(name));
        }
    }

    /// Leaves a projection to other nodes while its actor here is given up; until then it stays,
    /// since the supervisor starts it again.
    async fn follow_actor(self, name: &'static str, mut status: watch::Receiver<ActorStatus>) {
        let lease = ProjectionControl::actor_name(name);
        while status.changed().await.is_ok() {
            let is_given_up = status.borrow_and_update().state == ActorState::Halted;
            let version = self.version(name).filter(|_| !is_given_up);
            self.membership.set_able(&lease, version);
        }
    }

    fn version(&self, name: &str) -> Option<u32> {
        Some(self.catalog.version(name))
    }

    async fn ask(&self, name: &str, request: Request) -> Result<(), ControlError> {
        match self.controls.get(name) {
            Some(control) => control.ask(name, request).await,
            None => {
                let known = self.catalog.list().into_iter().map(|readable| readable.name);
                Err(ControlError::Unknown { name: name.to_owned(), known: known.collect() })
            }
        }
    }
}

impl System {
    /// Lets other nodes know when an actor of a projection is given up, or resumed.
    pub(super) fn follow_projection_actors(&self) {
        for name in self.read_models().controls.keys() {
            if let Some(status) = self.watch_actor(&ProjectionControl::actor_name(name)) {
                let follow = self.read_models().clone().follow_actor(name, status);
                self.spawn_on_watch_thread(follow);
            }
        }
    }

    /// Waits until every projection takes requests; one whose actor ends first is not waited
    /// for, but left to the supervisor.
    pub(super) async fn projections_ready(&self) {
        for (name, control) in self.read_models().controls.iter() {
            let status = self.watch_actor(&ProjectionControl::actor_name(name));
            let Some(mut status) = status else { continue };
            let has_ended = |status: &ActorStatus| {
                status.last_exit.is_some() || status.state == ActorState::Ended
            };
            tokio::select! {
                () = control.ready() => {}
                _ = status.wait_for(has_ended) => {}
            }
        }
    }

    /// Returns the catalog, through which rows are read.
    #[must_use]
    pub fn catalog(&self) -> &Catalog {
        &self.read_models().catalog
    }

    /// Returns this node among those that share the read side.
    #[must_use]
    pub fn membership(&self) -> &Membership {
        &self.read_models().membership
    }

    /// Returns how every projection stands, by name; of one that another node runs, as it was
    /// at most a second ago.
    #[must_use]
    pub fn projections(&self) -> Vec<ProjectionStatus> {
        self.catalog().statuses()
    }

    /// Waits until a projection has considered everything up to a position, at most for
    /// `time`; returns where it is then.
    ///
    /// # Errors
    /// [`QueryError`] when there is no such projection, it has halted before the position, or
    /// the time is over.
    pub async fn wait_for(
        &self,
        name: &str,
        position: Position,
        time: Duration,
    ) -> Result<Position, QueryError> {
        let (catalog, name) = (self.catalog().clone(), name.to_owned());
        let asked = name.clone();
        let wait = async move { catalog.wait_for(&asked, position, time).await };
        let stopped = QueryError::NotReached { name, at: Position::ZERO, wanted: position };
        self.on_watch_thread(wait).await.unwrap_or(Err(stopped))
    }

    /// Stops a projection from applying events, over restarts too, until it is resumed.
    ///
    /// # Errors
    /// [`ControlError`]; each variant says who acts.
    pub async fn pause(&self, name: &str) -> Result<(), ControlError> {
        self.read_models().ask(name, Request::Pause).await
    }

    /// Lets a paused or halted projection go on; its actor too, when that was given up.
    ///
    /// # Errors
    /// [`ControlError`]; each variant says who acts.
    pub async fn resume(&self, name: &str) -> Result<(), ControlError> {
        if self.resume_actor(&ProjectionControl::actor_name(name)).await {
            // It takes its place in the catalog by itself, and tries the halted event again.
            return Ok(());
        }
        self.read_models().ask(name, Request::Resume).await
    }

    /// Fills a projection anew beside its present rows and swaps the two when it has caught
    /// up; returns when that has begun.
    ///
    /// # Errors
    /// [`ControlError`]; each variant says who acts.
    pub async fn rebuild(&self, name: &str) -> Result<(), ControlError> {
        self.read_models().ask(name, Request::Rebuild).await
    }
}

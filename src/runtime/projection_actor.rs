//! The actor around a projection: runs it while this node holds its lease, else follows how it
//! stands elsewhere. An operator's request is done here all the same: the lease is taken for it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::sleep;

use super::feed::{Catalog, StepError};
use super::projection_owner::{End, ProjectionOwner};
use super::supervised_actor::{ActorContext, ActorError, ActorResult, ActorSpec};
use crate::nodes::{ClaimError, Membership, Tenure};
use crate::store::StoreError;

/// How often an unowned projection is looked at when nobody waits for it.
const LOOK_IDLE: Duration = Duration::from_secs(1);
/// How often it is looked at while somebody does.
const LOOK_AWAITED: Duration = Duration::from_millis(20);
/// The wait before the next try when the read side failed.
const OUTAGE_WAIT: Duration = Duration::from_secs(1);
/// The most requests of operators that wait for one projection.
const REQUESTS_MAX: usize = 16;

/// Says why a projection did not do what an operator asked.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// There is no such projection. Caller.
    #[error("projection {name:?} is not known: known are {}", known.join(", "))]
    Unknown {
        /// The name asked for.
        name: String,
        /// The projections there are.
        known: Vec<&'static str>,
    },
    /// Its actor does not run, or too many requests wait. Caller: look at the health of the
    /// system, try again.
    #[error("projection {name:?} takes no requests now, look at the health and try again")]
    NotRunning {
        /// The name.
        name: String,
    },
    /// The projection refused or failed; the error says who acts.
    #[error(transparent)]
    Step(#[from] StepError),
    /// It could not be taken from the node that runs it; the error says who acts.
    #[error(transparent)]
    Claim(#[from] ClaimError),
}

/// What an operator may ask of a projection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    Pause,
    Resume,
    Rebuild,
}

/// The way to the actor that runs a projection now.
#[derive(Clone, Default)]
pub(super) struct ProjectionControl {
    /// Put in by each actor at its start, in place of that of the one before.
    actor: Arc<watch::Sender<Option<mpsc::Sender<Asked>>>>,
}

/// A request, and the one who waits for its end.
pub(super) type Asked = (Request, oneshot::Sender<Result<(), ControlError>>);

impl ProjectionControl {
    /// Returns the name under which the supervisor knows a projection's actor.
    pub fn actor_name(projection: &str) -> String {
        format!("projection {projection}")
    }

    /// Describes the actor of a projection.
    pub fn actor(&self, name: &'static str, catalog: Catalog, membership: Membership) -> ActorSpec {
        let control = self.clone();
        let lease = Self::actor_name(name);
        ActorSpec::new(lease.clone(), move |actor| {
            let (ask, asked) = mpsc::channel(REQUESTS_MAX);
            control.actor.send_replace(Some(ask));
            let (catalog, membership) = (catalog.clone(), membership.clone());
            let lease = lease.clone();
            ProjectionActor { name, lease, catalog, membership, actor, asked }.run()
        })
    }

    /// Waits until an actor takes requests.
    pub async fn ready(&self) {
        // The sender lives as long as this borrow, so the wait cannot fail.
        let _ = self.actor.subscribe().wait_for(Option::is_some).await;
    }

    /// Asks the projection and waits for its answer.
    pub async fn ask(&self, name: &str, request: Request) -> Result<(), ControlError> {
        let gone = || ControlError::NotRunning { name: name.to_owned() };
        let (tell, told) = oneshot::channel();
        let actor = self.actor.borrow().clone().ok_or_else(gone)?;
        actor.try_send((request, tell)).map_err(|_| gone())?;
        told.await.map_err(|_| gone())?
    }
}

struct ProjectionActor {
    name: &'static str,
    /// The lease that says who runs it.
    lease: String,
    catalog: Catalog,
    membership: Membership,
    actor: ActorContext,
    asked: mpsc::Receiver<Asked>,
}

/// How waiting for a lease ends.
enum Turn {
    Own(Tenure, Option<Asked>),
    Stop,
    /// What it follows is not what it would run.
    Fail(StepError),
}

impl ProjectionActor {
    async fn run(mut self) -> ActorResult {
        let mut carried = None;
        loop {
            let heartbeat = self.actor.heartbeat.clone();
            let (tenure, asked) = match heartbeat.idle(self.until_held(carried)).await {
                Turn::Own(tenure, asked) => (tenure, asked),
                Turn::Stop => return Ok(()),
                Turn::Fail(error) => return Err(ActorError(error.to_string())),
            };
            let end = self.own(&tenure, asked).await;
            heartbeat.idle(self.give_up(&tenure)).await;
            match end? {
                End::Stopped => return Ok(()),
                End::Lost(asked) => carried = asked,
            }
        }
    }

    /// Follows the projection until this node is to run it, or an operator wants it here.
    async fn until_held(&mut self, mut carried: Option<Asked>) -> Turn {
        let (lease, membership) = (self.lease.clone(), self.membership.clone());
        let (catalog, name) = (self.catalog.clone(), self.name);
        loop {
            if let Some((request, tell)) = carried.take() {
                match membership.claim(&lease).await {
                    Ok(tenure) => return Turn::Own(tenure, Some((request, tell))),
                    Err(error) => drop(tell.send(Err(error.into()))),
                }
            }
            tokio::select! {
                biased;
                () = self.actor.stopped() => return Turn::Stop,
                tenure = membership.held(&lease) => return Turn::Own(tenure, None),
                Some(asked) = self.asked.recv() => carried = Some(asked),
                followed = follow(&catalog, name) => if let Err(error) = followed {
                    return Turn::Fail(error);
                },
            }
        }
    }

    /// Runs the projection while the lease is held.
    async fn own(&mut self, tenure: &Tenure, asked: Option<Asked>) -> Result<End, ActorError> {
        let runner = match self.catalog.runner_under(self.name, tenure.clone()).await {
            Ok(runner) => runner,
            Err(StepError::Fenced { .. }) => return Ok(End::Lost(asked)),
            Err(error) => return self.not_opened(error, asked).await,
        };
        if tenure.company().is_there() {
            tracing::info!(projection = self.name, "this node runs it now");
        }
        let lost = self.membership.lost(tenure);
        let (actor, requests) = (self.actor.clone(), &mut self.asked);
        ProjectionOwner { runner, actor, asked: requests }.run(asked, lost).await
    }

    /// Lets another node have it: whoever takes it waits until what is under way has ended.
    async fn give_up(&self, tenure: &Tenure) {
        while let Err(error) = self.membership.give_up(tenure).await {
            tracing::warn!(projection = self.name, %error, "lease was not given up");
            if self.actor.is_stopped() {
                // All of them are given up when the node leaves, or lost when it is silent.
                return;
            }
            rest(&self.actor).await;
        }
    }

    /// An outage is waited out here; what else is wrong is for the supervisor.
    async fn not_opened(&self, error: StepError, asked: Option<Asked>) -> Result<End, ActorError> {
        let words = error.to_string();
        let is_outage = match &error {
            StepError::Sql(error) => error.is_transient(),
            StepError::Store(error) => matches!(error, StoreError::Unavailable { .. }),
            _ => false,
        };
        if let Some((_, tell)) = asked {
            // An operator who has gone does not want to know.
            drop(tell.send(Err(error.into())));
        }
        if !is_outage {
            return Err(ActorError(words));
        }
        tracing::warn!(projection = self.name, error = words, "projection was not taken over");
        self.actor.heartbeat.idle(rest(&self.actor)).await;
        Ok(End::Lost(None))
    }
}

/// Looks how a projection stands, then rests, less when somebody waits for it.
///
/// # Errors
/// [`StepError::OtherLog`]: it is not this program's. What else is wrong may pass.
async fn follow(catalog: &Catalog, name: &'static str) -> Result<(), StepError> {
    match catalog.look(name).await {
        Err(error @ StepError::OtherLog { .. }) => return Err(error),
        Err(error) => {
            tracing::debug!(projection = name, %error, "projection of another node was not seen");
            sleep(OUTAGE_WAIT).await;
            return Ok(());
        }
        Ok(()) => {}
    }
    match catalog.is_awaited(name) {
        true => sleep(LOOK_AWAITED).await,
        false => tokio::select! {
            () = sleep(LOOK_IDLE) => {}
            () = catalog.awaited(name) => {}
        },
    }
    Ok(())
}

/// Waits for an outage to pass, or the request to stop.
pub(super) async fn rest(actor: &ActorContext) {
    tokio::select! {
        () = actor.stopped() => {}
        () = sleep(OUTAGE_WAIT) => {}
    }
}

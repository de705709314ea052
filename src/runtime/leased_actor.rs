//! An actor of which one runs at a time among all nodes that share the read side.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use super::supervised_actor::{ActorContext, ActorError, ActorResult, ActorSpec};
use crate::nodes::{Membership, Tenure};

/// The wait before the next try to give a lease up.
const OUTAGE_WAIT: Duration = Duration::from_secs(1);

impl ActorSpec {
    /// Describes an actor that runs on one node at a time: on the one that holds the lease of
    /// the actor's name. The nodes with the highest `version` share such work out among them.
    ///
    /// `start` makes the body anew each time this node gets the lease. When the lease is lost or
    /// wanted by another node, the body is asked to stop as if the whole system stopped, and the
    /// lease is given up when it has ended; one that fails leaves the work to other nodes until
    /// the supervisor starts it again. A node may be taken for dead and still run, so whatever
    /// the body writes must be fenced with [`Tenure::is_held`].
    pub fn leased<F, B>(name: impl Into<String>, version: u32, start: F) -> Self
    where
        F: Fn(ActorContext, Tenure) -> B + Clone + Send + Sync + 'static,
        B: Future<Output = ActorResult> + 'static,
    {
        let name = name.into();
        let lease = name.clone();
        Self::new(name, move |actor| run(lease.clone(), version, actor, start.clone()))
    }
}

/// Says that this node can do the work, until it is dropped.
struct Ready {
    lease: String,
    membership: Membership,
}

impl Drop for Ready {
    fn drop(&mut self) {
        self.membership.set_able(&self.lease, None);
    }
}

async fn run<F, B>(lease: String, version: u32, actor: ActorContext, start: F) -> ActorResult
where
    F: Fn(ActorContext, Tenure) -> B,
    B: Future<Output = ActorResult>,
{
    let Some(system) = actor.system.upgrade() else { return Ok(()) };
    let membership = system.membership().clone();
    // The actor must not keep the system running.
    drop(system);
    membership.set_able(&lease, Some(version));
    let _ready = Ready { lease: lease.clone(), membership: membership.clone() };
    loop {
        let heartbeat = actor.heartbeat.clone();
        let held = heartbeat.idle(async {
            tokio::select! {
                biased;
                () = actor.stopped() => None,
                tenure = membership.held(&lease) => Some(tenure),
            }
        });
        let Some(tenure) = held.await else { return Ok(()) };
        let end = under(&tenure, &membership, &actor, &start).await;
        heartbeat.idle(give_up(&tenure, &membership, &actor)).await;
        if end? == End::Finished || actor.is_stopped() {
            return Ok(());
        }
    }
}

/// How a body ends.
#[derive(PartialEq, Eq)]
enum End {
    /// It has nothing more to do.
    Finished,
    /// It was asked to stop.
    Stopped,
}

/// Runs a body until it ends, and asks it to when the lease is lost.
async fn under<F, B>(
    tenure: &Tenure,
    membership: &Membership,
    actor: &ActorContext,
    start: &F,
) -> Result<End, ActorError>
where
    F: Fn(ActorContext, Tenure) -> B,
    B: Future<Output = ActorResult>,
{
    let (halt, stop) = watch::channel(false);
    let mut body = pin!(start(actor.until(stop), tenure.clone()));
    let over = async {
        tokio::select! {
            () = actor.stopped() => {}
            () = membership.lost(tenure) => {}
        }
    };
    tokio::select! {
        end = &mut body => return end.map(|()| End::Finished),
        () = over => {}
    }
    halt.send_replace(true);
    body.await.map(|()| End::Stopped)
}

/// Lets another node have the work: it has ended here.
async fn give_up(tenure: &Tenure, membership: &Membership, actor: &ActorContext) {
    while let Err(error) = membership.give_up(tenure).await {
        tracing::warn!(lease = tenure.lease(), %error, "lease was not given up");
        if actor.is_stopped() {
            // All of them are given up when the node leaves, or lost when it is silent.
            return;
        }
        tokio::select! {
            () = actor.stopped() => {}
            () = sleep(OUTAGE_WAIT) => {}
        }
    }
}

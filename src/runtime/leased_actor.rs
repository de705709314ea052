//! An actor of which one runs at a time among all nodes that share the read side.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
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
        let work = Work { lease: name.clone(), version, latest: Arc::default() };
        Self::new(name, move |actor| run(work.clone(), actor, start.clone()))
    }
}

/// What an actor does, the same for all that are started one after the other.
#[derive(Clone)]
struct Work {
    lease: String,
    version: u32,
    /// How many have been started.
    latest: Arc<AtomicU64>,
}

/// Says that this node can do the work, until it is dropped.
struct Ready {
    work: Work,
    number: u64,
    membership: Membership,
}

impl Ready {
    fn new(work: &Work, membership: &Membership) -> Self {
        let number = work.latest.fetch_add(1, Ordering::SeqCst) + 1;
        membership.set_able(&work.lease, Some(work.version));
        Self { work: work.clone(), number, membership: membership.clone() }
    }
}

impl Drop for Ready {
    fn drop(&mut self) {
        // One that was frozen ends after its successor has begun, which is ready.
        if self.work.latest.load(Ordering::SeqCst) == self.number {
            self.membership.set_able(&self.work.lease, None);
        }
    }
}

async fn run<F, B>(work: Work, actor: ActorContext, start: F) -> ActorResult
where
    F: Fn(ActorContext, Tenure) -> B,
    B: Future<Output = ActorResult>,
{
    let Some(system) = actor.system.upgrade() else { return Ok(()) };
    let membership = system.membership().clone();
    // The actor must not keep the system running.
    drop(system);
    let _ready = Ready::new(&work, &membership);
    loop {
        let heartbeat = actor.heartbeat.clone();
        let held = heartbeat.idle(async {
            tokio::select! {
                biased;
                () = actor.stopped() => None,
                tenure = membership.held(&work.lease) => Some(tenure),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nodes::NodeConfig;
    use crate::sql::migration::NODES;
    use crate::sql::{Migrator, SqliteConfig};

    #[tokio::test]
    async fn one_that_ends_after_its_successor_has_begun_leaves_it_the_work() {
        let folder = tempfile::TempDir::new().unwrap();
        let database = SqliteConfig::at(folder.path().join("x.sqlite")).open().unwrap();
        Migrator::only(database.clone(), [NODES]).up().await.unwrap();
        let membership =
            Membership::join(database, NodeConfig::default(), Default::default()).await.unwrap();
        let work = Work { lease: "work".to_owned(), version: 1, latest: Arc::default() };
        let (frozen, successor) = (Ready::new(&work, &membership), Ready::new(&work, &membership));
        drop(frozen);
        membership.refresh().await.unwrap();
        assert!(membership.tenure("work").is_some());
        drop(successor);
        membership.refresh().await.unwrap();
        assert!(membership.tenure("work").is_none());
    }
}

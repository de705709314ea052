//! An actor that the supervisor keeps alive: runs a body and reports how it ended.

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use actix::{
    Actor, ActorContext as _, ActorFutureExt, Addr, AsyncContext, Context, Handler, WrapFuture,
};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use tokio::sync::watch;

use super::exit::ExitReason;
use super::heartbeat::Heartbeat;
use super::supervisor::{Exited, Supervisor};
use super::system::WeakSystem;

/// How an actor's body ends: `Ok` when it has nothing more to do.
pub type ActorResult = Result<(), ActorError>;

/// Says why an actor cannot go on; the supervisor starts it again after a while.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ActorError(pub String);

/// Makes the body of an actor, once for each start.
type Factory = dyn Fn(ActorContext) -> LocalBoxFuture<'static, ActorResult> + Send + Sync;

/// A supervised actor: a name and a way to start it.
#[derive(Clone)]
pub struct ActorSpec {
    /// Its name, unique in the system; shown in reports.
    pub name: String,
    factory: Arc<Factory>,
}

/// What an actor's body gets from its supervisor.
#[derive(Clone)]
pub struct ActorContext {
    /// The way to the system it belongs to.
    pub system: WeakSystem,
    /// Its sign of life; beat at each step.
    pub heartbeat: Heartbeat,
    stop: watch::Receiver<bool>,
}

/// Runs one body to its end.
pub(super) struct SupervisedActor {
    body: Option<LocalBoxFuture<'static, ActorResult>>,
    supervisor: Addr<Supervisor>,
    child: usize,
    epoch: u64,
}

/// Drops the body where it is, without waiting for it.
pub(super) struct Abandon;

impl actix::Message for Abandon {
    type Result = ();
}

impl ActorSpec {
    /// Describes an actor; `start` makes its body anew at each start.
    ///
    /// The body runs on one thread, beside other actors: it must not block, must beat at each
    /// step, must use [`Heartbeat::idle`] where it waits for work, and must end soon after
    /// [`ActorContext::stopped`].
    pub fn new<F, B>(name: impl Into<String>, start: F) -> Self
    where
        F: Fn(ActorContext) -> B + Send + Sync + 'static,
        B: Future<Output = ActorResult> + 'static,
    {
        Self { name: name.into(), factory: Arc::new(move |context| start(context).boxed_local()) }
    }
}

impl ActorContext {
    pub(super) const fn new(
        system: WeakSystem,
        heartbeat: Heartbeat,
        stop: watch::Receiver<bool>,
    ) -> Self {
        Self { system, heartbeat, stop }
    }

    /// Returns the same for a body that is asked to stop in another way.
    pub(super) fn until(&self, stop: watch::Receiver<bool>) -> Self {
        Self { stop, ..self.clone() }
    }

    /// Waits until the actor is asked to stop.
    pub async fn stopped(&self) {
        // A supervisor that is gone asks to stop as well.
        let _ = self.stop.clone().wait_for(|is_stopped| *is_stopped).await;
    }

    /// Returns whether the actor is asked to stop.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        *self.stop.borrow()
    }
}

impl SupervisedActor {
    /// Starts a body on the current thread.
    pub fn start(
        spec: &ActorSpec,
        context: ActorContext,
        supervisor: Addr<Supervisor>,
        (child, epoch): (usize, u64),
    ) -> Addr<Self> {
        let factory = Arc::clone(&spec.factory);
        // The factory is user code too, so it runs inside of what is caught.
        let body = async move { factory(context).await }.boxed_local();
        Actor::start(Self { body: Some(body), supervisor, child, epoch })
    }
}

impl Actor for SupervisedActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        let Some(body) = self.body.take() else { return };
        let body = AssertUnwindSafe(body).catch_unwind().into_actor(self);
        context.spawn(body.map(|end, actor, context| {
            let reason = match end {
                Ok(Ok(())) => ExitReason::Finished,
                Ok(Err(error)) => ExitReason::Failed(error.to_string()),
                Err(panic) => ExitReason::Panicked(words(&*panic)),
            };
            let told = Exited { child: actor.child, epoch: actor.epoch, reason };
            let supervisor = actor.supervisor.clone();
            let tell = async move { supervisor.send(told).await.is_ok() }.into_actor(actor);
            context.spawn(tell.map(|_, _, context| context.stop()));
        }));
    }
}

impl Handler<Abandon> for SupervisedActor {
    type Result = ();

    fn handle(&mut self, _: Abandon, context: &mut Self::Context) {
        context.stop();
    }
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("panic without words").to_owned()
}

//! The actor around a projection: steps its runner, and lets operators pause, resume and
//! rebuild it between two steps.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use super::feed::{Catalog, Runner, StepError};
use super::supervised_actor::{ActorContext, ActorError, ActorResult, ActorSpec};
use crate::projection::Step;

/// The wait before a step is tried again when log or read side failed.
const OUTAGE_WAIT: Duration = Duration::from_secs(1);
/// The most requests of operators that wait for one projection.
const REQUESTS_MAX: usize = 16;

/// Says why a projection did not do what an operator asked.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// There is no such projection. Caller.
    #[error("projection {name:?} is not known: known are {known:?}")]
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

type Asked = (Request, oneshot::Sender<Result<(), StepError>>);

impl ProjectionControl {
    /// Returns the name under which the supervisor knows a projection's actor.
    pub fn actor_name(projection: &str) -> String {
        format!("projection {projection}")
    }

    /// Describes the actor of a projection.
    pub fn actor(&self, catalog: Catalog, name: &'static str) -> ActorSpec {
        let control = self.clone();
        ActorSpec::new(Self::actor_name(name), move |actor| {
            let (catalog, control) = (catalog.clone(), control.clone());
            async move {
                let runner = catalog.runner(name).await.map_err(|error| failed(&error))?;
                ProjectionActor::new(runner, actor, &control).run().await
            }
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
        Ok(told.await.map_err(|_| gone())??)
    }
}

struct ProjectionActor {
    runner: Runner,
    actor: ActorContext,
    asked: mpsc::Receiver<Asked>,
}

/// What an actor does after something happened.
enum Next {
    Step,
    /// There is nothing to do until somebody asks for something.
    Stand,
    Stop,
}

impl ProjectionActor {
    fn new(runner: Runner, actor: ActorContext, control: &ProjectionControl) -> Self {
        let (ask, asked) = mpsc::channel(REQUESTS_MAX);
        control.actor.send_replace(Some(ask));
        Self { runner, actor, asked }
    }

    async fn run(mut self) -> ActorResult {
        loop {
            match self.once().await? {
                Next::Step => {}
                Next::Stop => return Ok(()),
                Next::Stand => {
                    let heartbeat = self.actor.heartbeat.clone();
                    if !heartbeat.idle(self.wait_for_request()).await {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Does a step, or what is asked meanwhile. A step that is dropped for that goes on in
    /// the read side's writer, and the runner finds out what became of it.
    async fn once(&mut self) -> Result<Next, ActorError> {
        let heartbeat = self.actor.heartbeat.clone();
        heartbeat.beat();
        let has_work = self.runner.status().lag_events > 0;
        let step = async {
            match has_work {
                true => self.runner.step().await,
                false => heartbeat.idle(self.runner.step()).await,
            }
        };
        tokio::select! {
            biased;
            () = self.actor.stopped() => Ok(Next::Stop),
            Some(asked) = self.asked.recv() => {
                self.answer(asked).await;
                Ok(Next::Step)
            }
            step = step => self.after(step).await,
        }
    }

    async fn after(&self, step: Result<Step, StepError>) -> Result<Next, ActorError> {
        let name = self.runner.name();
        match step {
            Ok(Step::Paused | Step::Halted) => return Ok(Next::Stand),
            Ok(Step::Failed { attempt, error }) => {
                tracing::warn!(projection = name, attempt, error, "batch failed");
            }
            Ok(Step::Poisoned { position, reason, .. }) => {
                tracing::error!(projection = name, %position, reason, "event cannot be applied");
            }
            Ok(Step::Swapped { generation }) => {
                tracing::info!(projection = name, generation, "rebuild took over");
            }
            Ok(Step::Applied { .. }) => {}
            Err(error @ (StepError::Store(_) | StepError::Sql(_))) => {
                tracing::warn!(projection = name, %error, "step failed");
                self.actor.heartbeat.idle(self.rest()).await;
            }
            Err(error) => return Err(failed(&error)),
        }
        Ok(Next::Step)
    }

    async fn rest(&self) {
        tokio::select! {
            () = self.actor.stopped() => {}
            () = tokio::time::sleep(OUTAGE_WAIT) => {}
        }
    }

    /// Waits for a request and does it; `false` when the actor is asked to stop first.
    async fn wait_for_request(&mut self) -> bool {
        tokio::select! {
            biased;
            () = self.actor.stopped() => false,
            Some(asked) = self.asked.recv() => {
                self.answer(asked).await;
                true
            }
        }
    }

    async fn answer(&mut self, (request, tell): Asked) {
        let done = match request {
            Request::Pause => self.runner.pause().await,
            Request::Resume => self.runner.resume().await,
            Request::Rebuild => self.runner.rebuild().await.map(drop),
        };
        // An operator who has gone does not want to know.
        let _ = tell.send(done);
    }
}

fn failed(error: &StepError) -> ActorError {
    ActorError(error.to_string())
}

//! A projection as the node runs it that holds its lease: step after step, and what operators
//! ask for between two steps.

use std::future::Future;
use std::pin::pin;

use tokio::sync::mpsc;

use super::feed::{Runner, StepError};
use super::projection_actor::{Asked, Request, rest};
use super::supervised_actor::{ActorContext, ActorError};
use crate::projection::Step;

/// Steps a runner.
pub(super) struct ProjectionOwner<'a> {
    pub runner: Runner,
    pub actor: ActorContext,
    pub asked: &'a mut mpsc::Receiver<Asked>,
}

/// Why a projection is not run any more.
pub(super) enum End {
    /// The actor was asked to stop.
    Stopped,
    /// The lease was lost, or is wanted by another node; what an operator asked for meanwhile
    /// is not done.
    Lost(Option<Asked>),
}

/// What is done after something happened.
enum Next {
    Step,
    /// There is nothing to do until somebody asks for something.
    Stand,
    Answer(Asked),
    End(End),
}

impl ProjectionOwner<'_> {
    /// Does what is asked first, then runs until the lease is lost or the actor is asked to stop.
    pub async fn run(
        mut self,
        first: Option<Asked>,
        lost: impl Future<Output = ()>,
    ) -> Result<End, ActorError> {
        let mut lost = pin!(lost);
        let mut next = first.map_or(Next::Step, Next::Answer);
        loop {
            next = match next {
                Next::Answer(asked) => match self.answer(asked).await {
                    Some(undone) => return Ok(End::Lost(Some(undone))),
                    None => Next::Step,
                },
                Next::End(end) => return Ok(end),
                next => next,
            };
            let actor = self.actor.clone();
            let going_on = async {
                match next {
                    Next::Stand => Ok(actor.heartbeat.idle(self.request()).await),
                    _ => self.once().await,
                }
            };
            next = tokio::select! {
                biased;
                () = actor.stopped() => Next::End(End::Stopped),
                () = &mut lost => Next::End(End::Lost(None)),
                next = going_on => next?,
            };
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
            Some(asked) = self.asked.recv() => Ok(Next::Answer(asked)),
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
                self.actor.heartbeat.idle(rest(&self.actor)).await;
            }
            Err(StepError::Fenced { .. }) => {
                tracing::info!(projection = name, "another node has taken it over");
                return Ok(Next::End(End::Lost(None)));
            }
            Err(error) => return Err(ActorError(error.to_string())),
        }
        Ok(Next::Step)
    }

    async fn request(&mut self) -> Next {
        let asked = self.asked.recv().await;
        asked.map_or(Next::End(End::Stopped), Next::Answer)
    }

    /// Does what an operator asks and says how it ended; returns it when another node runs the
    /// projection meanwhile, so that it must be taken from that one first.
    async fn answer(&mut self, (request, tell): Asked) -> Option<Asked> {
        let done = match request {
            Request::Pause => self.runner.pause().await,
            Request::Resume => self.runner.resume().await,
            Request::Rebuild => self.runner.rebuild().await.map(drop),
        };
        if let Err(StepError::Fenced { .. }) = done {
            return Some((request, tell));
        }
        // An operator who has gone does not want to know.
        let _ = tell.send(done.map_err(Into::into));
        None
    }
}

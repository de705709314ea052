//! Keeps actors alive: starts them again when they panic, fail or freeze, and gives up on one
//! that does so too often.

use std::collections::VecDeque;
use std::time::Duration;

use actix::{Actor, ActorFutureExt, Addr, AsyncContext, Context, Handler, WrapFuture};
use actix_rt::{Arbiter, ArbiterHandle};
use serde::Serialize;
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

use super::config::Supervision;
use super::exit::ExitReason;
use super::health::HealthCheck;
use super::heartbeat::{Heartbeat, Watch};
use super::supervised_actor::{Abandon, ActorContext, ActorSpec, SupervisedActor};
use super::system::WeakSystem;

/// Starts its children on the worker threads and watches them from another one.
pub(super) struct Supervisor {
    rules: Supervision,
    system: WeakSystem,
    workers: Vec<ArbiterHandle>,
    children: Vec<Child>,
}

/// Where a supervised actor stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ActorState {
    /// It runs.
    Running,
    /// It ended badly and will be started again.
    Waiting,
    /// It ended well, or was stopped.
    Ended,
    /// It ended badly too often; it stays down until it is resumed.
    Halted,
}

/// What is known of a supervised actor; counts are since the system started.
#[derive(Clone, Debug, Serialize)]
pub struct ActorStatus {
    /// Where it stands.
    pub state: ActorState,
    /// How often it was started.
    pub starts: u64,
    /// How often it panicked.
    pub panics: u64,
    /// How often it froze.
    pub freezes: u64,
    /// How it ended last; `None` while it never did.
    pub last_exit: Option<ExitReason>,
}

/// A child as others see it.
#[derive(Clone)]
pub(super) struct Supervised {
    pub name: String,
    pub status: watch::Receiver<ActorStatus>,
}

struct Child {
    spec: ActorSpec,
    status: watch::Sender<ActorStatus>,
    /// Tells this start from earlier ones, whose end no longer counts.
    epoch: u64,
    actor: Option<Addr<SupervisedActor>>,
    watch: Watch,
    stop: watch::Sender<bool>,
    /// When it ended badly, within the time that counts.
    failures: VecDeque<Instant>,
    /// A thread of its own, after it froze on a shared one.
    arbiter: Option<Arbiter>,
}

/// A child's body came to its end.
pub(super) struct Exited {
    pub child: usize,
    pub epoch: u64,
    pub reason: ExitReason,
}

/// Brings a halted child back.
pub(super) struct Resume(pub String);

/// Asks every child to stop.
pub(super) struct StopAll;

struct Started {
    child: usize,
    epoch: u64,
    actor: Addr<SupervisedActor>,
}

impl actix::Message for Exited {
    type Result = ();
}

impl actix::Message for Resume {
    type Result = bool;
}

impl actix::Message for StopAll {
    type Result = ();
}

impl Supervisor {
    /// Starts a supervisor on the current thread, and its children on the worker threads.
    pub fn start(
        system: WeakSystem,
        rules: Supervision,
        workers: Vec<ArbiterHandle>,
        specs: Vec<ActorSpec>,
    ) -> (Addr<Self>, Vec<Supervised>) {
        let children: Vec<_> = specs.into_iter().map(Child::new).collect();
        let seen = children.iter().map(Child::seen).collect();
        (Actor::start(Self { rules, system, workers, children }), seen)
    }

    fn start_child(&mut self, at: usize, context: &mut Context<Self>) {
        let Some(child) = self.children.get_mut(at) else { return };
        if *child.stop.borrow() {
            return child.end(ActorState::Ended);
        }
        child.epoch += 1;
        let heartbeat = Heartbeat::default();
        child.watch = Watch::new(heartbeat.clone(), Instant::now());
        child.status.send_modify(|status| {
            status.state = ActorState::Running;
            status.starts += 1;
        });
        let worker = match &child.arbiter {
            Some(own) => own.handle(),
            None => match self.workers.get(at.checked_rem(self.workers.len()).unwrap_or(0)) {
                Some(worker) => worker.clone(),
                None => return,
            },
        };
        let body = ActorContext::new(self.system.clone(), heartbeat, child.stop.subscribe());
        let (spec, supervisor, epoch) = (child.spec.clone(), context.address(), child.epoch);
        let (tell, told) = oneshot::channel();
        worker.spawn_fn(move || {
            let actor = SupervisedActor::start(&spec, body, supervisor, (at, epoch));
            let _ = tell.send(Started { child: at, epoch, actor });
        });
        context.spawn(told.into_actor(self).map(|started, supervisor, _| {
            if let Ok(started) = started {
                supervisor.remember(started);
            }
        }));
    }

    fn remember(&mut self, started: Started) {
        match self.children.get_mut(started.child) {
            Some(child) if child.epoch == started.epoch => child.actor = Some(started.actor),
            // It took so long to start that it counts as frozen and has a successor.
            _ => drop(started.actor.try_send(Abandon)),
        }
    }

    fn on_exit(&mut self, at: usize, reason: ExitReason, context: &mut Context<Self>) {
        let Some(child) = self.children.get_mut(at) else { return };
        child.actor = None;
        match reason {
            ExitReason::Finished => tracing::debug!(actor = child.spec.name, "actor ended"),
            _ => tracing::warn!(actor = child.spec.name, reason = ?reason, "actor ended"),
        }
        child.count(&reason);
        if *child.stop.borrow() || !reason.is_restarted() {
            return child.end(ActorState::Ended);
        }
        let now = Instant::now();
        child.failures.push_back(now);
        let within = self.rules.restarts_within;
        child.failures.retain(|at| now.duration_since(*at) <= within);
        let failures = u32::try_from(child.failures.len()).unwrap_or(u32::MAX);
        if failures > self.rules.restarts_max {
            tracing::error!(actor = child.spec.name, failures, "actor halted");
            return child.end(ActorState::Halted);
        }
        child.end(ActorState::Waiting);
        let wait = backoff(&self.rules, failures);
        context.run_later(wait, move |supervisor, context| supervisor.start_child(at, context));
    }

    /// Leaves frozen children where they are and starts others in their places, each on a
    /// thread of its own: the old thread may be what hangs.
    fn replace_frozen(&mut self, context: &mut Context<Self>) {
        let now = Instant::now();
        let bound = self.rules.freeze_after;
        let frozen = |(at, child): (usize, &mut Child)| child.is_frozen(now, bound).then_some(at);
        let frozen: Vec<usize> = self.children.iter_mut().enumerate().filter_map(frozen).collect();
        for at in frozen {
            if let Some(child) = self.children.get_mut(at) {
                child.leave();
            }
            self.on_exit(at, ExitReason::Frozen, context);
        }
    }
}

impl Actor for Supervisor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        for at in 0..self.children.len() {
            self.start_child(at, context);
        }
        let every = (self.rules.freeze_after / 4).max(Duration::from_millis(1));
        context.run_interval(every, Self::replace_frozen);
    }
}

impl Handler<Exited> for Supervisor {
    type Result = ();

    fn handle(&mut self, exited: Exited, context: &mut Self::Context) {
        let current = self.children.get(exited.child).map(|child| child.epoch);
        if current == Some(exited.epoch) {
            self.on_exit(exited.child, exited.reason, context);
        }
    }
}

impl Handler<Resume> for Supervisor {
    type Result = bool;

    fn handle(&mut self, Resume(name): Resume, context: &mut Self::Context) -> bool {
        let halted = self.children.iter_mut().position(|child| {
            child.spec.name == name && child.status.borrow().state == ActorState::Halted
        });
        if let Some(at) = halted {
            if let Some(child) = self.children.get_mut(at) {
                child.failures.clear();
            }
            self.start_child(at, context);
        }
        halted.is_some()
    }
}

impl Handler<StopAll> for Supervisor {
    type Result = ();

    fn handle(&mut self, _: StopAll, _: &mut Self::Context) {
        for child in &mut self.children {
            child.stop.send_replace(true);
            if child.status.borrow().state == ActorState::Waiting {
                child.end(ActorState::Ended);
            }
        }
    }
}

impl Supervised {
    /// Returns whether it runs or is about to.
    pub fn is_busy(&self) -> bool {
        matches!(self.status.borrow().state, ActorState::Running | ActorState::Waiting)
    }

    pub fn health(&self) -> HealthCheck {
        let status = self.status.borrow();
        let problem = match (status.state, &status.last_exit) {
            (ActorState::Halted, Some(reason)) => Some(format!("halted: {reason}")),
            (ActorState::Waiting, Some(reason)) => Some(format!("restarting: {reason}")),
            _ => None,
        };
        HealthCheck { name: format!("actor {}", self.name), problem }
    }
}

impl Child {
    fn new(spec: ActorSpec) -> Self {
        let status = ActorStatus {
            state: ActorState::Waiting,
            starts: 0,
            panics: 0,
            freezes: 0,
            last_exit: None,
        };
        Self {
            spec,
            status: watch::Sender::new(status),
            epoch: 0,
            actor: None,
            watch: Watch::new(Heartbeat::default(), Instant::now()),
            stop: watch::Sender::new(false),
            failures: VecDeque::new(),
            arbiter: None,
        }
    }

    fn seen(&self) -> Supervised {
        Supervised { name: self.spec.name.clone(), status: self.status.subscribe() }
    }

    fn is_frozen(&mut self, now: Instant, bound: Duration) -> bool {
        let is_running = self.status.borrow().state == ActorState::Running;
        is_running && self.watch.is_frozen(now, bound)
    }

    /// Lets go of a body that hangs, and of its thread.
    fn leave(&mut self) {
        self.epoch += 1;
        if let Some(actor) = self.actor.take() {
            let _ = actor.try_send(Abandon);
        }
        // Without a further thread the next start shares the old one, and may freeze again.
        if let Some(old) = std::mem::replace(&mut self.arbiter, Arbiter::try_new().ok()) {
            old.stop();
        }
    }

    fn count(&self, reason: &ExitReason) {
        self.status.send_modify(|status| {
            status.panics += u64::from(matches!(reason, ExitReason::Panicked(_)));
            status.freezes += u64::from(*reason == ExitReason::Frozen);
            status.last_exit = Some(reason.clone());
        });
    }

    fn end(&self, state: ActorState) {
        self.status.send_modify(|status| status.state = state);
    }
}

fn backoff(rules: &Supervision, failures: u32) -> Duration {
    let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
    rules.backoff_min.saturating_mul(doubled).min(rules.backoff_max)
}

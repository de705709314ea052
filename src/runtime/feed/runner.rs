//! Drives one projection: batch after batch into the live tables, and a rebuild beside them.

use futures_util::future::OptionFuture;
use rustc_hash::FxHashSet;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::StepError;
use super::lane::{Context, Lane};
use crate::event::Position;
use crate::nodes::Tenure;
use crate::projection::checkpoint::{self, Checkpoint};
use crate::projection::status::Progress;
use crate::projection::{ProjectionState, ProjectionStatus, Step, parked, rebuild};
use crate::sql::{SqlError, TxEngine};
use crate::store::StoreError;

/// Applies the log to one projection, a step at a time.
///
/// Whoever opens a runner owns the projection: an older runner of it is fenced at its next
/// write. Dropping a runner between or within steps loses nothing and doubles nothing.
pub struct Runner {
    pub(crate) cx: Context,
    pub(crate) live: Lane,
    /// The lane of a rebuild; its events are applied in turn with the live ones.
    pub(crate) shadow: Option<Lane>,
    head: watch::Receiver<Position>,
    /// Whether a write was begun whose end is not known: its step was cancelled, or the
    /// connection was lost while it committed.
    is_in_doubt: bool,
    is_shadows_turn: bool,
    /// Whether the rows are known to be those of this log; not while that is empty.
    is_of_log: bool,
}

/// What can be done next.
enum Turn {
    Live,
    Shadow,
    /// Wait until one of these has happened.
    Wait(Wake),
    Stand,
}

/// What a runner waits for.
#[derive(Default)]
struct Wake {
    /// The log goes beyond the position.
    beyond: Option<Position>,
    until: Option<Instant>,
    /// Another node begins to follow, and wants to know what was passed over.
    has_company: bool,
}

impl Runner {
    /// Takes the projection over and prepares its tables; with a lease, only while that is held.
    pub(crate) async fn open(cx: Context, tenure: Option<Tenure>) -> Result<Self, StepError> {
        let company = tenure.as_ref().map(Tenure::company).unwrap_or_default();
        let cx = Context { database: cx.database.apart(), company, ..cx };
        // Before it is taken over from whoever runs it rightly.
        let is_of_log = cx.claim_origin().await?;
        let definition = cx.definition.clone();
        let work = move |tx: &mut dyn TxEngine| {
            if let Some(tenure) = tenure {
                if !tenure.is_held(tx)? {
                    return Ok(None);
                }
                checkpoint::evict(tx, definition.name())?;
                checkpoint::hold(tx, definition.name())?;
                // Again while the projection is held: whoever takes the lease after this takes
                // the projection over after this, too.
                if !tenure.is_held(tx)? {
                    return Ok(None);
                }
            } else {
                checkpoint::hold(tx, definition.name())?;
            }
            let rows = rebuild::open(tx, &definition)?;
            lanes(tx, definition.name(), rows).map(Some)
        };
        let opened = cx.database.write(work).await?;
        let (live, shadow) = opened.ok_or_else(|| cx.fenced())?;
        let head = cx.store.head();
        let (is_in_doubt, is_shadows_turn) = (false, false);
        let runner = Self { cx, live, shadow, head, is_in_doubt, is_shadows_turn, is_of_log };
        runner.publish();
        Ok(runner)
    }

    /// Returns the projection's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.cx.facts.name
    }

    /// Returns how the projection stands.
    #[must_use]
    pub fn status(&self) -> ProjectionStatus {
        self.progress().status(self.name(), *self.head.borrow())
    }

    /// Does the next thing there is to do, waiting for events when there is none.
    ///
    /// A step writes at most one transaction. After [`Step::Failed`] the next one waits for
    /// the backoff by itself. The future may be dropped: the next step finds out what the
    /// dropped one has done.
    ///
    /// # Errors
    /// [`StepError::Fenced`]: drop this runner. [`StepError::Store`] and [`StepError::Sql`]:
    /// call again later, nothing is lost.
    pub async fn step(&mut self) -> Result<Step, StepError> {
        self.settle().await?;
        loop {
            if self.live.state == ProjectionState::Paused {
                self.forget_rows();
                return Ok(Step::Paused);
            }
            if self.is_ready_to_swap() {
                return self.swap().await;
            }
            match self.next_turn() {
                Turn::Stand => {
                    self.forget_rows();
                    return Ok(Step::Halted);
                }
                Turn::Wait(wake) => self.wait(wake).await?,
                turn => return self.advance(matches!(turn, Turn::Shadow)).await,
            }
        }
    }

    /// Stops applying events, over restarts too, until it is resumed.
    ///
    /// # Errors
    /// [`StepError`].
    pub async fn pause(&mut self) -> Result<(), StepError> {
        self.settle().await?;
        self.set_state(true, ProjectionState::Paused).await
    }

    /// Goes on after a pause or a halt; a halted event is tried again.
    ///
    /// # Errors
    /// [`StepError`].
    pub async fn resume(&mut self) -> Result<(), StepError> {
        self.settle().await?;
        self.set_state(true, ProjectionState::Running).await?;
        if self.shadow.is_some() {
            self.set_state(false, ProjectionState::Running).await?;
        }
        Ok(())
    }

    /// Finds out what a cancelled step has done.
    pub(crate) async fn settle(&mut self) -> Result<(), StepError> {
        if !self.is_in_doubt {
            return Ok(());
        }
        let (name, owner) = (self.name(), self.live.ticket(&self.cx).owner);
        // The write in doubt may not have begun, or its connection may have been lost while it
        // committed: it is waited for here and, should the server still be at it, by the hold.
        self.cx.database.idle().await;
        let work = move |tx: &mut dyn TxEngine| {
            checkpoint::hold(tx, name)?;
            let rows = checkpoint::load(tx, name)?;
            if rows.iter().any(|row| row.owner != owner) {
                return Ok(None);
            }
            lanes(tx, name, rebuild::split(name, rows)?).map(Some)
        };
        let found = self.cx.database.write(work).await?;
        let (live, shadow) = found.ok_or_else(|| self.cx.fenced())?;
        (self.live, self.shadow) = (live, shadow);
        self.is_in_doubt = false;
        self.publish();
        Ok(())
    }

    /// Runs a write; cancelled, it leaves the runner in doubt.
    pub(crate) async fn write<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut dyn TxEngine) -> Result<T, SqlError> + Send + 'static,
    ) -> Result<T, StepError> {
        Ok(self.transact(work).await?)
    }

    /// As [`Runner::write`], for work with an error of its own.
    pub(crate) async fn transact<T, E>(
        &mut self,
        work: impl FnOnce(&mut dyn TxEngine) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<SqlError> + Send + 'static,
    {
        self.is_in_doubt = true;
        let result = self.cx.database.transact(work).await;
        // After an error the next step looks: the commit may have been done all the same.
        self.is_in_doubt = result.is_err();
        result
    }

    async fn advance(&mut self, is_shadow: bool) -> Result<Step, StepError> {
        if !self.is_of_log {
            // Before the first event is applied, as there is one now.
            self.is_of_log = self.cx.claim_origin().await?;
        }
        self.is_shadows_turn = !is_shadow;
        let lane = if is_shadow { self.shadow.as_mut() } else { Some(&mut self.live) };
        let Some(lane) = lane else { return Ok(Step::Halted) };
        self.is_in_doubt = true;
        let result = lane.advance(&self.cx).await;
        self.is_in_doubt = matches!(result, Err(StepError::Sql(SqlError::Unknown(_))));
        self.publish();
        result
    }

    async fn wait(&mut self, wake: Wake) -> Result<(), StepError> {
        let Wake { beyond, until, has_company } = wake;
        let company = self.cx.company.clone();
        let remembers = self.lanes().any(|lane| lane.memory.is_some());
        let after = self.cx.config.forget_rows_after;
        let head = &mut self.head;
        let grown = OptionFuture::from(beyond.map(|at| head.wait_for(move |head| *head > at)));
        let awake = OptionFuture::from(until.map(sleep_until));
        let quiet = OptionFuture::from(remembers.then(|| sleep(after)));
        let joined = OptionFuture::from(has_company.then(|| company.arrives()));
        let is_quiet = tokio::select! {
            Some(grown) = grown => grown.map(|_| false).map_err(|_| StoreError::Closed)?,
            Some(()) = awake => false,
            Some(()) = joined => false,
            Some(()) = quiet => true,
            else => false,
        };
        if is_quiet {
            self.forget_rows();
        }
        Ok(())
    }

    /// Gives back the memory of rows written lately; they are read from the table again.
    fn forget_rows(&mut self) {
        for lane in self.shadow.iter_mut().chain([&mut self.live]) {
            lane.memory = None;
        }
    }

    fn lanes(&self) -> impl Iterator<Item = &Lane> {
        std::iter::once(&self.live).chain(&self.shadow)
    }

    fn next_turn(&self) -> Turn {
        let (head, now) = (*self.head.borrow(), Instant::now());
        let lanes = [(Some(&self.live), Turn::Live), (self.shadow.as_ref(), Turn::Shadow)];
        let lanes = lanes.into_iter().filter_map(|(lane, turn)| Some((lane?, turn)));
        let lanes = lanes.filter(|(lane, _)| self.is_able(lane));
        // Asked once: what it is now decides what is waited for.
        let is_followed = self.cx.company.is_there();
        let (mut turns, mut wake) = (Vec::with_capacity(2), Wake::default());
        for (lane, turn) in lanes {
            let is_ready = lane.work.is_some() || head > lane.position;
            let checkpoint_at = lane.checkpoint_at(is_followed).filter(|_| !is_ready);
            let not_before = lane.not_before.filter(|at| *at > now);
            wake.has_company |= lane.ahead_since.is_some() && !is_followed;
            match not_before.or(checkpoint_at.filter(|at| *at > now)) {
                Some(at) => wake.until = Some(wake.until.map_or(at, |other| other.min(at))),
                None if is_ready || checkpoint_at.is_some() => turns.push(turn),
                None => {}
            }
            if !is_ready {
                wake.beyond = Some(lane.position);
            }
        }
        let preferred = if self.is_shadows_turn { turns.pop() } else { turns.into_iter().next() };
        match preferred {
            Some(turn) => turn,
            None if wake.beyond.is_none() && wake.until.is_none() => Turn::Stand,
            None => Turn::Wait(wake),
        }
    }

    fn is_able(&self, lane: &Lane) -> bool {
        lane.state == ProjectionState::Running && lane.version == self.cx.facts.version
    }

    pub(crate) async fn set_state(
        &mut self,
        is_live: bool,
        state: ProjectionState,
    ) -> Result<(), StepError> {
        let lane = if is_live { Some(&self.live) } else { self.shadow.as_ref() };
        let Some(ticket) = lane.map(|lane| lane.ticket(&self.cx)) else { return Ok(()) };
        if !self.write(move |tx| ticket.set_state(tx, state, None)).await? {
            return Err(self.cx.fenced());
        }
        let lane = if is_live { Some(&mut self.live) } else { self.shadow.as_mut() };
        if let Some(lane) = lane {
            lane.state = state;
            lane.poison = None;
            lane.last_error = None;
            lane.set_aside();
        }
        self.publish();
        Ok(())
    }

    pub(crate) fn publish(&self) {
        self.cx.progress.send_replace(self.progress());
    }

    fn progress(&self) -> Progress {
        progress(&self.live, self.shadow.as_ref())
    }
}

/// Says how a projection stands whose lanes are these.
fn progress(live: &Lane, shadow: Option<&Lane>) -> Progress {
    let lanes = || std::iter::once(live).chain(shadow);
    let is = |state| lanes().any(|lane| lane.state == state);
    let state = if is(ProjectionState::Paused) {
        ProjectionState::Paused
    } else if is(ProjectionState::Halted) {
        ProjectionState::Halted
    } else if shadow.is_some() {
        ProjectionState::Rebuilding
    } else {
        ProjectionState::Running
    };
    Progress {
        version: live.version,
        generation: live.generation,
        position: live.position,
        rebuild_position: shadow.map(|lane| lane.position),
        state,
        skipped: live.counts.skipped,
        parked: live.counts.parked,
        unknown: live.unknown,
        last_error: lanes().find_map(|lane| lane.last_error.clone()),
    }
}

/// Makes the lanes of a projection out of its checkpoints.
fn lanes(
    tx: &mut dyn TxEngine,
    name: &str,
    (live, shadow): (Checkpoint, Option<Checkpoint>),
) -> Result<(Lane, Option<Lane>), SqlError> {
    let live = lane(tx, name, live)?;
    let shadow = shadow.map(|row| lane(tx, name, row)).transpose()?;
    Ok((live, shadow))
}

pub(crate) fn lane(tx: &mut dyn TxEngine, name: &str, row: Checkpoint) -> Result<Lane, SqlError> {
    let counts = parked::count(tx, name, row.generation)?;
    let parked = parked::streams(tx, name, row.generation)?;
    Ok(Lane::new(row, counts, parked))
}

/// Says how a projection stands by its checkpoints, for those who do not run it: they need not
/// know which streams are parked.
pub(crate) fn glance(
    tx: &mut dyn TxEngine,
    name: &str,
    (live, shadow): (Checkpoint, Option<Checkpoint>),
) -> Result<Progress, SqlError> {
    let mut lane = |row: Checkpoint| {
        let counts = parked::count(tx, name, row.generation)?;
        Ok::<Lane, SqlError>(Lane::new(row, counts, FxHashSet::default()))
    };
    let (live, shadow) = (lane(live)?, shadow.map(lane).transpose()?);
    Ok(progress(&live, shadow.as_ref()))
}

//! One set of tables of a projection being filled: reads, decodes, commits.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustc_hash::FxHashSet;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::StepError;
use crate::clock::SharedClock;
use crate::event::{EventId, Position, RecordedEvent};
use crate::nodes::Company;
use crate::projection::checkpoint::{Checkpoint, Ticket, suffix};
use crate::projection::definition::{Decoded, Definition, Facts};
use crate::projection::parked::{self, Counts};
use crate::projection::status::Progress;
use crate::projection::work::Work;
use crate::projection::{ProjectionError, ProjectionState, RunnerConfig, Step};
use crate::runtime::trace::Traces;
use crate::sql::{Database, Memory, SqlError, Tx};
use crate::store::{LogRead, SharedStore, StoreError};

/// How long other nodes may take a projection to be behind events that it passes over.
const CHECKPOINT_IN_COMPANY: Duration = Duration::from_millis(50);

/// What all lanes of a projection share.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) definition: Definition,
    pub(crate) facts: Facts,
    pub(crate) database: Database,
    pub(crate) store: SharedStore,
    pub(crate) config: RunnerConfig,
    pub(crate) clock: SharedClock,
    pub(crate) progress: Arc<watch::Sender<Progress>>,
    /// Told when somebody waits for progress, which may be made elsewhere.
    pub(crate) is_wanted: Arc<Notify>,
    pub(crate) company: Company,
    /// The first event of the log, once it is known.
    pub(crate) first_event: Arc<OnceLock<EventId>>,
}

/// A set of tables and how far it is.
pub(crate) struct Lane {
    pub(crate) generation: u64,
    pub(crate) version: u32,
    pub(crate) is_live: bool,
    pub(crate) tables: Vec<String>,
    /// The checkpoint in the database.
    pub(crate) persisted: Position,
    /// Everything up to here has been considered; not before the checkpoint.
    pub(crate) position: Position,
    pub(crate) state: ProjectionState,
    pub(crate) counts: Counts,
    pub(crate) unknown: u64,
    pub(crate) last_error: Option<String>,
    pub(crate) poison: Option<Position>,
    /// Since when the position is ahead of the checkpoint.
    pub(crate) ahead_since: Option<Instant>,
    /// When a batch that has failed may be tried again.
    pub(crate) not_before: Option<Instant>,
    pub(crate) parked_streams: FxHashSet<[String; 3]>,
    pub(crate) work: Option<Work>,
    pub(crate) memory: Memory,
    owner: i64,
}

/// Says why a range of events was not committed.
pub(crate) enum ApplyError {
    Fenced,
    Failed(ProjectionError),
}

impl ApplyError {
    /// Says what it means where there is no batch to retry.
    pub(crate) fn into_step(self, cx: &Context) -> StepError {
        match self {
            Self::Fenced => cx.fenced(),
            Self::Failed(ProjectionError::Sql(error)) => error.into(),
            Self::Failed(error) => cx.refused(error.to_string()),
        }
    }
}

impl From<SqlError> for ApplyError {
    fn from(error: SqlError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<ProjectionError> for ApplyError {
    fn from(error: ProjectionError) -> Self {
        Self::Failed(error)
    }
}

impl Context {
    pub(crate) fn fenced(&self) -> StepError {
        StepError::Fenced { name: self.facts.name.to_owned() }
    }

    pub(crate) fn refused(&self, problem: impl Into<String>) -> StepError {
        StepError::Refused { name: self.facts.name.to_owned(), problem: problem.into() }
    }

    /// Decodes events, off the async thread when there are many.
    pub(crate) async fn decode(&self, events: Vec<RecordedEvent>) -> Result<Decoded, StepError> {
        let bytes: usize = events.iter().map(|event| event.as_bytes().len()).sum();
        if bytes <= self.config.decode_inline_bytes_max {
            return Ok(self.definition.decode(events));
        }
        let definition = self.definition.clone();
        let decoded = tokio::task::spawn_blocking(move || definition.decode(events)).await;
        decoded.map_err(|error| self.refused(format!("decoding was stopped: {error}")))
    }
}

impl Lane {
    /// Goes on where a checkpoint is.
    pub(crate) fn new(row: Checkpoint, counts: Counts, parked: FxHashSet<[String; 3]>) -> Self {
        Self {
            generation: row.generation,
            version: row.version,
            is_live: row.is_live,
            tables: row.tables,
            persisted: row.position,
            position: row.position,
            state: row.state,
            counts,
            unknown: row.unknown,
            last_error: row.last_error,
            poison: row.poison,
            ahead_since: None,
            not_before: None,
            parked_streams: parked,
            work: None,
            memory: None,
            owner: row.owner,
        }
    }

    pub(crate) const fn ticket(&self, cx: &Context) -> Ticket {
        Ticket {
            name: cx.facts.name,
            generation: self.generation,
            owner: self.owner,
            position: self.persisted,
        }
    }

    pub(crate) fn suffix(&self) -> String {
        suffix(self.is_live, self.generation)
    }

    /// Reads a batch if there is none, and commits it or a part of it.
    pub(crate) async fn advance(&mut self, cx: &Context) -> Result<Step, StepError> {
        if self.work.is_none() {
            self.fill(cx).await?;
        }
        let Some(work) = &self.work else { return Ok(self.applied(0)) };
        if let (true, Some((event, reason))) = (work.is_committed(), work.poison.clone()) {
            return self.condemn(cx, &event, reason).await;
        }
        let moved = work.end().since(self.persisted);
        let is_followed = cx.company.is_there();
        let is_due = self.checkpoint_at(is_followed).is_some_and(|at| at <= Instant::now());
        if work.is_committed() && moved < cx.config.idle_checkpoint_events && !is_due {
            self.position = work.end();
            self.work = None;
            if self.position > self.persisted {
                self.ahead_since.get_or_insert_with(Instant::now);
            }
            return Ok(self.applied(0));
        }
        let count = work.range().len() as u64;
        match self.commit(cx).await {
            Ok(()) => Ok(self.applied(count)),
            Err(ApplyError::Fenced) => Err(cx.fenced()),
            Err(ApplyError::Failed(error)) => self.failed(cx, error).await,
        }
    }

    /// Returns when the checkpoint is moved over events that did not match: soon, where other
    /// nodes read there how far the projection is; else with the next that does.
    pub(crate) fn checkpoint_at(&self, is_followed: bool) -> Option<Instant> {
        let since = self.ahead_since.filter(|_| is_followed)?;
        Some(since + CHECKPOINT_IN_COMPANY)
    }

    /// Reads and decodes the next batch.
    async fn fill(&mut self, cx: &Context) -> Result<(), StepError> {
        let (events, end) = self.gather(cx).await?;
        let (mut behind, events) = if self.parked_streams.is_empty() {
            (Vec::new(), events)
        } else {
            events.into_iter().partition(|event| self.parked_streams.contains(&stream_key(event)))
        };
        let decoded = cx.decode(events).await?;
        let end = decoded.poison.as_ref().map_or(end, |(event, _)| event.position().previous());
        behind.retain(|event| event.position() <= end);
        if self.counts.parked + behind.len() as u64 > cx.config.parked_max {
            let reason = format!("more than {} events are parked", cx.config.parked_max);
            self.halt(cx, reason, None).await?;
            return Ok(());
        }
        self.work = Some(Work::new(decoded, behind, end));
        Ok(())
    }

    /// Reads pages until the batch is full or the log ends.
    async fn gather(&self, cx: &Context) -> Result<(Vec<RecordedEvent>, Position), StoreError> {
        let config = &cx.config;
        let (mut from, mut bytes) = (self.position, 0);
        let mut events: Vec<RecordedEvent> = Vec::new();
        loop {
            let room = config.batch_events_max.saturating_sub(events.len()).max(1);
            let read = LogRead::after(from, room).matching(cx.facts.query.clone());
            let page = cx.store.read_log(read).await?;
            bytes += page.events.iter().map(|event| event.as_bytes().len()).sum::<usize>();
            events.extend(page.events);
            let is_stuck = page.next <= from;
            from = page.next;
            let is_full =
                events.len() >= config.batch_events_max || bytes >= config.batch_bytes_max;
            // Over a long stretch without a match the position shows from time to time.
            let is_far = from.since(self.position) >= config.idle_checkpoint_events.max(1);
            if page.is_end || is_stuck || is_full || (events.is_empty() && is_far) {
                return Ok((events, from));
            }
        }
    }

    /// Applies the range that is next and moves the checkpoint, in one transaction.
    async fn commit(&mut self, cx: &Context) -> Result<(), ApplyError> {
        let Some(work) = &self.work else { return Ok(()) };
        let traces = traces(cx.facts.name, work);
        let (ticket, suffix, memory) = (self.ticket(cx), self.suffix(), self.memory.take());
        let (batch, range, to) = (Arc::clone(&work.batch), work.range(), work.target());
        let unknown = work.unknown_in(ticket.position, to);
        let behind = work.behind_in(ticket.position, to);
        let (behind_count, at) = (behind.len() as u64, cx.clock.now());
        let work = move |tx: &mut dyn crate::sql::TxEngine| {
            if !ticket.advance(tx, to, unknown)? {
                return Err(ApplyError::Fenced);
            }
            parked::park(tx, &ticket, behind.iter().map(|event| (event, None)), at)?;
            let mut tx = Tx::new(tx, &suffix).with_memory(memory);
            if !range.is_empty() {
                batch.apply(range, &mut tx)?;
            }
            Ok(tx.into_memory())
        };
        self.memory = cx.database.transact(work).await?;
        drop(traces);
        self.unknown += unknown;
        self.counts.parked += behind_count;
        self.moved_to(to);
        Ok(())
    }

    fn moved_to(&mut self, to: Position) {
        self.persisted = to;
        self.position = to;
        self.ahead_since = None;
        let Some(work) = &mut self.work else { return };
        work.committed();
        if work.is_committed() && work.poison.is_none() {
            self.work = None;
        }
    }

    const fn applied(&self, events: u64) -> Step {
        Step::Applied { events, position: self.position, is_live: self.is_live }
    }
}

/// Begins the spans of a range of events; none when nobody wants them.
fn traces(projection: &str, work: &Work) -> Traces {
    let mut traces = Traces::default();
    if !Traces::are_wanted() {
        return traces;
    }
    for event in work.range().filter_map(|at| work.batch.event(at)) {
        let metadata = event.metadata();
        traces.add(&metadata, |trace_id, parent_span_id| {
            tracing::debug_span!(
                parent: None,
                "project",
                projection,
                tenant = event.tenant(),
                position = %event.position(),
                event_type = event.event_type(),
                correlation_id = metadata.correlation_id,
                trace_id,
                parent_span_id,
            )
        });
    }
    traces
}

/// Identifies the stream of an event over all tenants.
pub(crate) fn stream_key(event: &RecordedEvent) -> [String; 3] {
    [event.tenant(), event.category(), event.stream_id()].map(str::to_owned)
}

//! The order of work of one aggregate, without any I/O: what to decide, append, answer next.
//!
//! Commands are decided one after the other on the *speculative* state: the one that holds
//! once everything decided so far is recorded. While one append is on its way, the commands
//! that come are decided already and gathered for the next, which is sent as soon as the first
//! is durable and those it answered had a moment to come back; so a hot aggregate costs one
//! append per barrier, not one per command.
//!
//! Only one append is on its way at a time. With two, a foreign event of the right length
//! between them would let the second succeed on a state that never was: the expected revision
//! holds, the history behind it does not.
//!
//! Nothing is told before it is true. An answer without events, a rejection or "nothing to do",
//! waits like a receipt until the events in front of it are durable, and the store checks under
//! its writer that the stream is still at the revision at which it was decided. So every answer
//! holds at some revision between request and reply, whoever else writes to the stream.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use rustc_hash::FxHashSet;

use super::batch::{Batch, Decided, Entry, Job, Outcome};
use super::deciding::{Verdict, decide, keeps, outcome_to_keep};
use super::earlier::{Earlier, LookedUp};
use super::envelope::{Envelope, Message};
use super::error::SendError;
use super::kind::Kind;
use super::patience::Patience;
use super::recovery::{Loaded, RecoveryError};
use crate::aggregate::{Aggregate, Receipt};
use crate::event::{EventId, NewEvent, Position, Revision};
use crate::store::{AppendError, Appended, StoreError};

/// The most commands whose earlier effects are looked for in one go.
const LOOK_UPS_MAX: usize = 64;

/// I/O that the actor must do for its pipeline, and bring back the result.
pub(super) enum Work<A: Aggregate> {
    Load,
    LookUp(Vec<Arc<Message<A>>>),
    /// Appends events and outcomes if the stream is at `base`; without both it only checks that.
    Append {
        base: Revision,
        events: Vec<NewEvent>,
        kept: Vec<NewEvent>,
    },
    KeepSnapshot {
        revision: Revision,
        position: Position,
        state: Vec<u8>,
    },
}

/// One aggregate's queue, state and append on its way.
pub(super) struct Pipeline<A: Aggregate> {
    kind: Arc<Kind<A>>,
    /// The speculative state; `None` until it is loaded.
    loaded: Option<Loaded<A>>,
    /// Where the last durable event lies.
    durable: Position,
    waiting: VecDeque<Job<A>>,
    gathering: VecDeque<Batch<A>>,
    appending: Option<Batch<A>>,
    /// First event ids of commands that are decided and not durable; kept for keyed ones only.
    in_flight: FxHashSet<EventId>,
    keep: Option<Work<A>>,
    patience: Patience,
    is_lingering: bool,
    is_loading: bool,
    is_looking: bool,
    /// So many of the next commands get an append of their own, to find the one that the
    /// store refuses.
    alone: usize,
}

impl<A: Aggregate> Pipeline<A> {
    pub fn new(kind: Arc<Kind<A>>) -> Self {
        Self {
            kind,
            loaded: None,
            durable: Position::ZERO,
            waiting: VecDeque::new(),
            gathering: VecDeque::new(),
            appending: None,
            in_flight: FxHashSet::default(),
            keep: None,
            patience: Patience::new(Instant::now()),
            is_lingering: false,
            is_loading: false,
            is_looking: false,
            alone: 0,
        }
    }

    /// Takes a command in, or refuses it when too many wait.
    pub fn accept(&mut self, envelope: Envelope<A>) {
        let job = Job::new(envelope);
        if self.waiting.len() < self.kind.bounds.waiting_max {
            self.waiting.push_back(job);
        } else {
            job.refuse(SendError::Overloaded);
        }
    }

    /// Returns whether nothing waits and nothing is on its way.
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty()
            && self.gathering.is_empty()
            && self.appending.is_none()
            && !self.is_loading
            && !self.is_looking
    }

    /// Returns whether an append waits for commands that are about to come; then
    /// [`look`](Self::look) is to be called again and again.
    pub const fn is_lingering(&self) -> bool {
        self.is_lingering
    }

    /// Looks whether an append has waited long enough.
    pub fn look(&mut self, now: Instant) {
        self.patience.look(now);
    }

    /// Does what can be done at once and returns what needs I/O; `None` when there is nothing
    /// to do until a result or a command comes.
    pub fn next_work(&mut self, now: Instant) -> Option<Work<A>> {
        if self.keep.is_some() {
            return self.keep.take();
        }
        if self.loaded.is_none() {
            return self.ask_append(now).or_else(|| self.ask_load());
        }
        if let Some(work) = self.ask_look_up() {
            return Some(work);
        }
        self.decide_waiting();
        // Deciding may have shown that a command must be looked for first.
        self.ask_look_up().or_else(|| self.ask_append(now))
    }

    pub fn on_loaded(&mut self, loaded: Result<Loaded<A>, RecoveryError>) {
        self.is_loading = false;
        match loaded {
            Ok(loaded) => {
                self.durable = loaded.position;
                self.loaded = Some(loaded);
            }
            // Answered and not tried again: the next command asks anew, so nothing spins.
            Err(error) => self.waiting.drain(..).for_each(|job| job.refuse(error.clone().into())),
        }
    }

    pub fn on_looked_up(&mut self, found: Result<Vec<LookedUp>, StoreError>) {
        self.is_looking = false;
        match found {
            Ok(found) => found.into_iter().for_each(|looked_up| self.take_look_up(looked_up)),
            Err(error) => {
                for job in std::mem::take(&mut self.waiting) {
                    match job.needs_look_up() {
                        true => job.refuse(SendError::Read(error.clone())),
                        false => self.waiting.push_back(job),
                    }
                }
            }
        }
    }

    /// Answers or tries again what shared the append.
    ///
    /// Returns whether other writers were faster.
    pub fn on_appended(&mut self, result: Result<Appended, AppendError>, now: Instant) -> bool {
        let Some(batch) = self.appending.take() else { return false };
        self.forget_in_flight(&batch);
        match result {
            // A duplicate was recorded by somebody else: its receipt is found by looking.
            Ok(appended) if appended.duplicate => self.decide_again(batch, &Again::Looking),
            Ok(_) if batch.is_check() => batch.settle(self.durable, self.durable),
            Ok(appended) => {
                self.patience.settle(batch.entries.len(), self.gathered(), now);
                self.settle(batch, appended.position);
            }
            Err(AppendError::Conflict { .. } | AppendError::ConditionFailed { .. }) => {
                self.decide_again(batch, &Again::Conflict);
                return true;
            }
            Err(AppendError::IdReused { .. }) => {
                // One of them is to blame: each goes alone, so that the others do not fail with it.
                self.alone = if batch.is_shared() { batch.entries.len() } else { self.alone };
                self.decide_again(batch, &Again::Looking);
            }
            Err(error @ AppendError::Unknown { .. }) => {
                self.decide_again(batch, &Again::InDoubt(error));
            }
            Err(AppendError::Invalid(_) | AppendError::Event(_)) if batch.is_shared() => {
                self.alone = batch.entries.len();
                self.decide_again(batch, &Again::Looking);
            }
            Err(error) => self.give_up(batch, &error),
        }
        false
    }

    /// Tells everyone whose time is over; what is on its way may still be done.
    pub fn expire(&mut self, now: Instant) {
        let decided = self.gathering.iter_mut().chain(&mut self.appending);
        let jobs = decided.flat_map(|batch| batch.entries.iter_mut().map(|entry| &mut entry.job));
        for job in jobs.chain(&mut self.waiting) {
            if job.envelope.message.deadline <= now {
                job.envelope.answer(Err(SendError::TimedOut));
            }
        }
        self.waiting.retain(|job| job.envelope.message.deadline > now);
    }
}

/// Why commands are decided a second time.
enum Again {
    /// Other writers were faster.
    Conflict,
    /// They may have been recorded by somebody else.
    Looking,
    /// They may have been recorded by this very append.
    InDoubt(AppendError),
}

impl<A: Aggregate> Pipeline<A> {
    fn ask_load(&mut self) -> Option<Work<A>> {
        let is_settled = self.gathering.is_empty() && self.appending.is_none();
        if self.is_loading || !is_settled || self.waiting.is_empty() {
            return None;
        }
        self.is_loading = true;
        Some(Work::Load)
    }

    fn ask_look_up(&mut self) -> Option<Work<A>> {
        if self.is_looking {
            return None;
        }
        let first = self.waiting.iter().take(LOOK_UPS_MAX);
        let unknown = first.filter(|job| {
            !self.is_ready(job) && !self.in_flight.contains(&job.envelope.message.first_id)
        });
        let messages: Vec<_> = unknown.map(|job| Arc::clone(&job.envelope.message)).collect();
        self.is_looking = !messages.is_empty();
        self.is_looking.then_some(Work::LookUp(messages))
    }

    fn ask_append(&mut self, now: Instant) -> Option<Work<A>> {
        self.is_lingering = false;
        if self.appending.is_some() {
            return None;
        }
        let mut batch = self.gathering.pop_front()?;
        if self.gathering.is_empty() && self.lingers_for(&batch, now) {
            self.is_lingering = true;
            self.gathering.push_front(batch);
            return None;
        }
        batch.snapshot = self.snapshot_at(batch.end());
        let (base, events) = (batch.base, std::mem::take(&mut batch.events));
        let kept = std::mem::take(&mut batch.kept);
        if !batch.is_check() {
            self.patience.begin(now);
        }
        self.appending = Some(batch);
        Some(Work::Append { base, events, kept })
    }

    /// Returns whether the newest batch waits for more commands before it goes.
    fn lingers_for(&mut self, batch: &Batch<A>, now: Instant) -> bool {
        let gathered = batch.entries.len() + self.waiting.len();
        let is_full = self.alone > 0 || gathered >= self.kind.bounds.commands_max;
        !is_full && self.patience.waits(gathered, now)
    }

    /// Returns how many commands have come and are in no append yet.
    fn gathered(&self) -> usize {
        let decided: usize = self.gathering.iter().map(|batch| batch.entries.len()).sum();
        decided + self.waiting.len()
    }

    fn decide_waiting(&mut self) {
        while self.has_room() && self.waiting.front().is_some_and(|job| self.is_ready(job)) {
            let Some(job) = self.waiting.pop_front() else { return };
            self.decide_one(job);
        }
    }

    fn decide_one(&mut self, job: Job<A>) {
        let Some(loaded) = &mut self.loaded else { return self.waiting.push_front(job) };
        let base = loaded.revision;
        let verdict = decide(&self.kind, loaded, (&job.envelope.message, job.generation));
        let (outcome, events) = match verdict {
            Verdict::Events(events) => {
                (Outcome::Events(u32::try_from(events.len()).unwrap_or(u32::MAX)), events)
            }
            Verdict::Refused(error) => (Outcome::Refused(error), Vec::new()),
            Verdict::Panicked => {
                self.loaded = None;
                return job.refuse(SendError::Panicked);
            }
        };
        if keeps(&job, &outcome) && !job.is_new {
            return self.waiting.push_front(Job { is_suspect: true, ..job });
        }
        let kept = match outcome_to_keep(&self.kind, &job, &outcome, base) {
            Ok(kept) => kept,
            Err(error) => return job.refuse(error),
        };
        let decided = Decided { outcome, events, kept };
        if job.envelope.message.is_keyed() {
            self.in_flight.insert(job.envelope.message.first_id);
        }
        self.alone = self.alone.saturating_sub(1);
        let fits = self.gathering.back().is_some_and(|batch| self.kind.bounds.fit(batch, &decided));
        if !fits {
            self.gathering.push_back(Batch::new(base));
        }
        if let Some(batch) = self.gathering.back_mut() {
            batch.push(job, decided);
        }
    }

    /// Returns whether one more command may be decided; a second batch is only begun by a
    /// command that does not fit the first any more.
    fn has_room(&self) -> bool {
        let is_open = match self.gathering.back() {
            None => true,
            Some(batch) => self.alone == 0 && batch.entries.len() < self.kind.bounds.commands_max,
        };
        self.loaded.is_some() && self.gathering.len() < 2 && is_open
    }

    /// Returns whether a command can be decided: it is new for sure, and so not one whose
    /// twin is on its way.
    fn is_ready(&self, job: &Job<A>) -> bool {
        let id = job.envelope.message.first_id;
        let is_ruled_out =
            || !job.is_suspect && self.loaded.as_ref().is_some_and(|own| own.ids.rules_out(id));
        !self.in_flight.contains(&id) && (!job.needs_look_up() || is_ruled_out())
    }

    fn take_look_up(&mut self, (id, earlier): LookedUp) {
        for mut job in std::mem::take(&mut self.waiting) {
            if job.envelope.message.first_id != id {
                self.waiting.push_back(job);
                continue;
            }
            let hash = &job.envelope.message.metadata.command_hash;
            match earlier.clone() {
                Earlier::Nothing { generation } => {
                    (job.is_new, job.is_suspect, job.generation) = (true, false, generation);
                    self.waiting.push_back(job);
                }
                Earlier::Receipt { receipt, command_hash } if command_hash == *hash => {
                    let replayed = job.envelope.message.is_keyed();
                    job.answer(Ok(Receipt { replayed, ..receipt }));
                }
                Earlier::Rejection { code, detail, revision, command_hash }
                    if command_hash == *hash =>
                {
                    job.answer(Err(SendError::RejectedBefore { code, detail, revision }));
                }
                Earlier::Receipt { .. } | Earlier::Rejection { .. } => {
                    let key = job.envelope.message.metadata.idempotency_key.clone();
                    job.answer(Err(SendError::KeyReused { key: key.unwrap_or_default() }));
                }
            }
        }
    }

    /// Answers what was appended; `position` is that of the append's last event.
    fn settle(&mut self, mut batch: Batch<A>, position: Position) {
        if let Some(loaded) = &mut self.loaded {
            let done = batch.entries.iter().filter(|entry| entry.outcome.is_recorded());
            done.for_each(|entry| {
                loaded.ids.insert(entry.job.envelope.message.event_id(entry.job.generation, 0));
            });
        }
        // Outcomes lie behind the events, in a stream of their own.
        let last = match batch.count {
            0 => self.durable,
            _ => Position::new(position.get().saturating_sub(batch.kept_count)),
        };
        if let Some(state) = batch.snapshot.take() {
            self.keep = Some(Work::KeepSnapshot { revision: batch.end(), position: last, state });
        }
        batch.settle(std::mem::replace(&mut self.durable, last), last);
    }

    /// Puts a batch and everything decided after it back to be decided on a fresh state.
    fn decide_again(&mut self, batch: Batch<A>, why: &Again) {
        let later = self.take_gathering();
        let mut jobs = Vec::with_capacity(batch.entries.len() + later.len());
        let is_looking = matches!(why, Again::Looking);
        let is_tried = !(batch.is_shared() && is_looking);
        for Entry { mut job, .. } in batch.entries {
            job.attempts += u32::from(is_tried);
            job.envelope.is_resent |= !matches!(why, Again::Conflict);
            job.is_suspect |= !matches!(why, Again::Conflict);
            if let Again::InDoubt(error) = why {
                job.doubt = Some(error.clone());
            }
            if job.attempts >= self.kind.bounds.attempts_max {
                let (attempts, key) = (job.attempts, job.key().filter(|_| is_looking));
                // Looked for in vain again and again: another event lies under an id of the key.
                job.refuse(match key {
                    Some(key) => SendError::KeyReused { key },
                    None => SendError::Conflict { attempts },
                });
            } else {
                jobs.push(job);
            }
        }
        jobs.extend(later);
        self.put_back(jobs);
    }

    /// Tells those whose events or outcomes are not recorded what the store said; the others
    /// stood on events that never were, and are decided on a fresh state. When nothing was to be
    /// recorded, the store could not even check, and all are told.
    fn give_up(&mut self, batch: Batch<A>, error: &AppendError) {
        let later = self.take_gathering();
        let mut jobs = Vec::with_capacity(later.len());
        let is_check = batch.is_check();
        for Entry { job, is_written, .. } in batch.entries {
            match (is_written || is_check, error) {
                (false, _) => jobs.push(job),
                (true, AppendError::Overloaded { .. }) => job.refuse(SendError::Overloaded),
                (true, error) => job.refuse(SendError::Store(error.clone())),
            }
        }
        jobs.extend(later);
        self.put_back(jobs);
    }

    fn put_back(&mut self, jobs: Vec<Job<A>>) {
        for mut job in jobs.into_iter().rev() {
            job.is_new = false;
            self.waiting.push_front(job);
        }
    }

    /// Takes what was decided on a state that is not going to be.
    fn take_gathering(&mut self) -> Vec<Job<A>> {
        self.loaded = None;
        self.in_flight.clear();
        let batches = std::mem::take(&mut self.gathering);
        batches.into_iter().flat_map(|batch| batch.entries).map(|entry| entry.job).collect()
    }

    fn forget_in_flight(&mut self, batch: &Batch<A>) {
        if !self.in_flight.is_empty() {
            for entry in &batch.entries {
                self.in_flight.remove(&entry.job.envelope.message.first_id);
            }
        }
    }

    /// Writes the state if enough events have come since the last snapshot and it is just
    /// the state at `end`.
    fn snapshot_at(&mut self, end: Revision) -> Option<Vec<u8>> {
        let policy = self.kind.policy.as_ref()?;
        let loaded = self.loaded.as_mut()?;
        let is_due = end.since(loaded.snapshot) >= policy.every_events.max(1);
        if !is_due || loaded.revision != end {
            return None;
        }
        loaded.snapshot = end;
        let save = policy.codec.save;
        catch_unwind(AssertUnwindSafe(|| save(&loaded.state))).ok().flatten()
    }
}

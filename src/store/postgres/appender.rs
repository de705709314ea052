//! Sends what has gathered, batch after batch, and survives the loss of the database.
//!
//! One batch is under way at a time: the next would only wait for the order that this one holds
//! until it has committed, and twice the batches of half the size cost twice the barriers.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use super::answer::Answer;
use super::batch::Batch;
use super::config::{Counters, PostgresStoreConfig};
use super::fault::append_error;
use super::feed::Head;
use super::prepared::Prepared;
use super::request::{APPEND, Request};
use super::session::Session;
use super::statement::in_schema;
use crate::postgres::{Fault, FaultKind};
use crate::store::AppendError;

/// The longest that a batch waits for the callers of the one before, who come back at once.
const LINGER_MAX: Duration = Duration::from_micros(400);

/// The task that appends.
pub(super) struct Appender {
    config: PostgresStoreConfig,
    session: Session,
    statement: String,
    queue: mpsc::Receiver<Prepared>,
    waiting: VecDeque<Prepared>,
    head: Arc<Head>,
    counters: Arc<Counters>,
    /// How many appends are likely to come at once, and how long the last batch took.
    expected: usize,
    last_took: Duration,
    /// How many appends to send alone, because the database refused a batch that held them.
    alone: usize,
    /// The database did not come back in time: tell the next callers at once.
    is_down: bool,
}

/// Why a batch was not answered by the database.
enum Failure {
    /// The database said no: nothing of the batch was stored.
    Refused(Fault),
    /// The database cannot be reached, and no attempt can have stored anything.
    Gone(Fault),
    /// The database cannot be reached, and the batch may have been stored.
    Unknown(Fault),
}

impl Appender {
    /// Makes the task; [`Appender::run`] does its work.
    pub fn new(
        config: PostgresStoreConfig,
        session: Session,
        queue: mpsc::Receiver<Prepared>,
        head: Arc<Head>,
        counters: Arc<Counters>,
    ) -> Self {
        let statement = in_schema(APPEND, config.address.schema());
        Self {
            config,
            session,
            statement,
            queue,
            waiting: VecDeque::new(),
            head,
            counters,
            expected: 0,
            last_took: Duration::ZERO,
            alone: 0,
            is_down: false,
        }
    }

    /// Appends until `stop` changes and everything taken is answered.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        while self.gather(&mut stop).await {
            let batch = self.take();
            let sent = Instant::now();
            let count = batch.appends.len();
            match self.send(&batch).await {
                Ok(answer) => {
                    self.is_down = false;
                    self.last_took = sent.elapsed();
                    self.expected = count + self.queue.len() + self.waiting.len();
                    self.counters.batches.add(1);
                    let took = u64::try_from(self.last_took.as_micros()).unwrap_or(u64::MAX);
                    self.counters.batch_us.add(took);
                    self.head.publish(answer.head);
                    answer.tell(batch, &self.counters);
                }
                Err(failure) => self.fail(batch, &failure),
            }
        }
    }

    /// Waits for an append, then for those that come at once; false when all is done.
    async fn gather(&mut self, stop: &mut watch::Receiver<bool>) -> bool {
        if self.waiting.is_empty() {
            self.drain();
        }
        while self.waiting.is_empty() {
            tokio::select! {
                append = self.queue.recv() => match append {
                    Some(append) => self.waiting.push_back(append),
                    None => return false,
                },
                _ = stop.changed() => self.queue.close(),
            }
        }
        self.linger();
        true
    }

    /// Gives the callers that were just answered a moment to come back: a batch sent without
    /// them would make them wait for its whole barrier.
    fn linger(&mut self) {
        self.drain();
        let end = Instant::now() + (self.last_took / 8).min(LINGER_MAX);
        let expected = self.expected.min(self.config.batch_appends_max);
        while self.waiting.len() < expected && Instant::now() < end {
            std::thread::yield_now();
            self.drain();
        }
    }

    fn drain(&mut self) {
        while self.waiting.len() < self.config.batch_appends_max {
            let Ok(append) = self.queue.try_recv() else { break };
            self.waiting.push_back(append);
        }
    }

    fn take(&mut self) -> Batch {
        if self.alone == 0 {
            return Batch::take(&mut self.waiting, &self.config);
        }
        self.alone -= 1;
        let mut first: VecDeque<Prepared> = self.waiting.pop_front().into_iter().collect();
        Batch::take(&mut first, &self.config)
    }

    /// Sends a batch until the database has answered it; event ids tell what an attempt stored
    /// whose answer was lost.
    async fn send(&mut self, batch: &Batch) -> Result<Answer, Failure> {
        let deadline = tokio::time::Instant::now() + self.config.patience;
        let mut may_be_stored = batch.appends.iter().any(|append| append.may_be_stored);
        loop {
            let fault = match self.attempt(batch).await {
                Ok(answer) => return Ok(answer),
                // This attempt stored nothing; one before it may have.
                Err(Failure::Refused(fault)) if may_be_stored => {
                    return Err(Failure::Unknown(fault));
                }
                Err(Failure::Refused(fault)) => return Err(Failure::Refused(fault)),
                Err(Failure::Unknown(fault)) => {
                    may_be_stored = true;
                    fault
                }
                Err(Failure::Gone(fault)) => fault,
            };
            tracing::debug!(cause = %fault, "batch is tried again");
            let gives_up = self.is_down && !may_be_stored;
            if gives_up || !self.session.rest(deadline).await {
                self.is_down = true;
                return Err(match may_be_stored {
                    true => Failure::Unknown(fault),
                    false => Failure::Gone(fault),
                });
            }
        }
    }

    async fn attempt(&mut self, batch: &Batch) -> Result<Answer, Failure> {
        if !self.session.is_there() {
            self.counters.reconnects.add(1);
        }
        let (patience, address) = (self.config.patience, self.session.address().clone());
        self.session.ensure().await.map_err(Failure::Gone)?;
        let client = self.session.client().map_err(Failure::Gone)?;
        let request = Request::of(batch, &self.session);
        let sent =
            timeout(patience, client.query_typed(&self.statement, &request.parameters())).await;
        let outcome = match sent {
            Ok(Ok(rows)) => rows.first().map(Answer::read).transpose(),
            Ok(Err(error)) => Err(error),
            Err(_) => {
                self.session.give_up();
                let cause = "the database does not answer";
                return Err(Failure::Unknown(Fault::new(FaultKind::Lost, cause)));
            }
        };
        match outcome {
            Ok(Some(answer)) => {
                self.session.settle();
                Ok(answer)
            }
            Ok(None) => Err(Failure::Refused(Fault::new(FaultKind::Damaged, "no answer"))),
            Err(error) => Err(self.failure(Fault::of(&error, &address))),
        }
    }

    fn failure(&mut self, fault: Fault) -> Failure {
        match fault.kind() {
            // Ended in the middle, perhaps behind the commit, perhaps before the server has it.
            FaultKind::Lost => {
                self.session.give_up();
                Failure::Unknown(fault)
            }
            FaultKind::Unavailable => {
                self.session.forget();
                Failure::Gone(fault)
            }
            FaultKind::Contended => Failure::Gone(fault),
            _ => Failure::Refused(fault),
        }
    }

    /// Tells everybody of a batch why it failed, or sends its appends again one by one.
    fn fail(&mut self, batch: Batch, failure: &Failure) {
        let fault = match failure {
            Failure::Refused(fault) | Failure::Gone(fault) | Failure::Unknown(fault) => fault,
        };
        let is_damning = matches!(fault.kind(), FaultKind::Refused | FaultKind::Statement);
        if is_damning && batch.appends.len() > 1 {
            // One of them is to blame: the others must not fail with it.
            self.alone += batch.appends.len();
            let may_be_stored = matches!(failure, Failure::Unknown(_));
            for append in batch.appends.into_iter().rev() {
                self.waiting.push_front(Prepared { may_be_stored, ..append });
            }
            return;
        }
        tracing::warn!(cause = %fault, appends = batch.appends.len(), "batch was not appended");
        let error = match failure {
            Failure::Unknown(fault) => AppendError::Unknown { cause: fault.to_string() },
            _ => append_error(fault, self.session.address()),
        };
        for append in batch.appends {
            // A caller that has gone away does not want to know.
            let _ = append.reply.send(Err(error.clone()));
        }
    }
}

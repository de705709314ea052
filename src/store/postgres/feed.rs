//! How far the log is visible: the head, moved by own commits, notifications and polling.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_postgres::{AsyncMessage, Client};

use super::config::PostgresStoreConfig;
use super::schema::Found;
use super::statement::{LAST, in_schema};
use super::wire::position;
use crate::event::Position;
use crate::postgres::{Fault, FaultKind, Pooler, Wire, dial};

/// How a node learns of what other nodes append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadSource {
    /// Notifications of the database wake it.
    Listening,
    /// Notifications do not come, because of a pooler for example: it asks at short intervals.
    Polling,
}

/// The position of the last visible event, as this node knows it.
pub(super) struct Head {
    position: watch::Sender<Position>,
    is_polling: AtomicBool,
}

impl Head {
    /// Starts at a position.
    pub fn new(position: Position) -> Self {
        Self { position: watch::Sender::new(position), is_polling: AtomicBool::new(false) }
    }

    /// Moves the head forward to what a committed transaction has told; it never goes back.
    pub fn publish(&self, position: Position) {
        self.position.send_if_modified(|head| {
            let is_further = position > *head;
            *head = (*head).max(position);
            is_further
        });
    }

    /// Returns a watch on it, which ends when the store closes.
    pub fn subscribe(&self) -> watch::Receiver<Position> {
        self.position.subscribe()
    }

    fn set_source(&self, source: HeadSource) -> bool {
        let is_polling = source == HeadSource::Polling;
        self.is_polling.swap(is_polling, Ordering::Relaxed) != is_polling
    }
}

/// What the store keeps of the head's source; it does not keep the head alive.
pub(super) fn source_of(head: &Head) -> HeadSource {
    match head.is_polling.load(Ordering::Relaxed) {
        true => HeadSource::Polling,
        false => HeadSource::Listening,
    }
}

/// Follows the log until it is dropped.
pub(super) struct Feed<'a> {
    config: &'a PostgresStoreConfig,
    found: &'a Found,
    head: &'a Head,
    /// Asks for the last position.
    last: String,
    /// The last position that a notification has told.
    heard: Position,
    /// Where the head was found by asking, which no notification has told yet.
    missed: Option<Position>,
}

impl<'a> Feed<'a> {
    /// Makes a feed.
    pub fn new(config: &'a PostgresStoreConfig, found: &'a Found, head: &'a Head) -> Self {
        let last = in_schema(LAST, config.address.schema());
        Self { config, found, head, last, heard: found.head, missed: None }
    }

    /// Follows the log, over lost connections, for ever.
    pub async fn run(mut self) {
        let mut pause = Duration::from_millis(50);
        loop {
            let since = Instant::now();
            let Err(fault) = self.follow().await;
            tracing::debug!(cause = %fault, "notifications are connected again");
            if since.elapsed() > Duration::from_secs(5) {
                pause = Duration::from_millis(50);
            }
            sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(1));
        }
    }

    async fn follow(&mut self) -> Result<std::convert::Infallible, Fault> {
        let (client, mut wire) = dial(&self.config.address).await?;
        if self.config.address.pooler() == Pooler::Transaction {
            // Whatever session listened, it would not be the one that is heard.
            if self.head.set_source(HeadSource::Polling) {
                let poll_ms = self.config.poll_alone.as_millis() as u64;
                tracing::info!(poll_ms, "log is polled, because a pooler of transactions is used");
            }
        } else {
            let listen = format!("listen {}", self.found.channel);
            self.ask(&mut wire, async { client.batch_execute(&listen).await }).await?;
        }
        self.missed = None;
        // What was announced while nobody listened is found by asking once, and was not missed.
        self.look(&client, &mut wire).await?;
        self.heard = self.heard.max(self.missed.take().unwrap_or_default());
        loop {
            let next = Instant::now() + self.interval();
            self.hear_until(&mut wire, next).await?;
            self.look(&client, &mut wire).await?;
        }
    }

    fn interval(&self) -> Duration {
        match source_of(self.head) {
            HeadSource::Listening => self.config.poll,
            HeadSource::Polling => self.config.poll_alone,
        }
    }

    /// Asks for the last position; if notifications should have told it long ago, says so.
    async fn look(&mut self, client: &Client, wire: &mut Wire) -> Result<(), Fault> {
        let is_silent = self.missed.is_some_and(|missed| missed > self.heard);
        if is_silent && self.head.set_source(HeadSource::Polling) {
            tracing::warn!(
                poll_ms = self.config.poll_alone.as_millis() as u64,
                "notifications of the database do not arrive, the log is polled; connect \
                 without a pooler, or say in the address that one is there: pooler=transaction"
            );
        }
        let last = self.last.clone();
        let row = self.ask(wire, async { client.query_typed(&last, &[]).await }).await?;
        let Some(row) = row.first() else { return Ok(()) };
        let last = position(row.try_get(0).map_err(|error| self.fault(&error))?);
        self.missed = (last > self.heard).then_some(last);
        self.head.publish(last);
        Ok(())
    }

    /// Takes notifications until a time.
    async fn hear_until(&mut self, wire: &mut Wire, until: Instant) -> Result<(), Fault> {
        loop {
            let message = tokio::select! {
                message = next_message(wire) => message,
                () = sleep_until(until) => return Ok(()),
            };
            self.take(message)?;
        }
    }

    /// Waits for a statement while the connection it runs on is driven.
    async fn ask<T>(
        &mut self,
        wire: &mut Wire,
        statement: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Fault> {
        let mut statement = std::pin::pin!(statement);
        let end = Instant::now() + self.config.patience;
        loop {
            let message = tokio::select! {
                done = &mut statement => return done.map_err(|error| self.fault(&error)),
                message = next_message(wire) => message,
                () = sleep_until(end) => {
                    return Err(Fault::new(FaultKind::Lost, "the database does not answer"));
                }
            };
            self.take(message)?;
        }
    }

    fn take(
        &mut self,
        message: Option<Result<AsyncMessage, tokio_postgres::Error>>,
    ) -> Result<(), Fault> {
        match message {
            Some(Ok(AsyncMessage::Notification(told))) => {
                if let Ok(number) = told.payload().parse() {
                    self.heard = self.heard.max(position(number));
                    self.head.publish(self.heard);
                    if self.head.set_source(HeadSource::Listening) {
                        tracing::info!("notifications of the database arrive again");
                    }
                }
                Ok(())
            }
            Some(Ok(_)) => Ok(()),
            Some(Err(error)) => Err(self.fault(&error)),
            None => Err(Fault::new(FaultKind::Lost, "the connection has ended")),
        }
    }

    fn fault(&self, error: &tokio_postgres::Error) -> Fault {
        Fault::of(error, &self.config.address)
    }
}

async fn next_message(wire: &mut Wire) -> Option<Result<AsyncMessage, tokio_postgres::Error>> {
    poll_fn(|context| Pin::new(&mut *wire).get_mut().poll_message(context)).await
}

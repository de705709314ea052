//! The writer's connection: made anew when it was lost, with pauses, within a bound.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use tokio_postgres::Client;

use crate::event::EventId;
use crate::postgres::{Address, Fault, FaultKind, connect};

const PAUSE_MIN: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// The most connections that the database is told to have been given up. So many connections
/// later nothing that was sent on the first is still on its way.
const LOST_MAX: usize = 1_000;

/// A connection that is there, or not.
pub(super) struct Session {
    address: Address,
    client: Option<Client>,
    /// Names the connection to the database; no other has it.
    id: EventId,
    /// The connections given up in the middle since the database last answered.
    lost: VecDeque<EventId>,
    pause: Duration,
}

impl Session {
    /// Starts with a connection.
    pub fn new(address: Address, client: Client) -> Self {
        let (client, id, lost) = (Some(client), EventId::fresh(), VecDeque::new());
        Self { address, client, id, lost, pause: PAUSE_MIN }
    }

    /// Makes a connection if there is none; one attempt.
    pub async fn ensure(&mut self) -> Result<(), Fault> {
        if !self.is_there() {
            self.client = Some(connect(&self.address).await?);
            self.id = EventId::fresh();
        }
        Ok(())
    }

    /// Returns the connection.
    ///
    /// # Errors
    /// [`Fault`] when there is none.
    pub fn client(&self) -> Result<&Client, Fault> {
        self.client.as_ref().ok_or_else(|| Fault::new(FaultKind::Lost, "there is no connection"))
    }

    /// Forgets the connection, on which nothing is under way.
    pub fn forget(&mut self) {
        self.client = None;
    }

    /// Gives the connection up, although what was sent on it may still be done.
    pub fn give_up(&mut self) {
        self.client = None;
        if self.lost.len() >= LOST_MAX {
            self.lost.pop_front();
        }
        self.lost.push_back(self.id);
    }

    /// Takes note that the database has answered: it has been told which connections were given
    /// up, and the next pause is a short one again. A connection alone does not shorten it: a
    /// server may take every connection and fail all work.
    pub fn settle(&mut self) {
        self.lost.clear();
        self.pause = PAUSE_MIN;
    }

    /// Returns the name of the connection.
    pub const fn id(&self) -> EventId {
        self.id
    }

    /// Returns the connections that were given up, which the database must be told.
    pub const fn lost(&self) -> &VecDeque<EventId> {
        &self.lost
    }

    /// Returns whether the connection is there.
    pub fn is_there(&self) -> bool {
        self.client.as_ref().is_some_and(|client| !client.is_closed())
    }

    /// Waits before the next attempt, longer each time; false when `deadline` is nearer.
    pub async fn rest(&mut self, deadline: Instant) -> bool {
        let until = Instant::now() + self.pause;
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        if until >= deadline {
            return false;
        }
        sleep_until(until).await;
        true
    }

    /// Returns where it connects to.
    pub const fn address(&self) -> &Address {
        &self.address
    }
}

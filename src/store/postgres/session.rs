//! The writer's connection: made anew when it was lost, with pauses, within a bound.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use tokio_postgres::Client;

use crate::postgres::{Address, Fault, connect};

const PAUSE_MIN: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// A connection that is there, or not.
pub(super) struct Session {
    address: Address,
    client: Option<Client>,
    pause: Duration,
}

impl Session {
    /// Starts with a connection.
    pub const fn new(address: Address, client: Client) -> Self {
        Self { address, client: Some(client), pause: PAUSE_MIN }
    }

    /// Returns the connection, or makes one if there is none; one attempt.
    pub async fn client(&mut self) -> Result<&Client, Fault> {
        let client = match self.client.take() {
            Some(client) if !client.is_closed() => client,
            _ => connect(&self.address).await?,
        };
        self.pause = PAUSE_MIN;
        Ok(self.client.insert(client))
    }

    /// Forgets the connection, whatever is still under way on it.
    pub fn forget(&mut self) {
        self.client = None;
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

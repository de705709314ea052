//! The typed way to one aggregate.

use std::sync::Arc;

use super::envelope::{Key, SendOptions, Typed};
use super::error::SendError;
use super::registry::Registry;
use crate::aggregate::{Aggregate, Command, Decide, Receipt};

/// An aggregate that commands can be sent to; it need not exist yet.
pub struct AggregateHandle<A: Aggregate> {
    registry: Arc<Registry<A>>,
    key: Key,
}

impl<A: Aggregate> AggregateHandle<A> {
    pub(super) const fn new(registry: Arc<Registry<A>>, key: Key) -> Self {
        Self { registry, key }
    }

    /// Sends a command and waits until what it led to is durable.
    ///
    /// # Errors
    /// [`SendError`]; each variant says who acts.
    pub async fn send<C: Command>(&self, command: C) -> Result<Receipt, SendError<A::Rejection>>
    where
        A: Decide<C>,
    {
        self.send_with(command, SendOptions::default()).await
    }

    /// Sends a command with its cause, key or expected revision.
    ///
    /// # Errors
    /// [`SendError`]; each variant says who acts.
    pub async fn send_with<C: Command>(
        &self,
        command: C,
        options: SendOptions,
    ) -> Result<Receipt, SendError<A::Rejection>>
    where
        A: Decide<C>,
    {
        self.registry.send(self.key.clone(), Box::new(Typed(command)), options).await
    }
}

impl<A: Aggregate> Clone for AggregateHandle<A> {
    fn clone(&self) -> Self {
        Self { registry: Arc::clone(&self.registry), key: self.key.clone() }
    }
}

//! What operators do about events that were not applied: try again, or give up on one.

use std::sync::Arc;

use super::lane::{ApplyError, Lane};
use super::{Runner, StepError};
use crate::event::{Position, RecordedEvent, StreamId, Tenant};
use crate::projection::{ProjectionState, parked};
use crate::sql::{Memory, Tx, TxEngine};
use crate::store::LogRead;

/// Bounds how many parked events are listed at once.
const LIST_MAX: u64 = 500;

impl Runner {
    /// Passes over the event before which the projection has halted, and goes on.
    ///
    /// # Errors
    /// [`StepError::Refused`] when it has not halted before an event.
    pub async fn skip_halted(&mut self, reason: &str) -> Result<Position, StepError> {
        self.settle().await?;
        let is_live = self.live.poison.is_some();
        let lane = if is_live { Some(&self.live) } else { self.shadow.as_ref() };
        let position = lane.and_then(|lane| lane.poison);
        let position =
            position.ok_or_else(|| self.cx.refused("it has not halted before an event"))?;
        let event = self.event_at(position).await?;
        self.set_state(is_live, ProjectionState::Running).await?;
        let lane = if is_live { Some(&mut self.live) } else { self.shadow.as_mut() };
        if let Some(lane) = lane {
            lane.skip(&self.cx, &event, reason.to_owned()).await?;
        }
        self.publish();
        Ok(position)
    }

    /// Applies the parked events of a stream in order, and returns how many; none are parked
    /// any more when that ends well.
    ///
    /// # Errors
    /// [`StepError::Refused`] when nothing of the stream is parked, or when an event still
    /// cannot be applied: those before it are, it and those behind it stay parked.
    pub async fn retry_parked(
        &mut self,
        tenant: &Tenant,
        stream: &StreamId,
    ) -> Result<u64, StepError> {
        self.settle().await?;
        let key = [tenant.as_str(), stream.category().as_str(), stream.id()].map(str::to_owned);
        if !self.live.parked_streams.contains(&key) {
            return Err(self.cx.refused(format!("nothing of stream {stream} is parked")));
        }
        let mut applied = 0;
        loop {
            let positions = self.parked_positions(&key).await?;
            if positions.is_empty() {
                // What is in hand was read while the stream was parked.
                self.live.set_aside();
                self.live.parked_streams.remove(&key);
                self.publish();
                return Ok(applied);
            }
            for position in positions {
                self.retry_one(position).await?;
                applied += 1;
            }
        }
    }

    /// Gives up on the first parked event of a stream, which is recorded as skipped, and
    /// applies those behind it; returns how many.
    ///
    /// # Errors
    /// As [`Runner::retry_parked`].
    pub async fn discard_parked(
        &mut self,
        tenant: &Tenant,
        stream: &StreamId,
        reason: &str,
    ) -> Result<u64, StepError> {
        self.settle().await?;
        let key = [tenant.as_str(), stream.category().as_str(), stream.id()].map(str::to_owned);
        let Some(first) = self.parked_positions(&key).await?.first().copied() else {
            return Err(self.cx.refused(format!("nothing of stream {stream} is parked")));
        };
        let event = self.event_at(first).await?;
        let (ticket, reason) = (self.live.ticket(&self.cx), reason.to_owned());
        let at = self.cx.clock.now();
        let work = move |tx: &mut dyn TxEngine| {
            let is_owner = ticket.advance(tx, ticket.position, 0)?;
            if is_owner {
                parked::unpark(tx, &ticket, first)?;
                parked::skip(tx, &ticket, &event, (&reason, at))?;
            }
            Ok(is_owner)
        };
        if !self.write(work).await? {
            return Err(self.cx.fenced());
        }
        self.live.counts.parked = self.live.counts.parked.saturating_sub(1);
        self.live.counts.skipped += 1;
        self.publish();
        self.retry_parked(tenant, stream).await
    }

    async fn parked_positions(&mut self, key: &[String; 3]) -> Result<Vec<Position>, StepError> {
        let (ticket, key) = (self.live.ticket(&self.cx), key.clone());
        self.write(move |tx| parked::positions(tx, &ticket, &key, LIST_MAX)).await
    }

    async fn event_at(&self, position: Position) -> Result<RecordedEvent, StepError> {
        let page = self.cx.store.read_log(LogRead::after(position.previous(), 1)).await?;
        let event = page.events.into_iter().find(|event| event.position() == position);
        event.ok_or_else(|| self.cx.refused(format!("no event at position {position} in the log")))
    }

    /// Applies one parked event and removes its record, in one transaction.
    async fn retry_one(&mut self, position: Position) -> Result<(), StepError> {
        let event = self.event_at(position).await?;
        let decoded = self.cx.decode(vec![event]).await?;
        if let Some((_, reason)) = decoded.poison {
            return self.still_parked(position, reason).await;
        }
        let (ticket, suffix) = (self.live.ticket(&self.cx), self.live.suffix());
        let (batch, memory) = (Arc::clone(&decoded.batch), self.live.memory.take());
        let unknown = decoded.unknown.len() as u64;
        let work = move |tx: &mut dyn TxEngine| {
            if !ticket.advance(tx, ticket.position, unknown)? {
                return Err(ApplyError::Fenced);
            }
            parked::unpark(tx, &ticket, position)?;
            let mut tx = Tx::new(tx, &suffix).with_memory(memory);
            batch.apply(0..batch.len(), &mut tx)?;
            Ok::<Memory, ApplyError>(tx.into_memory())
        };
        match self.transact(work).await {
            Ok(memory) => {
                let Lane { memory: kept, counts, unknown: passed, .. } = &mut self.live;
                (*kept, *passed) = (memory, *passed + unknown);
                counts.parked = counts.parked.saturating_sub(1);
                Ok(())
            }
            Err(ApplyError::Fenced) => Err(self.cx.fenced()),
            Err(ApplyError::Failed(error)) => self.still_parked(position, error.to_string()).await,
        }
    }

    async fn still_parked(&mut self, position: Position, reason: String) -> Result<(), StepError> {
        let (ticket, why) = (self.live.ticket(&self.cx), reason.clone());
        self.write(move |tx| parked::explain(tx, &ticket, position, &why)).await?;
        self.publish();
        let problem = format!("event at position {position} still cannot be applied: {reason}");
        Err(self.cx.refused(problem))
    }
}

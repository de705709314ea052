//! A rebuild as a runner drives it: begun, cancelled, swapped in.

use super::lane::ApplyError;
use super::runner::lane;
use super::{Runner, StepError};
use crate::projection::{ProjectionState, Step, checkpoint, rebuild};
use crate::sql::TxEngine;

impl Runner {
    /// Begins to fill new tables beside the live ones; `false` when that goes on already.
    ///
    /// # Errors
    /// [`StepError`].
    pub async fn rebuild(&mut self) -> Result<bool, StepError> {
        self.settle().await?;
        if self.shadow.is_some() {
            return Ok(false);
        }
        let (ticket, definition) = (self.live.ticket(&self.cx), self.cx.definition.clone());
        let work = move |tx: &mut dyn TxEngine| {
            if !ticket.advance(tx, ticket.position, 0)? {
                return Ok(None);
            }
            rebuild::begin(tx, &definition, false)?;
            let rows = checkpoint::load(tx, ticket.name)?;
            let (_, shadow) = rebuild::split(ticket.name, rows)?;
            shadow.map(|row| lane(tx, ticket.name, row)).transpose()
        };
        self.shadow = self.write(work).await?;
        if self.shadow.is_none() {
            return Err(self.cx.fenced());
        }
        self.publish();
        Ok(true)
    }

    /// Drops the tables of a rebuild; `false` when there is none.
    ///
    /// # Errors
    /// [`StepError::Refused`] when the live rows are of another version, which nothing but
    /// the rebuild can go on from.
    pub async fn cancel_rebuild(&mut self) -> Result<bool, StepError> {
        self.settle().await?;
        let Some(shadow) = &self.shadow else { return Ok(false) };
        if self.live.version != self.cx.facts.version {
            return Err(self.cx.refused("its version was raised: only the rebuild can go on"));
        }
        let (ticket, suffix) = (shadow.ticket(&self.cx), shadow.suffix());
        let tables = shadow.tables.clone();
        let work = move |tx: &mut dyn TxEngine| rebuild::abandon(tx, &ticket, &tables, &suffix);
        if !self.write(work).await? {
            return Err(self.cx.fenced());
        }
        self.shadow = None;
        self.publish();
        Ok(true)
    }

    /// Returns whether the rebuild has considered all that the live rows have.
    pub(crate) fn is_ready_to_swap(&self) -> bool {
        self.shadow.as_ref().is_some_and(|shadow| {
            shadow.position >= self.live.position
                && shadow.work.is_none()
                && shadow.state == ProjectionState::Running
        })
    }

    pub(crate) async fn swap(&mut self) -> Result<Step, StepError> {
        let Some(shadow) = &self.shadow else { return Ok(Step::Halted) };
        let swap = rebuild::Swap {
            live: self.live.ticket(&self.cx),
            live_tables: self.live.tables.clone(),
            shadow: shadow.ticket(&self.cx),
            shadow_tables: shadow.tables.clone(),
            position: shadow.position,
        };
        // Refused, the transaction is undone: the live tables may be gone in it already.
        let work = move |tx: &mut dyn TxEngine| match swap.run(tx)? {
            true => Ok(()),
            false => Err(ApplyError::Fenced),
        };
        self.transact(work).await.map_err(|error| error.into_step(&self.cx))?;
        if let Some(mut lane) = self.shadow.take() {
            (lane.is_live, lane.persisted) = (true, lane.position);
            self.live = lane;
        }
        self.publish();
        Ok(Step::Swapped { generation: self.live.generation })
    }
}

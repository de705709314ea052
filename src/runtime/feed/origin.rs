//! Whether the rows are made of this program's own log, which is known by its first event.

use super::StepError;
use super::lane::Context;
use crate::event::{EventId, Position};
use crate::projection::origin;
use crate::sql::{SqlError, TxEngine};
use crate::store::{LogRead, StoreError};

impl Context {
    /// Returns the first event of the log; `None` while that is empty.
    pub(crate) async fn first_event(&self) -> Result<Option<EventId>, StoreError> {
        if let Some(first) = self.first_event.get() {
            return Ok(Some(*first));
        }
        let page = self.store.read_log(LogRead::after(Position::ZERO, 1)).await?;
        let first = page.events.first().map(|event| event.id());
        Ok(first.map(|first| *self.first_event.get_or_init(|| first)))
    }

    /// Checks that rows, should there be any, are made of the own log, should that have begun.
    pub(crate) async fn check_origin(&self) -> Result<(), StepError> {
        let rows = self.database.inspect::<_, SqlError>(origin::load).await?;
        self.compare(rows).await
    }

    /// Makes the rows those of the own log, unless they are those of one; `false` while there is
    /// no event to know the log by.
    pub(crate) async fn claim_origin(&self) -> Result<bool, StepError> {
        let Some(first) = self.first_event().await? else { return Ok(false) };
        let claim = move |tx: &mut dyn TxEngine| origin::claim(tx, first);
        let rows = self.database.write(claim).await?;
        self.compare(Some(rows)).await.map(|()| true)
    }

    pub(crate) async fn compare(&self, rows: Option<EventId>) -> Result<(), StepError> {
        let Some(rows) = rows else { return Ok(()) };
        match self.first_event().await? {
            Some(own) if own != rows => Err(StepError::OtherLog { own, rows }),
            _ => Ok(()),
        }
    }
}

//! Pages of the log for callers that must not wait: what is short at once, what is long by turns.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use tokio::sync::oneshot;

use super::fault::{ReadFault, Wait};
use super::page::PageBuilder;
use super::reader::Reader;
use super::turns::Turns;
use crate::event::Position;
use crate::store::condition::{Examined, examine, is_short};
use crate::store::{Append, LogPage, LogRead, StoreError};

/// Events that the caller's own thread looks at before a read goes to the threads for long ones.
const AT_ONCE: usize = 512;

/// Events of one slice of a long read: about a millisecond.
const SLICE: usize = 2_048;

/// Reads pages of a log without holding up the caller's thread.
pub struct Scans {
    reader: Arc<Reader>,
    turns: Arc<Turns>,
}

impl Scans {
    /// Makes it; somebody must run the turns.
    pub fn new(reader: Arc<Reader>, turns: Arc<Turns>) -> Self {
        Self { reader, turns }
    }

    /// Reads a page; the second part tells whether it was there at once.
    pub fn log_page(
        &self,
        read: LogRead,
    ) -> (BoxFuture<'static, Result<LogPage, StoreError>>, bool) {
        if let Err(error) = self.reader.check(&read) {
            return (ready(Err(error)).boxed(), true);
        }
        let limits = &self.reader.limits;
        let mut page = PageBuilder::new(&read, limits);
        if is_filtered(&read) {
            page.resume(AT_ONCE);
        }
        let page = match self.reader.advance(&read, &mut page, Wait::Never) {
            Ok(_) if page.is_paused() => page,
            Ok(is_end) => return (ready(Ok(page.finish(is_end))).boxed(), true),
            Err(ReadFault::Store(error)) => return (ready(Err(error)).boxed(), true),
            Err(ReadFault::WouldWait) => PageBuilder::new(&read, limits),
        };
        (self.by_turns(read, page), false)
    }

    /// Examines an append's condition as far as the writer does not.
    pub async fn examine(&self, append: &Append, head: Position) -> Option<Examined> {
        let condition = append.condition.as_ref()?;
        if is_short(condition, head) {
            return Some(Examined::unseen(condition));
        }
        let page = |read| self.log_page(read).0;
        Some(examine((&append.tenant, condition), &self.reader.limits, page).await)
    }

    fn by_turns(
        &self,
        read: LogRead,
        mut page: PageBuilder,
    ) -> BoxFuture<'static, Result<LogPage, StoreError>> {
        let (answer, answered) = oneshot::channel();
        let (reader, tenant) = (self.reader.clone(), read.tenant.clone());
        let mut answer = Some(answer);
        let work = move || {
            // A caller that has gone away does not want the page.
            let Some(waiting) = answer.take_if(|answer| !answer.is_closed()) else { return false };
            page.resume(SLICE);
            let outcome = match reader.advance(&read, &mut page, Wait::Allowed) {
                Ok(_) if page.is_paused() => {
                    answer = Some(waiting);
                    return true;
                }
                Ok(is_end) => Ok(page.take_finished(is_end)),
                Err(fault) => Err(fault.into_store()),
            };
            drop(waiting.send(outcome));
            false
        };
        match self.turns.push(tenant, Box::new(work)) {
            Ok(()) => answered.map(|page| page.unwrap_or(Err(StoreError::Closed))).boxed(),
            Err(waiting) => ready(Err(StoreError::Overloaded { waiting })).boxed(),
        }
    }
}

/// Returns whether the read may have to look at many events for each that it returns.
fn is_filtered(read: &LogRead) -> bool {
    read.tenant.is_some() || !read.query.is_all()
}

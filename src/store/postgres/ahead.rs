//! Fetches the next page of the log while the caller works on this one.
//!
//! Only for a caller who goes on where an earlier page ended, and only pages behind which more
//! follows: those never change, while a page that reaches the end may be out of date by the time
//! it is asked for.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::task::JoinHandle;

use super::reader::Reader;
use crate::store::{Direction, LogPage, LogRead, StoreError};

/// How many callers are remembered; each has at most one page waiting.
const CALLERS_MAX: usize = 4;

/// Smaller pages are not worth another thread of work.
const LIMIT_MIN: usize = 500;

/// What is expected to be read next.
#[derive(Default)]
pub(super) struct Ahead {
    expected: Mutex<VecDeque<Expected>>,
}

struct Expected {
    read: LogRead,
    /// Its page, once the caller has gone on at least once.
    page: Option<Fetch>,
}

/// A page under way; dropping it ends it.
struct Fetch(JoinHandle<Result<LogPage, StoreError>>);

impl Ahead {
    /// Reads a page of the log, by what is there of it, and prepares for the next.
    pub async fn log_page(
        &self,
        reader: Arc<Reader>,
        read: LogRead,
    ) -> Result<LogPage, StoreError> {
        if read.direction == Direction::Backward || read.limit < LIMIT_MIN {
            return reader.log_page(read).await;
        }
        let expected = self.take(&read);
        let is_going_on = expected.is_some();
        let page = match fetched(expected).await {
            Some(page) => page,
            None => reader.log_page(read.clone()).await?,
        };
        if !page.is_end && page.next > read.from {
            let next = LogRead { from: page.next, ..read };
            let fetch = is_going_on.then(|| Fetch::start(reader, next.clone()));
            self.expect(Expected { read: next, page: fetch });
        }
        Ok(page)
    }

    fn take(&self, read: &LogRead) -> Option<Expected> {
        let mut expected = self.expected.lock();
        let at = expected.iter().position(|it| it.read == *read)?;
        expected.remove(at)
    }

    fn expect(&self, next: Expected) {
        let mut expected = self.expected.lock();
        if expected.len() >= CALLERS_MAX {
            expected.pop_front();
        }
        expected.push_back(next);
    }
}

impl Fetch {
    fn start(reader: Arc<Reader>, read: LogRead) -> Self {
        Self(tokio::spawn(async move { reader.log_page(read).await }))
    }
}

impl Drop for Fetch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Returns the page, if it was fetched and is still true.
async fn fetched(expected: Option<Expected>) -> Option<LogPage> {
    let mut fetch = expected?.page?;
    // One that failed is read again by whoever asked, and fails or not for them.
    let page = (&mut fetch.0).await.ok()?.ok()?;
    (!page.is_end).then_some(page)
}

//! Conditions examined by readers, before their append is sent.
//!
//! One of a tenant at a time, a few in all, each within a bound of time: a tenant whose conditions
//! are long waits for itself, and the connections of other readers stay free.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Semaphore;

use super::fault::store_error;
use super::reader::Reader;
use super::request::find_text;
use super::wire::position;
use crate::event::Tenant;
use crate::postgres::{Fault, FaultKind};
use crate::store::condition::{Examined, unread};
use crate::store::{AppendCondition, AppendError, BeyondEnd, StoreError};

/// Conditions that are examined at the same time.
const AT_ONCE: usize = 2;

/// The most conditions of a tenant that wait to be examined.
const WAITING_MAX: usize = 1_024;

/// Begins a read that ends after 5 s.
pub(super) const BEGIN: &str = "begin isolation level read committed read only; \
    set local statement_timeout = '5s'; set local jit = off";

/// Asks for the head, and for an event that matches: `$1` condition, `$2` the most looks.
pub(super) const FIND: &str = "select coalesce((select max(position) from ~events), 0), \
    ~find_match($1::text::jsonb, $2)";

/// Where conditions wait for their turn.
pub(super) struct Desk {
    tenants: Mutex<HashMap<Tenant, Arc<Line>>>,
    all: Semaphore,
}

struct Line {
    turn: Semaphore,
    waiting: Mutex<usize>,
}

impl Default for Desk {
    fn default() -> Self {
        Self { tenants: Mutex::default(), all: Semaphore::new(AT_ONCE) }
    }
}

impl Desk {
    /// Examines a tenant's condition when it is its turn.
    pub async fn examine(
        &self,
        reader: &Reader,
        tenant: &Tenant,
        condition: &AppendCondition,
    ) -> Examined {
        let seat = match Seat::take(self, tenant) {
            Ok(seat) => seat,
            Err(waiting) => {
                return Examined::refused(condition, AppendError::Overloaded { waiting });
            }
        };
        // Neither is ever closed.
        let (Ok(_own), Ok(_any)) = (seat.line.turn.acquire().await, self.all.acquire().await)
        else {
            return Examined::refused(condition, unread(StoreError::Closed));
        };
        reader.examine(tenant, condition).await
    }
}

/// A condition's place in its tenant's line.
struct Seat<'a> {
    desk: &'a Desk,
    tenant: &'a Tenant,
    line: Arc<Line>,
}

impl<'a> Seat<'a> {
    fn take(desk: &'a Desk, tenant: &'a Tenant) -> Result<Self, usize> {
        let mut tenants = desk.tenants.lock();
        let line = tenants.entry(tenant.clone()).or_insert_with(|| {
            Arc::new(Line { turn: Semaphore::new(1), waiting: Mutex::default() })
        });
        let mut waiting = line.waiting.lock();
        if *waiting >= WAITING_MAX {
            return Err(*waiting);
        }
        *waiting += 1;
        drop(waiting);
        Ok(Self { desk, tenant, line: Arc::clone(line) })
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let mut tenants = self.desk.tenants.lock();
        let mut waiting = self.line.waiting.lock();
        *waiting = waiting.saturating_sub(1);
        if *waiting == 0 {
            tenants.remove(self.tenant);
        }
    }
}

impl Reader {
    async fn examine(&self, tenant: &Tenant, condition: &AppendCondition) -> Examined {
        let text = find_text(tenant, condition);
        let events_max = self.limits.condition_scan_max;
        let probes_max = i64::try_from(events_max).unwrap_or(i64::MAX);
        let refused = |refusal| Examined::refused(condition, refusal);
        let too_wide = AppendError::ConditionTooWide { after: condition.after, events_max };
        let found = match self.find(&text, probes_max).await {
            Ok(found) => found,
            // It took longer than it may.
            Err(fault) if fault.kind() == FaultKind::Contended => return refused(too_wide),
            Err(fault) => return refused(unread(store_error(&fault, &self.address))),
        };
        let (head, found) = (position(found.0), found.1);
        if let Err(beyond) = BeyondEnd::check(condition.after, head) {
            return refused(AppendError::ConditionBeyondEnd(beyond));
        }
        match found {
            None => Examined::clear(condition, head),
            Some(at) if at < 0 => refused(too_wide),
            Some(at) => refused(AppendError::ConditionFailed { position: position(at) }),
        }
    }

    /// Returns the head and what was found, both of one moment.
    async fn find(&self, text: &str, probes_max: i64) -> Result<(i64, Option<i64>), Fault> {
        let row = self.find_row(text, probes_max).await?;
        let row = row.ok_or_else(|| Fault::new(FaultKind::Damaged, "no answer"))?;
        let read = row.try_get(0).and_then(|head| row.try_get(1).map(|found| (head, found)));
        read.map_err(|error| Fault::of(&error, &self.address))
    }
}

//! Append conditions are examined outside of the writer, so that nobody waits for them.
//!
//! What lies in the log already is looked at on the caller's side, page by page: it ends when
//! the caller is gone, and when it comes to more than is allowed. The writer itself looks at
//! nothing but the few events that came since, and sends an append out again when those have
//! become many. A refusal is carried to the writer too, which may know the append as a repeat.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{AppendCondition, AppendError, EventQuery, LogPage, LogRead, StoreError, StoreLimits};
use crate::event::{Position, Tenant};

/// How much of a condition's query, times events, may be compared under the writer at first.
const WORK: u64 = 128 << 10;

/// How often a condition is examined before its append is refused, because each time too much
/// had come meanwhile. Each time the writer may look at four times as many events.
pub(super) const ROUNDS_MAX: u32 = 5;

/// A condition as far as it was examined.
#[derive(Clone, Debug)]
pub(super) struct Examined {
    /// What must not match.
    pub query: EventQuery,
    /// Nothing up to it matches: the writer looks at what follows.
    pub upto: Position,
    /// Why the append is refused, unless the log has its events already.
    pub refusal: Option<AppendError>,
    /// The most events that the writer looks at.
    pub rest_max: u64,
    outrun: Arc<AtomicBool>,
}

impl Examined {
    /// Takes a condition without a look; its position must not lie beyond the end of the log.
    pub fn unseen(condition: &AppendCondition) -> Self {
        let (query, upto) = (condition.query.clone(), condition.after);
        let rest_max = rest_max(&query);
        Self { query, upto, refusal: None, rest_max, outrun: Arc::default() }
    }

    /// Takes a condition that was found to refuse its append.
    pub fn refused(condition: &AppendCondition, refusal: AppendError) -> Self {
        Self { refusal: Some(refusal), ..Self::unseen(condition) }
    }

    /// Takes a condition of which nothing up to a position matches.
    pub fn clear(condition: &AppendCondition, upto: Position) -> Self {
        Self { upto, ..Self::unseen(condition) }
    }

    /// Lets the writer look at more, because the log grew too fast in rounds before.
    pub fn in_round(mut self, round: u32) -> Self {
        self.rest_max <<= 2 * round.min(ROUNDS_MAX);
        self
    }

    /// Checks, under the writer, that what follows is short enough to be looked at there.
    ///
    /// # Errors
    /// The refusal that was found outside, or that the append must be sent out again.
    pub fn check_rest(&self, end: Position) -> Result<(), AppendError> {
        match &self.refusal {
            Some(refusal) => Err(refusal.clone()),
            None if end.since(self.upto) > self.rest_max => Err(self.outrun()),
            None => Ok(()),
        }
    }

    /// Notes, under the writer, that too much came since: the append must be sent out again.
    pub fn outrun(&self) -> AppendError {
        self.outrun.store(true, Ordering::Release);
        AppendError::ConditionOutrun
    }

    /// Returns a way to know whether the writer sent the append out again.
    pub fn watch(&self) -> Outrun {
        Outrun(Arc::clone(&self.outrun))
    }
}

/// Tells whether the writer sent an append out again.
#[derive(Clone, Debug)]
pub(super) struct Outrun(Arc<AtomicBool>);

impl Outrun {
    /// Returns whether it did.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// Returns whether so little lies after a condition's position that it needs no look outside.
pub(super) fn is_short(condition: &AppendCondition, head: Position) -> bool {
    let rest = rest_max(&condition.query) / 8;
    condition.after <= head && head.since(condition.after) <= rest
}

/// Returns how many events may be held against a query under the writer.
fn rest_max(query: &EventQuery) -> u64 {
    let parts = query.items.len() + query.name_count();
    (WORK / u64::try_from(parts).unwrap_or(u64::MAX).max(1)).clamp(256, 8_192)
}

/// Examines a condition by reading page after page.
pub(super) async fn examine<F>(
    (tenant, condition): (&Tenant, &AppendCondition),
    limits: &StoreLimits,
    page: impl Fn(LogRead) -> F,
) -> Examined
where
    F: Future<Output = Result<LogPage, StoreError>>,
{
    let read = LogRead::after(condition.after, 1).of_tenant(tenant.clone());
    let mut read = read.matching(condition.query.clone());
    let (mut looked_at, events_max) = (0, limits.condition_scan_max);
    loop {
        let page = match page(read.clone()).await {
            Ok(page) => page,
            Err(error) => return Examined::refused(condition, unread(error)),
        };
        if let Some(event) = page.events.first() {
            let position = event.position();
            return Examined::refused(condition, AppendError::ConditionFailed { position });
        }
        if page.is_end {
            return Examined::clear(condition, page.next);
        }
        looked_at += page.looked_at;
        if looked_at >= events_max {
            let after = condition.after;
            let refusal = AppendError::ConditionTooWide { after, events_max };
            return Examined::refused(condition, refusal);
        }
        read.from = page.next;
    }
}

/// Says why a condition could not be looked at.
pub(super) fn unread(error: StoreError) -> AppendError {
    match error {
        StoreError::BeyondEnd(beyond) => AppendError::ConditionBeyondEnd(beyond),
        StoreError::Overloaded { waiting } => AppendError::Overloaded { waiting },
        StoreError::Query(problem) => AppendError::Invalid(problem),
        error => AppendError::Unavailable { cause: error.to_string() },
    }
}

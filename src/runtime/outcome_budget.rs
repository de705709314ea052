//! How many outcomes of keyed commands are kept for each tenant.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use governor::clock::DefaultClock;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};

use super::error::SendError;
use crate::event::Tenant;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// After so many outcomes, tenants that have their whole budget are forgotten.
const SWEEP_EVERY: usize = 10_000;

/// Bounds the events that a tenant may write by keyed commands that lead to none of their own.
pub(super) struct OutcomeBudget {
    max: NonZeroU32,
    limiter: RateLimiter<Tenant, DashMapStateStore<Tenant>, DefaultClock>,
    taken: AtomicUsize,
}

impl OutcomeBudget {
    /// Allows so many outcomes a tenant in 24 h; at least 1.
    pub fn new(per_day: u32) -> Self {
        let max = NonZeroU32::new(per_day).unwrap_or(NonZeroU32::MIN);
        let period = DAY / max.get();
        let quota = Quota::with_period(period).unwrap_or(Quota::per_second(max)).allow_burst(max);
        Self { max, limiter: RateLimiter::keyed(quota), taken: AtomicUsize::new(0) }
    }

    /// Takes one outcome out of a tenant's budget.
    ///
    /// # Errors
    /// [`SendError::TooManyOutcomes`] when nothing is left.
    pub fn take<R>(&self, tenant: &Tenant) -> Result<(), SendError<R>> {
        if self.taken.fetch_add(1, Ordering::Relaxed) % SWEEP_EVERY == SWEEP_EVERY - 1 {
            self.limiter.retain_recent();
        }
        let max = self.max.get();
        self.limiter.check_key(tenant).map_err(|_| SendError::TooManyOutcomes { max })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_that_used_its_budget_leaves_those_of_others_alone() {
        let budget = OutcomeBudget::new(2);
        let [one, other] = ["one", "other"].map(|name| Tenant::new(name).unwrap());
        let takes = |tenant| budget.take::<()>(tenant).is_ok();
        assert_eq!([takes(&one), takes(&one), takes(&one)], [true, true, false]);
        assert!(takes(&other));
    }
}

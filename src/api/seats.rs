//! Places for those who wait or follow: so many in all, of a tenant, and of a key.
//!
//! Some places are kept for the pages of those who run the program: whatever the others do, an
//! operator can look at what happens.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use parking_lot::Mutex;

use super::keys::Caller;
use super::{ApiLimits, Problem, ProblemKind};
use crate::event::Tenant;

/// The places of one server.
pub(super) struct Seats {
    taken: Mutex<Taken>,
    max: usize,
    of_tenant_max: usize,
    of_key_max: usize,
    reserve: usize,
}

#[derive(Default)]
struct Taken {
    all: usize,
    tenants: HashMap<Tenant, usize>,
    keys: HashMap<String, usize>,
}

/// A place; dropping it lets another have it.
pub(super) struct Seat {
    seats: Arc<Seats>,
    tenant: Tenant,
    key: String,
}

impl Seats {
    pub fn new(limits: &ApiLimits) -> Self {
        let max = limits.subscribers_max;
        Self {
            taken: Mutex::default(),
            max,
            of_tenant_max: limits.subscribers_per_tenant_max.min(max),
            of_key_max: limits.subscribers_per_key_max.min(max),
            // A small server keeps few, but never all.
            reserve: limits.subscribers_reserved.min(max / 4),
        }
    }

    /// Returns how many are taken.
    pub fn taken(&self) -> usize {
        self.taken.lock().all
    }

    /// Takes a place; `may_use_reserve` says that it is for a page of those who run the program.
    pub fn take(self: &Arc<Self>, caller: &Caller, may_use_reserve: bool) -> Result<Seat, Problem> {
        let (tenant, key) = (caller.tenant().clone(), caller.key_id().to_owned());
        let mut taken = self.taken.lock();
        let open = if may_use_reserve { self.max } else { self.max - self.reserve };
        if taken.all >= open {
            return Err(full(open, "this server has"));
        }
        if taken.keys.get(&key).copied().unwrap_or_default() >= self.of_key_max {
            return Err(full(self.of_key_max, "this key has"));
        }
        let of_tenant = taken.tenants.get(&tenant).copied().unwrap_or_default();
        if of_tenant >= self.of_tenant_max && !may_use_reserve {
            return Err(full(self.of_tenant_max, "this tenant has"));
        }
        taken.all += 1;
        *taken.tenants.entry(tenant.clone()).or_default() += 1;
        *taken.keys.entry(key.clone()).or_default() += 1;
        Ok(Seat { seats: Arc::clone(self), tenant, key })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.taken.lock();
        taken.all = taken.all.saturating_sub(1);
        give_back(&mut taken.tenants, &self.tenant);
        give_back(&mut taken.keys, &self.key);
    }
}

fn give_back<K: Eq + Hash>(counts: &mut HashMap<K, usize>, key: &K) {
    let Some(count) = counts.get_mut(key) else { return };
    *count = count.saturating_sub(1);
    if *count == 0 {
        counts.remove(key);
    }
}

fn full(max: usize, whose: &str) -> Problem {
    let detail = format!(
        "{whose} {max} subscribers already, polls that wait and pages that are followed included: \
         end one, or try again later"
    );
    Problem::new(ProblemKind::Overloaded, detail).retry_after_s(5)
}

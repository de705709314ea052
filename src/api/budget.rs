//! One budget of bytes for all that requests and replies hold in memory, fair by tenant.
//!
//! Bodies, replies and pages under way are charged before they are held, or dropped. A tenant may
//! have half of it, so that another always has room; what is refused says when to come back.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{ApiLimits, Problem, ProblemKind};
use crate::event::Tenant;

/// The budget of one server.
pub(super) struct Budget {
    used: Mutex<Used>,
    total: usize,
    share: usize,
    /// How long a request waits for room before it is refused.
    patience: Duration,
    freed: Notify,
}

#[derive(Default)]
struct Used {
    all: usize,
    tenants: HashMap<Tenant, usize>,
}

/// Bytes that are held; dropping it gives them back.
pub(super) struct Held {
    budget: Arc<Budget>,
    tenant: Tenant,
    bytes: usize,
}

/// Whose bound is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Full {
    Share,
    Total,
}

impl Budget {
    pub fn new(limits: &ApiLimits) -> Self {
        let total = limits.memory_bytes_max;
        let (share, patience) = (total / 2, limits.body_timeout / 3);
        Self { used: Mutex::default(), total, share, patience, freed: Notify::new() }
    }

    /// Returns how many bytes are held.
    pub fn used(&self) -> usize {
        self.used.lock().all
    }

    /// Takes bytes, or says no at once.
    pub fn take_now(self: &Arc<Self>, tenant: &Tenant, bytes: usize) -> Result<Held, Problem> {
        self.try_take(tenant, bytes).map_err(|full| self.refused(full))
    }

    /// Takes bytes; waits for a while when there is no room.
    pub async fn take(self: &Arc<Self>, tenant: &Tenant, bytes: usize) -> Result<Held, Problem> {
        let waited = tokio::time::timeout(self.patience, self.wait_for(tenant, bytes)).await;
        match waited {
            Ok(held) => Ok(held),
            Err(_) => self.take_now(tenant, bytes),
        }
    }

    /// Takes bytes, however long that takes.
    pub async fn wait_for(self: &Arc<Self>, tenant: &Tenant, bytes: usize) -> Held {
        loop {
            let mut freed = std::pin::pin!(self.freed.notified());
            // From here on nothing that is freed goes unnoticed.
            freed.as_mut().enable();
            if let Ok(held) = self.try_take(tenant, bytes) {
                return held;
            }
            freed.await;
        }
    }

    fn try_take(self: &Arc<Self>, tenant: &Tenant, bytes: usize) -> Result<Held, Full> {
        // What is larger than a share can only be had alone.
        let bytes = bytes.min(self.share);
        let mut used = self.used.lock();
        let own = used.tenants.get(tenant).copied().unwrap_or_default();
        if own + bytes > self.share {
            return Err(Full::Share);
        }
        if used.all + bytes > self.total {
            return Err(Full::Total);
        }
        used.all += bytes;
        *used.tenants.entry(tenant.clone()).or_default() += bytes;
        Ok(Held { budget: Arc::clone(self), tenant: tenant.clone(), bytes })
    }

    fn refused(&self, full: Full) -> Problem {
        let (kind, whose, bytes) = match full {
            Full::Share => (ProblemKind::RateLimited, "this tenant's", self.share),
            Full::Total => (ProblemKind::Overloaded, "this server's", self.total),
        };
        let detail = format!(
            "{whose} {bytes} bytes for requests and replies under way are taken: send less at \
             once, read replies sooner, or try again later"
        );
        Problem::new(kind, detail).retry_after_s(2)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut used = self.budget.used.lock();
        used.all = used.all.saturating_sub(self.bytes);
        if let Some(own) = used.tenants.get_mut(&self.tenant) {
            *own = own.saturating_sub(self.bytes);
            if *own == 0 {
                used.tenants.remove(&self.tenant);
            }
        }
        drop(used);
        self.budget.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget() -> Arc<Budget> {
        Arc::new(Budget::new(&ApiLimits { memory_bytes_max: 100, ..ApiLimits::default() }))
    }

    fn tenant(name: &str) -> Tenant {
        Tenant::new(name).unwrap()
    }

    #[test]
    fn one_tenant_leaves_room_for_another() {
        let budget = budget();
        let _held = budget.take_now(&tenant("greedy"), 50).unwrap();
        let refused = budget.take_now(&tenant("greedy"), 1).err().unwrap();
        assert_eq!(refused.kind(), ProblemKind::RateLimited);
        assert!(budget.take_now(&tenant("modest"), 50).is_ok());
    }

    #[test]
    fn what_all_hold_is_bounded_and_given_back() {
        let budget = budget();
        let held: Vec<_> =
            ["a", "b"].map(|name| budget.take_now(&tenant(name), 50).unwrap()).into();
        let refused = budget.take_now(&tenant("c"), 1).err().unwrap();
        assert_eq!(refused.kind(), ProblemKind::Overloaded);
        drop(held);
        assert_eq!(budget.used(), 0);
        assert!(budget.used.lock().tenants.is_empty());
    }

    #[tokio::test]
    async fn who_waits_gets_what_is_given_back() {
        let budget = budget();
        let held = budget.take_now(&tenant("a"), 50).unwrap();
        let own = Arc::clone(&budget);
        let waiting = tokio::spawn(async move { own.wait_for(&tenant("a"), 30).await.bytes });
        tokio::task::yield_now().await;
        drop(held);
        assert_eq!(waiting.await.unwrap(), 30);
    }
}

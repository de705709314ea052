//! Long reads take turns: one slice of work at a time, the program's own and the tenants' alike.
//!
//! A few threads do them, never those that serve requests. Between two slices another reader has
//! its turn: every second one is the program's own, the others go round among the tenants, and
//! among the reads of each tenant. So a tenant that reads a lot waits for itself.

use std::collections::VecDeque;

use parking_lot::{Condvar, Mutex};
use rustc_hash::FxHashMap;

use crate::event::Tenant;

/// The most reads of one tenant that wait for a turn.
const WAITING_MAX: usize = 1_024;

/// Does one slice of a read; returns whether there is more to do.
pub type Work = Box<dyn FnMut() -> bool + Send>;

/// The queue of long reads.
#[derive(Default)]
pub struct Turns {
    queue: Mutex<Queue>,
    rung: Condvar,
}

#[derive(Default)]
struct Queue {
    own: VecDeque<Work>,
    tenants: FxHashMap<Tenant, VecDeque<Work>>,
    /// The tenants that have work, in the order of their turns.
    order: VecDeque<Tenant>,
    is_own_turn: bool,
    is_closed: bool,
}

impl Turns {
    /// Queues a read of a tenant, or of the program itself.
    ///
    /// # Errors
    /// How many of the tenant wait, when those are too many; reads of the program always fit. A
    /// read that comes after the close is dropped.
    pub fn push(&self, tenant: Option<Tenant>, work: Work) -> Result<(), usize> {
        let mut queue = self.queue.lock();
        let waiting =
            tenant.as_ref().and_then(|own| queue.tenants.get(own)).map_or(0, VecDeque::len);
        if waiting >= WAITING_MAX {
            return Err(waiting);
        }
        if !queue.is_closed {
            queue.put(tenant, work);
            self.rung.notify_one();
        }
        Ok(())
    }

    /// Takes no more work and drops what waits; the threads end.
    pub fn close(&self) {
        let mut queue = self.queue.lock();
        *queue = Queue { is_closed: true, ..Queue::default() };
        self.rung.notify_all();
    }

    /// Does slices of work until closed.
    pub fn run(&self) {
        while let Some((tenant, mut work)) = self.next() {
            if work() {
                let mut queue = self.queue.lock();
                if !queue.is_closed {
                    queue.put(tenant, work);
                }
            }
        }
    }

    fn next(&self) -> Option<(Option<Tenant>, Work)> {
        let mut queue = self.queue.lock();
        loop {
            if queue.is_closed {
                return None;
            }
            if let Some(next) = queue.take() {
                return Some(next);
            }
            self.rung.wait(&mut queue);
        }
    }
}

impl Queue {
    fn put(&mut self, tenant: Option<Tenant>, work: Work) {
        let Some(tenant) = tenant else { return self.own.push_back(work) };
        let line = self.tenants.entry(tenant.clone()).or_default();
        if line.is_empty() {
            self.order.push_back(tenant);
        }
        line.push_back(work);
    }

    fn take(&mut self) -> Option<(Option<Tenant>, Work)> {
        self.is_own_turn = !self.is_own_turn;
        let own = |queue: &mut Self| queue.own.pop_front().map(|work| (None, work));
        match self.is_own_turn {
            true => own(self).or_else(|| self.take_of_tenant()),
            false => self.take_of_tenant().or_else(|| own(self)),
        }
    }

    fn take_of_tenant(&mut self) -> Option<(Option<Tenant>, Work)> {
        let tenant = self.order.pop_front()?;
        let line = self.tenants.get_mut(&tenant)?;
        let work = line.pop_front();
        match line.is_empty() {
            true => drop(self.tenants.remove(&tenant)),
            false => self.order.push_back(tenant.clone()),
        }
        work.map(|work| (Some(tenant), work))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// Queues reads of some slices each, does all of them, and returns whose slices ran when.
    fn order_of(reads: &[(Option<&str>, usize)]) -> Vec<String> {
        let (turns, ran) = (Turns::default(), Arc::new(Mutex::new(Vec::new())));
        for (name, slices) in reads {
            let (ran, name, mut left) = (ran.clone(), name.unwrap_or("own").to_owned(), *slices);
            let tenant = (name != "own").then(|| Tenant::new(&name).unwrap());
            let work = move || {
                ran.lock().push(name.clone());
                left -= 1;
                left > 0
            };
            turns.push(tenant, Box::new(work)).unwrap();
        }
        let mut queue = turns.queue.lock();
        while let Some((tenant, mut work)) = queue.take() {
            if work() {
                queue.put(tenant, work);
            }
        }
        std::mem::take(&mut *ran.lock())
    }

    #[test]
    fn a_tenant_with_many_reads_waits_for_itself() {
        let mut reads = vec![(Some("greedy"), 10); 20];
        reads.push((Some("modest"), 2));
        let order = order_of(&reads);
        let done = order.iter().rposition(|name| name == "modest").unwrap();
        assert!(done <= 4, "its last slice was number {done}");
    }

    #[test]
    fn every_second_turn_is_the_programs_own() {
        let order = order_of(&[(Some("a"), 9), (Some("b"), 9), (None, 4)]);
        let own = order.iter().take(8).filter(|name| *name == "own").count();
        assert_eq!(own, 4, "{order:?}");
    }

    #[test]
    fn a_tenant_cannot_queue_without_bound() {
        let turns = Turns::default();
        let tenant = || Some(Tenant::new("greedy").unwrap());
        for _ in 0..WAITING_MAX {
            turns.push(tenant(), Box::new(|| false)).unwrap();
        }
        assert_eq!(turns.push(tenant(), Box::new(|| false)), Err(WAITING_MAX));
        assert!(turns.push(None, Box::new(|| false)).is_ok());
    }
}

//! The gate that every command passes: bounds what waits, and closes for shutdown.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::Notify;

/// Counts the commands that have been sent and not answered yet.
#[derive(Clone)]
pub(super) struct Intake {
    gate: Arc<Gate>,
}

struct Gate {
    waiting: AtomicUsize,
    waiting_max: usize,
    is_closed: AtomicBool,
    /// Told each time nothing waits any more.
    emptied: Notify,
}

/// Why a command was not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Full,
    Closed,
}

/// A command's place among the waiting ones; given back when dropped.
pub(super) struct Slot {
    gate: Arc<Gate>,
}

impl Intake {
    pub fn new(waiting_max: usize) -> Self {
        let gate = Gate {
            waiting: AtomicUsize::new(0),
            waiting_max: waiting_max.max(1),
            is_closed: AtomicBool::new(false),
            emptied: Notify::new(),
        };
        Self { gate: Arc::new(gate) }
    }

    pub fn enter(&self) -> Result<Slot, Refusal> {
        let max = self.gate.waiting_max;
        let one_more = |waiting: usize| (waiting < max).then(|| waiting.saturating_add(1));
        let counted = self.gate.waiting.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_more);
        // Looked at after counting, so that a command is either refused or waited for.
        let slot = counted.is_ok().then(|| Slot { gate: Arc::clone(&self.gate) });
        match slot {
            _ if self.gate.is_closed.load(Ordering::SeqCst) => Err(Refusal::Closed),
            Some(slot) => Ok(slot),
            None => Err(Refusal::Full),
        }
    }

    pub fn close(&self) {
        self.gate.is_closed.store(true, Ordering::SeqCst);
    }

    pub fn waiting(&self) -> usize {
        self.gate.waiting.load(Ordering::SeqCst)
    }

    /// Waits until every command that was let in has been answered.
    pub async fn drained(&self) {
        loop {
            // Asked for before looking, so that what happens in between is not missed.
            let emptied = self.gate.emptied.notified();
            if self.waiting() == 0 {
                return;
            }
            emptied.await;
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if self.gate.waiting.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.gate.emptied.notify_waiters();
        }
    }
}

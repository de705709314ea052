//! The gate that every command passes: bounds what waits, and closes for shutdown.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;

/// Counts the commands that have been sent and not answered yet.
#[derive(Clone)]
pub(super) struct Intake {
    gate: Arc<Gate>,
}

struct Gate {
    waiting: watch::Sender<usize>,
    waiting_max: usize,
    is_closed: AtomicBool,
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
            waiting: watch::Sender::new(0),
            waiting_max: waiting_max.max(1),
            is_closed: AtomicBool::new(false),
        };
        Self { gate: Arc::new(gate) }
    }

    pub fn enter(&self) -> Result<Slot, Refusal> {
        let mut is_let_in = false;
        self.gate.waiting.send_if_modified(|waiting| {
            is_let_in = *waiting < self.gate.waiting_max;
            *waiting += usize::from(is_let_in);
            false
        });
        // Looked at after counting, so that a command is either refused or waited for.
        let slot = is_let_in.then(|| Slot { gate: Arc::clone(&self.gate) });
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
        *self.gate.waiting.borrow()
    }

    /// Waits until every command that was let in has been answered.
    pub async fn drained(&self) {
        let mut waiting = self.gate.waiting.subscribe();
        let _ = waiting.wait_for(|waiting| *waiting == 0).await;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.gate.waiting.send_if_modified(|waiting| {
            *waiting = waiting.saturating_sub(1);
            *waiting == 0
        });
    }
}

//! Runs the program as its users do, and looks at what it leaves behind.

mod chromium;
mod client;
mod fickle;
mod folder;
mod ledger;
mod place;
mod random;
mod receiver;
mod retail;
mod rows;
mod server;

use std::time::{Duration, Instant};

pub use chromium::Chromium;
pub use client::Client;
pub use fickle::Fickle;
pub use folder::{Folder, Outcome};
pub use ledger::Ledger;
pub use place::Place;
pub use random::Random;
pub use receiver::Receiver;
pub use retail::{thousandths, totals_by_month};
pub use rows::{assert_rows_equal_a_rebuild, earned_by_month, read_log, read_rows};
pub use server::Server;

/// Far more than anything here takes; past it something is stuck.
const BOUND: Duration = Duration::from_secs(120);

/// Asks again and again until the fact is there.
pub fn wait_until<T>(what: &str, mut fact: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = fact() {
            return found;
        }
        assert!(start.elapsed() < BOUND, "{what}: not within {BOUND:?}");
        std::thread::yield_now();
    }
}

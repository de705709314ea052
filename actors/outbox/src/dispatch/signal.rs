//! What the dispatcher tells an endpoint's own history: that it is gone, or fails for long.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Instant;

use headwater::runtime::{SendError, WeakSystem};

use super::failing::Failing;
use crate::endpoint::{Disable, DisableCause, Endpoint, EndpointRejection, Warn};
use crate::table::EndpointKey;

/// The parts of the time until it is disabled at which an endpoint is warned about, in percent.
const WARNINGS: [u8; 4] = [50, 70, 90, 100];

/// Sends commands to one endpoint, each once; all clones are one.
#[derive(Clone)]
pub(super) struct Signals {
    system: WeakSystem,
    key: EndpointKey,
    /// The last warning; above 100 once it is to be disabled.
    told: Rc<Cell<u8>>,
}

impl Signals {
    pub fn new(system: WeakSystem, key: EndpointKey) -> Self {
        Self { system, key, told: Rc::default() }
    }

    /// Notes that the endpoint works, or is to be tried anew.
    pub fn works(&self) {
        self.told.set(0);
    }

    /// Takes an endpoint that said it is gone out of service.
    pub fn gone(&self) {
        if self.told.replace(u8::MAX) != u8::MAX {
            self.send(Vec::new(), Some(Disable { cause: DisableCause::Gone {} }));
        }
    }

    /// Warns of an endpoint that has only failed for a while, and disables it in the end.
    pub fn failing(&self, failing: Failing, now: Instant, hours: u16) {
        let percent = percent(failing.lasts(now).as_secs(), hours);
        let is_due = |own: &u8| percent >= u64::from(*own) && *own > self.told.get();
        let due: Vec<u8> = WARNINGS.into_iter().filter(is_due).collect();
        let Some(last) = due.last().copied() else { return };
        self.told.set(last);
        let failing_since = failing.since();
        let warns = due.into_iter().map(|percent| Warn { percent, failing_since }).collect();
        let disable = Disable { cause: DisableCause::Failing { hours } };
        self.send(warns, Some(disable).filter(|_| last == 100));
    }

    /// Sends all, in this order; what could not be sent is sent again later.
    fn send(&self, warns: Vec<Warn>, disable: Option<Disable>) {
        let Some(system) = self.system.upgrade() else { return };
        let handle = system.at::<Endpoint>(&self.key.tenant, &*self.key.id);
        let (endpoint, told) = (self.key.id.clone(), Rc::clone(&self.told));
        tokio::task::spawn_local(async move {
            let Ok(handle) = handle else { return };
            let sent = async {
                for warn in warns {
                    handle.send(warn).await?;
                }
                if let Some(disable) = disable {
                    handle.send(disable).await?;
                }
                Ok::<_, SendError<EndpointRejection>>(())
            };
            if let Err(error) = sent.await {
                tracing::warn!(endpoint = &*endpoint, %error, "endpoint was not told");
                told.set(0);
            }
        });
    }
}

/// Returns which part of so many hours some seconds are.
fn percent(seconds: u64, hours: u16) -> u64 {
    seconds.saturating_mul(100) / (u64::from(hours.max(1)) * 3_600)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_part_of_the_time_is_counted_in_whole_percent() {
        assert_eq!([percent(0, 120), percent(216_000, 120), percent(431_999, 120)], [0, 50, 99]);
        assert_eq!(percent(432_000, 120), 100);
    }
}

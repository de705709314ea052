//! What an endpoint's own events say, put into force.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::{MESSAGE_BYTES_MAX, Running};
use crate::dispatch::backlog::{Filling, Rules};
use crate::dispatch::directory::Registered;
use crate::dispatch::pace::{Pace, limiter};
use crate::dispatch::sieve::Sieve;
use crate::dispatch::window::Load;
use crate::endpoint::{Endpoint, EndpointConfig, OrderKind, Phase};
use crate::plugin::Shared;
use crate::sink::{self, Sink, Unusable};
use crate::table::Feed;

/// Returns what a configuration holds an endpoint to.
pub(in crate::dispatch) fn rules(config: &EndpointConfig) -> Rules {
    Rules {
        ordering: config.ordering,
        retry: config.retry.clone(),
        in_flight_max: config.in_flight_max(),
        filling: config.batch.map(|own| Filling {
            load: Load { events: own.events_max.into(), bytes: MESSAGE_BYTES_MAX },
            wait: Duration::from_millis(own.wait_ms.into()),
        }),
        judges_endpoint: !config.target.is_pulled(),
    }
}

impl Running {
    pub(super) fn change(&mut self) {
        let registered = self.lane.registered.borrow_and_update().clone();
        if registered.revision > self.revision {
            self.set_up(&registered);
        } else {
            self.do_orders();
        }
    }

    /// Puts into force what the directory knows already and the shard has not told: it has read
    /// each page of the log's end before this feed, so what was appended behind a change goes by
    /// it.
    pub(super) fn catch_up(&mut self) {
        let key = self.lane.state.borrow().feed.endpoint.clone();
        let known = self.lane.shared.directory.get(&key);
        if let Some(known) = known.filter(|known| known.revision > self.revision) {
            self.set_up(&known);
        }
    }

    /// Puts what an endpoint's events say into force.
    pub(super) fn set_up(&mut self, registered: &Registered) {
        self.revision = registered.revision;
        let endpoint = &registered.endpoint;
        let was_active = std::mem::replace(&mut self.is_active, endpoint.phase == Phase::Active);
        if self.is_active && !was_active && self.has_stood {
            // Whoever resumes an endpoint gives it all of its time again.
            self.lane.signals.works();
            self.lane.state.borrow_mut().backlog.failing = None;
        }
        self.has_stood = !self.is_active;
        if let Some(config) = &endpoint.config {
            let state = &mut *self.lane.state.borrow_mut();
            state.backlog.set_rules(rules(config));
            let tenant = state.feed.endpoint.tenant.clone();
            let whose = (&tenant, &self.lane.shared.brokers.operator);
            if let Ok(sieve) = Sieve::new(whose, &config.filter) {
                self.sieve.send_replace(Arc::new(sieve));
            }
            self.metrics = self.lane.shared.metrics.of_sink(config.target.kind());
            self.sink = sink(&self.lane.shared, &state.feed, endpoint, config);
            let own = registered.orders.iter().find(|own| own.revision.get() == state.feed.number);
            let rate = own.and_then(|own| own.order.rate_per_second);
            let of_replay = rate.and_then(|rate| limiter(Duration::from_secs(1) / rate.max(1)));
            let paces = &self.lane.shared.paces;
            let of_endpoint =
                config.interval().and_then(|interval| paces.of(&state.feed.endpoint, interval));
            self.pace = Pace::new([of_endpoint, of_replay]);
        }
        self.do_orders();
    }

    /// Does what operators ordered, in order, as far as it can be done.
    pub(super) fn do_orders(&mut self) {
        let registered = self.lane.registered.borrow().clone();
        let (now, mut state) = (self.now(), self.lane.state.borrow_mut());
        let (done, is_replay) = (state.orders, state.feed.number != 0);
        for own in registered.orders.iter().filter(|own| own.revision > done) {
            if own.order.kind != OrderKind::Replay {
                if !state.backlog.apply((&own.order, own.position), now) {
                    return;
                }
            } else if !is_replay {
                state.replays.push(own.clone());
            }
            state.orders = own.revision;
        }
    }
}

fn sink(
    shared: &Shared,
    feed: &Feed,
    endpoint: &Endpoint,
    config: &EndpointConfig,
) -> Rc<dyn Sink> {
    let made = sink::open(shared, &feed.endpoint, endpoint, config);
    made.unwrap_or_else(|words| Rc::new(Unusable(words)))
}

//! The numbers of the outbox on one node, for Prometheus.
//!
//! Labels are kinds, verdicts and shards, never endpoints or tenants, so that their number is
//! bounded; what one endpoint owes is told by the API.

use std::collections::BTreeMap;
use std::sync::Arc;

use headwater::event::RecordedEvent;
use jiff::Timestamp;
use prometheus::{
    Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    Opts, Registry,
};

use crate::table::{VERDICTS, verdict_name};
use crate::webhook::{Attempted, Verdict};

/// Bounds of the histograms, in seconds.
const BUCKETS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 600.0];

/// The numbers of a node; cheap to clone.
#[derive(Clone)]
pub(crate) struct OutboxMetrics {
    registry: Registry,
    attempts: IntCounterVec,
    durations: HistogramVec,
    delays: HistogramVec,
    by_shard: Arc<BTreeMap<ShardGauge, GaugeVec>>,
    silent_shards: IntGauge,
}

/// What is told of each shard that the node works for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum ShardGauge {
    OldestAge,
    Lag,
    InFlight,
    Retrying,
    Dead,
    Broken,
    Committed,
}

/// The numbers of endpoints of one kind.
#[derive(Clone)]
pub(crate) struct SinkMetrics {
    attempts: [IntCounter; VERDICTS.len()],
    duration: Histogram,
    delay: Histogram,
}

/// The numbers of a shard; they end when it is dropped.
pub(crate) struct ShardMetrics {
    number: String,
    metrics: OutboxMetrics,
}

/// How the active endpoints of a shard stand.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct ShardStanding {
    /// When the oldest event was recorded that is neither delivered nor given up.
    pub oldest_at: Option<Timestamp>,
    /// The most positions that an endpoint is behind the log.
    pub lag: u64,
    /// Requests under way.
    pub in_flight: usize,
    /// Streams whose event is to be tried again.
    pub retrying: usize,
    /// Dead letters.
    pub dead: usize,
    /// Endpoints whose circuit is open.
    pub broken: usize,
}

const SHARD_GAUGES: [(ShardGauge, &str, &str); 7] = [
    (
        ShardGauge::OldestAge,
        "oldest_undelivered_age_seconds",
        "Age of the oldest event that an active endpoint of the shard has not got",
    ),
    (
        ShardGauge::Lag,
        "lag_positions",
        "Positions of the log that an active endpoint of the shard is behind, at most",
    ),
    (ShardGauge::InFlight, "in_flight", "Requests under way"),
    (ShardGauge::Retrying, "retrying_streams", "Streams whose event is to be tried again"),
    (ShardGauge::Dead, "dead_letters", "Events that wait for an operator"),
    (ShardGauge::Broken, "broken_endpoints", "Endpoints whose circuit breaker is open"),
    (
        ShardGauge::Committed,
        "last_commit_timestamp_seconds",
        "When the shard's work was last stored, in seconds since 1970",
    ),
];

impl OutboxMetrics {
    /// Makes the numbers, all of them 0.
    ///
    /// # Errors
    /// None with names that are valid and all different, as they are here.
    pub fn new() -> prometheus::Result<Self> {
        let registry = Registry::new_custom(Some("headwater_outbox".to_owned()), None)?;
        let attempts = Opts::new("attempts_total", "Attempts by kind of endpoint and verdict");
        let duration = histogram("attempt_duration_seconds", "How long attempts took");
        let delay =
            histogram("delivery_delay_seconds", "From the recording of an event to its delivery");
        let silent = "Shards for which no node has stored anything for too long";
        let by_shard = SHARD_GAUGES.into_iter().map(|(gauge, name, help)| {
            let vec = GaugeVec::new(Opts::new(name, help), &["shard"])?;
            registry.register(Box::new(vec.clone()))?;
            Ok((gauge, vec))
        });
        let own = Self {
            by_shard: Arc::new(by_shard.collect::<prometheus::Result<_>>()?),
            attempts: IntCounterVec::new(attempts, &["sink", "verdict"])?,
            durations: HistogramVec::new(duration, &["sink"])?,
            delays: HistogramVec::new(delay, &["sink"])?,
            silent_shards: IntGauge::new("silent_shards", silent)?,
            registry,
        };
        own.registry.register(Box::new(own.attempts.clone()))?;
        own.registry.register(Box::new(own.durations.clone()))?;
        own.registry.register(Box::new(own.delays.clone()))?;
        own.registry.register(Box::new(own.silent_shards.clone()))?;
        Ok(own)
    }

    /// Returns where they are collected.
    pub fn registry(&self) -> Registry {
        self.registry.clone()
    }

    /// Returns the numbers of endpoints of a kind.
    pub fn of_sink(&self, kind: &str) -> SinkMetrics {
        let counter = |verdict| self.attempts.with_label_values(&[kind, verdict_name(verdict)]);
        SinkMetrics {
            attempts: VERDICTS.map(counter),
            duration: self.durations.with_label_values(&[kind]),
            delay: self.delays.with_label_values(&[kind]),
        }
    }

    /// Returns the numbers of a shard that this node works for from now on.
    pub fn of_shard(&self, number: u32) -> ShardMetrics {
        ShardMetrics { number: number.to_string(), metrics: self.clone() }
    }

    /// Notes how many shards are silent.
    pub fn set_silent(&self, shards: usize) {
        self.silent_shards.set(i64::try_from(shards).unwrap_or(i64::MAX));
    }
}

impl SinkMetrics {
    /// Counts an attempt at some events.
    pub fn count<'a>(
        &self,
        attempted: &Attempted,
        events: impl IntoIterator<Item = &'a RecordedEvent>,
        now: Timestamp,
    ) {
        let place = VERDICTS.iter().position(|own| *own == attempted.verdict);
        if let Some(counter) = place.and_then(|place| self.attempts.get(place)) {
            counter.inc();
        }
        self.duration.observe(attempted.took.as_secs_f64());
        if attempted.verdict == Verdict::Delivered {
            for event in events {
                let age = now.duration_since(event.recorded_at());
                self.delay.observe(age.as_secs_f64().max(0.0));
            }
        }
    }
}

impl ShardMetrics {
    /// Notes how the shard stands.
    pub fn set(&self, standing: ShardStanding, now: Timestamp) {
        let age = standing.oldest_at.map(|at| now.duration_since(at).as_secs_f64().max(0.0));
        self.gauge(ShardGauge::OldestAge, age.unwrap_or(0.0));
        self.gauge(ShardGauge::Lag, standing.lag as f64);
        self.gauge(ShardGauge::InFlight, standing.in_flight as f64);
        self.gauge(ShardGauge::Retrying, standing.retrying as f64);
        self.gauge(ShardGauge::Dead, standing.dead as f64);
        self.gauge(ShardGauge::Broken, standing.broken as f64);
    }

    /// Notes that everything is stored up to now.
    pub fn committed(&self, now: Timestamp) {
        self.gauge(ShardGauge::Committed, now.as_millisecond() as f64 / 1e3);
    }

    fn gauge(&self, gauge: ShardGauge, value: f64) {
        if let Some(vec) = self.metrics.by_shard.get(&gauge) {
            let gauge: Gauge = vec.with_label_values(&[&self.number]);
            gauge.set(value);
        }
    }
}

impl Drop for ShardMetrics {
    fn drop(&mut self) {
        for vec in self.metrics.by_shard.values() {
            // It is not there when the shard was given up at once.
            let _ = vec.remove_label_values(&[&self.number]);
        }
    }
}

fn histogram(name: &str, help: &str) -> HistogramOpts {
    HistogramOpts::new(name, help).buckets(BUCKETS.to_vec())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use headwater::event::{
        NewEvent, Position, Revision, StreamId, Tenant, encode_record, seal_record,
    };

    use super::*;

    fn event() -> RecordedEvent {
        let (tenant, stream) = (Tenant::default_tenant(), StreamId::new("a", "1").unwrap());
        let mut record = Vec::new();
        encode_record(&mut record, &tenant, &stream, &NewEvent::json("A", 1, "{}").unwrap());
        seal_record(&mut record, Position::new(1), Revision::new(1), Timestamp::now());
        RecordedEvent::parse(&record.into()).unwrap()
    }

    fn text(metrics: &OutboxMetrics) -> String {
        prometheus::TextEncoder::new().encode_to_string(&metrics.registry().gather()).unwrap()
    }

    #[test]
    fn attempts_are_counted_by_kind_and_verdict_and_only_deliveries_have_a_delay() {
        let metrics = OutboxMetrics::new().unwrap();
        let sink = metrics.of_sink("webhook");
        for verdict in [Verdict::Failed, Verdict::Delivered] {
            let (status, error, response, retry_after) = (None, None, None, None);
            let took = Duration::from_millis(20);
            let attempted = Attempted { verdict, status, error, response, retry_after, took };
            sink.count(&attempted, [&event()], Timestamp::now());
        }
        let text = text(&metrics);
        let attempts = "headwater_outbox_attempts_total{sink=\"webhook\",verdict=\"failed\"} 1";
        assert!(text.contains(attempts), "{text}");
        for (name, count) in [("attempt_duration", 2), ("delivery_delay", 1)] {
            let line = format!("headwater_outbox_{name}_seconds_count{{sink=\"webhook\"}} {count}");
            assert!(text.contains(&line), "{text}");
        }
    }

    #[test]
    fn the_numbers_of_a_shard_end_with_it() {
        let metrics = OutboxMetrics::new().unwrap();
        let shard = metrics.of_shard(3);
        let now: Timestamp = "2026-11-01T00:01:00Z".parse().unwrap();
        let oldest_at = "2026-11-01T00:00:00Z".parse().ok();
        shard.set(ShardStanding { oldest_at, lag: 7, ..ShardStanding::default() }, now);
        let age = "headwater_outbox_oldest_undelivered_age_seconds{shard=\"3\"} 60";
        let shown = text(&metrics);
        assert!(shown.contains(age), "{shown}");
        drop(shard);
        assert!(!text(&metrics).contains("shard=\"3\""));
    }
}

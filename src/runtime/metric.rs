//! The numbers of a system, as Prometheus collects them.
//!
//! Names and units follow the conventions of Prometheus (base units, `_total`); no label takes
//! its value from a client or a tenant, so the number of series is bounded by the program.

use prometheus::proto::MetricFamily;
use prometheus::{IntCounterVec, IntGaugeVec, Opts, Registry};

use super::System;
use super::report::ActorReport;
use crate::projection::ProjectionState;

impl System {
    /// Collects the numbers of the log, the projections and the actors, then those that plugins
    /// brought with [`Contribution::metrics`](super::Contribution::metrics).
    #[must_use]
    pub fn metrics(&self) -> Vec<MetricFamily> {
        let mut families = self.own_metrics().unwrap_or_else(|error| {
            tracing::error!(%error, "metrics of the system could not be collected");
            Vec::new()
        });
        families.extend(self.plugin_metrics().iter().flat_map(Registry::gather));
        families
    }

    fn own_metrics(&self) -> prometheus::Result<Vec<MetricFamily>> {
        let board = Board(Registry::new());
        let report = self.report();
        let head = self.store().head().borrow().get();
        let build = board.gauge("build_info", "1, with the program's version", &["version"])?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        board.single("log_position", "Last position of the log", int(head))?;
        let waiting = int(report.waiting_commands as u64);
        board.single("commands_waiting", "Commands sent and not answered yet", waiting)?;
        let live = int(report.live_aggregates as u64);
        board.single("aggregates_live", "Aggregates in memory", live)?;
        self.of_projections(&board)?;
        of_actors(&board, &report.actors)?;
        Ok(board.0.gather())
    }

    fn of_projections(&self, board: &Board) -> prometheus::Result<()> {
        let lag = board.gauge(
            "projection_lag_events",
            "Positions of the log that a projection has not considered yet",
            &["projection"],
        )?;
        let parked =
            board.gauge("projection_parked_events", "Events set aside", &["projection"])?;
        let is_running = board.gauge(
            "projection_running",
            "1 while it runs or rebuilds, 0 while paused or halted",
            &["projection"],
        )?;
        for status in self.projections() {
            let name = [status.name.as_str()];
            lag.with_label_values(&name).set(int(status.lag_events));
            parked.with_label_values(&name).set(int(status.parked));
            let runs =
                matches!(status.state, ProjectionState::Running | ProjectionState::Rebuilding);
            is_running.with_label_values(&name).set(runs.into());
        }
        Ok(())
    }
}

fn of_actors(board: &Board, actors: &[ActorReport]) -> prometheus::Result<()> {
    let restarts = board.counter("actor_restarts_total", "Restarts since the start", &["actor"])?;
    let panics =
        board.counter("actor_panics_total", "Panics caught since the start", &["actor"])?;
    let halted = board.gauge("actor_halted", "1 while it waits to be resumed", &["actor"])?;
    for actor in actors {
        let kind = [actor.kind.as_str()];
        restarts.with_label_values(&kind).inc_by(actor.restarts);
        panics.with_label_values(&kind).inc_by(actor.panics);
        halted.with_label_values(&kind).set(actor.is_halted.into());
    }
    Ok(())
}

/// What the numbers of one look are gathered on.
struct Board(Registry);

impl Board {
    fn gauge(&self, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<IntGaugeVec> {
        let gauge = IntGaugeVec::new(Opts::new(format!("headwater_{name}"), help), labels)?;
        self.0.register(Box::new(gauge.clone()))?;
        Ok(gauge)
    }

    fn counter(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> prometheus::Result<IntCounterVec> {
        let counter = IntCounterVec::new(Opts::new(format!("headwater_{name}"), help), labels)?;
        self.0.register(Box::new(counter.clone()))?;
        Ok(counter)
    }

    fn single(&self, name: &str, help: &str, value: i64) -> prometheus::Result<()> {
        self.gauge(name, help, &[])?.with_label_values::<&str>(&[]).set(value);
        Ok(())
    }
}

fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

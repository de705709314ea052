//! `/ui`: what the program is, how its parts are, and where the pages are.

use std::rc::Rc;

use actix_web::HttpResponse;
use actix_web::web::Data;

use super::PageRoutes;
use crate::api::keys::{Caller, Scope};
use crate::api::{ApiState, Call, Problem, ProblemKind};
use crate::nodes::{NodeReport, RosterReport};
use crate::page::{
    Markup, Page, Render, Table, Tone, badge, count, html, moment, notice, span, stat, stats,
};
use crate::projection::{ProjectionState, ProjectionStatus};
use crate::sql::Dialect;

/// Shows the program to whoever has a key; what the key may not read is left out.
pub(super) async fn overview(call: Call, state: Data<ApiState>) -> Result<HttpResponse, Problem> {
    let nobody = || Problem::new(ProblemKind::Unauthenticated, "this address needs a key");
    let view = Rc::new(View { caller: call.caller().ok_or_else(nobody)?, state });
    call.show(move || {
        let view = Rc::clone(&view);
        async move { Ok(view.page()) }
    })
    .await
}

struct View {
    caller: Caller,
    state: Data<ApiState>,
}

impl View {
    fn page(&self) -> Page {
        let page = Page::new("Overview").live("figures", self.figures()).part(self.pages());
        if !self.caller.allows(Scope::Read) {
            let words = "This key may not read: ask an admin of the tenant for one that may.";
            return page.part(notice(Tone::Notice, words));
        }
        let page = page.live("projections", self.projections()).live("health", self.health());
        match self.caller.allows(Scope::Admin) && self.state.is_operator(&self.caller) {
            true => page.live("nodes", self.nodes()),
            false => page,
        }
    }

    fn figures(&self) -> Markup {
        let system = &self.state.system;
        let read_side = match system.database().dialect() {
            Dialect::Sqlite => "SQLite",
            Dialect::Postgres => "PostgreSQL",
        };
        let checks = self.state.readiness.checks();
        let failing = checks.iter().filter(|check| check.problem.is_some()).count();
        let health = match failing {
            0 => badge(Tone::Good, "well"),
            failing => badge(Tone::Bad, &format!("{failing} of {} failing", checks.len())),
        };
        stats([
            stat("Health", health),
            stat("Head of the log", count(system.store().head().borrow().get())),
            stat("Log", system.store().engine()),
            stat("Read side", read_side),
            stat("Version", env!("CARGO_PKG_VERSION")),
        ])
    }

    fn pages(&self) -> Markup {
        let routes = self.state.system.routes::<PageRoutes>();
        html! {
            @if !routes.is_empty() {
                section class="panel" {
                    h2 { "Pages" }
                    dl class="facts" {
                        @for own in &routes {
                            div { dt { a href=(own.path()) { (own.title()) } } dd { (own.words()) } }
                        }
                    }
                }
            }
        }
    }

    fn projections(&self) -> Markup {
        let table = Table::new("projection-table", "Projections")
            .texts(["Name", "State"])
            .numbers(["Lag in events", "Position", "Skipped", "Parked"])
            .texts(["Last error"])
            .empty("This program has no projections.");
        let may_see = self.state.is_operator(&self.caller);
        let statuses = self.state.system.projections();
        let table = statuses.iter().fold(table, |table, own| {
            let error = own.last_error.as_deref().filter(|_| may_see).unwrap_or("–");
            table.row(
                &own.name,
                [
                    html! { (own.name) },
                    projection_badge(own),
                    html! { (count(own.lag_events)) },
                    html! { (count(own.position.get())) },
                    html! { (count(own.skipped)) },
                    html! { (count(own.parked)) },
                    html! { (error) },
                ],
            )
        });
        table.render()
    }

    fn health(&self) -> Markup {
        let checks = self.state.readiness.checks();
        let failing = || checks.iter().filter_map(|own| Some((own, own.problem.as_deref()?)));
        let well: Vec<_> = checks.iter().filter(|own| own.problem.is_none()).collect();
        let table = Table::new("health-table", "Parts that fail").texts(["Part", "What is wrong"]);
        let table = failing().fold(table, |table, (own, problem)| {
            table.row(&own.name, [html! { (badge(Tone::Bad, &own.name)) }, html! { (problem) }])
        });
        html! {
            @if failing().next().is_some() { (table) }
            section class="panel" {
                h2 { "Health of the parts" }
                @if checks.is_empty() {
                    p class="soft" { "The parts have not been asked yet." }
                } @else {
                    details data-key="well" {
                        summary { (count(well.len() as u64)) " of " (checks.len()) " are well" }
                        ul class="names" { @for own in &well { li { (own.name) } } }
                    }
                }
            }
        }
    }

    fn nodes(&self) -> Markup {
        let membership = self.state.system.membership();
        let report = RosterReport::of(&membership.roster(), Some(membership.id()));
        let table = Table::new("node-table", "Nodes")
            .texts(["Name", "State", "Version", "Started"])
            .numbers(["Silent for", "Runs"])
            .empty("No node is known: the read side is this program's alone.");
        let table = report.nodes.iter().fold(table, |table, node| {
            let is_this = report.this.as_deref() == Some(node.id.as_str());
            table.row(
                &node.id,
                [
                    html! { (node.name) @if is_this { span class="under" { "this one" } } },
                    node_badge(node),
                    html! { (node.program_version) },
                    moment(node.started_at, self.state.clock.now()),
                    html! { (span(node.silent_ms / 1_000)) },
                    html! { (count(node.holds.len() as u64)) },
                ],
            )
        });
        let unheld = report.unheld.join(", ");
        html! {
            (table)
            @if !unheld.is_empty() {
                (notice(Tone::Warn, format!("No node runs, though one should: {unheld}.")))
            }
        }
    }
}

fn projection_badge(status: &ProjectionStatus) -> Markup {
    let tone = match status.state {
        ProjectionState::Running => Tone::Good,
        ProjectionState::Paused => Tone::Quiet,
        ProjectionState::Halted => Tone::Bad,
        ProjectionState::Rebuilding => Tone::Notice,
    };
    badge(tone, status.state.as_str())
}

fn node_badge(node: &NodeReport) -> Markup {
    let tone = match node.state {
        "alive" => Tone::Good,
        "silent" => Tone::Bad,
        _ => Tone::Quiet,
    };
    badge(tone, node.state)
}

//! `/v1/health`: for probes without a key and little detail, for people with both.

use std::sync::atomic::Ordering;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use serde::Serialize;

use crate::api::keys::Reader;
use crate::api::reply::json;
use crate::api::{ApiState, Problem, ProblemKind};
use crate::runtime::HealthCheck;

/// Whether the server is well.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Health)]
pub(in crate::api) struct HealthDocument {
    /// `pass`, or `warn`: it serves, but somebody should look.
    status: &'static str,
    /// The parts; none for callers without a key.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    checks: Vec<CheckDocument>,
    /// How many requests ended in a panic of a handler.
    #[serde(skip_serializing_if = "Option::is_none")]
    panics: Option<u64>,
}

/// Whether one part is well.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = HealthCheck)]
pub(in crate::api) struct CheckDocument {
    /// The part.
    name: String,
    /// `pass` or `fail`.
    status: &'static str,
    /// What is wrong, in words; absent when nothing is.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

/// Says that the process answers; asks no other part.
#[utoipa::path(
    get,
    path = "/v1/health/live",
    tag = "health",
    operation_id = "isLive",
    responses((status = 200, description = "It answers", body = HealthDocument)),
)]
pub(in crate::api) async fn live() -> Result<HttpResponse, Problem> {
    let document = HealthDocument { status: "pass", checks: Vec::new(), panics: None };
    json(StatusCode::OK, &document)
}

/// Says whether requests should be sent here: not while it stops.
///
/// It is told from memory, at most a second old. A part that fails makes it `warn`: what can
/// be served still is, the rest is refused by its own problem.
#[utoipa::path(
    get,
    path = "/v1/health/ready",
    tag = "health",
    operation_id = "isReady",
    responses(
        (status = 200, description = "Send requests", body = HealthDocument),
        (status = 503, description = "Send none: it is stopping"),
    ),
)]
pub(in crate::api) async fn ready(state: Data<ApiState>) -> Result<HttpResponse, Problem> {
    if state.readiness.is_draining() {
        return Err(Problem::new(ProblemKind::Stopping, "server is stopping"));
    }
    let status = overall(&state.readiness.checks());
    json(StatusCode::OK, &HealthDocument { status, checks: Vec::new(), panics: None })
}

/// Tells how every part is.
#[utoipa::path(
    get,
    path = "/v1/health",
    tag = "health",
    operation_id = "readHealth",
    responses((status = 200, description = "The parts", body = HealthDocument)),
    security(("key" = ["read"])),
)]
pub(in crate::api) async fn detail(
    _: Reader,
    state: Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    let panics = Some(state.panics.load(Ordering::Relaxed));
    let found = state.readiness.checks();
    let checks = found.iter().map(|check| CheckDocument {
        name: check.name.clone(),
        status: if check.problem.is_none() { "pass" } else { "fail" },
        problem: check.problem.clone(),
    });
    let document = HealthDocument { status: overall(&found), checks: checks.collect(), panics };
    json(StatusCode::OK, &document)
}

fn overall(checks: &[HealthCheck]) -> &'static str {
    if checks.iter().all(|check| check.problem.is_none()) { "pass" } else { "warn" }
}

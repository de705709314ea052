//! `GET /metrics`: numbers for Prometheus.

use actix_web::HttpResponse;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::Data;
use prometheus::TextEncoder;

use crate::api::keys::Reader;
use crate::api::{ApiState, Problem, ProblemKind};

/// Version 0.0.4 of the text format of Prometheus
/// (<https://prometheus.io/docs/instrumenting/exposition_formats/>).
const FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Tells the numbers of this node, over all tenants.
///
/// For a key of the operator's tenant: give Prometheus one with the scope `read` alone, as
/// `authorization` in its `scrape_config`.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "health",
    operation_id = "readMetrics",
    responses(
        (status = 200, description = "Prometheus' text format 0.0.4", body = String, content_type = "text/plain"),
        (status = 403, description = "The key is another tenant's"),
    ),
    security(("key" = ["read"])),
)]
pub(in crate::api) async fn metrics(
    Reader(caller): Reader,
    state: Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    if !state.is_operator(&caller) {
        let detail = "metrics are over every tenant: only keys of the operator's tenant see them";
        return Err(Problem::new(ProblemKind::Forbidden, detail));
    }
    let text = TextEncoder::new().encode_to_string(&state.system.metrics());
    let text = text.map_err(|error| Problem::new(ProblemKind::Internal, error.to_string()))?;
    let text = text + &own(&state);
    Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, FORMAT)).body(text))
}

/// Writes the server's own numbers.
fn own(state: &ApiState) -> String {
    let gauges = [
        ("headwater_api_memory_bytes", "Bytes held by bodies and replies", state.budget.used()),
        ("headwater_api_subscribers", "Clients that wait or follow", state.seats.taken()),
    ];
    let gauge = |(name, help, value)| {
        format!("# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}\n")
    };
    gauges.map(gauge).concat()
}

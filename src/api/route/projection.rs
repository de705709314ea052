//! `/v1/projections`: how projections stand, and the operator's hand on them.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;

use crate::api::keys::{Admin, Caller, Reader};
use crate::api::query::Parameters;
use crate::api::reply::json;
use crate::api::{ApiState, Problem, ProblemKind};
use crate::event::Position;
use crate::projection::ProjectionStatus;

/// Every projection.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ProjectionList)]
pub(in crate::api) struct ProjectionListDocument {
    /// The projections, by name.
    projections: Vec<ProjectionDocument>,
}

/// How a projection stands. It serves every tenant, so its counts are over all of them.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Projection)]
pub(in crate::api) struct ProjectionDocument {
    /// Its name.
    name: String,
    /// Generation of its definition.
    version: u32,
    /// How often its tables were made anew.
    generation: u64,
    /// `running`, `paused`, `halted` or `rebuilding`.
    state: String,
    /// Every event up to here has been considered.
    position: u64,
    /// The last position of the log.
    head: u64,
    /// How many positions lie between the two.
    lag_events: u64,
    /// How far a rebuild is; null while there is none.
    #[schema(required = true)]
    rebuild_position: Option<u64>,
    /// How many events were passed over by policy.
    skipped: u64,
    /// How many events wait for an operator.
    parked: u64,
    /// How many events of unknown type or version were passed over.
    unknown: u64,
    /// What last went wrong; only for the operator's tenant.
    #[schema(required = true)]
    last_error: Option<String>,
    /// Whether its rows are served under `/v1/read`.
    is_served: bool,
    /// The fields that rows can be filtered by.
    indexes: Vec<String>,
}

/// Tells how every projection stands.
#[utoipa::path(
    get,
    path = "/v1/projections",
    tag = "projections",
    operation_id = "listProjections",
    responses((status = 200, description = "The projections", body = ProjectionListDocument)),
    security(("key" = ["read"])),
)]
pub(in crate::api) async fn list(
    Reader(caller): Reader,
    state: Data<ApiState>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    Parameters::of(request.query_string(), &[])?;
    let statuses = state.system.projections();
    let projections = statuses.into_iter().map(|status| document(&state, &caller, status));
    json(StatusCode::OK, &ProjectionListDocument { projections: projections.collect() })
}

/// Stops a projection before the next event; its rows stay readable.
#[utoipa::path(
    post,
    path = "/v1/projections/{name}/pause",
    tag = "projections",
    operation_id = "pauseProjection",
    params(("name" = String, Path, description = "The projection")),
    responses(
        (status = 200, description = "How it stands", body = ProjectionDocument),
        (status = 404, description = "No such projection"),
        (status = 409, description = "Its state does not fit this"),
    ),
    security(("key" = ["admin"])),
)]
pub(in crate::api) async fn pause(
    Admin(caller): Admin,
    state: Data<ApiState>,
    path: Path<String>,
) -> Result<HttpResponse, Problem> {
    state.check_operator(&caller, "projections")?;
    state.system.pause(&path).await?;
    reply(&state, &caller, &path)
}

/// Lets a paused or halted projection go on.
#[utoipa::path(
    post,
    path = "/v1/projections/{name}/resume",
    tag = "projections",
    operation_id = "resumeProjection",
    params(("name" = String, Path, description = "The projection")),
    responses(
        (status = 200, description = "How it stands", body = ProjectionDocument),
        (status = 404, description = "No such projection"),
        (status = 409, description = "Its state does not fit this"),
    ),
    security(("key" = ["admin"])),
)]
pub(in crate::api) async fn resume(
    Admin(caller): Admin,
    state: Data<ApiState>,
    path: Path<String>,
) -> Result<HttpResponse, Problem> {
    state.check_operator(&caller, "projections")?;
    state.system.resume(&path).await?;
    reply(&state, &caller, &path)
}

/// Fills new tables from the first event, beside the old ones, and swaps them in.
#[utoipa::path(
    post,
    path = "/v1/projections/{name}/rebuild",
    tag = "projections",
    operation_id = "rebuildProjection",
    params(("name" = String, Path, description = "The projection")),
    responses(
        (status = 200, description = "How it stands", body = ProjectionDocument),
        (status = 404, description = "No such projection"),
        (status = 409, description = "Its state does not fit this"),
    ),
    security(("key" = ["admin"])),
)]
pub(in crate::api) async fn rebuild(
    Admin(caller): Admin,
    state: Data<ApiState>,
    path: Path<String>,
) -> Result<HttpResponse, Problem> {
    state.check_operator(&caller, "projections")?;
    state.system.rebuild(&path).await?;
    reply(&state, &caller, &path)
}

fn reply(state: &ApiState, caller: &Caller, name: &str) -> Result<HttpResponse, Problem> {
    let status = state.system.catalog().status(name);
    let status = status.ok_or_else(|| Problem::new(ProblemKind::NotFound, "no such projection"))?;
    json(StatusCode::OK, &document(state, caller, status))
}

fn document(state: &ApiState, caller: &Caller, status: ProjectionStatus) -> ProjectionDocument {
    let readable = state.system.catalog().readable(&status.name);
    let indexes = readable.as_ref().map(|own| own.indexes).unwrap_or_default();
    ProjectionDocument {
        is_served: readable.as_ref().is_some_and(|own| own.is_served),
        indexes: indexes.iter().map(|field| (*field).to_owned()).collect(),
        // It may tell of another tenant's event.
        last_error: status.last_error.filter(|_| state.is_operator(caller)),
        name: status.name,
        version: status.version,
        generation: status.generation,
        state: status.state.to_string(),
        position: status.position.get(),
        head: status.head.get(),
        lag_events: status.lag_events,
        rebuild_position: status.rebuild_position.map(Position::get),
        skipped: status.skipped,
        parked: status.parked,
        unknown: status.unknown,
    }
}

//! `GET /v1/read/…`: what projections made of the log.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::api::cursor::Binding;
use crate::api::keys::Reader;
use crate::api::query::Parameters;
use crate::api::reply::json;
use crate::api::{ApiState, Problem, ProblemKind, place};
use crate::event::Position;
use crate::projection::{RowEntry, RowQuery};

/// What is no field to filter by.
const PARAMETERS: [&str; 3] = ["limit", "cursor", "at_least"];

/// A page of rows, in the order of their keys.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = RowPage)]
pub(in crate::api) struct RowPageDocument {
    /// The rows.
    rows: Vec<RowDocument>,
    /// `cursor` of the next request; null at the end.
    #[schema(required = true)]
    next: Option<String>,
    /// The rows are at least as new as this position of the log.
    position: u64,
}

/// A row of a read model.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Row)]
pub(in crate::api) struct RowDocument {
    /// What identifies it.
    key: String,
    /// The last event that changed it; null where that is not known.
    #[schema(required = true)]
    position: Option<u64>,
    /// The row itself.
    #[schema(value_type = serde_json::Value)]
    row: Box<RawValue>,
}

/// A row, and how new it is.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = RowReply)]
pub(in crate::api) struct RowReplyDocument {
    #[serde(flatten)]
    row: RowDocument,
    /// The row is at least as new as this position of the log.
    as_of: u64,
}

/// Reads a page of rows.
///
/// Any other parameter is a filter on an indexed field of the row.
#[utoipa::path(
    get,
    path = "/v1/read/{projection}",
    tag = "read models",
    operation_id = "readRows",
    params(
        ("projection" = String, Path, description = "The read model"),
        ("limit" = Option<u32>, Query, description = "The most rows", minimum = 1, maximum = 1000),
        ("cursor" = Option<String>, Query, description = "`next` of the page before, with the same filters"),
        ("at_least" = Option<u64>, Query, description = "Wait until the rows are as new as this position"),
    ),
    responses(
        (status = 200, description = "A page", body = RowPageDocument),
        (status = 404, description = "No such read model"),
        (status = 504, description = "The position was not reached in time"),
    ),
    security(("key" = ["read"])),
)]
pub(in crate::api) async fn page(
    Reader(caller): Reader,
    state: Data<ApiState>,
    path: Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let parameters = Parameters::parse(request.query_string())?;
    let limit = parameters.limit(&state.config.limits)?.min(RowQuery::LIMIT_MAX);
    let filters = parameters.others(&PARAMETERS)?;
    let projection = path.into_inner();
    let tenant = caller.tenant().as_str();
    let binding = Binding { tenant, projection: &projection, filters: &filters };
    let cursor = parameters.one("cursor")?;
    let after_key = cursor.map(|cursor| binding.after_key(cursor)).transpose()?;
    wait(&state, &projection, &parameters).await?;
    let query = RowQuery {
        projection: projection.clone(),
        tenant: caller.tenant().clone(),
        filters: filters.clone(),
        after_key,
        limit,
    };
    let page = state.system.catalog().query(query).await?;
    let next = page.next.map(|key| binding.cursor(&key));
    let rows = page.rows.into_iter().map(RowDocument::from).collect();
    let document = RowPageDocument { rows, next, position: page.position.get() };
    json(StatusCode::OK, &document)
}

/// Reads one row.
#[utoipa::path(
    get,
    path = "/v1/read/{projection}/{key}",
    tag = "read models",
    operation_id = "readRow",
    params(
        ("projection" = String, Path, description = "The read model"),
        ("key" = String, Path, description = "The row's key"),
        ("at_least" = Option<u64>, Query, description = "Wait until the row is as new as this position"),
    ),
    responses(
        (status = 200, description = "The row", body = RowReplyDocument),
        (status = 404, description = "No such read model or row"),
        (status = 504, description = "The position was not reached in time"),
    ),
    security(("key" = ["read"])),
)]
pub(in crate::api) async fn one(
    Reader(caller): Reader,
    state: Data<ApiState>,
    path: Path<(String, String)>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let parameters = Parameters::of(request.query_string(), &["at_least"])?;
    let (projection, key) = path.into_inner();
    wait(&state, &projection, &parameters).await?;
    let catalog = state.system.catalog();
    // Taken before the row is read: it is at least as new.
    let as_of = catalog.status(&projection).map_or(0, |status| status.position.get());
    let row = catalog.get(&projection, caller.tenant().clone(), key).await?;
    let row = row.ok_or_else(|| Problem::new(ProblemKind::NotFound, "no row has this key"))?;
    json(StatusCode::OK, &RowReplyDocument { row: row.into(), as_of })
}

/// Waits until the rows are as new as the caller asks for, within the bound.
async fn wait(state: &ApiState, projection: &str, parameters: &Parameters) -> Result<(), Problem> {
    let Some(position) = parameters.number("at_least")? else { return Ok(()) };
    place::check(state.system.store(), "query:at_least", Position::new(position)).await?;
    let bound = state.config.limits.at_least_timeout;
    let reached = state.system.catalog().wait_for(projection, Position::new(position), bound);
    reached.await.map(drop).map_err(Problem::from)
}

impl From<RowEntry> for RowDocument {
    fn from(entry: RowEntry) -> Self {
        let position = entry.position.map(Position::get);
        Self { key: entry.key, position, row: entry.row }
    }
}

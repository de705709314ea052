//! Endpoints, shown: how they are set up and how they stand.

use headwater::api::http::{HttpResponse, web::Data};
use headwater::api::keys::Reader;
use headwater::api::{Call, Parameters, Problem};
use headwater::event::Revision;
use headwater::projection::RowQuery;
use serde::Serialize;
use utoipa::ToSchema;

use super::command::key;
use super::document::EndpointDocument;
use super::lookup::{self, READ_MODEL};
use crate::plugin::Shared;

/// The phases of endpoints that are there.
const PHASES: [&str; 3] = ["active", "paused", "disabled"];

/// A page of endpoints.
#[derive(Serialize, ToSchema)]
#[schema(as = EndpointPage)]
pub(super) struct EndpointPageDocument {
    /// The endpoints, by id.
    endpoints: Vec<EndpointDocument>,
    /// What to pass as `after` for the next page; null when this is the last.
    #[schema(required = true)]
    next: Option<String>,
    /// The page is at least as new as this position.
    position: u64,
}

/// Lists the tenant's endpoints with how they stand.
#[utoipa::path(
    get,
    path = "/v1/endpoints",
    tag = "endpoints",
    operation_id = "listEndpoints",
    params(
        ("limit" = Option<u32>, Query, description = "The most endpoints", minimum = 1, maximum = 1000),
        ("after" = Option<String>, Query, description = "Only endpoints behind this id"),
        ("phase" = Option<String>, Query, description = "Only endpoints of this phase: `active`, `paused` or `disabled`"),
        ("at_least" = Option<u64>, Query, description = "Wait until the list is as new as this position"),
    ),
    responses((status = 200, description = "A page", body = EndpointPageDocument)),
    security(("key" = ["read"])),
)]
pub(super) async fn list(
    Reader(caller): Reader,
    shared: Data<Shared>,
    call: Call,
) -> Result<HttpResponse, Problem> {
    let parameters = call.parameters(&["limit", "after", "phase", "at_least"])?;
    call.wait(READ_MODEL, &parameters).await?;
    let phase = phase(&parameters)?.map(|phase| ("phase".to_owned(), phase.to_owned()));
    let query = RowQuery {
        projection: READ_MODEL.to_owned(),
        tenant: caller.tenant().clone(),
        filters: phase.into_iter().collect(),
        after_key: parameters.one("after")?.map(str::to_owned),
        limit: parameters.limit(call.limits())?.min(RowQuery::LIMIT_MAX),
    };
    let found = lookup::page(call.system(), &shared, query).await?;
    let lookup::Found { endpoints, next, position } = found;
    call.reply(200, &EndpointPageDocument { endpoints, next, position: position.get() })
}

/// Shows an endpoint and how it stands.
#[utoipa::path(
    get,
    path = "/v1/endpoints/{id}",
    tag = "endpoints",
    operation_id = "readEndpoint",
    params(
        ("id" = String, Path, description = "The endpoint"),
        ("at_least" = Option<u64>, Query, description = "Wait until what is shown is as new as this position"),
    ),
    responses(
        (status = 200, description = "The endpoint", body = EndpointDocument, headers(("ETag" = String, description = "Revision of its stream, in quotes"))),
        (status = 404, description = "No such endpoint"),
    ),
    security(("key" = ["read"])),
)]
pub(super) async fn one(
    Reader(caller): Reader,
    shared: Data<Shared>,
    call: Call,
) -> Result<HttpResponse, Problem> {
    let parameters = call.parameters(&["at_least"])?;
    call.wait(READ_MODEL, &parameters).await?;
    let document = lookup::one(call.system(), &shared, &key(&caller, &call)).await?;
    let revision = Revision::new(document.revision);
    Ok(call.at_revision(call.reply(200, &document)?, revision))
}

fn phase(parameters: &Parameters) -> Result<Option<&str>, Problem> {
    let phase = parameters.one("phase")?;
    match phase.filter(|phase| !PHASES.contains(phase)) {
        None => Ok(phase),
        Some(_) => {
            let detail = format!("is not known: known are {}", PHASES.join(", "));
            Err(Problem::field("query:phase", detail))
        }
    }
}

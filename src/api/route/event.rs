//! `GET /v1/events`: reads the tenant's part of the log.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::document::LogPageDocument;
use crate::api::keys::Reader;
use crate::api::query::{Parameters, refused};
use crate::api::reply::json;
use crate::api::{ApiState, Problem, place};
use crate::event::Position;
use crate::store::LogRead;

const PARAMETERS: [&str; 6] = ["after", "before", "category", "type", "tag", "limit"];

/// Reads a page of the log, from old to new, or from new to old with `before`.
///
/// An event matches if it has any of the categories, any of the types and all of the tags. A
/// page may be empty although more follows: go on from `next` until `is_end`.
#[utoipa::path(
    get,
    path = "/v1/events",
    tag = "events",
    operation_id = "readEvents",
    params(
        ("after" = Option<u64>, Query, description = "Only events after this position; 0, the default, begins at the first"),
        ("before" = Option<u64>, Query, description = "Only events before this position, newest first, from the end when it lies beyond; excludes after"),
        ("category" = Option<Vec<String>>, Query, description = "Any of these kinds of stream; repeat it"),
        ("type" = Option<Vec<String>>, Query, description = "Any of these event types; repeat it"),
        ("tag" = Option<Vec<String>>, Query, description = "All of these tags; repeat it"),
        ("limit" = Option<u32>, Query, description = "The most events", minimum = 1, maximum = 1000),
    ),
    responses((status = 200, description = "A page", body = LogPageDocument)),
    security(("key" = ["read"])),
)]
pub(in crate::api) async fn read(
    Reader(caller): Reader,
    state: Data<ApiState>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let parameters = Parameters::of(request.query_string(), &PARAMETERS)?;
    let limit = parameters.limit(&state.config.limits)?;
    let after = parameters.number("after")?;
    if let Some(after) = after {
        place::check(state.system.store(), "query:after", Position::new(after)).await?;
    }
    let read = match (after, parameters.number("before")?) {
        (Some(_), Some(_)) => return Err(refused("before", "excludes after: give one of them")),
        (None, Some(before)) => LogRead::before(Position::new(before), limit),
        (after, None) => LogRead::after(Position::new(after.unwrap_or(0)), limit),
    };
    let read = read.of_tenant(caller.tenant().clone()).matching(parameters.event_query()?);
    let page = state.system.store().read_log(read).await?;
    let next = page.next.get();
    json(StatusCode::OK, &LogPageDocument { events: page.events, next, is_end: page.is_end })
}

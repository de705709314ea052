//! `GET /v1/streams…`: reads raw events of streams.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};

use super::document::{
    StreamDocument, StreamListDocument, StreamMetadataDocument, StreamPageDocument,
};
use crate::api::keys::{Caller, Reader};
use crate::api::query::{Parameters, refused};
use crate::api::reply::{json, with_revision};
use crate::api::{ApiState, Problem, ProblemKind, place, precondition};
use crate::event::{Category, Position, RecordedEvent, Revision, StreamId};
use crate::store::{StreamList, StreamRead};

/// Reads a page of a stream, from old to new, or from new to old with `before`.
#[utoipa::path(
    get,
    path = "/v1/streams/{category}/{id}",
    tag = "streams",
    operation_id = "readStream",
    params(
        ("category" = String, Path, description = "Kind of stream", max_length = 64),
        ("id" = String, Path, description = "Which one", max_length = 256),
        ("after" = Option<u64>, Query, description = "Only events after this revision; 0, the default, begins at the first"),
        ("before" = Option<u64>, Query, description = "Only events before this revision, newest first, from the end when it lies beyond; excludes after"),
        ("limit" = Option<u32>, Query, description = "The most events", minimum = 1, maximum = 1000),
        ("If-None-Match" = Option<String>, Header, description = "Revision, in quotes, that the client has already"),
    ),
    responses(
        (status = 200, description = "A page", body = StreamPageDocument, headers(("ETag" = String, description = "The stream's last revision, in quotes"))),
        (status = 304, description = "The stream has not changed"),
        (status = 404, description = "The stream has no event"),
    ),
    security(("key" = ["read"])),
)]
pub(in crate::api) async fn read(
    Reader(caller): Reader,
    state: Data<ApiState>,
    path: Path<(String, String)>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let stream = StreamId::new(&path.0, &path.1)?;
    let parameters = Parameters::of(request.query_string(), &["after", "before", "limit"])?;
    let limit = parameters.limit(&state.config.limits)?;
    let tenant = caller.tenant().clone();
    let after = parameters.number("after")?;
    let read = match (after, parameters.number("before")?) {
        (Some(_), Some(_)) => return Err(refused("before", "excludes after: give one of them")),
        (None, Some(before)) => StreamRead::before(tenant, stream, Revision::new(before), limit),
        (after, None) => {
            StreamRead::after(tenant, stream, Revision::new(after.unwrap_or(0)), limit)
        }
    };
    let page = state.system.store().read_stream(read).await?;
    if page.revision == Revision::ZERO {
        return Err(no_stream());
    }
    place::check_revision("query:after", Revision::new(after.unwrap_or(0)), page.revision)?;
    if precondition::is_known(request.headers(), page.revision) {
        return Ok(with_revision(HttpResponse::NotModified().finish(), page.revision));
    }
    let next = page.next.map(Revision::get);
    let document = StreamPageDocument { events: page.events, revision: page.revision.get(), next };
    Ok(with_revision(json(StatusCode::OK, &document)?, page.revision))
}

/// Tells a stream's revision, length and times.
#[utoipa::path(
    get,
    path = "/v1/streams/{category}/{id}/metadata",
    tag = "streams",
    operation_id = "readStreamMetadata",
    params(
        ("category" = String, Path, description = "Kind of stream", max_length = 64),
        ("id" = String, Path, description = "Which one", max_length = 256),
    ),
    responses(
        (status = 200, description = "What is known of it", body = StreamMetadataDocument, headers(("ETag" = String, description = "The stream's last revision, in quotes"))),
        (status = 404, description = "The stream has no event"),
    ),
    security(("key" = ["read"])),
)]
pub(in crate::api) async fn metadata(
    Reader(caller): Reader,
    state: Data<ApiState>,
    path: Path<(String, String)>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    Parameters::of(request.query_string(), &[])?;
    let stream = StreamId::new(&path.0, &path.1)?;
    let (first, last) = ends(&state, &caller, &stream).await?.ok_or_else(no_stream)?;
    let document = StreamMetadataDocument {
        category: stream.category().to_string(),
        id: stream.id().to_owned(),
        revision: last.revision().get(),
        events: last.revision().get(),
        first_at: first.recorded_at(),
        last_at: last.recorded_at(),
    };
    Ok(with_revision(json(StatusCode::OK, &document)?, last.revision()))
}

/// Lists streams in the order of their first events.
#[utoipa::path(
    get,
    path = "/v1/streams",
    tag = "streams",
    operation_id = "listStreams",
    params(
        ("category" = Option<String>, Query, description = "Only this kind", max_length = 64),
        ("after" = Option<u64>, Query, description = "`next` of the page before"),
        ("limit" = Option<u32>, Query, description = "The most streams", minimum = 1, maximum = 1000),
    ),
    responses((status = 200, description = "A page", body = StreamListDocument)),
    security(("key" = ["read"])),
)]
pub(in crate::api) async fn list(
    Reader(caller): Reader,
    state: Data<ApiState>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let parameters = Parameters::of(request.query_string(), &["category", "after", "limit"])?;
    let category = parameters.one("category")?.map(Category::new).transpose();
    let list = StreamList {
        tenant: caller.tenant().clone(),
        category: category.map_err(|error| refused("category", error.to_string()))?,
        after: Position::new(parameters.number("after")?.unwrap_or(0)),
        limit: parameters.limit(&state.config.limits)?,
    };
    place::check(state.system.store(), "query:after", list.after).await?;
    let page = state.system.store().list_streams(list).await?;
    let streams = page.streams.into_iter().map(|(stream, position)| StreamDocument {
        category: stream.category().to_string(),
        id: stream.id().to_owned(),
        position: position.get(),
    });
    let next = page.next.map(Position::get);
    json(StatusCode::OK, &StreamListDocument { streams: streams.collect(), next })
}

/// Reads the first and the last event of a stream.
async fn ends(
    state: &ApiState,
    caller: &Caller,
    stream: &StreamId,
) -> Result<Option<(RecordedEvent, RecordedEvent)>, Problem> {
    let (tenant, store) = (caller.tenant(), state.system.store());
    let first = StreamRead::after(tenant.clone(), stream.clone(), Revision::ZERO, 1);
    let last = StreamRead::before(tenant.clone(), stream.clone(), Revision::MAX, 1);
    let first = store.read_stream(first).await?.events.pop();
    let last = store.read_stream(last).await?.events.pop();
    Ok(first.zip(last))
}

fn no_stream() -> Problem {
    Problem::new(ProblemKind::NotFound, "stream has no event")
}

//! Replies: JSON with the headers that its kind of resource has.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, ETAG, HeaderValue, LOCATION};
use serde::Serialize;

use super::precondition::etag;
use super::{Problem, ProblemKind};
use crate::event::Revision;

/// Replies with a value.
pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Result<HttpResponse, Problem> {
    let body = serde_json::to_vec(value).map_err(|error| {
        tracing::error!(%error, "reply could not be written as json");
        Problem::new(ProblemKind::Internal, "reply could not be written: the cause is logged")
    })?;
    let mut reply = HttpResponse::build(status);
    reply.insert_header((CONTENT_TYPE, HeaderValue::from_static("application/json")));
    Ok(reply.body(body))
}

/// Adds the revision of the stream that the reply is about.
pub(super) fn with_revision(mut reply: HttpResponse, revision: Revision) -> HttpResponse {
    reply.headers_mut().insert(ETAG, etag(revision));
    reply
}

/// Adds where what was made can be read.
pub(super) fn with_location(mut reply: HttpResponse, path: &str) -> HttpResponse {
    if let Ok(value) = HeaderValue::from_str(path) {
        reply.headers_mut().insert(LOCATION, value);
    }
    reply
}

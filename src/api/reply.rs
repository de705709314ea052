//! Replies: JSON with the headers that its kind of resource has.

use actix_web::HttpResponse;
use actix_web::http::header::{CONTENT_TYPE, ETAG, HeaderValue, LOCATION};
use actix_web::http::{StatusCode, Uri};
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

/// Sends the client to the same path and query at another server, given with or without scheme.
pub(super) fn at_other_server(server: &str, uri: &Uri) -> HttpResponse {
    let scheme = if server.contains("://") { "" } else { "http://" };
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let place = format!("{scheme}{}{path}", server.trim_end_matches('/'));
    with_location(HttpResponse::new(StatusCode::TEMPORARY_REDIRECT), &place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_server_is_asked_for_the_same_path_and_query() {
        let uri = Uri::from_static("/v1/a%20b?max=3&x");
        for (server, wanted) in [
            ("10.0.0.2:4600", "http://10.0.0.2:4600/v1/a%20b?max=3&x"),
            ("https://two.example.com/", "https://two.example.com/v1/a%20b?max=3&x"),
        ] {
            let reply = at_other_server(server, &uri);
            assert_eq!(reply.status(), 307);
            assert_eq!(reply.headers().get(LOCATION).unwrap(), wanted);
        }
    }
}

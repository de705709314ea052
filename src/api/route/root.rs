//! `/`: leads people to the pages, and tells programs what is where.

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, VARY};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;

use crate::api::Problem;
use crate::api::guard::takes_html;
use crate::api::reply::{json as reply_json, with_location};

/// Replies with the places that there are; a browser is led to the pages.
pub(in crate::api) async fn root(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let mut reply = match takes_html(request.headers()) {
        true => with_location(HttpResponse::new(StatusCode::SEE_OTHER), "/ui"),
        false => reply_json(
            StatusCode::OK,
            &json!({
                "pages": "/ui",
                "documentation": "/v1/docs/",
                "openapi": "/v1/openapi.json",
                "health": "/v1/health/ready",
            }),
        )?,
    };
    reply.headers_mut().insert(VARY, HeaderValue::from_static("accept"));
    Ok(reply)
}

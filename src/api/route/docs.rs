//! `/v1/openapi.json` and `/v1/docs`: the document and an interactive page over it.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use actix_web::web::{Data, Path};
use utoipa_swagger_ui::Config;

use crate::api::{ApiState, Problem, ProblemKind};

/// The page may load only from this server; its scripts set styles by themselves.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
     img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'";

/// Returns this document.
#[utoipa::path(
    get,
    path = "/v1/openapi.json",
    tag = "documentation",
    operation_id = "readOpenapi",
    responses((status = 200, description = "OpenAPI 3.1", body = serde_json::Value)),
)]
pub(in crate::api) async fn openapi(state: Data<ApiState>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/json"))
        .insert_header((CACHE_CONTROL, "no-cache"))
        .body(state.document.clone())
}

/// Shows the document as a page on which requests can be tried.
#[utoipa::path(
    get,
    path = "/v1/docs/",
    tag = "documentation",
    operation_id = "showDocs",
    responses((status = 200, description = "A page", body = String, content_type = "text/html")),
)]
pub(in crate::api) async fn docs(path: Path<String>) -> Result<HttpResponse, Problem> {
    let config = Arc::new(Config::from("/v1/openapi.json"));
    let file = utoipa_swagger_ui::serve(&path, config).map_err(|error| {
        tracing::error!(%error, "documentation page could not be made");
        Problem::new(ProblemKind::Internal, "page could not be made: the cause is logged")
    })?;
    let file = file.ok_or_else(|| Problem::new(ProblemKind::NotFound, "page has no such file"))?;
    let mut reply = HttpResponse::Ok();
    reply.insert_header((CONTENT_TYPE, file.content_type));
    reply.insert_header((CONTENT_SECURITY_POLICY, POLICY));
    reply.insert_header((CACHE_CONTROL, "max-age=3600"));
    Ok(reply.body(file.bytes.into_owned()))
}

/// Leads to the page, whose files are beside it.
pub(in crate::api) async fn docs_folder() -> HttpResponse {
    HttpResponse::PermanentRedirect().insert_header(("location", "/v1/docs/")).finish()
}

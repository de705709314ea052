//! Endpoints held back, let go on, taken out of service, removed.

use headwater::api::http::HttpResponse;
use headwater::api::keys::Admin;
use headwater::api::{Call, Problem};
use serde::Deserialize;
use utoipa::ToSchema;

use super::command::{CommandHeaders, CommandProblems, command};
use super::document::ReceiptDocument;
use crate::endpoint::{Disable, DisableCause, Pause, Remove, Resume};

/// Why an endpoint is paused or disabled.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ReasonBody)]
pub(super) struct ReasonBody {
    /// Why, for people, at most 200 bytes.
    #[serde(default)]
    reason: Option<String>,
}

/// Removes an endpoint for good, with what it owes; its id is not used again.
#[utoipa::path(
    delete,
    path = "/v1/endpoints/{id}",
    tag = "endpoints",
    operation_id = "removeEndpoint",
    params(("id" = String, Path, description = "The endpoint"), CommandHeaders),
    responses(
        (status = 200, description = "Removed", body = ReceiptDocument, headers(("ETag" = String, description = "Revision, in quotes"))),
        CommandProblems,
    ),
    security(("key" = ["admin"])),
)]
pub(super) async fn remove(Admin(caller): Admin, call: Call) -> Result<HttpResponse, Problem> {
    command(&call, &caller, Remove {}).await
}

/// Holds an endpoint back; what comes waits for it.
#[utoipa::path(
    post,
    path = "/v1/endpoints/{id}/pause",
    tag = "endpoints",
    operation_id = "pauseEndpoint",
    params(("id" = String, Path, description = "The endpoint"), CommandHeaders),
    request_body(content = ReasonBody),
    responses(
        (status = 200, description = "Paused", body = ReceiptDocument, headers(("ETag" = String, description = "Revision, in quotes"))),
        CommandProblems,
    ),
    security(("key" = ["admin"])),
)]
pub(super) async fn pause(Admin(caller): Admin, mut call: Call) -> Result<HttpResponse, Problem> {
    let body: ReasonBody = call.body().await?;
    command(&call, &caller, Pause { reason: body.reason }).await
}

/// Lets a paused or disabled endpoint go on with what has waited.
#[utoipa::path(
    post,
    path = "/v1/endpoints/{id}/resume",
    tag = "endpoints",
    operation_id = "resumeEndpoint",
    params(("id" = String, Path, description = "The endpoint"), CommandHeaders),
    responses(
        (status = 200, description = "Resumed", body = ReceiptDocument, headers(("ETag" = String, description = "Revision, in quotes"))),
        CommandProblems,
    ),
    security(("key" = ["admin"])),
)]
pub(super) async fn resume(Admin(caller): Admin, call: Call) -> Result<HttpResponse, Problem> {
    command(&call, &caller, Resume {}).await
}

/// Takes an endpoint out of service until it is resumed.
#[utoipa::path(
    post,
    path = "/v1/endpoints/{id}/disable",
    tag = "endpoints",
    operation_id = "disableEndpoint",
    params(("id" = String, Path, description = "The endpoint"), CommandHeaders),
    request_body(content = ReasonBody),
    responses(
        (status = 200, description = "Disabled", body = ReceiptDocument, headers(("ETag" = String, description = "Revision, in quotes"))),
        CommandProblems,
    ),
    security(("key" = ["admin"])),
)]
pub(super) async fn disable(Admin(caller): Admin, mut call: Call) -> Result<HttpResponse, Problem> {
    let body: ReasonBody = call.body().await?;
    let cause = DisableCause::Operator { reason: body.reason };
    command(&call, &caller, Disable { cause }).await
}

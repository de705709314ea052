//! `/v1/nodes`: the programs that share the read side, and what each runs.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use crate::api::keys::Admin;
use crate::api::query::Parameters;
use crate::api::reply::json;
use crate::api::{ApiState, Problem};
use crate::nodes::RosterReport;

/// Lists the nodes and what each of them runs.
#[utoipa::path(
    get,
    path = "/v1/nodes",
    tag = "nodes",
    operation_id = "listNodes",
    responses((status = 200, description = "The nodes", body = RosterReport)),
    security(("key" = ["admin"])),
)]
pub(in crate::api) async fn list(
    Admin(caller): Admin,
    state: Data<ApiState>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    Parameters::of(request.query_string(), &[])?;
    state.check_operator(&caller, "nodes")?;
    let membership = state.system.membership();
    json(StatusCode::OK, &RosterReport::of(&membership.roster(), Some(membership.id())))
}

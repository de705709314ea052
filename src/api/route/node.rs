//! `/v1/nodes`: the programs that share the read side, and what each runs.

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use jiff::Timestamp;
use serde::Serialize;

use crate::api::keys::Admin;
use crate::api::query::Parameters;
use crate::api::reply::json;
use crate::api::{ApiState, Problem};
use crate::nodes::{Lease, Node, Roster};

/// The programs that share the read side.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = NodeList)]
pub(in crate::api) struct NodeListDocument {
    /// Those that live, and those that went within the last ten minutes; oldest first.
    nodes: Vec<NodeDocument>,
    /// What no node holds, though one node should.
    unheld: Vec<String>,
}

/// A program that uses the read side, from its start to its end.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Node)]
pub(in crate::api) struct NodeDocument {
    /// Tells this start of it from every other.
    id: String,
    /// What people call it.
    name: String,
    /// The version of its program.
    program_version: String,
    /// Where its API answers.
    address: Option<String>,
    /// When it started, by the database's clock.
    #[schema(value_type = String, format = DateTime)]
    started_at: Timestamp,
    /// `alive`, `silent` when its heartbeat does not come, `left` when it was stopped in order.
    state: &'static str,
    /// Milliseconds since its last heartbeat.
    silent_ms: u64,
    /// Whether it is the one that answers.
    is_this: bool,
    /// What it runs, and nobody else.
    holds: Vec<LeaseDocument>,
    /// What it could run, with its version of that.
    runs: BTreeMap<String, u32>,
    /// The last migration of each capability that it knows.
    knows: BTreeMap<String, u32>,
}

/// The right of one node to run something.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Lease)]
pub(in crate::api) struct LeaseDocument {
    /// What for, such as `projection orders`.
    name: String,
    /// Rises each time it is taken.
    token: i64,
    /// When it was taken, by the database's clock.
    #[schema(value_type = Option<String>, format = DateTime)]
    taken_at: Option<Timestamp>,
}

/// Lists the nodes and what each of them runs.
#[utoipa::path(
    get,
    path = "/v1/nodes",
    tag = "nodes",
    operation_id = "listNodes",
    responses((status = 200, description = "The nodes", body = NodeListDocument)),
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
    json(StatusCode::OK, &document(&membership.roster(), membership.id()))
}

fn document(roster: &Roster, own: &str) -> NodeListDocument {
    let unheld = roster.unheld().map(|lease| lease.name.clone()).collect();
    NodeListDocument {
        nodes: roster.nodes.iter().map(|it| node(roster, it, own)).collect(),
        unheld,
    }
}

fn node(roster: &Roster, node: &Node, own: &str) -> NodeDocument {
    NodeDocument {
        id: node.id.clone(),
        name: node.name.clone(),
        program_version: node.program_version.clone(),
        address: node.address.clone(),
        started_at: node.started_at,
        state: node.state.as_str(),
        silent_ms: u64::try_from(node.silent_for.as_millis()).unwrap_or(u64::MAX),
        is_this: node.id == own,
        holds: roster.held_by(&node.id).map(lease).collect(),
        runs: node.runs.clone(),
        knows: node.knows.clone(),
    }
}

fn lease(lease: &Lease) -> LeaseDocument {
    LeaseDocument { name: lease.name.clone(), token: lease.token, taken_at: lease.taken_at }
}

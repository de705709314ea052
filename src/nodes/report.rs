//! The nodes as a document, the same for the API and the command line.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::roster::{Lease, Node, Roster};

/// The programs that share the read side.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[schema(as = NodeList)]
pub struct RosterReport {
    /// The id of the one that answers; not there when none does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub this: Option<String>,
    /// Those that live, and those that went within the last ten minutes; oldest first.
    pub nodes: Vec<NodeReport>,
    /// What no node holds, though one node should.
    pub unheld: Vec<String>,
}

/// A program that uses the read side, from its start to its end.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Node)]
pub struct NodeReport {
    /// Tells this start of it from every other.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// The version of its program.
    pub program_version: String,
    /// Where its API answers.
    pub address: Option<String>,
    /// When it started, by the database's clock.
    #[schema(value_type = String, format = DateTime)]
    pub started_at: Timestamp,
    /// `alive`, `silent` when its heartbeat does not come, `left` when it was stopped in order.
    pub state: &'static str,
    /// Milliseconds since its last heartbeat.
    pub silent_ms: u64,
    /// What it runs, and nobody else.
    pub holds: Vec<LeaseReport>,
    /// What it could run, with its version of that.
    pub runs: BTreeMap<String, u32>,
    /// The last migration of each capability that it knows.
    pub knows: BTreeMap<String, u32>,
}

/// The right of one node to run something.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Lease)]
pub struct LeaseReport {
    /// What for, such as `projection orders`.
    pub name: String,
    /// Rises each time it is taken.
    pub token: i64,
    /// When it was taken, by the database's clock.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub taken_at: Option<Timestamp>,
}

impl RosterReport {
    /// Writes a roster down; `this` is the id of the node that answers, `None` when none does.
    #[must_use]
    pub fn of(roster: &Roster, this: Option<&str>) -> Self {
        Self {
            this: this.map(str::to_owned),
            nodes: roster.nodes.iter().map(|node| NodeReport::of(roster, node)).collect(),
            unheld: roster.unheld().map(|lease| lease.name.clone()).collect(),
        }
    }
}

impl NodeReport {
    fn of(roster: &Roster, node: &Node) -> Self {
        Self {
            id: node.id.clone(),
            name: node.name.clone(),
            program_version: node.program_version.clone(),
            address: node.address.clone(),
            started_at: node.started_at,
            state: node.state.as_str(),
            silent_ms: u64::try_from(node.silent_for.as_millis()).unwrap_or(u64::MAX),
            holds: roster.held_by(&node.id).map(LeaseReport::of).collect(),
            runs: node.runs.clone(),
            knows: node.knows.clone(),
        }
    }
}

impl LeaseReport {
    fn of(lease: &Lease) -> Self {
        Self { name: lease.name.clone(), token: lease.token, taken_at: lease.taken_at }
    }
}

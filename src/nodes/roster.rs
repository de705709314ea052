//! Nodes and leases as they lie in the database.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::table;
use crate::sql::{Database, SqlError};

/// A program that uses the database, or did lately.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Tells this start of the program from every other.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// The version of its program.
    pub program_version: String,
    /// Where its API answers; `None` when it has none.
    pub address: Option<String>,
    /// When it started, by the database's clock.
    pub started_at: Timestamp,
    /// How long ago its last heartbeat was.
    pub silent_for: Duration,
    /// How it stands.
    pub state: NodeState,
    /// The last migration of each capability that its program knows.
    pub knows: BTreeMap<String, u32>,
    /// What it could hold a lease on, and its version of that.
    pub runs: BTreeMap<String, u32>,
}

/// How a node stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeState {
    /// Its heartbeat comes.
    Alive,
    /// Its heartbeat has not come for too long: killed, stopped, or cut off.
    Silent,
    /// It was stopped in order.
    Left,
}

/// The right to do what one node at a time may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// What it is for, such as `projection orders`.
    pub name: String,
    /// The id of the node that holds it; `None` when nobody does.
    pub node: Option<String>,
    /// Raised each time it is taken.
    pub token: i64,
    /// When it was taken, by the database's clock; `None` while it never was.
    pub taken_at: Option<Timestamp>,
}

/// Every node of the last ten minutes and every lease.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roster {
    /// The nodes, oldest first.
    pub nodes: Vec<Node>,
    /// The leases by name.
    pub leases: Vec<Lease>,
}

impl Roster {
    /// Returns the leases that a node holds.
    pub fn held_by<'a>(&'a self, node: &'a str) -> impl Iterator<Item = &'a Lease> {
        self.leases.iter().filter(move |lease| lease.node.as_deref() == Some(node))
    }

    /// Returns the leases of what a living node could run and none does.
    pub fn unheld(&self) -> impl Iterator<Item = &Lease> {
        let alive = || self.nodes.iter().filter(|node| node.state == NodeState::Alive);
        let is_wanted = move |lease: &Lease| alive().any(|it| it.runs.contains_key(&lease.name));
        self.leases.iter().filter(move |lease| self.is_free(lease) && is_wanted(lease))
    }

    /// Returns whether nobody holds a lease who lives.
    pub(super) fn is_free(&self, lease: &Lease) -> bool {
        let holder = lease.node.as_deref().and_then(|id| self.node(id));
        holder.is_none_or(|node| node.state != NodeState::Alive)
    }

    pub(super) fn node(&self, id: &str) -> Option<&Node> {
        self.nodes.iter().find(|node| node.id == id)
    }
}

impl NodeState {
    /// Returns the name under which it is shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::Silent => "silent",
            Self::Left => "left",
        }
    }
}

/// Reads who uses a database; its migrations must be up.
///
/// # Errors
/// [`SqlError`].
pub async fn roster(database: &Database) -> Result<Roster, SqlError> {
    database.inspect(table::roster).await
}

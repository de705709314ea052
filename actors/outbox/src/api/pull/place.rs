//! Where an endpoint's consumers meet: on the node that works for it.

use std::net::SocketAddr;
use std::sync::Arc;

use headwater::api::http::HttpResponse;
use headwater::api::{Call, Problem, ProblemKind};
use headwater::nodes::{Node, NodeState};

use super::super::command::unknown;
use super::super::known::{PATIENCE, met};
use crate::dispatch::lease_of;
use crate::plugin::Shared;
use crate::pull::Group;
use crate::table::EndpointKey;

/// Where to ask.
pub(super) enum Place {
    Here(Arc<Group>),
    /// At another node: what to reply.
    There(HttpResponse),
}

/// Who works for an endpoint, as of the last heartbeat.
enum Holder {
    Nobody,
    ThisNode,
    Other(Node),
}

/// Finds the group of an endpoint.
pub(super) async fn find(
    shared: &Shared,
    call: &Call,
    key: &EndpointKey,
) -> Result<Place, Problem> {
    let registered = met(shared, key).await?;
    let config = registered.endpoint.config.as_ref().ok_or_else(unknown)?;
    if !config.target.is_pulled() {
        let detail = format!(
            "events of this endpoint go to its target of the kind {}: register one of the kind pull",
            config.target.kind()
        );
        return Err(Problem::new(ProblemKind::Rejected, detail).with("code", "not-pulled"));
    }
    if let Some(group) = shared.groups.get(key) {
        return Ok(Place::Here(group));
    }
    if let Holder::Other(node) = holder(call, key) {
        return elsewhere(call, &node);
    }
    if let Some(group) = shared.groups.opened(key, PATIENCE).await {
        return Ok(Place::Here(group));
    }
    match holder(call, key) {
        Holder::Other(node) => elsewhere(call, &node),
        Holder::ThisNode | Holder::Nobody => {
            let detail = "no node works for this endpoint now: ask again";
            Err(Problem::new(ProblemKind::Unavailable, detail))
        }
    }
}

fn elsewhere(call: &Call, node: &Node) -> Result<Place, Problem> {
    match node.address.as_deref().filter(|address| leads_somewhere(address)) {
        Some(address) => Ok(Place::There(call.elsewhere(address))),
        None => {
            let detail = format!(
                "the node {} works for this endpoint and has no address for others: set its \
                 node.address",
                node.name
            );
            Err(Problem::new(ProblemKind::Unavailable, detail))
        }
    }
}

/// Returns whether an address is more than every one of its own machine's.
fn leads_somewhere(address: &str) -> bool {
    address.parse().map_or(true, |own: SocketAddr| !own.ip().is_unspecified())
}

fn holder(call: &Call, key: &EndpointKey) -> Holder {
    let (membership, name) = (call.system().membership(), lease_of(key));
    let roster = membership.roster();
    let lease = roster.leases.iter().find(|lease| lease.name == name);
    let Some(id) = lease.and_then(|lease| lease.node.as_deref()) else { return Holder::Nobody };
    if id == membership.id() {
        return Holder::ThisNode;
    }
    let node = roster.nodes.iter().find(|node| node.id == id && node.state == NodeState::Alive);
    node.cloned().map_or(Holder::Nobody, Holder::Other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_to_the_address_that_stands_for_all() {
        for address in ["0.0.0.0:4600", "[::]:4600"] {
            assert!(!leads_somewhere(address), "{address}");
        }
        for address in ["10.0.0.2:4600", "[::1]:4600", "two.example.com", "https://two"] {
            assert!(leads_somewhere(address), "{address}");
        }
    }
}

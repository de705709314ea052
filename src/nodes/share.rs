//! Who should hold which lease: worked out by each node from the same rows, so all agree.

use std::collections::BTreeMap;
use std::time::Duration;

use super::roster::{Node, NodeState, Roster};

/// How long a crashed node's newer version keeps older ones out: they would make the rows anew
/// in the old shape, and it the other way round when it is back.
const CRASH_GRACE: Duration = Duration::from_secs(60);

/// A way from each lease to the nodes that may hold it.
type Fit<'r> = BTreeMap<&'r str, Vec<&'r str>>;

/// How many leases each node gets.
type Shares<'r> = BTreeMap<&'r str, usize>;

/// Returns the node that should hold each lease; none of a lease that no living node may hold.
///
/// Who holds one and may, keeps it, unless another node holds at least two fewer: so a node
/// that comes takes its share, and nothing moves for the sake of one.
pub(super) fn share_out(roster: &Roster) -> BTreeMap<&str, &str> {
    let fit: Fit<'_> =
        roster.leases.iter().map(|lease| (lease.name.as_str(), fit(roster, &lease.name))).collect();
    let (mut chosen, mut shares) = (BTreeMap::new(), Shares::new());
    for lease in &roster.leases {
        let holder = lease.node.as_deref();
        let fit = fit.get(lease.name.as_str());
        if let Some(holder) = holder.filter(|holder| fit.is_some_and(|it| it.contains(holder))) {
            choose(&mut chosen, &mut shares, &lease.name, holder);
        }
    }
    for (lease, fit) in &fit {
        if !chosen.contains_key(lease)
            && let Some(node) = least_busy(fit, &shares)
        {
            choose(&mut chosen, &mut shares, lease, node);
        }
    }
    level(&fit, &mut chosen, &mut shares);
    chosen
}

/// Returns the living nodes that have the newest version of what a lease is for.
fn fit<'r>(roster: &'r Roster, lease: &str) -> Vec<&'r str> {
    let Some((newest, _)) = newest(roster, lease) else { return Vec::new() };
    let is_fit = |node: &&Node| {
        node.state == NodeState::Alive && node.runs.get(lease).copied() == Some(newest)
    };
    roster.nodes.iter().filter(is_fit).map(|node| node.id.as_str()).collect()
}

/// Returns the newest version of what a lease is for, and a node that has it.
pub(super) fn newest<'r>(roster: &'r Roster, lease: &str) -> Option<(u32, &'r Node)> {
    let counts = |node: &&Node| match node.state {
        NodeState::Alive => true,
        NodeState::Silent => node.silent_for < CRASH_GRACE,
        NodeState::Left => false,
    };
    let nodes = roster.nodes.iter().filter(counts);
    nodes
        .filter_map(|node| Some((*node.runs.get(lease)?, node)))
        .max_by_key(|(version, _)| *version)
}

/// Moves leases one by one from the busiest to the least busy, until none has two more.
fn level<'r>(fit: &Fit<'r>, chosen: &mut BTreeMap<&'r str, &'r str>, shares: &mut Shares<'r>) {
    loop {
        let moved = chosen.iter().find_map(|(lease, holder)| {
            let to = least_busy(fit.get(lease)?, shares)?;
            (share(shares, holder) >= share(shares, to) + 2).then_some((*lease, *holder, to))
        });
        let Some((lease, from, to)) = moved else { return };
        shares.entry(from).and_modify(|count| *count -= 1);
        choose(chosen, shares, lease, to);
    }
}

fn least_busy<'r>(fit: &[&'r str], shares: &Shares<'_>) -> Option<&'r str> {
    fit.iter().copied().min_by_key(|id| (share(shares, id), *id))
}

fn choose<'r>(
    chosen: &mut BTreeMap<&'r str, &'r str>,
    shares: &mut Shares<'r>,
    lease: &'r str,
    node: &'r str,
) {
    chosen.insert(lease, node);
    *shares.entry(node).or_default() += 1;
}

fn share(shares: &Shares<'_>, node: &str) -> usize {
    shares.get(node).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::super::roster::Lease;
    use super::*;

    const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

    fn node(id: &str, version: u32, state: NodeState) -> Node {
        Node {
            id: id.to_owned(),
            name: id.to_owned(),
            program_version: "1".to_owned(),
            address: None,
            started_at: Timestamp::UNIX_EPOCH,
            silent_for: Duration::from_secs(3),
            state,
            knows: BTreeMap::new(),
            runs: NAMES.iter().map(|name| ((*name).to_owned(), version)).collect(),
        }
    }

    fn roster(nodes: Vec<Node>, holders: [Option<&str>; 5]) -> Roster {
        let lease = |(name, holder): (&str, Option<&str>)| Lease {
            name: name.to_owned(),
            node: holder.map(str::to_owned),
            token: 1,
            taken_at: None,
        };
        Roster { nodes, leases: NAMES.into_iter().zip(holders).map(lease).collect() }
    }

    fn holders(roster: &Roster) -> Vec<&str> {
        let chosen = share_out(roster);
        NAMES.iter().filter_map(|name| chosen.get(name).copied()).collect()
    }

    #[test]
    fn a_node_alone_holds_everything() {
        let alone = roster(vec![node("x", 1, NodeState::Alive)], [None; 5]);
        assert_eq!(holders(&alone), ["x"; 5]);
    }

    #[test]
    fn a_second_node_gets_its_share_and_the_rest_stays_where_it_is() {
        let nodes = || vec![node("x", 1, NodeState::Alive), node("y", 1, NodeState::Alive)];
        let joined = roster(nodes(), [Some("x"); 5]);
        assert_eq!(holders(&joined), ["y", "y", "x", "x", "x"]);
        let even = roster(nodes(), [Some("y"), Some("y"), Some("x"), Some("x"), Some("x")]);
        assert_eq!(holders(&even), ["y", "y", "x", "x", "x"], "one more is no reason to move");
    }

    #[test]
    fn what_a_dead_node_held_goes_to_the_living() {
        let nodes = vec![
            node("x", 1, NodeState::Silent),
            node("y", 1, NodeState::Alive),
            node("z", 1, NodeState::Alive),
        ];
        let orphaned = roster(nodes, [Some("x"), Some("x"), Some("y"), Some("z"), Some("gone")]);
        assert_eq!(holders(&orphaned), ["y", "z", "y", "z", "y"]);
    }

    #[test]
    fn an_older_version_holds_nothing_beside_a_newer_one() {
        let nodes = vec![node("new", 2, NodeState::Alive), node("old", 1, NodeState::Alive)];
        assert_eq!(holders(&roster(nodes, [Some("old"); 5])), ["new"; 5]);
    }

    #[test]
    fn an_older_version_waits_after_a_crash_of_a_newer_one_but_not_after_its_orderly_end() {
        let nodes = |state| vec![node("new", 2, state), node("old", 1, NodeState::Alive)];
        assert!(holders(&roster(nodes(NodeState::Silent), [None; 5])).is_empty());
        let mut long_gone = nodes(NodeState::Silent);
        long_gone[0].silent_for = CRASH_GRACE;
        assert_eq!(holders(&roster(long_gone, [None; 5])), ["old"; 5]);
        assert_eq!(holders(&roster(nodes(NodeState::Left), [None; 5])), ["old"; 5]);
    }

    #[test]
    fn a_lease_goes_only_to_those_who_can_do_what_it_is_for() {
        let mut partial = node("y", 1, NodeState::Alive);
        partial.runs.retain(|name, _| name == "e");
        let nodes = vec![node("x", 1, NodeState::Alive), partial];
        assert_eq!(holders(&roster(nodes, [Some("x"); 5])), ["x", "x", "x", "x", "y"]);
    }

    #[test]
    fn sharing_out_again_moves_nothing() {
        let nodes = || (0..3).map(|id| node(&id.to_string(), 1, NodeState::Alive)).collect();
        let first = roster(nodes(), [None; 5]);
        let chosen: Vec<_> = holders(&first).into_iter().map(Some).collect();
        let second = roster(nodes(), chosen.clone().try_into().unwrap());
        assert_eq!(holders(&second).into_iter().map(Some).collect::<Vec<_>>(), chosen);
    }
}

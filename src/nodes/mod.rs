//! The programs that share a read side: which of them live, and which does what only one may.
//!
//! A node says by a heartbeat that it lives, and holds leases on what one node at a time may
//! do. All work the same share-out out of the same rows, under one lock, and each takes its own
//! part of it; nobody leads. Times are the database's, so clocks of machines do not matter.
//!
//! A lease keeps nodes out of each other's way. What keeps out a node that was taken for dead
//! and wakes up is a fencing token, compared in the transaction that writes: a projection's
//! checkpoint has an owner, and only the holder of the lease can become it.

mod config;
mod membership;
mod report;
mod roster;
mod share;
mod table;

pub use self::config::NodeConfig;
pub(crate) use self::membership::Company;
pub use self::membership::{ClaimError, Membership, Tenure};
pub use self::report::{LeaseReport, NodeReport, RosterReport};
pub use self::roster::{Lease, Node, NodeState, Roster, roster};

//! PostgreSQL, below the event store and the read side: addresses, connections, pools, faults.
//!
//! Every session is set up by its start-up message, not by statements: `search_path` is the
//! address's one schema, transactions are read committed, times are UTC. So a session that a
//! server or a pool resets comes back as it began. Behind a pooler, which takes no such message,
//! statements do that at the start of a session, or, where sessions do not last, of a transaction.

mod address;
mod connection;
mod fault;
mod parameter;
mod tls;

pub use address::{Address, AddressError, DEFAULT_SCHEMA};
pub use connection::{Wire, connect, dial, make_schema, pool};
pub use fault::{Fault, FaultKind};
pub use parameter::Pooler;

//! The log in PostgreSQL, for several nodes on one database.
//!
//! A node's concurrent appends gather (`appender`, `batch`) while its last batch commits, and
//! travel in one round trip to a function of the schema (`request`, `answer`), which takes the
//! lock that is the order of the log, checks every append and inserts what passes. The lock is
//! held until the commit is visible, so position = order = visibility for every reader, and no
//! reader looks behind. Readers (`reader`, `statement`, `page`) are a small pool; who reads page
//! after page has the next one fetched meanwhile (`ahead`). The head moves
//! with the node's own commits and with notifications (`feed`), or visibly by polling.
//! Tables and function are described in `docs/reference/postgres-store.md`.

mod ahead;
mod answer;
mod appender;
mod batch;
mod config;
mod examine;
mod fault;
mod feed;
mod page;
mod prepared;
mod reader;
mod request;
mod schema;
mod session;
mod statement;
mod store;
#[cfg(test)]
mod tests;
mod wire;

pub use config::{PostgresStats, PostgresStoreConfig};
pub use feed::HeadSource;
pub use store::PostgresStore;

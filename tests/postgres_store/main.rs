//! The event store in PostgreSQL from outside: torture, faults, foreign writers, several nodes.

mod fault;
mod feed;
mod foreign;
mod kit;
mod schema;
mod torture;

//! The event store in PostgreSQL from outside: torture, faults, foreign writers, several nodes.

#[cfg(test)]
mod fault;
#[cfg(test)]
mod feed;
#[cfg(test)]
mod foreign;
#[cfg(test)]
mod kit;
#[cfg(test)]
mod schema;
#[cfg(test)]
mod torture;

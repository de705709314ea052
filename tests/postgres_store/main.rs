//! The event store in PostgreSQL from outside: torture, faults, foreign writers, several nodes.

#[cfg(test)]
mod ahead;
#[cfg(test)]
mod audit;
#[cfg(test)]
mod fault;
#[cfg(test)]
mod feed;
#[cfg(test)]
mod foreign;
#[cfg(test)]
mod full;
#[cfg(test)]
mod kill;
#[cfg(test)]
mod kit;
#[cfg(test)]
mod note;
#[cfg(test)]
mod pooler;
#[cfg(test)]
mod random;
#[cfg(test)]
mod schema;
#[cfg(test)]
mod server;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod torture;
#[cfg(test)]
mod witness;
#[cfg(test)]
mod writer;

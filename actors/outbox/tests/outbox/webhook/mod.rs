//! Deliveries over real sockets, to receivers that misbehave.

mod delivery;
mod fault;
mod handshake;
mod names;
mod sending;
mod ssrf;
mod tls;

//! Deliveries over real sockets, to receivers that misbehave.

#[cfg(test)]
mod delivery;
#[cfg(test)]
mod fault;
#[cfg(test)]
mod handshake;
#[cfg(test)]
mod names;
#[cfg(test)]
mod receiver;
#[cfg(test)]
mod sending;
#[cfg(test)]
mod ssrf;
#[cfg(test)]
mod tls;

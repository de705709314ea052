//! The outbox from outside: single requests to receivers that misbehave, and a running system.

#[cfg(test)]
mod api;
#[cfg(test)]
mod pull;
#[cfg(test)]
mod receiver;
#[cfg(test)]
mod system;
#[cfg(test)]
mod webhook;

//! Endpoints over HTTP: set up, looked at, paged through, by whom.

mod alarm;
mod bound;
mod kit;
mod naming;
mod paging;
mod precondition;
mod trying;
mod validation;

//! Endpoints over HTTP: set up, looked at, paged through, by whom.

mod alarm;
mod bound;
mod control;
mod keeping;
mod kit;
mod naming;
mod paging;
mod precondition;
mod scope;
mod trying;
mod validation;

//! Endpoints over HTTP: set up, looked at, paged through, by whom.

mod kit;
mod naming;
mod paging;
mod precondition;

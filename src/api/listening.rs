//! Clients that wait for what comes, or follow it by server-sent events: each has one of a
//! bounded number of places, and leaves it when the server stops or its key is revoked.

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::web::Data;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use tokio::sync::watch;

use super::budget::Held;
use super::keys::{Caller, Scope};
use super::seats::Seat;
use super::{ApiState, Problem};

/// The place of a client that waits or follows; dropping it lets another have it.
pub struct Listening {
    caller: Caller,
    state: Data<ApiState>,
    stopping: watch::Receiver<bool>,
    held: Option<Held>,
    _seat: Seat,
}

impl Listening {
    /// Takes a place.
    pub(super) fn begin(state: &Data<ApiState>, caller: &Caller) -> Result<Self, Problem> {
        Self::on(state.seats.take(caller, false)?, state, caller)
    }

    /// Takes a place for a page that is followed; those who run the program have a reserve.
    pub(super) fn begin_page(state: &Data<ApiState>, caller: &Caller) -> Result<Self, Problem> {
        let runs_it = state.is_operator(caller) && caller.allows(Scope::Admin);
        Self::on(state.seats.take(caller, runs_it)?, state, caller)
    }

    fn on(seat: Seat, state: &Data<ApiState>, caller: &Caller) -> Result<Self, Problem> {
        let (caller, stopping) = (caller.clone(), state.stopping.subscribe());
        Ok(Self { caller, state: state.clone(), stopping, held: None, _seat: seat })
    }

    /// Charges bytes to the tenant, until more are charged or the place is left; waits while there
    /// is no room, because others have not read what they asked for.
    ///
    /// Returns false when the server stops instead.
    pub async fn hold(&mut self, bytes: usize) -> bool {
        self.held = None;
        let room = self.state.budget.wait_for(self.caller.tenant(), bytes);
        self.held = tokio::select! {
            held = room => Some(held),
            _ = self.stopping.wait_for(|is_stopping| *is_stopping) => None,
        };
        self.held.is_some()
    }

    /// Gives back what was charged.
    pub fn release(&mut self) {
        self.held = None;
    }

    /// Returns whether the server stays and the caller's key is still good.
    pub async fn may_go_on(&self) -> bool {
        !*self.stopping.borrow() && self.state.keys.still_allows(&self.caller).await
    }

    /// Waits until the server stops.
    pub async fn stopped(&mut self) {
        // A server that is gone has stopped.
        let _ = self.stopping.wait_for(|is_stopping| *is_stopping).await;
    }

    /// Returns how often a silent stream says that it is alive.
    #[must_use]
    pub fn heartbeat(&self) -> Duration {
        self.state.config.limits.heartbeat
    }
}

/// Replies with server-sent events, each written as the protocol has it.
pub fn event_stream(messages: impl Stream<Item = Bytes> + 'static) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/event-stream"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header(("x-accel-buffering", "no"))
        .streaming(messages.map(Ok::<_, actix_web::Error>))
}

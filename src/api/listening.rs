//! Clients that wait for what comes, or follow it by server-sent events: each has one of a
//! bounded number of places, and leaves it when the server stops or its key is revoked.

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::web::Data;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::keys::Caller;
use super::{ApiState, Problem, ProblemKind};

/// The place of a client that waits or follows; dropping it lets another have it.
pub struct Listening {
    caller: Caller,
    state: Data<ApiState>,
    stopping: watch::Receiver<bool>,
    _place: OwnedSemaphorePermit,
}

impl Listening {
    /// Takes a place.
    pub(super) fn begin(state: &Data<ApiState>, caller: &Caller) -> Result<Self, Problem> {
        let place = state.subscribers.clone().try_acquire_owned().map_err(|_| full(state))?;
        let (caller, stopping) = (caller.clone(), state.stopping.subscribe());
        Ok(Self { caller, state: state.clone(), stopping, _place: place })
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

fn full(state: &ApiState) -> Problem {
    let max = state.config.limits.subscribers_max;
    let detail = format!("{max} subscribers are served already: try again later");
    Problem::new(ProblemKind::Overloaded, detail).retry_after_s(5)
}

//! `GET /v1/events/subscribe`: follows the tenant's part of the log by server-sent events.

use std::io::Write;

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use futures_util::future::ready;
use futures_util::{StreamExt, stream};

use crate::api::keys::Reader;
use crate::api::listening::{Listening, event_stream};
use crate::api::query::{Parameters, refused};
use crate::api::{ApiState, Problem, place};
use crate::event::{Position, RecordedEvent};
use crate::store::{self, LogPage};

const PARAMETERS: [&str; 4] = ["after", "category", "type", "tag"];
/// The most events that wait in memory for one slow client.
const PAGE_EVENTS: usize = 128;
/// The most bytes of them, unless one alone has more.
const PAGE_BYTES: usize = 128 << 10;
/// What a page takes in memory, about: its events, and what is written of them.
const PAGE_COST: usize = 2 * PAGE_BYTES;
/// What a client waits before it connects again, in milliseconds.
const RETRY: &str = "retry: 2000\n\n";

/// Follows the log: what is there, a `caught_up` event, then what comes.
///
/// The id of each message is the event's position; a client that comes back with it as
/// `Last-Event-ID` goes on right behind. A silent stream sends a comment now and then. A slow
/// client is not sent more than it takes, and costs nobody else anything.
#[utoipa::path(
    get,
    path = "/v1/events/subscribe",
    tag = "events",
    operation_id = "subscribe",
    params(
        ("after" = Option<u64>, Query, description = "Only events after this position; 0, the default, begins at the first"),
        ("category" = Option<Vec<String>>, Query, description = "Any of these kinds of stream; repeat it"),
        ("type" = Option<Vec<String>>, Query, description = "Any of these event types; repeat it"),
        ("tag" = Option<Vec<String>>, Query, description = "All of these tags; repeat it"),
        ("Last-Event-ID" = Option<u64>, Header, description = "Position of the last event seen; overrides after"),
    ),
    responses(
        (status = 200, description = "Messages `event` with an event as JSON, and `caught_up`", body = String, content_type = "text/event-stream"),
    ),
    security(("key" = ["read"])),
)]
pub(in crate::api) async fn subscribe(
    Reader(caller): Reader,
    state: Data<ApiState>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let parameters = Parameters::of(request.query_string(), &PARAMETERS)?;
    let (pointer, after) = match last_event_id(&request)? {
        Some(last) => ("header:last-event-id", last),
        None => ("query:after", Position::new(parameters.number("after")?.unwrap_or(0))),
    };
    place::check(state.system.store(), pointer, after).await?;
    let query = parameters.event_query()?;
    state
        .system
        .store()
        .limits()
        .check_query(&query)
        .map_err(|problem| refused("type", problem))?;
    let listening = Listening::begin(&state, &caller)?;
    let subscription = state.tail.follow(after, query);
    let subscription = subscription.of_tenant(caller.tenant().clone());
    let subscription = subscription.with_page_limit(PAGE_EVENTS, PAGE_BYTES);
    let follower = Follower { subscription, state, listening, is_live: false };
    let first = stream::once(ready(Bytes::from_static(RETRY.as_bytes())));
    let messages = stream::unfold(follower, |mut follower| async {
        let message = follower.next().await?;
        Some((message, follower))
    });
    Ok(event_stream(first.chain(messages)))
}

/// One client that follows the log, and its place among the bounded number of them.
struct Follower {
    subscription: store::Follower,
    state: Data<ApiState>,
    listening: Listening,
    is_live: bool,
}

impl Follower {
    /// Returns what to send next; `None` ends the stream.
    async fn next(&mut self) -> Option<Bytes> {
        // What was sent last has been taken, or most of it.
        self.listening.release();
        loop {
            if !self.listening.may_go_on().await {
                return None;
            }
            // A log that ends here will send nothing by itself, so it is told now.
            let head = *self.state.system.store().head().borrow();
            if !self.is_live && self.subscription.position() >= head {
                return self.catch_up();
            }
            let bound = self.listening.heartbeat();
            let ready = tokio::select! {
                ready = tokio::time::timeout(bound, self.subscription.ready()) => ready,
                () = self.listening.stopped() => return None,
            };
            let Ok(ready) = ready else { return Some(self.heartbeat()) };
            // Charged before it is read: nobody reads on for those who do not take it.
            if !self.listening.hold(PAGE_COST).await {
                return None;
            }
            let page = match ready {
                Ok(()) => self.subscription.next().await,
                Err(error) => Err(error),
            };
            let page = page.inspect_err(|error| tracing::error!(%error, "subscription ended"));
            let page = page.ok()?;
            if !page.events.is_empty() {
                return written(&page);
            }
        }
    }

    fn catch_up(&mut self) -> Option<Bytes> {
        self.is_live = true;
        let at = self.subscription.position();
        Some(format!("event: caught_up\nid: {at}\ndata: {{\"position\":{at}}}\n\n").into())
    }

    /// A comment and an id: the client's place moves on over events that do not match.
    fn heartbeat(&mut self) -> Bytes {
        format!(": alive\nid: {}\n\n", self.subscription.position()).into()
    }
}

/// Writes the events of a page; JSON has no line break, so each is one line.
fn written(page: &LogPage) -> Option<Bytes> {
    let mut out = Vec::with_capacity(page.events.len() * 512);
    for event in &page.events {
        write_event(&mut out, event)
            .inspect_err(|error| tracing::error!(%error, "event could not be written"))
            .ok()?;
    }
    Some(out.into())
}

fn write_event(out: &mut Vec<u8>, event: &RecordedEvent) -> std::io::Result<()> {
    write!(out, "event: event\nid: {}\ndata: ", event.position())?;
    let start = out.len();
    serde_json::to_writer(&mut *out, event)?;
    // Raw data is kept byte for byte and may be laid out over lines; between JSON tokens a
    // line break means no more than a space.
    for byte in out.get_mut(start..).unwrap_or_default() {
        if matches!(byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
    out.write_all(b"\n\n")
}

fn last_event_id(request: &HttpRequest) -> Result<Option<Position>, Problem> {
    let Some(value) = request.headers().get("last-event-id") else { return Ok(None) };
    let position = value.to_str().ok().and_then(|text| text.parse().ok());
    match position {
        Some(position) => Ok(Some(position)),
        None => Err(Problem::field("header:last-event-id", "is not a position")),
    }
}

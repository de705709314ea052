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
use crate::api::{ApiState, Problem};
use crate::event::{Position, RecordedEvent};
use crate::store::{LogPage, Subscription};

const PARAMETERS: [&str; 4] = ["after", "category", "type", "tag"];
/// The most events that wait in memory for one slow client.
const PAGE_EVENTS: usize = 128;
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
    let after = match last_event_id(&request)? {
        Some(last) => last,
        None => Position::new(parameters.number("after")?.unwrap_or(0)),
    };
    let head = *state.system.store().head().borrow();
    if after > head {
        return Err(refused("after", format!("lies beyond the log's end, which is at {head}")));
    }
    let listening = Listening::begin(&state, &caller)?;
    let subscription =
        Subscription::new(state.system.store().clone(), after, parameters.event_query()?)
            .of_tenant(caller.tenant().clone())
            .with_page_limit(PAGE_EVENTS);
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
    subscription: Subscription,
    state: Data<ApiState>,
    listening: Listening,
    is_live: bool,
}

impl Follower {
    /// Returns what to send next; `None` ends the stream.
    async fn next(&mut self) -> Option<Bytes> {
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
            let page = tokio::select! {
                page = tokio::time::timeout(bound, self.subscription.next()) => page,
                () = self.listening.stopped() => return None,
            };
            let Ok(page) = page else { return Some(self.heartbeat()) };
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
    fn heartbeat(&self) -> Bytes {
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

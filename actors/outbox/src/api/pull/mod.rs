//! Consumers: who asks for an endpoint's events, and says what became of them.

pub(super) mod ack;
mod document;
mod place;
mod poll;
mod push;

use std::sync::Arc;
use std::time::Duration;

use headwater::api::http::{HttpResponse, web::Data};
use headwater::api::keys::{Caller, Reader, Writer};
use headwater::api::{Call, Problem};

use self::document::DeliveryPageDocument;
use self::place::Place;
use super::command::key;
use crate::plugin::Shared;

/// The most deliveries of one answer, and of one connection; an endpoint's concurrency, which
/// bounds them too, is at most that.
const MAX: usize = 256;
/// How many are handed out when the consumer does not say.
const MAX_DEFAULT: usize = 16;
/// The longest wait of a poll.
const WAIT_S_MAX: u64 = 60;
/// The wait of a poll when the consumer does not say.
const WAIT_S_DEFAULT: u64 = 20;
/// The most bytes of a consumer's name.
const CONSUMER_LEN_MAX: usize = 100;

/// What a consumer asks for.
struct Wanted {
    consumer: Arc<str>,
    max: usize,
    wait: Duration,
}

/// Takes the endpoint's next events, which nobody else gets while this consumer has them: say of
/// each what became of it at `/acks`. Waits when there is none. With `Accept: text/event-stream`
/// events are sent as they come, each a message `delivery` with the delivery as id and what a
/// poll shows as data; when the connection ends, others get what was not acknowledged.
#[utoipa::path(
    get,
    path = "/v1/endpoints/{id}/events",
    tag = "endpoints",
    operation_id = "takeEvents",
    params(
        ("id" = String, Path, description = "The endpoint"),
        ("max" = Option<u32>, Query, description = "The most events of the answer, 16 when absent; of a stream the most that are not acknowledged", minimum = 1, maximum = 256),
        ("wait_s" = Option<u32>, Query, description = "How long to wait for an event, 20 when absent; never longer than the server gives a request", maximum = 60),
        ("consumer" = Option<String>, Query, description = "Who asks, for the log of attempts, at most 100 bytes; the name of the key when absent"),
    ),
    responses(
        (status = 200, description = "The events; none when none came in time. Or messages `delivery` and `phase`", content(
            (DeliveryPageDocument = "application/json"),
            (String = "text/event-stream"),
        )),
        (status = 307, description = "Another node works for the endpoint: ask there in the same way", headers(("Location" = String, description = "Where"))),
        (status = 404, description = "No such endpoint"),
        (status = 422, description = "The endpoint's target is of another kind than `pull`"),
        (status = 503, description = "No node works for the endpoint now, or too many consumers ask"),
    ),
    security(("key" = ["read", "write"])),
)]
pub(super) async fn take(
    Reader(caller): Reader,
    _: Writer,
    shared: Data<Shared>,
    call: Call,
) -> Result<HttpResponse, Problem> {
    let wanted = Wanted::of(&call, &caller)?;
    let group = match place::find(&shared, &call, &key(&caller, &call)).await? {
        Place::Here(group) => group,
        Place::There(reply) => return Ok(reply),
    };
    if call.wants_head() {
        return poll::head(&call, &group);
    }
    match call.takes_event_stream() {
        true => push::follow(&call, &caller, group, wanted).await,
        false => poll::answer(&call, &caller, group, wanted).await,
    }
}

impl Wanted {
    fn of(call: &Call, caller: &Caller) -> Result<Self, Problem> {
        let parameters = call.parameters(&["max", "wait_s", "consumer"])?;
        let max = parameters.number("max")?.unwrap_or(MAX_DEFAULT);
        if !(1..=MAX).contains(&max) {
            return Err(Problem::field("query:max", format!("is not within 1 to {MAX}")));
        }
        let wait_s = parameters.number("wait_s")?.unwrap_or(WAIT_S_DEFAULT);
        if wait_s > WAIT_S_MAX {
            return Err(Problem::field("query:wait_s", format!("is not within 0 to {WAIT_S_MAX}")));
        }
        let consumer = parameters.one("consumer")?.unwrap_or_else(|| caller.name());
        if consumer.is_empty()
            || consumer.len() > CONSUMER_LEN_MAX
            || consumer.chars().any(char::is_control)
        {
            let detail =
                format!("must have 1 to {CONSUMER_LEN_MAX} bytes and no control character");
            return Err(Problem::field("query:consumer", detail));
        }
        // The reply must begin before the server gives the request up.
        let bound = call.limits().request_timeout;
        let bound = bound.saturating_sub(Duration::from_secs(1)).max(bound / 2);
        let wait = Duration::from_secs(wait_s).min(bound);
        Ok(Self { consumer: consumer.into(), max, wait })
    }
}

//! Trying an endpoint out: a test message, and what a stored event looks like when it is sent.

use std::time::{Duration, Instant};

use bytes::Bytes;
use headwater::api::http::{HttpResponse, web::Data};
use headwater::api::keys::{Admin, Reader};
use headwater::api::{Call, Problem, ProblemKind};
use headwater::event::{
    NewEvent, Position, RecordedEvent, Revision, StreamId, encode_record, seal_record,
};
use headwater::store::{LogRead, StoreError};
use serde::Serialize;
use utoipa::ToSchema;

use super::command::{key, unknown};
use super::known::met;
use crate::endpoint::CATEGORY;
use crate::payload::render;
use crate::plugin::Shared;
use crate::sink;
use crate::table::EndpointKey;
use crate::webhook::Verdict;

/// What a request needs beside its test message.
const TELLING: Duration = Duration::from_secs(2);

/// What came of a test message.
#[derive(Serialize, ToSchema)]
#[schema(as = TestResult)]
pub(crate) struct TestDocument {
    /// What would follow from it.
    pub verdict: Verdict,
    /// The status of the answer; null when there was none.
    #[schema(required = true)]
    pub status: Option<u16>,
    /// What went wrong.
    #[schema(required = true)]
    pub error: Option<String>,
    /// The beginning of the answer, at most 1 KiB.
    #[schema(required = true)]
    pub response: Option<String>,
    /// How long it took, in microseconds.
    pub took_us: u64,
}

/// What would be sent of an event.
#[derive(Serialize, ToSchema)]
#[schema(as = PayloadExample)]
pub(super) struct ExampleDocument {
    /// The type of the body.
    content_type: &'static str,
    /// The headers that the format adds.
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    headers: std::collections::BTreeMap<&'static str, String>,
    /// The body, as it would be signed.
    body: String,
}

/// Sends a test message, an event `Tested` that is not in the log, signed like any other. It has
/// the time that the endpoint gives a request, and 2 s less than this server does.
#[utoipa::path(
    post,
    path = "/v1/endpoints/{id}/test",
    tag = "endpoints",
    operation_id = "testEndpoint",
    params(("id" = String, Path, description = "The endpoint")),
    responses(
        (status = 200, description = "What came of it", body = TestDocument),
        (status = 404, description = "No such endpoint"),
        (status = 422, description = "Consumers ask for its events, or it cannot be sent to: `detail` says why"),
    ),
    security(("key" = ["admin"])),
)]
pub(super) async fn test(
    Admin(caller): Admin,
    shared: Data<Shared>,
    call: Call,
) -> Result<HttpResponse, Problem> {
    call.reply(200, &try_out(&call, &shared, &key(&caller, &call)).await?)
}

/// Sends a test message to an endpoint and tells what came of it.
pub(crate) async fn try_out(
    call: &Call,
    shared: &Shared,
    key: &EndpointKey,
) -> Result<TestDocument, Problem> {
    let began = Instant::now();
    let registered = met(shared, key).await?;
    let mut config = registered.endpoint.config.clone().ok_or_else(unknown)?;
    let left = call.limits().request_timeout.saturating_sub(began.elapsed());
    config.timeout_ms = config.timeout_ms.min(time_ms(left));
    if config.target.is_pulled() {
        let detail = "consumers ask for this endpoint's events: append one, or look at its example";
        return Err(Problem::new(ProblemKind::Rejected, detail).with("code", "pulled"));
    }
    let sink = sink::open(shared, key, &registered.endpoint, &config);
    let sink = sink.map_err(|words| Problem::new(ProblemKind::Rejected, words))?;
    let event = test_event(shared, key).ok_or_else(unknown)?;
    let attempted = sink.deliver(&event, 1).await.attempted;
    Ok(TestDocument {
        verdict: attempted.verdict,
        status: attempted.status,
        error: attempted.error,
        response: attempted.response,
        took_us: u64::try_from(attempted.took.as_micros()).unwrap_or(u64::MAX),
    })
}

/// Shows what would be sent of an event of the log.
#[utoipa::path(
    get,
    path = "/v1/endpoints/{id}/example",
    tag = "endpoints",
    operation_id = "readPayloadExample",
    params(
        ("id" = String, Path, description = "The endpoint"),
        ("position" = Option<u64>, Query, description = "The event; the tenant's first when absent"),
    ),
    responses(
        (status = 200, description = "The message", body = ExampleDocument),
        (status = 404, description = "No such endpoint, or the tenant has no such event"),
        (status = 422, description = "The event cannot be made into a message"),
    ),
    security(("key" = ["read"])),
)]
pub(super) async fn example(
    Reader(caller): Reader,
    shared: Data<Shared>,
    call: Call,
) -> Result<HttpResponse, Problem> {
    let wanted = call.parameters(&["position"])?.number("position")?.map(Position::new);
    let registered = met(&shared, &key(&caller, &call)).await?;
    let config = registered.endpoint.config.as_ref().ok_or_else(unknown)?;
    let from = wanted.unwrap_or(Position::ZERO).previous();
    let none = || Problem::new(ProblemKind::NotFound, "the tenant has no such event");
    let read = LogRead::after(from, 1).of_tenant(caller.tenant().clone());
    let page = match shared.store().read_log(read).await {
        Ok(page) => page,
        Err(StoreError::BeyondEnd(_)) => return Err(none()),
        Err(error) => return Err(error.into()),
    };
    let event = page.events.first();
    let event = event.filter(|event| wanted.is_none_or(|wanted| event.position() == wanted));
    let payload = render(config.format, &shared.source, event.ok_or_else(none)?);
    let payload =
        payload.map_err(|error| Problem::new(ProblemKind::Rejected, error.to_string()))?;
    let document = ExampleDocument {
        content_type: payload.content_type,
        headers: payload.headers.into_iter().collect(),
        body: String::from_utf8_lossy(&payload.body).into_owned(),
    };
    call.reply(200, &document)
}

/// Returns how long a test may take: what it came to must be told before the request is given up.
fn time_ms(request_timeout: Duration) -> u32 {
    let time = request_timeout.saturating_sub(TELLING).max(request_timeout / 2);
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

/// Makes an event that no log has.
fn test_event(shared: &Shared, key: &EndpointKey) -> Option<RecordedEvent> {
    let stream = StreamId::new(CATEGORY, &*key.id).ok()?;
    let event = NewEvent::json("Tested", 1, r#"{"message":"a test of this endpoint"}"#).ok()?;
    let mut record = Vec::new();
    encode_record(&mut record, &key.tenant, &stream, &event);
    seal_record(&mut record, Position::ZERO, Revision::ZERO, shared.clock.now());
    RecordedEvent::parse(&Bytes::from(record)).ok()
}

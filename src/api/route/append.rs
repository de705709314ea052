//! `POST /v1/streams/…`: appends raw events.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use serde::Serialize;

use super::append_body::{AppendAllBody, AppendBody, EventBody};
use super::origin_of;
use crate::api::keys::{Caller, Writer};
use crate::api::query::Parameters;
use crate::api::reply::{json, with_location, with_revision};
use crate::api::{ApiState, Problem, ProblemKind, body, idempotency, precondition};
use crate::event::{EventId, Metadata, NameError, NewEvent, StreamId};
use crate::page::path_part;
use crate::store::{Append, AppendError, Appended, Expected, StreamWrite};

/// Where the events of an append came to lie; they are durable.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Appended)]
pub(in crate::api) struct AppendedDocument {
    /// Position of the last event.
    position: u64,
    /// The streams in the order of the request.
    streams: Vec<WrittenDocument>,
    /// Whether the events were in the log already and nothing was stored now.
    duplicate: bool,
}

/// What an append did to one stream.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = WrittenStream)]
pub(in crate::api) struct WrittenDocument {
    /// Kind of stream.
    category: String,
    /// Which one.
    id: String,
    /// Revision of the first event.
    first: u64,
    /// Revision of the last event.
    last: u64,
}

/// Appends events to one stream.
///
/// 201 when they were stored, 200 when they were in the log already.
#[utoipa::path(
    post,
    path = "/v1/streams/{category}/{id}",
    tag = "streams",
    operation_id = "appendToStream",
    params(
        ("category" = String, Path, description = "Kind of stream", max_length = 64),
        ("id" = String, Path, description = "Which one", max_length = 256),
        ("Idempotency-Key" = Option<String>, Header, description = "Name of the intent: sent again it is stored once", min_length = 1, max_length = 128),
        ("If-Match" = Option<String>, Header, description = "Revision, in quotes, that the stream must have, or `*`: it must exist"),
        ("If-None-Match" = Option<String>, Header, description = "`*`: it must not exist yet"),
    ),
    request_body(content = AppendBody),
    responses(
        (status = 200, description = "In the log already", body = AppendedDocument, headers(("ETag" = String, description = "Revision, in quotes"))),
        (status = 201, description = "Stored", body = AppendedDocument, headers(("ETag" = String, description = "Revision, in quotes"), ("Location" = String, description = "The stream"))),
        (status = 403, description = "The category takes the events of its own commands alone"),
        (status = 409, description = "The stream or the log is not as expected, or an event id is taken"),
        (status = 412, description = "If-Match or If-None-Match does not hold"),
        (status = 422, description = "The idempotency key is taken"),
        (status = 507, description = "The disk is full"),
    ),
    security(("key" = ["write"])),
)]
pub(in crate::api) async fn append(
    Writer(caller): Writer,
    state: Data<ApiState>,
    path: Path<(String, String)>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    Parameters::of(request.query_string(), &[])?;
    let stream = StreamId::new(&path.0, &path.1)?;
    stream.check_address()?;
    let in_headers = precondition::expected(request.headers())?;
    let limits = &state.config.limits;
    let bytes = body::read_events(&request, payload, limits.append_bytes_max, limits).await?;
    let body: AppendBody<'_> = body::parse(&bytes)?;
    let expected = match (in_headers, body.expected) {
        (Some(_), Some(_)) => {
            return Err(Problem::field("/expected", "excludes if-match and if-none-match"));
        }
        (Some(expected), None) => expected,
        (None, in_body) => in_body.map_or(Expected::Any, Expected::from),
    };
    let mut intent = Intent::of(&request, &caller, &bytes)?;
    let events = intent.events(body.events)?;
    let write = StreamWrite { stream, expected, events };
    let condition = body.condition.map(Into::into);
    let append = Append { tenant: caller.tenant().clone(), writes: vec![write], condition };
    let appended = intent.carry_out(&state, append).await.map_err(|problem| {
        // The client asked by header, so it is told in the words of the header.
        let is_header = in_headers.is_some() && problem.kind() == ProblemKind::Conflict;
        if is_header { problem.as_kind(ProblemKind::RevisionMismatch) } else { problem }
    })?;
    reply(&appended)
}

/// Appends events to several streams: all of them or none.
#[utoipa::path(
    post,
    path = "/v1/streams",
    tag = "streams",
    operation_id = "appendToStreams",
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "Name of the intent: sent again it is stored once", min_length = 1, max_length = 128),
    ),
    request_body(content = AppendAllBody),
    responses(
        (status = 200, description = "In the log already", body = AppendedDocument),
        (status = 201, description = "Stored", body = AppendedDocument),
        (status = 403, description = "A category takes the events of its own commands alone"),
        (status = 409, description = "A stream or the log is not as expected, or an event id is taken"),
        (status = 422, description = "The idempotency key is taken"),
        (status = 507, description = "The disk is full"),
    ),
    security(("key" = ["write"])),
)]
pub(in crate::api) async fn append_all(
    Writer(caller): Writer,
    state: Data<ApiState>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    Parameters::of(request.query_string(), &[])?;
    let limits = &state.config.limits;
    let bytes = body::read_events(&request, payload, limits.append_bytes_max, limits).await?;
    let body: AppendAllBody<'_> = body::parse(&bytes)?;
    let mut intent = Intent::of(&request, &caller, &bytes)?;
    let mut writes = Vec::with_capacity(body.streams.len());
    for (at, own) in body.streams.into_iter().enumerate() {
        let stream = StreamId::of(own.category, own.id);
        let named =
            |error: NameError| Problem::field(format!("/streams/{at}/id"), error.to_string());
        let stream = stream.map_err(named)?;
        stream.check_address().map_err(named)?;
        let expected = own.expected.map_or(Expected::Any, Expected::from);
        writes.push(StreamWrite { stream, expected, events: intent.events(own.events)? });
    }
    let condition = body.condition.map(Into::into);
    let append = Append { tenant: caller.tenant().clone(), writes, condition };
    reply(&intent.carry_out(&state, append).await?)
}

/// One append as its client means it: who, in which thread, under which key.
struct Intent<'a> {
    body: &'a Bytes,
    caller: &'a Caller,
    metadata: Metadata,
    ordinal: u64,
}

impl<'a> Intent<'a> {
    fn of(request: &HttpRequest, caller: &'a Caller, body: &'a Bytes) -> Result<Self, Problem> {
        let mut metadata = origin_of(request).metadata(caller.name());
        metadata.idempotency_key = idempotency::key(request.headers())?;
        if metadata.idempotency_key.is_some() {
            let parts: [&[u8]; 2] = [request.path().as_bytes(), body];
            metadata.command_hash = Some(EventId::derived(&parts).to_string());
        }
        Ok(Self { body, caller, metadata, ordinal: 0 })
    }

    /// Makes the events; those of a keyed append get ids that the same key gives again.
    fn events(&mut self, bodies: Vec<EventBody<'_>>) -> Result<Vec<NewEvent>, Problem> {
        let events = bodies.into_iter().map(|event| {
            let id = self.next_id();
            event.event(self.body, &self.metadata, id)
        });
        events.collect()
    }

    fn next_id(&mut self) -> EventId {
        self.ordinal += 1;
        self.keyed_id(self.ordinal).unwrap_or_else(EventId::fresh)
    }

    /// Returns the id that the key gives to an event of the append, counted from 1.
    fn keyed_id(&self, ordinal: u64) -> Option<EventId> {
        let key = self.metadata.idempotency_key.as_ref()?.as_bytes();
        let tenant = self.caller.tenant().as_str().as_bytes();
        Some(EventId::derived(&[b"append", tenant, key, &ordinal.to_le_bytes()]))
    }

    /// Returns whether the key gives an id, rather than the client itself.
    fn gives(&self, id: EventId) -> bool {
        (1..=self.ordinal).any(|ordinal| self.keyed_id(ordinal) == Some(id))
    }

    async fn carry_out(&self, state: &ApiState, append: Append) -> Result<Appended, Problem> {
        check_reserved(state, &append)?;
        check_not_empty(&append)?;
        let first = append.writes.first().and_then(|write| write.events.first());
        let first = first.map(|event| event.id);
        let appended = match state.system.store().append(append).await {
            Ok(appended) => appended,
            Err(AppendError::IdReused { id, .. }) if self.gives(id) => return Err(key_reused()),
            Err(error) => return Err(error.into()),
        };
        if let (true, Some(first)) = (appended.duplicate, first) {
            self.check_same(state, first).await?;
        }
        Ok(appended)
    }

    /// Makes sure that what the key stored earlier is what it was sent with now.
    async fn check_same(&self, state: &ApiState, first: EventId) -> Result<(), Problem> {
        if self.metadata.idempotency_key.is_none() {
            return Ok(());
        }
        let tenant = self.caller.tenant().clone();
        let stored = state.system.store().find_event(tenant, first).await?;
        let stored = stored.map(|event| event.metadata().command_hash);
        if stored == Some(self.metadata.command_hash.clone()) { Ok(()) } else { Err(key_reused()) }
    }
}

/// Refuses raw events where an aggregate decides everything.
fn check_reserved(state: &ApiState, append: &Append) -> Result<(), Problem> {
    let categories = append.writes.iter().map(|write| write.stream.category().as_str());
    let reserved = categories.into_iter().find(|category| state.system.is_reserved(category));
    let Some(category) = reserved else { return Ok(()) };
    let detail =
        format!("category {category} takes no raw events, only those that its commands lead to");
    Err(Problem::new(ProblemKind::Forbidden, detail))
}

/// Refuses a stream without events: raw appends have no use for a mere check.
fn check_not_empty(append: &Append) -> Result<(), Problem> {
    match append.writes.iter().find(|write| write.events.is_empty()) {
        Some(write) => {
            let detail = format!("no events for stream {}: send at least one", write.stream);
            Err(Problem::new(ProblemKind::Invalid, detail))
        }
        None => Ok(()),
    }
}

fn key_reused() -> Problem {
    let detail = "idempotency key was used for another append: make a fresh one";
    Problem::new(ProblemKind::KeyReused, detail)
}

fn reply(appended: &Appended) -> Result<HttpResponse, Problem> {
    let streams = appended.streams.iter().map(|written| WrittenDocument {
        category: written.stream.category().to_string(),
        id: written.stream.id().to_owned(),
        first: written.first.get(),
        last: written.last.get(),
    });
    let (position, duplicate) = (appended.position.get(), appended.duplicate);
    let document = AppendedDocument { position, streams: streams.collect(), duplicate };
    let status = if duplicate { StatusCode::OK } else { StatusCode::CREATED };
    let reply = json(status, &document)?;
    let [written] = appended.streams.as_slice() else { return Ok(reply) };
    let reply = with_revision(reply, written.last);
    if duplicate {
        return Ok(reply);
    }
    let (category, id) = (written.stream.category().as_str(), written.stream.id());
    let path = format!("/v1/streams/{}/{}", path_part(category), path_part(id));
    Ok(with_location(reply, &path))
}

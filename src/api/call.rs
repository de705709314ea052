//! What the handler of a plugin has of a request.

use std::borrow::Cow;
use std::time::Duration;

use actix_web::dev::Payload as RawPayload;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Payload};
use actix_web::{FromRequest, HttpMessage, HttpRequest, HttpResponse};
use futures_util::future::LocalBoxFuture;
use percent_encoding::percent_decode_str;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::gate::HeadOnly;
use super::guard::takes_event_stream;
use super::keys::Caller;
use super::listening::Listening;
use super::query::Parameters;
use super::reply::{at_other_server, json, with_location, with_revision};
use super::route::origin_of;
use super::{ApiLimits, ApiState, Problem, ProblemKind, body, idempotency, place, precondition};
use crate::event::{Position, Revision, Tenant};
use crate::runtime::{SendOptions, System};

/// A request to an address of a plugin, with what the framework's own handlers have.
pub struct Call {
    pub(super) state: Data<ApiState>,
    pub(super) request: HttpRequest,
    pub(super) payload: Option<Payload>,
}

impl Call {
    /// Returns the system.
    #[must_use]
    pub fn system(&self) -> &System {
        &self.state.system
    }

    /// Returns what requests are held to.
    #[must_use]
    pub fn limits(&self) -> &ApiLimits {
        &self.state.config.limits
    }

    /// Returns the tenant whose admins operate the program.
    #[must_use]
    pub fn operator(&self) -> &Tenant {
        &self.state.config.operator
    }

    /// Returns a variable of the address as it was meant: what was percent-encoded is decoded.
    /// Empty when the address has none of that name.
    #[must_use]
    pub fn variable(&self, name: &str) -> Cow<'_, str> {
        // The router leaves `%25`, `%2B` and `%2F` as they are, so that they end no part.
        let text = self.request.match_info().get(name).unwrap_or_default();
        percent_decode_str(text).decode_utf8_lossy()
    }

    /// Reads the query string, which may hold only these parameters.
    ///
    /// # Errors
    /// A [`Problem`] naming the parameter that is not known.
    pub fn parameters(&self, known: &[&str]) -> Result<Parameters, Problem> {
        Parameters::of(self.request.query_string(), known)
    }

    /// Reads the body once, as JSON.
    ///
    /// # Errors
    /// A [`Problem`] naming the field that does not fit; of a body that is too large, too slow,
    /// or read twice.
    pub async fn body<T: DeserializeOwned>(&mut self) -> Result<T, Problem> {
        let twice = || Problem::new(ProblemKind::Internal, "body was read already");
        let payload = self.payload.take().ok_or_else(twice)?;
        let limits = self.limits();
        let bytes = body::read(&self.request, payload, limits.command_bytes_max, limits).await?;
        body::parse(&bytes)
    }

    /// Returns cause, author, idempotency key and expected revision (`If-Match`) of a command that
    /// the request leads to.
    ///
    /// # Errors
    /// A [`Problem`] when the idempotency key or the revision is not one.
    pub fn send_options(&self, caller: &Caller) -> Result<SendOptions, Problem> {
        Ok(SendOptions {
            metadata: origin_of(&self.request).metadata(caller.name()),
            idempotency_key: idempotency::key(self.request.headers())?,
            expected: precondition::revision_of(self.request.headers())?,
        })
    }

    /// Waits until a projection is as new as `at_least` of the query string asks; returns its
    /// position.
    ///
    /// # Errors
    /// A [`Problem`] when it is not within the configured time.
    pub async fn wait(
        &self,
        projection: &str,
        parameters: &Parameters,
    ) -> Result<Position, Problem> {
        let at_least = Position::new(parameters.number("at_least")?.unwrap_or(0));
        self.check_place("query:at_least", at_least).await?;
        let time: Duration = self.limits().at_least_timeout;
        Ok(self.system().wait_for(projection, at_least, time).await?)
    }

    /// Refuses a position that lies beyond the end of the log; `pointer` names its field.
    ///
    /// # Errors
    /// A [`Problem`] that says where the log ends.
    pub async fn check_place(&self, pointer: &str, place: Position) -> Result<(), Problem> {
        place::check(self.system().store(), pointer, place).await
    }

    /// Returns whether the client wants the head of the reply alone: nothing may be handed out.
    #[must_use]
    pub fn wants_head(&self) -> bool {
        self.request.extensions().get::<HeadOnly>().is_some()
    }

    /// Returns whether the client asks for server-sent events.
    #[must_use]
    pub fn takes_event_stream(&self) -> bool {
        takes_event_stream(self.request.headers())
    }

    /// Takes one of the bounded places of clients that wait or follow.
    ///
    /// # Errors
    /// A [`Problem`] when all are taken.
    pub fn listen(&self, caller: &Caller) -> Result<Listening, Problem> {
        Listening::begin(&self.state, caller)
    }

    /// Replies with the same address at another server, to be asked instead in the same way.
    #[must_use]
    pub fn elsewhere(&self, server: &str) -> HttpResponse {
        at_other_server(server, self.request.uri())
    }

    /// Replies with a value as JSON.
    ///
    /// # Errors
    /// A [`Problem`] when it cannot be written.
    pub fn reply(&self, status: u16, value: &impl Serialize) -> Result<HttpResponse, Problem> {
        json(StatusCode::from_u16(status).unwrap_or_default(), value)
    }

    /// Replies with a value that was made, as JSON, and says where it can be read.
    ///
    /// # Errors
    /// A [`Problem`] when it cannot be written.
    pub fn created(&self, place: &str, value: &impl Serialize) -> Result<HttpResponse, Problem> {
        Ok(with_location(json(StatusCode::CREATED, value)?, place))
    }

    /// Adds the revision of the stream that a reply is about, as `ETag`: sent back as `If-Match`,
    /// it lets a command be decided at that revision alone.
    #[must_use]
    pub fn at_revision(&self, reply: HttpResponse, revision: Revision) -> HttpResponse {
        with_revision(reply, revision)
    }
}

impl FromRequest for Call {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut RawPayload) -> Self::Future {
        let payload = Payload::from_request(request, payload);
        let request = request.clone();
        Box::pin(async move {
            let missing = || Problem::new(ProblemKind::Internal, "request is outside of the API");
            let state = request.app_data::<Data<ApiState>>().cloned().ok_or_else(missing)?;
            Ok(Self { state, request, payload: payload.await.ok() })
        })
    }
}

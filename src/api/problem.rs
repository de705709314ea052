//! Problem documents (RFC 9457): the one shape of everything that goes wrong.

use std::fmt;
use std::sync::Arc;

use actix_web::http::header::{
    ALLOW, CONNECTION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use actix_web::http::{ConnectionType, StatusCode};
use actix_web::{HttpResponse, ResponseError};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::ProblemKind;
use super::page::fault;

/// Says what went wrong with a request, in the form that is sent.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(description = "What went wrong (RFC 9457). Other members depend on the type.")]
pub struct ProblemDocument {
    /// Stable name of the kind of problem.
    #[serde(rename = "type")]
    #[schema(example = "urn:headwater:problem:stream-conflict")]
    pub kind: String,
    /// Short text, the same for every occurrence of the kind.
    pub title: String,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    pub status: u16,
    /// What happened this time, and what to do about it.
    pub detail: String,
    /// The path that was asked for.
    pub instance: String,
    /// Finds the request in the server's log.
    pub correlation_id: String,
    /// The fields that are at fault, when single ones are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// Members of the kind, for example `code`, `actual`, `known`.
    #[serde(flatten)]
    #[schema(ignore)]
    pub members: Map<String, Value>,
}

/// Names one field that is at fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FieldError {
    /// Where it is: a JSON pointer (RFC 6901) into the body, or `query:name`, `path:name`,
    /// `header:name`.
    pub pointer: String,
    /// What is wrong with it.
    pub detail: String,
}

/// A problem on its way to the client.
#[derive(Clone, Debug)]
pub struct Problem(Box<Parts>);

#[derive(Clone, Debug)]
struct Parts {
    kind: ProblemKind,
    detail: String,
    errors: Vec<FieldError>,
    members: Map<String, Value>,
    retry_after_s: Option<u32>,
    allow: Option<Arc<str>>,
    closes: bool,
    seen: Seen,
}

/// What the gate knows of the request that failed.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub instance: String,
    pub correlation_id: String,
    /// Whether a person reads the reply.
    pub is_page: bool,
}

impl Problem {
    /// Makes a problem of a kind; the detail says what happened and what to do about it.
    #[must_use]
    pub fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        let retry_after_s = (kind.status() == StatusCode::SERVICE_UNAVAILABLE).then_some(1);
        Self(Box::new(Parts {
            kind,
            detail: detail.into(),
            errors: Vec::new(),
            members: Map::new(),
            retry_after_s,
            allow: None,
            closes: false,
            seen: Seen::default(),
        }))
    }

    /// Makes the problem of one field: a JSON pointer, or `query:name` and the like; the empty
    /// pointer is the whole body. The detail need not say where it is.
    #[must_use]
    pub fn field(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        let (pointer, detail) = (pointer.into(), detail.into());
        let detail = without_place(&pointer, &detail).to_owned();
        let told = match pointer.as_str() {
            "" => detail.clone(),
            pointer => format!("{pointer}: {detail}"),
        };
        let mut problem = Self::new(ProblemKind::Invalid, told);
        problem.0.errors.push(FieldError { pointer, detail });
        problem
    }

    /// Adds a member of the kind.
    #[must_use]
    pub fn with(mut self, member: &str, value: impl Into<Value>) -> Self {
        self.0.members.insert(member.to_owned(), value.into());
        self
    }

    /// Says after how many seconds to try again.
    #[must_use]
    pub fn retry_after_s(mut self, seconds: u32) -> Self {
        self.0.retry_after_s = Some(seconds);
        self
    }

    /// Lists the methods that the address takes.
    #[must_use]
    pub fn allowing(mut self, methods: impl Into<Arc<str>>) -> Self {
        self.0.allow = Some(methods.into());
        self
    }

    /// Closes the connection after the reply, because the rest of the body is not read.
    #[must_use]
    pub fn closing(mut self) -> Self {
        self.0.closes = true;
        self
    }

    /// Makes it another kind that says the same.
    #[must_use]
    pub fn as_kind(mut self, kind: ProblemKind) -> Self {
        self.0.kind = kind;
        self
    }

    /// Returns the kind.
    #[must_use]
    pub fn kind(&self) -> ProblemKind {
        self.0.kind
    }

    /// Returns what happened this time.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// Returns the fields that are at fault, when single ones are.
    #[must_use]
    pub fn errors(&self) -> &[FieldError] {
        &self.0.errors
    }

    /// Returns after how many seconds to try again, when that is said.
    pub(super) fn waits_s(&self) -> Option<u32> {
        self.0.retry_after_s
    }

    /// Says what the web framework said.
    pub(super) fn because(mut self, error: &actix_web::Error) -> Self {
        self.0.detail = error.to_string();
        self
    }

    pub(super) fn seen_at(mut self, seen: Seen) -> Self {
        self.0.seen = seen;
        self
    }

    /// Makes the reply; the gate has said where it was seen.
    pub(super) fn render(&self) -> HttpResponse {
        let mut reply = match self.0.seen.is_page {
            true => fault(self.0.kind, &self.0.detail, &self.0.seen.correlation_id),
            false => self.document(),
        };
        self.add_headers(reply.headers_mut());
        if self.0.closes {
            reply.head_mut().set_connection_type(ConnectionType::Close);
        }
        super::gate::secure(reply.headers_mut(), &self.0.seen.correlation_id);
        reply
    }

    fn document(&self) -> HttpResponse {
        let document = ProblemDocument {
            kind: self.0.kind.uri().to_owned(),
            title: self.0.kind.title().to_owned(),
            status: self.0.kind.status().as_u16(),
            detail: self.0.detail.clone(),
            instance: self.0.seen.instance.clone(),
            correlation_id: self.0.seen.correlation_id.clone(),
            errors: self.0.errors.clone(),
            members: self.0.members.clone(),
        };
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let mut reply = HttpResponse::build(self.0.kind.status());
        reply.insert_header((CONTENT_TYPE, HeaderValue::from_static("application/problem+json")));
        reply.body(body)
    }

    fn add_headers(&self, headers: &mut HeaderMap) {
        if let Some(seconds) = self.0.retry_after_s {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        let allow = self.0.allow.as_deref().and_then(|allow| HeaderValue::from_str(allow).ok());
        if let Some(allow) = allow {
            headers.insert(ALLOW, allow);
        }
        if self.0.kind == ProblemKind::Unauthenticated {
            const SCHEME: HeaderValue = HeaderValue::from_static("Bearer realm=\"headwater\"");
            headers.insert(WWW_AUTHENTICATE, SCHEME);
        }
        if self.0.closes {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
    }
}

/// Leaves out of a detail the name of the place, with which it may begin: the pointer says it.
fn without_place<'d>(pointer: &str, detail: &'d str) -> &'d str {
    let name = pointer.rsplit(['/', ':']).next().unwrap_or_default();
    let rest = ["", "stream ", "event "].into_iter().find_map(|kind| {
        let rest = detail.strip_prefix(kind)?.strip_prefix(name)?;
        rest.strip_prefix(": ").or_else(|| rest.strip_prefix(' '))
    });
    rest.filter(|rest| !name.is_empty() && !rest.is_empty()).unwrap_or(detail)
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.kind.uri(), self.0.detail)
    }
}

impl std::error::Error for Problem {}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.0.kind.status()
    }

    fn error_response(&self) -> HttpResponse {
        self.render()
    }
}

impl Problem {
    /// Finds the kind for a status that was not made here, for example by the web framework.
    pub(super) fn of_status(status: StatusCode) -> Self {
        let known = ProblemKind::ALL.iter().find(|kind| kind.status() == status);
        let fallback = match status.is_client_error() {
            true => ProblemKind::Invalid,
            false => ProblemKind::Internal,
        };
        let kind = known.copied().unwrap_or(fallback);
        let reason = status.canonical_reason().unwrap_or("request refused");
        Self::new(kind, reason.to_ascii_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_kind_has_a_name_of_its_own_and_an_error_status() {
        let names: HashSet<_> = ProblemKind::ALL.iter().map(|kind| kind.uri()).collect();
        assert_eq!(names.len(), ProblemKind::ALL.len());
        for kind in ProblemKind::ALL {
            assert!(kind.status().as_u16() >= 400, "{kind:?}");
        }
    }

    #[test]
    fn a_field_problem_names_the_field_twice_for_people_and_for_programs() {
        let problem = Problem::field("/events/0/type", "is empty");
        assert_eq!(problem.0.detail, "/events/0/type: is empty");
        assert_eq!(problem.0.errors[0].pointer, "/events/0/type");
    }

    #[test]
    fn a_place_is_said_once_and_no_text_begins_with_a_colon() {
        let told = |pointer: &str, detail: &str| Problem::field(pointer, detail).0.detail.clone();
        assert_eq!(told("path:id", "stream id is empty"), "path:id: is empty");
        assert_eq!(told("query:type", "event type is empty"), "query:type: is empty");
        assert_eq!(told("/a/category", "category: is odd"), "/a/category: is odd");
        assert_eq!(told("/idea", "id is odd"), "/idea: id is odd");
        assert_eq!(told("", "is no JSON"), "is no JSON");
    }

    #[test]
    fn busy_problems_say_when_to_try_again() {
        let reply = Problem::new(ProblemKind::Overloaded, "x").render();
        assert_eq!(reply.headers().get(RETRY_AFTER).unwrap(), "1");
    }
}

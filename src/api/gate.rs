//! The outermost layer: nothing leaves the server but through here.
//!
//! It gives every request its correlation id, bounds its time, catches panics, turns every
//! failure (of handlers and of the web framework alike) into a problem document, adds the
//! security headers and writes the request log.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::http::{ConnectionType, Method};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage};
use bytes::Bytes;
use futures_util::FutureExt;

use super::charged::charge;
use super::drain::Connection;
use super::keys::{Caller, Turn};
use super::origin::{CORRELATION_HEADER, Origin};
use super::page::is_page;
use super::problem::Seen;
use super::{ApiState, Problem, ProblemKind, border};

/// What is asked by those who want to know whether the server stops.
const PROBED: [&str; 2] = ["/v1/health/live", "/v1/health/ready"];

/// Marks a request of which only the head of the reply is wanted.
pub(super) struct HeadOnly;

/// Passes one request through.
pub(super) async fn gate<B: MessageBody + 'static>(
    state: Arc<ApiState>,
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let started = Instant::now();
    let origin = Rc::new(Origin::of(request.headers()));
    let uri = request.uri().clone();
    request.extensions_mut().insert(Rc::clone(&origin));
    if let Err(problem) = border::check(&uri) {
        return Ok(pass(request.error_response(problem), &origin, started));
    }
    if request.method() == Method::HEAD {
        // Routed as what it is the head of; the framework sends no body to it.
        request.head_mut().method = Method::GET;
        request.extensions_mut().insert(HeadOnly);
    }
    let is_late = request.conn_data::<Connection>().is_some_and(Connection::is_late);
    let _under_way = state.traffic.request(is_late);
    if is_late && !PROBED.contains(&uri.path()) {
        let stopping = Problem::new(ProblemKind::Stopping, "server is stopping: try again later");
        return Ok(pass(request.error_response(stopping.closing()), &origin, started));
    }
    let bound = state.config.limits.request_timeout;
    let work = async move { tokio::time::timeout(bound, next.call(request)).await };
    let lost = match AssertUnwindSafe(work).catch_unwind().await {
        Ok(Ok(Ok(response))) => match charge(&state, response.map_into_boxed_body()) {
            Ok(response) => {
                let mut response = pass(response, &origin, started);
                if state.traffic.is_stopping() {
                    let head = response.response_mut().head_mut();
                    head.set_connection_type(ConnectionType::Close);
                }
                return Ok(response);
            }
            Err(problem) => problem,
        },
        Ok(Ok(Err(error))) => problem_of(&error),
        Ok(Err(_)) => timed_out(bound),
        Err(_) => {
            state.panics.fetch_add(1, Ordering::Relaxed);
            Problem::new(ProblemKind::Internal, "request handler panicked: the cause is logged")
        }
    };
    let status = lost.kind().status().as_u16();
    tracing::warn!(correlation_id = %origin.correlation_id, status, "request lost");
    let lost = if state.traffic.is_stopping() { lost.closing() } else { lost };
    Err(lost.seen_at(seen(uri.path(), &origin)).into())
}

/// Adds what every reply carries.
pub(super) fn secure(headers: &mut HeaderMap, correlation_id: &str) {
    const NOTHING: HeaderValue =
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if !headers.contains_key(REFERRER_POLICY) {
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    }
    if !headers.contains_key(CONTENT_SECURITY_POLICY) {
        headers.insert(CONTENT_SECURITY_POLICY, NOTHING);
    }
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if let Ok(value) = HeaderValue::from_str(correlation_id) {
        headers.insert(HeaderName::from_static(CORRELATION_HEADER), value);
    }
}

fn pass(
    mut response: ServiceResponse<BoxBody>,
    origin: &Origin,
    started: Instant,
) -> ServiceResponse<BoxBody> {
    let status = response.status();
    let is_fault = status.is_client_error() || status.is_server_error();
    if is_fault && !is_told(&response) {
        response = explain(response, origin);
    }
    let turn = response.request().extensions_mut().remove::<Turn>();
    if let Some(turn) = turn {
        turn.tell(response.headers_mut());
    }
    secure(response.headers_mut(), &origin.correlation_id);
    log(&response, origin, started.elapsed());
    let is_head = response.request().extensions().get::<HeadOnly>().is_some();
    if is_head { response.map_body(|_, body| without_content(&body)) } else { response }
}

/// Stands for a body of the same size, so that the head of the reply says it. A stream, which
/// has none, ends with its head.
fn without_content(body: &BoxBody) -> BoxBody {
    match body.size() {
        BodySize::Sized(bytes) => BoxBody::new(Unsent(bytes)),
        BodySize::None | BodySize::Stream => BoxBody::new(()),
    }
}

/// A body that is stated and not sent.
struct Unsent(u64);

impl MessageBody for Unsent {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.0)
    }

    fn poll_next(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        Poll::Ready(None)
    }
}

/// Returns whether a handler has made a page of what went wrong.
fn is_told(response: &ServiceResponse<BoxBody>) -> bool {
    let media = response.headers().get(CONTENT_TYPE);
    let is_html = media.is_some_and(|media| media.as_bytes().starts_with(b"text/html"));
    is_html && is_page(response.request().path()) && response.response().error().is_none()
}

fn explain(response: ServiceResponse<BoxBody>, origin: &Origin) -> ServiceResponse<BoxBody> {
    let problem = match response.response().error() {
        Some(error) => problem_of(error),
        None => Problem::of_status(response.status()),
    };
    let seen = seen(response.request().path(), origin);
    let reply = problem.seen_at(seen).render();
    response.into_response(reply)
}

fn seen(path: &str, origin: &Origin) -> Seen {
    let (instance, correlation_id) = (path.to_owned(), origin.correlation_id.clone());
    Seen { instance, correlation_id, is_page: is_page(path) }
}

fn problem_of(error: &Error) -> Problem {
    match error.as_error::<Problem>() {
        Some(problem) => problem.clone(),
        None => {
            let status = error.as_response_error().status_code();
            Problem::of_status(status).because(error)
        }
    }
}

fn timed_out(bound: Duration) -> Problem {
    let detail = format!(
        "no reply within {} s; the outcome is not known: send it again with the same \
         idempotency key or event ids",
        bound.as_secs_f32()
    );
    Problem::new(ProblemKind::TimedOut, detail)
}

/// Logs the pattern of the route, never the address, the body or the credential.
fn log(response: &ServiceResponse<BoxBody>, origin: &Origin, took: Duration) {
    if !tracing::enabled!(tracing::Level::INFO) {
        return;
    }
    let request = response.request();
    let route = request.match_pattern().unwrap_or_else(|| "unmatched".to_owned());
    let extensions = request.extensions();
    let tenant = extensions.get::<Caller>().map_or("", |caller| caller.tenant().as_str());
    tracing::info!(
        method = %request.method(),
        route,
        status = response.status().as_u16(),
        duration_ms = took.as_secs_f64() * 1e3,
        tenant,
        correlation_id = %origin.correlation_id,
        "request handled"
    );
}

#[cfg(test)]
mod tests {
    use actix_web::middleware::from_fn;
    use actix_web::{App, HttpResponse, web};

    use super::*;
    use crate::api::ApiConfig;
    use crate::runtime::System;
    use crate::sql::SqliteConfig;
    use crate::store::MemoryStore;

    async fn never() -> HttpResponse {
        std::future::pending().await
    }

    async fn broken() -> HttpResponse {
        panic!("asked to")
    }

    /// Sends one request through the gate to one of the handlers above.
    async fn reply(path: &str) -> (Problem, Arc<ApiState>) {
        let folder = tempfile::TempDir::new().unwrap();
        let database = SqliteConfig::at(folder.path().join("x.sqlite")).open().unwrap();
        let system = System::builder(MemoryStore::shared(), database).start().await.unwrap();
        let mut config = ApiConfig::default();
        config.limits.request_timeout = Duration::from_millis(20);
        let state = Arc::new(ApiState::new(system, config));
        let own = Arc::clone(&state);
        let app = App::new()
            .route("/never", web::get().to(never))
            .route("/broken", web::get().to(broken))
            .wrap(from_fn(move |request, next| gate(Arc::clone(&own), request, next)));
        let app = actix_web::test::init_service(app).await;
        let request = actix_web::test::TestRequest::get().uri(path).to_request();
        let error = actix_web::test::try_call_service(&app, request).await.unwrap_err();
        (error.as_error::<Problem>().unwrap().clone(), state)
    }

    #[actix_web::test]
    async fn a_handler_that_panics_is_counted_and_answered() {
        let (problem, state) = reply("/broken").await;
        assert_eq!(problem.kind(), ProblemKind::Internal);
        assert_eq!(state.panics.load(Ordering::Relaxed), 1);
        let headers = problem.render().headers().clone();
        assert_eq!(headers.get("x-content-type-options").unwrap(), "nosniff");
    }

    #[actix_web::test]
    async fn a_reply_that_does_not_come_is_given_up() {
        let (problem, state) = reply("/never").await;
        assert_eq!(problem.kind(), ProblemKind::TimedOut);
        assert_eq!(state.panics.load(Ordering::Relaxed), 0);
    }
}

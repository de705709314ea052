//! The client: one for the whole program, so that connections and TLS sessions are kept.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{ACCEPT, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use ipnet::IpNet;
use tokio::time::timeout_at;
use url::Url;

use super::answer::{Answer, Attempted, Verdict, readable};
use super::connector::Connector;
use super::fault::{Fault, seconds};
use super::guard::{AddressGuard, GuardedResolver, Lookup, system_lookup};
use super::meter::Meter;
use super::target::TargetRules;
use super::tls::{self, TlsError};
use crate::secret::Mask;

/// How much of an answer's body is read, in bytes; past it the connection is closed.
const BODY_MAX: usize = 16 << 10;
/// How many idle connections are kept to one host.
const IDLE_MAX: usize = 256;
/// How long an idle connection is kept: a little less than the 5 s after which the least
/// patient of the common servers (Node.js) closes it, perhaps just when a request is on its way.
const IDLE_FOR: Duration = Duration::from_secs(4);
const AGENT: HeaderValue =
    HeaderValue::from_static(concat!("headwater/", env!("CARGO_PKG_VERSION")));
/// How many bytes the status and the headers of an answer may have.
const HEAD_MAX: usize = 64 << 10;

/// Says why there can be no client. The operator acts.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nothing to verify endpoints by.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// What an operator decides about all deliveries.
#[derive(Clone, Debug)]
pub struct WebhookSettings {
    /// Whether endpoints may be without encryption.
    pub allow_http: bool,
    /// Networks that deliveries may go to although they are not public.
    pub allow_networks: Vec<IpNet>,
    /// A file of certificates, PEM, of authorities to believe besides the machine's.
    pub ca_file: Option<PathBuf>,
    /// How long to wait for a connection, lookup and TLS included.
    pub connect_timeout: Duration,
}

impl Default for WebhookSettings {
    /// Encrypted, to public addresses, 10 s for a connection.
    fn default() -> Self {
        Self {
            allow_http: false,
            allow_networks: Vec::new(),
            ca_file: None,
            connect_timeout: Duration::from_secs(10),
        }
    }
}

/// One delivery, ready to be sent by POST.
#[derive(Clone, Debug)]
pub struct WebhookRequest {
    /// Where to.
    pub url: Url,
    /// Every header, signature and content type included; only the host, the length, `accept`
    /// and the user agent are added.
    pub headers: HeaderMap,
    /// The bytes that were signed.
    pub body: Bytes,
    /// How long the whole attempt may take, from the lookup to the end of the answer.
    pub timeout: Duration,
    /// What must not be shown of an answer or a fault, because the endpoint knows it.
    pub mask: Mask,
}

type Transport = Client<Connector, Full<Bytes>>;

/// Sends deliveries; cheap to clone, all clones share their connections.
///
/// HTTP/1.1 only; follows no redirect, uses no proxy, keeps no cookies. What one answer may bring,
/// interim answers (1xx) and headers included, is at most 128 KiB; past that the attempt fails and
/// the connection is closed.
#[derive(Clone)]
pub struct WebhookClient {
    client: Transport,
    /// Sends each request over a connection of its own.
    fresh: Transport,
    rules: TargetRules,
}

impl WebhookClient {
    /// Makes a client that finds addresses as this machine does.
    ///
    /// Reads the machine's certificates: call it once.
    ///
    /// # Errors
    /// [`ClientError`] when there is nothing to verify endpoints by, or when the settings
    /// cannot be used.
    pub fn new(settings: &WebhookSettings) -> Result<Self, ClientError> {
        Self::with_lookup(settings, system_lookup())
    }

    /// Makes a client that finds addresses its own way.
    ///
    /// # Errors
    /// As [`WebhookClient::new`].
    pub fn with_lookup(settings: &WebhookSettings, lookup: Lookup) -> Result<Self, ClientError> {
        let guard = Arc::new(AddressGuard::new(settings.allow_networks.clone()));
        let resolver = GuardedResolver::new(Arc::clone(&guard), lookup);
        let tls = tls::config(settings.ca_file.as_deref())?;
        let connector = Connector::new(resolver, tls, settings.connect_timeout);
        let (client, fresh) = (transport(connector.clone(), IDLE_MAX), transport(connector, 0));
        let rules = TargetRules::new(guard, settings.allow_http);
        Ok(Self { client, fresh, rules })
    }

    /// Sends a request without checking its URL and without any bound of time, and reads the
    /// answer to its end: what deliveries are measured against.
    ///
    /// # Errors
    /// In words, when no answer comes or it breaks off.
    pub async fn send_bare(&self, request: WebhookRequest) -> Result<(), String> {
        let WebhookRequest { url, headers, body, .. } = request;
        let outgoing = outgoing(&Method::POST, &url, &headers, &body).map_err(|it| it.words)?;
        let answer = self.client.request(outgoing).await.map_err(|error| error.to_string())?;
        answer.into_body().collect().await.map(drop).map_err(|error| error.to_string())
    }

    /// Returns the rules for URLs, for those who register endpoints.
    #[must_use]
    pub const fn rules(&self) -> &TargetRules {
        &self.rules
    }

    /// Sends one delivery and says what came of it. Never fails otherwise: what went wrong is
    /// part of the attempt.
    ///
    /// Dropping the future breaks the attempt off; the endpoint may have got it all the same.
    pub async fn send(&self, request: WebhookRequest) -> Attempted {
        let (began, mask) = (Instant::now(), request.mask.clone());
        match self.exchange(Method::POST, request).await {
            Ok(answer) => answer.judged(began.elapsed(), &mask),
            Err(Fault { verdict, words }) => Attempted {
                verdict,
                status: None,
                error: Some(readable(words.as_bytes(), &mask)),
                response: None,
                retry_after: None,
                took: began.elapsed(),
            },
        }
    }

    /// Sends one request and reads the answer up to the bounds.
    pub(super) async fn exchange(
        &self,
        method: Method,
        request: WebhookRequest,
    ) -> Result<Answer, Fault> {
        let WebhookRequest { url, headers, body, timeout, mask: _ } = request;
        // Each time, because the rules may have changed since the endpoint was registered, and
        // because an address in a URL never reaches the resolver.
        self.rules
            .check(&url)
            .map_err(|error| Fault { verdict: Verdict::Refused, words: error.to_string() })?;
        let deadline = tokio::time::Instant::now() + timeout;
        let answering = self.answered(&method, &url, &headers, &body);
        let response = match timeout_at(deadline, answering).await {
            Ok(response) => response?,
            Err(_) => return Err(Fault::timed_out(timeout)),
        };
        let (head, mut incoming) = response.into_parts();
        let mut kept = Vec::new();
        let broken = match timeout_at(deadline, read(&mut incoming, &mut kept)).await {
            Ok(read) => read.err(),
            Err(_) => Some(format!("did not end within {}", seconds(timeout))),
        };
        Ok(Answer { status: head.status, headers: head.headers, kept, broken })
    }

    /// Sends a request until its answer begins: over a kept connection, and when that turns out
    /// to have been closed, at once over a fresh one. The receiver may have got the first one all
    /// the same; it knows the second by its `webhook-id`.
    async fn answered(
        &self,
        method: &Method,
        url: &Url,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Result<Response<Incoming>, Fault> {
        let outgoing = || outgoing(method, url, headers, body);
        match self.client.request(outgoing()?).await {
            Err(error) if died_unused(&error) => {
                tracing::debug!("kept connection was closed, sent again over a fresh one");
                self.fresh.request(outgoing()?).await
            }
            sent => sent,
        }
        .map_err(|error| Fault::of(&error))
    }
}

fn transport(connector: Connector, idle_max: usize) -> Transport {
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_max_idle_per_host(idle_max)
        .pool_idle_timeout(IDLE_FOR)
        .http1_max_buf_size(HEAD_MAX)
        .build(connector)
}

fn outgoing(
    method: &Method,
    url: &Url,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<Request<Full<Bytes>>, Fault> {
    let request = Request::builder().method(method.clone()).uri(url.as_str());
    let mut request = request.body(Full::new(body.clone())).map_err(|error| Fault {
        verdict: Verdict::Refused,
        words: format!("url cannot be sent: {error}"),
    })?;
    *request.headers_mut() = headers.clone();
    request.headers_mut().entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
    request.headers_mut().entry(USER_AGENT).or_insert(AGENT);
    Ok(request)
}

/// Returns whether a request failed because its connection was closed before it was seen.
fn died_unused(error: &Error) -> bool {
    let mut extras = http::Extensions::new();
    if let Some(connected) = error.connect_info() {
        connected.get_extras(&mut extras);
    }
    extras.get::<Meter>().is_some_and(Meter::died_unused)
}

impl std::fmt::Debug for WebhookClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebhookClient").field("rules", &self.rules).finish_non_exhaustive()
    }
}

/// Reads the body up to its bound and keeps its beginning. Only a body that was read to its end
/// leaves the connection for the next delivery.
async fn read(incoming: &mut Incoming, kept: &mut Vec<u8>) -> Result<(), String> {
    let mut len = 0_usize;
    loop {
        match incoming.frame().await {
            None => return Ok(()),
            Some(Ok(frame)) => {
                let chunk = frame.into_data().unwrap_or_default();
                len = len.saturating_add(chunk.len());
                // More than is shown: a secret may begin in what is shown and end behind it.
                let room = BODY_MAX.saturating_sub(kept.len());
                kept.extend(chunk.iter().take(room));
            }
            Some(Err(_)) => return Err("broke off".to_owned()),
        }
        if len > BODY_MAX {
            return Err(format!("has more than {} KiB, the rest was not read", BODY_MAX >> 10));
        }
    }
}

//! The client: one for the whole program, so that connections and TLS sessions are kept.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use ipnet::IpNet;
use reqwest::header::HeaderMap;
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Request, Response};
use tokio::time::timeout_at;
use url::Url;

use super::answer::{Answer, Attempted, Verdict, readable};
use super::fault::{Fault, seconds};
use super::guard::{AddressGuard, GuardedResolver, Lookup, system_lookup};
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
const USER_AGENT: &str = concat!("headwater/", env!("CARGO_PKG_VERSION"));

/// Says why there can be no client. The operator acts.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nothing to verify endpoints by.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The library refuses the settings.
    #[error("no HTTP client can be made: {problem}")]
    Unusable {
        /// What it says.
        #[source]
        problem: reqwest::Error,
    },
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

/// Sends deliveries; cheap to clone, all clones share their connections.
///
/// HTTP/1.1 only; follows no redirect, uses no proxy, keeps no cookies. Memory per attempt is
/// bounded by the library's bound on headers and by the bytes read of an answer.
#[derive(Clone)]
pub struct WebhookClient {
    client: Client,
    rules: TargetRules,
    connect_timeout: Duration,
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
        let client = Client::builder()
            .tls_backend_preconfigured(tls::config(settings.ca_file.as_deref())?)
            .dns_resolver(resolver)
            .http1_only()
            .no_proxy()
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .user_agent(USER_AGENT)
            .connect_timeout(settings.connect_timeout)
            .pool_max_idle_per_host(IDLE_MAX)
            .pool_idle_timeout(IDLE_FOR)
            .build()
            .map_err(|problem| ClientError::Unusable { problem })?;
        let rules = TargetRules::new(guard, settings.allow_http);
        Ok(Self { client, rules, connect_timeout: settings.connect_timeout })
    }

    /// Returns the client beneath, which checks no address in a URL and bounds nothing: what
    /// this one is measured against.
    #[must_use]
    pub const fn transport(&self) -> &Client {
        &self.client
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
        let mut outgoing = Request::new(method, url);
        *outgoing.headers_mut() = headers;
        *outgoing.body_mut() = Some(body.into());
        let deadline = tokio::time::Instant::now() + timeout;
        let mut response = match timeout_at(deadline, self.client.execute(outgoing)).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(Fault::of(&error, self.connect_timeout)),
            Err(_) => return Err(Fault::timed_out(timeout)),
        };
        let mut kept = Vec::new();
        let broken = match timeout_at(deadline, read(&mut response, &mut kept)).await {
            Ok(read) => read.err(),
            Err(_) => Some(format!("did not end within {}", seconds(timeout))),
        };
        let headers = std::mem::take(response.headers_mut());
        Ok(Answer { status: response.status(), headers, kept, broken })
    }
}

impl std::fmt::Debug for WebhookClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebhookClient").field("rules", &self.rules).finish_non_exhaustive()
    }
}

/// Reads the body up to its bound and keeps its beginning. Only a body that was read to its end
/// leaves the connection for the next delivery.
async fn read(response: &mut Response, kept: &mut Vec<u8>) -> Result<(), String> {
    let mut len = 0_usize;
    loop {
        match response.chunk().await {
            Ok(None) => return Ok(()),
            Ok(Some(chunk)) => {
                len = len.saturating_add(chunk.len());
                // More than is shown: a secret may begin in what is shown and end behind it.
                let room = BODY_MAX.saturating_sub(kept.len());
                kept.extend(chunk.iter().take(room));
            }
            Err(_) => return Err("broke off".to_owned()),
        }
        if len > BODY_MAX {
            return Err(format!("has more than {} KiB, the rest was not read", BODY_MAX >> 10));
        }
    }
}

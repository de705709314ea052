//! Makes connections to checked addresses, in time, with bounded answers.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tower_service::Service;

use super::guard::GuardedResolver;
use super::meter::Metered;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Says that a connection took too long. The endpoint's owner acts; it is tried again.
#[derive(Debug, thiserror::Error)]
#[error("no connection within {} s", within.as_secs_f64())]
pub(super) struct ConnectTimedOut {
    /// How long it was waited for.
    pub within: Duration,
}

/// Makes connections: lookup, TCP and TLS within one time.
#[derive(Clone)]
pub(super) struct Connector {
    https: HttpsConnector<HttpConnector<GuardedResolver>>,
    within: Duration,
}

impl Connector {
    /// Makes one that resolves names by a guard and believes whom `tls` does.
    pub fn new(resolver: GuardedResolver, tls: ClientConfig, within: Duration) -> Self {
        let mut http = HttpConnector::new_with_resolver(resolver);
        http.enforce_http(false);
        http.set_nodelay(true);
        let https = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http();
        Self { https: https.enable_http1().wrap_connector(http), within }
    }
}

impl Service<Uri> for Connector {
    type Response = Metered<MaybeHttpsStream<TokioIo<TcpStream>>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.https.poll_ready(context)
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let (connecting, within) = (self.https.call(to), self.within);
        Box::pin(async move {
            match timeout(within, connecting).await {
                Ok(connected) => connected.map(Metered::new),
                Err(_) => Err(ConnectTimedOut { within }.into()),
            }
        })
    }
}

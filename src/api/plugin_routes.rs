//! Addresses that plugins add to the API.

use actix_web::Scope;
use actix_web::web::{self, ServiceConfig};
use utoipa::openapi::OpenApi;

use super::RESERVED;

/// Addresses of a plugin, all under `/v1/<first>`, behind the guard like the framework's own.
///
/// A plugin adds it with [`Contribution::routes`](crate::runtime::Contribution::routes). Its
/// handlers take [`Reader`](super::keys::Reader), [`Writer`](super::keys::Writer) or
/// [`Admin`](super::keys::Admin) first, which says what they demand and gives the tenant, and
/// fail with a [`Problem`](super::Problem).
pub struct PluginRoutes {
    first: &'static str,
    configure: Box<dyn Fn(&mut ServiceConfig) + Send + Sync>,
    document: Option<OpenApi>,
    pushing: Option<&'static str>,
}

impl PluginRoutes {
    /// Adds what `configure` registers under `/v1/<first>`.
    #[must_use]
    pub fn new(
        first: &'static str,
        configure: impl Fn(&mut ServiceConfig) + Send + Sync + 'static,
    ) -> Self {
        Self { first, configure: Box::new(configure), document: None, pushing: None }
    }

    /// Says that addresses with this last part also send server-sent events, to clients that
    /// accept nothing else; see [`Call::takes_event_stream`](super::Call::takes_event_stream).
    #[must_use]
    pub fn pushing(mut self, last: &'static str) -> Self {
        self.pushing = Some(last);
        self
    }

    /// Adds their part of the OpenAPI document, with whole paths.
    #[must_use]
    pub fn documented(mut self, document: OpenApi) -> Self {
        self.document = Some(document);
        self
    }

    /// Returns the first part of the addresses after `/v1/`.
    #[must_use]
    pub const fn first(&self) -> &'static str {
        self.first
    }

    pub(super) const fn document(&self) -> Option<&OpenApi> {
        self.document.as_ref()
    }

    /// Returns whether an address may send server-sent events.
    pub(super) fn pushes(&self, path: &str) -> bool {
        let Some(last) = self.pushing else { return false };
        path.split('/').nth(2) == Some(self.first) && path.rsplit('/').next() == Some(last)
    }

    pub(super) fn scope(&self) -> Scope {
        web::scope(self.first).configure(|services| (self.configure)(services))
    }

    /// Returns a name that two of these, or one and the framework, would share.
    pub(super) fn taken<'a>(routes: impl Iterator<Item = &'a Self>) -> Option<&'static str> {
        let mut seen: Vec<&str> = RESERVED.to_vec();
        for own in routes {
            if seen.contains(&own.first) {
                return Some(own.first);
            }
            seen.push(own.first);
        }
        None
    }
}

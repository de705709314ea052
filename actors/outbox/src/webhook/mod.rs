//! Delivery by HTTP to addresses that others choose: guarded, bounded, in one request each.

mod answer;
mod client;
mod connector;
mod fault;
mod guard;
mod handshake;
mod meter;
mod network;
mod target;
pub(crate) mod tls;

pub use answer::{Attempted, Verdict};
pub use client::{ClientError, WebhookClient, WebhookRequest, WebhookSettings};
pub use guard::{
    AddressGuard, Forbidden, Found, GuardedResolver, Lookup, LookupError, system_lookup,
};
pub use handshake::{HandshakeAllowed, HandshakeError, REQUEST_ORIGIN, origin_value};
pub use http::header::{HeaderMap, HeaderName, HeaderValue};
pub use ipnet::IpNet;
pub use network::{FORBIDDEN, Network, forbidden};
pub use target::{TargetError, TargetRules};
pub use tls::TlsError;
pub use url::Url;

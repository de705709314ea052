//! A client for the tests, and one delivery.

use std::time::Duration;

use headwater_outbox::secret::Mask;
use headwater_outbox::webhook::{
    Attempted, HeaderMap, Lookup, WebhookClient, WebhookRequest, WebhookSettings,
};

/// Long enough for a slow machine: no test waits for it.
const PATIENCE: Duration = Duration::from_secs(30);

/// Settings that let deliveries go to this machine, unencrypted.
pub fn local() -> WebhookSettings {
    WebhookSettings {
        allow_http: true,
        allow_networks: vec!["127.0.0.1/32".parse().unwrap()],
        ..WebhookSettings::default()
    }
}

pub fn client() -> WebhookClient {
    WebhookClient::new(&local()).unwrap()
}

pub fn client_of(settings: &WebhookSettings, lookup: impl Into<Lookup>) -> WebhookClient {
    WebhookClient::with_lookup(settings, lookup.into()).unwrap()
}

pub fn request(url: &str) -> WebhookRequest {
    WebhookRequest {
        url: url.parse().unwrap(),
        headers: HeaderMap::new(),
        body: "{}".into(),
        timeout: PATIENCE,
        mask: Mask::default(),
    }
}

/// Sends one delivery.
pub async fn send(client: &WebhookClient, url: &str) -> Attempted {
    client.send(request(url)).await
}

/// Sends one delivery that must be over after this many ms.
pub async fn send_within(client: &WebhookClient, url: &str, timeout_ms: u64) -> Attempted {
    let timeout = Duration::from_millis(timeout_ms);
    client.send(WebhookRequest { timeout, ..request(url) }).await
}

/// Returns what went wrong, in words.
pub fn words(attempted: &Attempted) -> &str {
    attempted.error.as_deref().unwrap_or("nothing went wrong")
}

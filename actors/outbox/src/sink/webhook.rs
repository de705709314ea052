//! An HTTP server as receiver: signed as the Standard Webhooks specification says.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use headwater::clock::SharedClock;
use headwater::event::{RecordedEvent, Tenant};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use url::Url;

use super::{Delivery, Sink};
use crate::endpoint::{Endpoint, EndpointConfig};
use crate::payload::{Format, Payload, message_id, render, render_batch};
use crate::plugin::Shared;
use crate::secret::{Mask, Sealed, SigningSecret, signature_header};
use crate::table::EndpointKey;
use crate::webhook::{REQUEST_ORIGIN, WebhookClient, WebhookRequest, origin_value};

const ID: HeaderName = HeaderName::from_static("webhook-id");
const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// Sends events to one URL.
pub(crate) struct WebhookSink {
    client: WebhookClient,
    clock: SharedClock,
    owner: Tenant,
    source: String,
    url: Url,
    headers: HeaderMap,
    format: Format,
    timeout: Duration,
    secret: SigningSecret,
    previous: Option<(SigningSecret, Timestamp)>,
    mask: Mask,
}

impl WebhookSink {
    /// Sets it up; an error says in words what is wrong.
    pub fn new(
        shared: &Shared,
        key: &EndpointKey,
        (endpoint, config): (&Endpoint, &EndpointConfig),
        (url, headers): (&str, &BTreeMap<String, Sealed>),
    ) -> Result<Self, String> {
        let place = key.place();
        let seal = shared.seal().map_err(|error| error.to_string())?;
        let open = |sealed| seal.open(sealed, &place).map_err(|error| error.to_string());
        let parsed = |sealed| {
            open(sealed)?.parse::<SigningSecret>().map_err(|error| format!("secret: {error}"))
        };
        let url = shared.client.rules().parse(url).map_err(|error| error.to_string())?;
        let mut opened = HeaderMap::with_capacity(headers.len() + 8);
        for (name, sealed) in headers {
            let wrong = || format!("header {name:?} cannot be sent");
            let value = HeaderValue::from_str(&open(sealed)?).map_err(|_| wrong())?;
            opened.insert(HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?, value);
        }
        let current = endpoint.secret.as_ref().ok_or("endpoint has no secret: rotate it")?;
        let previous = endpoint.previous_secret.as_ref();
        let secret = parsed(current)?;
        let previous =
            previous.map(|(old, until)| Ok::<_, String>((parsed(old)?, *until))).transpose()?;
        let mask = mask(&opened, std::iter::once(&secret).chain(previous.iter().map(|it| &it.0)));
        Ok(Self {
            client: shared.client.clone(),
            clock: shared.clock.clone(),
            owner: key.tenant.clone(),
            source: shared.source.clone(),
            url,
            headers: opened,
            format: config.format,
            timeout: Duration::from_millis(config.timeout_ms.into()),
            secret,
            previous,
            mask,
        })
    }

    /// Lets messages say from whom they are, as the endpoint was told when it was asked.
    pub fn name_origin(&mut self, origin: Option<&str>) -> Result<(), String> {
        let missing = "the endpoint allows deliveries of a name that this node does not have: set \
                       outbox.origin";
        let value = origin_value(origin.ok_or(missing)?).map_err(|error| error.to_string())?;
        self.headers.insert(REQUEST_ORIGIN, value);
        Ok(())
    }

    fn request(&self, id: &str, payload: Payload) -> Result<WebhookRequest, String> {
        let now = self.clock.now();
        let previous = self.previous.as_ref().filter(|(_, until)| now < *until);
        let secrets: Vec<&SigningSecret> =
            std::iter::once(&self.secret).chain(previous.map(|(old, _)| old)).collect();
        let signature = signature_header(&secrets, id, now.as_second(), &payload.body);
        let mut headers = self.headers.clone();
        let value = |text: &str| HeaderValue::from_str(text).map_err(|error| error.to_string());
        for (name, text) in &payload.headers {
            headers.insert(HeaderName::from_static(name), value(text)?);
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(payload.content_type));
        headers.insert(ID, value(id)?);
        headers.insert(TIMESTAMP, now.as_second().into());
        headers.insert(SIGNATURE, value(&signature)?);
        let (url, timeout) = (self.url.clone(), self.timeout);
        let mask = self.mask.clone();
        Ok(WebhookRequest { url, headers, body: payload.body, timeout, mask })
    }
}

impl Sink for WebhookSink {
    fn deliver(&self, event: &RecordedEvent, _: u32) -> LocalBoxFuture<'static, Delivery> {
        let payload = render(self.format, &self.source, event);
        self.send(&self.id(std::slice::from_ref(event)), payload.map_err(|error| error.to_string()))
    }

    fn deliver_together(&self, events: &[RecordedEvent]) -> LocalBoxFuture<'static, Delivery> {
        let payload = match self.format {
            Format::CloudEventsBatch => {
                render_batch(&self.source, events).map_err(|error| error.to_string())
            }
            other => Err(format!("a message in the format {} holds one event", other.name())),
        };
        self.send(&self.id(events), payload)
    }
}

impl WebhookSink {
    fn id(&self, events: &[RecordedEvent]) -> String {
        message_id(&self.owner, events)
    }

    fn send(
        &self,
        id: &str,
        payload: Result<Payload, String>,
    ) -> LocalBoxFuture<'static, Delivery> {
        let client = self.client.clone();
        match payload.and_then(|payload| self.request(id, payload)) {
            Ok(request) => async move {
                let attempted = client.send(request).await;
                Delivery { attempted, is_hopeless: false, was_made: true }
            }
            .boxed_local(),
            Err(words) => std::future::ready(Delivery::refused(words, true)).boxed_local(),
        }
    }
}

/// Knows what the receiver knows and nobody else is to see: the sealed headers and the secrets.
fn mask<'a>(headers: &HeaderMap, secrets: impl Iterator<Item = &'a SigningSecret>) -> Mask {
    let secrets: Vec<String> = secrets.map(SigningSecret::reveal).collect();
    let headers = headers.values().filter_map(|value| value.to_str().ok());
    Mask::of(headers.chain(secrets.iter().map(String::as_str)))
}

//! The baseline: a client that does nothing but send.

use std::time::Instant;

use futures_util::future::try_join_all;
use headwater_outbox::secret::Mask;
use headwater_outbox::webhook::{Url, WebhookClient, WebhookRequest, WebhookSettings};
use http::header::{CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue};

use super::receiver::Receiver;
use crate::bench::case::Measure;
use crate::bench::ground::Ground;
use crate::error::Failure;

/// Sends the first request that came, again and again.
pub fn send_bare(ground: &Ground, receiver: &Receiver, at_once: usize) -> Result<Measure, Failure> {
    let first = receiver.first().ok_or_else(|| Failure::new("no webhook came"))?;
    let (headers, body) = parts(&first).ok_or_else(|| Failure::new("webhook does not parse"))?;
    let url = receiver.url("/take");
    let within = ground.within;
    ground.block_on(async move {
        let client = WebhookClient::new(&WebhookSettings::default())?;
        let url: Url = url.parse().map_err(|_| Failure::new("receiver has no URL"))?;
        let request = WebhookRequest { url, headers, body, timeout: within, mask: Mask::default() };
        let start = Instant::now();
        let lanes = (0..at_once).map(|_| async {
            let mut count = 0;
            while start.elapsed() < within {
                client.send_bare(request.clone()).await.map_err(Failure::new)?;
                count += 1;
            }
            Ok::<u64, Failure>(count)
        });
        let count = try_join_all(lanes).await?.into_iter().sum();
        Ok(Measure { count, elapsed: start.elapsed() })
    })
}

/// Takes a request apart; what the client makes itself is left out.
fn parts(request: &[u8]) -> Option<(HeaderMap, bytes::Bytes)> {
    let at = request.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(request.get(..at)?).ok()?;
    let mut headers = HeaderMap::new();
    for line in head.lines().skip(1) {
        let (name, value) = line.split_once(": ")?;
        let name: HeaderName = name.parse().ok()?;
        if name != HOST && name != CONTENT_LENGTH {
            headers.insert(name, HeaderValue::from_str(value).ok()?);
        }
    }
    Some((headers, request.get(at + 4..)?.to_vec().into()))
}

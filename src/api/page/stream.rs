//! A page that is followed: its live parts, made again and again, sent when they differ.

use std::future::Future;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::header::{ACCEPT, HeaderMap};
use bytes::Bytes;
use futures_util::future::ready;
use futures_util::{StreamExt, stream};
use tokio::time::Instant;

use crate::api::listening::{Listening, event_stream};
use crate::api::{Call, Problem, ProblemKind};
use crate::page::{LiveParts, Page};

/// How long a page rests before it is made again.
const REST: Duration = Duration::from_secs(1);
/// What a browser waits before it connects again, in milliseconds.
const RETRY: &str = "retry: 2000\n\n";

/// Returns whether the client wants the page's changes rather than the page.
pub(super) fn wants_stream(headers: &HeaderMap) -> bool {
    let mut accepted = headers.get_all(ACCEPT).filter_map(|value| value.to_str().ok());
    accepted.any(|value| value.contains("text/event-stream"))
}

/// Follows a page until its reader goes, the key is revoked or the server stops.
pub(super) fn follow<V, F>(call: Call, view: V) -> Result<HttpResponse, Problem>
where
    V: Fn() -> F + 'static,
    F: Future<Output = Result<Page, Problem>> + 'static,
{
    let nobody = || Problem::new(ProblemKind::Unauthenticated, "this address needs a key");
    let caller = call.caller().ok_or_else(nobody)?;
    let listening = Listening::begin_page(&call.state, &caller)?;
    let (seen, told_at) = (LiveParts::default(), Instant::now());
    let follower = Follower { view, seen, listening, told_at, is_first: true };
    let first = stream::once(ready(Bytes::from_static(RETRY.as_bytes())));
    let parts = stream::unfold(follower, |mut follower| async {
        let part = follower.next().await?;
        Some((part, follower))
    });
    Ok(event_stream(first.chain(parts)))
}

/// One browser that follows a page.
struct Follower<V> {
    view: V,
    seen: LiveParts,
    listening: Listening,
    told_at: Instant,
    is_first: bool,
}

impl<V, F> Follower<V>
where
    V: Fn() -> F,
    F: Future<Output = Result<Page, Problem>>,
{
    /// Returns what to send next; `None` ends the stream, and the browser connects again.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if !std::mem::take(&mut self.is_first) && self.is_stopped_within(REST).await {
                return None;
            }
            self.listening.release();
            if !self.listening.may_go_on().await {
                return None;
            }
            let page = (self.view)().await;
            let page = page.inspect_err(|error| tracing::debug!(%error, "page is not followed"));
            let changes = self.seen.changes(&page.ok()?);
            if !changes.is_empty() {
                self.told_at = Instant::now();
                let goes_on = self.listening.hold(changes.len()).await;
                return goes_on.then(|| changes.into());
            }
            if self.told_at.elapsed() >= self.listening.heartbeat() {
                self.told_at = Instant::now();
                return Some(Bytes::from_static(b": alive\n\n"));
            }
        }
    }

    async fn is_stopped_within(&mut self, rest: Duration) -> bool {
        tokio::time::timeout(rest, self.listening.stopped()).await.is_ok()
    }
}

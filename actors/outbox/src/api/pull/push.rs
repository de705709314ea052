//! Deliveries by server-sent events: sent as they come, returned when the connection breaks.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::ready;
use futures_util::{StreamExt, stream};
use headwater::api::http::HttpResponse;
use headwater::api::keys::Caller;
use headwater::api::{Call, Listening, Problem, ProblemKind, event_stream};
use tokio::task::yield_now;

use super::Wanted;
use super::document::DeliveryDocument;
use crate::endpoint::Phase;
use crate::pull::{Group, Handed, Member, Taker};

/// What a client waits before it connects again, in milliseconds.
const RETRY: &[u8] = b"retry: 1000\n\n";
const ALIVE: &[u8] = b": alive\n\n";

/// One connection.
struct Push {
    member: Member,
    taker: Taker,
    listening: Listening,
    max: usize,
    /// What the consumer was told last.
    phase: Option<Phase>,
}

/// Sends events for as long as the consumer listens.
pub(super) async fn follow(
    call: &Call,
    caller: &Caller,
    group: Arc<Group>,
    wanted: Wanted,
) -> Result<HttpResponse, Problem> {
    let listening = call.listen(caller)?;
    let member = Member::join(&group).ok_or_else(crowded)?;
    let taker = member.taker(wanted.consumer);
    let push = Push { member, taker, listening, max: wanted.max, phase: None };
    let first = stream::once(ready(Bytes::from_static(RETRY)));
    let messages = stream::unfold(push, |mut push| async {
        let message = push.next().await?;
        Some((message, push))
    });
    Ok(event_stream(first.chain(messages)))
}

impl Push {
    /// Returns what to send next; `None` ends the stream.
    async fn next(&mut self) -> Option<Bytes> {
        // What was sent last has been taken, or most of it.
        self.listening.release();
        if !self.listening.may_go_on().await {
            return None;
        }
        // Connections that were woken beside this one have their part first.
        yield_now().await;
        let group = Arc::clone(self.member.group());
        let phase = group.phase();
        if self.phase.replace(phase) != Some(phase) {
            return phase_message(phase);
        }
        let wait = self.listening.heartbeat();
        let (member, taker, max) = (&self.member, &self.taker, self.max);
        let work = async {
            match member.room(max, wait).await {
                0 => Vec::new(),
                _ => group.take(taker, (1, Some(phase)), wait).await,
            }
        };
        let handed = tokio::select! {
            handed = work => handed,
            () = self.listening.stopped() => return None,
        };
        match handed.first() {
            Some(handed) => {
                let message = written(handed)?;
                self.listening.hold(message.len()).await.then_some(message)
            }
            None if group.is_closed() => None,
            None => Some(Bytes::from_static(ALIVE)),
        }
    }
}

fn phase_message(phase: Phase) -> Option<Bytes> {
    let data = serde_json::json!({ "phase": phase });
    Some(format!("event: phase\ndata: {data}\n\n").into())
}

fn written(handed: &Handed) -> Option<Bytes> {
    let document = DeliveryDocument::new(handed);
    let data = serde_json::to_vec(&document)
        .inspect_err(|error| tracing::error!(%error, "delivery could not be written"))
        .ok()?;
    let mut out = format!("event: delivery\nid: {}\ndata: ", document.delivery).into_bytes();
    // Data is kept as it was appended and may be laid out over lines; between JSON tokens a line
    // break means no more than a space.
    out.extend(
        data.into_iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { byte }),
    );
    out.extend_from_slice(b"\n\n");
    Some(out.into())
}

/// Refuses one connection too many to an endpoint.
pub(super) fn crowded() -> Problem {
    let detail = "too many consumers ask for this endpoint's events: try again later";
    Problem::new(ProblemKind::Overloaded, detail).retry_after_s(5)
}

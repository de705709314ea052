//! A connection to NATS, over which messages go to streams of JetStream.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_nats::client::RequestErrorKind;
use async_nats::jetstream::{self, ErrorCode};
use async_nats::{Client, ConnectOptions, Event, HeaderMap, Request};
use bytes::Bytes;
use serde::Deserialize;
use tokio::sync::watch;

use super::Refusal;
use super::address::{NatsAddress, NatsLogin};
use super::link::Connection;

/// How often a silent server is asked whether it is still there; two silences end the connection.
const PING: Duration = Duration::from_secs(10);

/// A message on its way to a stream.
pub(crate) struct NatsMessage {
    pub subject: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// One connection. After its first loss it is thrown away, although the library would make it
/// anew: what waits in the library's buffers would then be sent late, behind its own retry.
pub(crate) struct NatsConnection {
    client: Client,
    lost: Arc<watch::Sender<bool>>,
}

impl Connection for NatsConnection {
    type Address = NatsAddress;
    const KIND: &'static str = "NATS";
    const SETTING: &'static str = "outbox.nats";

    async fn connect(address: &NatsAddress, ca_file: Option<&Path>) -> Result<Self, String> {
        let lost = Arc::new(watch::Sender::new(false));
        let told = Arc::clone(&lost);
        let mut options = match address.login() {
            NatsLogin::Nobody => ConnectOptions::new(),
            NatsLogin::Token(token) => ConnectOptions::with_token(token.clone()),
            NatsLogin::User { name, password } => {
                ConnectOptions::with_user_and_password(name.clone(), password.clone())
            }
        };
        options =
            options.name("headwater outbox").ping_interval(PING).event_callback(move |event| {
                let is_lost = matches!(event, Event::Disconnected | Event::Closed);
                told.send_if_modified(|lost| !std::mem::replace(lost, *lost || is_lost) && is_lost);
                std::future::ready(())
            });
        if let Some(path) = ca_file {
            options = options.add_root_certificates(path.to_owned());
        }
        let servers = address.servers().map_err(|error| error.to_string())?;
        let client = options.connect(servers).await.map_err(|error| error.to_string())?;
        Ok(Self { client, lost })
    }

    fn is_lost(&self) -> bool {
        *self.lost.borrow()
    }
}

impl NatsConnection {
    /// Publishes, and waits until a stream has acknowledged the message. Many may wait at once.
    pub async fn publish(&self, message: NatsMessage) -> Result<(), Refusal> {
        let NatsMessage { subject, headers, body } = message;
        let request = Request::new().headers(headers).payload(body).timeout(None);
        let mut lost = self.lost.subscribe();
        let answer = tokio::select! {
            biased;
            answer = self.client.send_request(subject.clone(), request) => answer,
            _ = lost.wait_for(|is_lost| *is_lost) => return Err(lost_it()),
        };
        match answer {
            Ok(answer) => acknowledged(&subject, &answer.payload),
            Err(error) => Err(match error.kind() {
                RequestErrorKind::NoResponders => no_stream(&subject),
                RequestErrorKind::MaxPayloadExceeded => too_large(&error),
                RequestErrorKind::InvalidSubject => {
                    Refusal::hopeless(format!("NATS cannot have the subject {subject:?}"))
                }
                RequestErrorKind::TimedOut | RequestErrorKind::Other => {
                    self.lost.send_replace(true);
                    lost_it()
                }
            }),
        }
    }
}

fn lost_it() -> Refusal {
    Refusal::again(
        "the connection to NATS was lost before the acknowledgement came: the event is sent again",
    )
}

fn no_stream(subject: &str) -> Refusal {
    Refusal::again(format!(
        "no stream of NATS takes the subject {subject:?}: add one, for example with \
         `nats stream add NAME --subjects {subject}`"
    ))
}

fn too_large(error: &dyn std::fmt::Display) -> Refusal {
    Refusal::hopeless(format!(
        "the message is too large for NATS ({error}): raise max_payload of the server and redrive \
         the event, or skip it"
    ))
}

/// What a stream answers, as far as it matters; the library's type tries one shape after the other,
/// and costs as much as writing the message.
#[derive(Default, Deserialize)]
struct Answer<'a> {
    error: Option<jetstream::Error>,
    /// The stream that has the message.
    #[serde(borrow)]
    stream: Option<Cow<'a, str>>,
    /// Where.
    seq: Option<u64>,
}

/// Reads what answered: a stream that has the message, perhaps from before, or one that refuses
/// it. Anything else came from a subscriber who is no stream.
fn acknowledged(subject: &str, answer: &[u8]) -> Result<(), Refusal> {
    let answer = serde_json::from_slice(answer).unwrap_or_default();
    match answer {
        Answer { error: None, stream: Some(_), seq: Some(_) } => Ok(()),
        Answer { error: Some(error), .. } => Err(match error.error_code() {
            ErrorCode::STREAM_NOT_MATCH => Refusal::again(format!(
                "another stream than the endpoint's takes the subject {subject:?}: change \
                 target.stream, or the subjects of the streams"
            )),
            ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM => Refusal::hopeless(format!(
                "the message is too large for the stream that takes {subject:?}: raise its \
                 max_msg_size and redrive the event, or skip it"
            )),
            _ => Refusal::again(format!("the stream that takes {subject:?} refuses: {error}")),
        }),
        Answer { error: None, .. } => Err(Refusal::again(format!(
            "what answers to {subject:?} is no stream of NATS: choose a subject that only a \
             stream takes"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(answer: &str) -> Refusal {
        acknowledged("a.b", answer.as_bytes()).unwrap_err()
    }

    #[test]
    fn only_the_acknowledgement_of_a_stream_counts() {
        acknowledged("a.b", br#"{"stream":"S","seq":7}"#).unwrap();
        acknowledged("a.b", br#"{"stream":"S","seq":7,"duplicate":true}"#).unwrap();
        for other in ["", "OK", "{}", "[]", r#"{"seq":7}"#] {
            assert!(refused(other).words.contains("is no stream"), "{other}");
        }
    }

    #[test]
    fn a_refusal_of_a_stream_says_what_to_change() {
        let error = |code: u32| {
            format!(r#"{{"error":{{"code":400,"err_code":{code},"description":"told"}}}}"#)
        };
        let refusal = refused(&error(10060));
        assert!(refusal.words.contains("change target.stream") && !refusal.is_hopeless);
        let refusal = refused(&error(10054));
        assert!(refusal.words.contains("max_msg_size") && refusal.is_hopeless);
        assert!(refused(&error(10077)).words.contains("told"));
    }
}

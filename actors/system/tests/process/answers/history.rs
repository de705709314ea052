//! What each customer's stream says, and which answers it bears out.

use std::collections::{BTreeMap, HashSet};

use jiff::Timestamp;
use serde_json::Value;

use super::client::Answered;

/// The streams of the customers.
pub struct History {
    streams: BTreeMap<String, Vec<Change>>,
}

/// One event of a customer: revision 1 first.
struct Change {
    verb: &'static str,
    country: String,
    key: Option<String>,
    recorded_at: Timestamp,
}

impl History {
    pub fn of(log: &[Value]) -> Self {
        let mut streams = BTreeMap::<String, Vec<Change>>::new();
        for event in log.iter().filter(|event| event["category"] == "customer") {
            let text = |value: &Value| value.as_str().map(str::to_owned);
            let changes = streams.entry(text(&event["stream"]).unwrap()).or_default();
            changes.push(Change {
                verb: if event["type"] == "Registered" { "register" } else { "move" },
                country: text(&event["data"]["country"]).unwrap(),
                key: text(&event["metadata"]["idempotency_key"]),
                recorded_at: text(&event["recorded_at"]).unwrap().parse().unwrap(),
            });
            assert_eq!(event["revision"], changes.len() as u64, "{event}");
        }
        Self { streams }
    }

    /// Says what is wrong with an answer, if anything is.
    pub fn judge(&self, answer: &Answered) -> Result<(), String> {
        let (sent, revision) = (&answer.sent, answer.revision());
        let wrong = |what: &str| Err(format!("{what}: {answer:?}"));
        let changes = self.streams.get(&format!("C{}", sent.customer));
        let changes = changes.map(Vec::as_slice).unwrap_or_default();
        let Ok(at) = usize::try_from(revision) else { return wrong("odd revision") };
        let last = match at {
            0 => None,
            _ => match changes.get(at - 1) {
                None => return wrong("the stream has no such revision"),
                change => change,
            },
        };
        if revision < answer.least {
            return wrong("somebody had been told a later revision before it was sent");
        }
        if last.is_some_and(|change| change.recorded_at > answer.replied_at) {
            return wrong("it tells a revision that came after the reply");
        }
        let country = last.map(|change| change.country.as_str());
        let is_right = match (answer.status, sent.verb) {
            (422, "register") => country.is_some_and(|own| own != sent.country),
            (422, _) => country.is_none(),
            _ if answer.body["events"] == 0 => country == Some(sent.country),
            _ => last.is_some_and(|change| {
                change.verb == sent.verb && change.country == sent.country && change.key == sent.key
            }),
        };
        if is_right { Ok(()) } else { wrong("the stream says otherwise") }
    }

    /// Checks that each idempotency key led to events once.
    pub fn assert_no_key_did_twice(&self) {
        let mut seen = HashSet::new();
        let changes = self.streams.values().flatten();
        for key in changes.filter_map(|change| change.key.as_ref()) {
            assert!(seen.insert(key), "{key} was done twice");
        }
    }
}

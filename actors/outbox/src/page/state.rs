//! How an endpoint stands, in a word and why.

use headwater::page::{Markup, Tone, badge, html};
use jiff::Timestamp;

use crate::api::document::EndpointDocument;
use crate::endpoint::{Phase, Target};
use crate::table::verdict_name;
use crate::webhook::Verdict;

/// The states by which endpoints are chosen, with their words.
pub(super) const CHOICES: [(&str, &str); 7] = [
    ("", "Any"),
    ("active", "Active"),
    ("failing", "Failing"),
    ("open", "Breaker open"),
    ("paused", "Paused"),
    ("disabled", "Disabled"),
    ("dead", "With dead letters"),
];

/// How an endpoint stands: the first of these that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Disabled,
    Paused,
    BreakerOpen,
    Failing,
    NotMet,
    Active,
}

impl State {
    pub fn of(document: &EndpointDocument) -> Self {
        let standing = document.delivery.as_ref();
        match document.phase {
            Phase::Disabled | Phase::Removed => Self::Disabled,
            Phase::Paused => Self::Paused,
            Phase::Active | Phase::Unknown => match standing {
                None => Self::NotMet,
                Some(own) if own.is_broken => Self::BreakerOpen,
                Some(own) if own.failing_since.is_some() => Self::Failing,
                Some(_) => Self::Active,
            },
        }
    }

    /// Returns whether an endpoint is among those that were chosen by name.
    pub fn is_chosen(self, document: &EndpointDocument, chosen: &str) -> bool {
        let dead = document.delivery.as_ref().map_or(0, |own| own.dead);
        match chosen {
            "active" => matches!(self, Self::Active | Self::NotMet),
            "failing" => matches!(self, Self::Failing | Self::BreakerOpen),
            "open" => self == Self::BreakerOpen,
            "paused" => self == Self::Paused,
            "disabled" => self == Self::Disabled,
            "dead" => dead > 0,
            _ => true,
        }
    }

    pub fn badge(self) -> Markup {
        let (tone, word) = match self {
            Self::Disabled => (Tone::Bad, "disabled"),
            Self::Paused => (Tone::Quiet, "paused"),
            Self::BreakerOpen => (Tone::Bad, "breaker open"),
            Self::Failing => (Tone::Warn, "failing"),
            Self::NotMet => (Tone::Notice, "not begun"),
            Self::Active => (Tone::Good, "active"),
        };
        badge(tone, word)
    }

    /// Says why, when there is more to say than the word does.
    pub fn why(self, document: &EndpointDocument, now: Timestamp) -> Option<String> {
        let failing = || {
            let since = document.delivery.as_ref()?.failing_since?;
            let age = now.as_second().saturating_sub(since.as_second()).max(0);
            Some(format!("no success for {}", headwater::page::span(age.unsigned_abs())))
        };
        match self {
            Self::Disabled | Self::Paused => document.reason.clone(),
            Self::BreakerOpen | Self::Failing => failing(),
            Self::NotMet => Some("the dispatcher has not met it yet".to_owned()),
            Self::Active => None,
        }
    }
}

/// Shows a state with its reason below it.
pub(super) fn shown(document: &EndpointDocument, now: Timestamp) -> Markup {
    let state = State::of(document);
    html! {
        (state.badge())
        @if let Some(why) = state.why(document, now) { span class="under" { (why) } }
    }
}

/// Shows the outcome of an attempt.
pub(super) fn verdict(verdict: Verdict) -> Markup {
    let tone = match verdict {
        Verdict::Delivered => Tone::Good,
        Verdict::Throttled => Tone::Warn,
        Verdict::Failed | Verdict::Gone | Verdict::Refused => Tone::Bad,
    };
    badge(tone, verdict_name(verdict))
}

/// Says where events go: the host alone, because a path may hold a secret.
pub(super) fn place(target: &Target) -> String {
    match target {
        Target::Webhook { url, .. } => match url::Url::parse(url) {
            Ok(url) => {
                let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
                format!("{}{port}", url.host_str().unwrap_or_default())
            }
            Err(_) => "an address that cannot be read".to_owned(),
        },
        Target::Nats { subject, .. } => subject.clone(),
        Target::Rabbitmq { exchange, .. } if exchange.is_empty() => "default exchange".to_owned(),
        Target::Rabbitmq { exchange, .. } => exchange.clone(),
        Target::Kafka { topic } => topic.clone(),
        Target::Pull { .. } => "consumers that ask".to_owned(),
    }
}

/// Names the sort of target.
pub(super) fn sink(target: &Target) -> &'static str {
    match target.kind() {
        "nats" => "NATS JetStream",
        "rabbitmq" => "RabbitMQ",
        "kafka" => "Kafka",
        "pull" => "Pull",
        "webhook" => "Webhook",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_webhook_only_the_host_is_shown() {
        let url = "https://hooks.example:8443/secret-path?token=abc".to_owned();
        let target = Target::Webhook { url, headers: Default::default(), handshake: None };
        assert_eq!(place(&target), "hooks.example:8443");
    }
}

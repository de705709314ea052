//! Names that are published to, with parts that each event fills in.

use headwater::event::RecordedEvent;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::EndpointRejection;

/// The most bytes of a name, before events fill it in.
const LEN_MAX: usize = 200;
/// What a part of an event may bring into a name as it is: neither what parts words (`.`), nor
/// what selects many (`*`, `>`, `#`), nor what stands for a server's own subjects (`$`).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_');

/// A name such as `orders.{category}.{type}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Category,
    Type,
    Tenant,
}

impl Template {
    /// Reads the subject of a NATS message.
    pub fn subject(field: &str, text: &str) -> Result<Self, EndpointRejection> {
        let refused = |problem: &str| Err(EndpointRejection::invalid(field, problem));
        let is_token = |c: char| c.is_ascii_graphic() && !matches!(c, '*' | '>');
        if let Some(c) = text.chars().find(|c| !is_token(*c)) {
            return refused(&format!("has {c:?}: write visible ASCII characters without * and >"));
        }
        if text.split('.').any(str::is_empty) {
            return refused("has an empty word: write words parted by single dots");
        }
        if text.starts_with(['$', '_']) {
            return refused("begins with $ or _, as subjects of the server itself do");
        }
        Self::parse(field, text)
    }

    /// Reads the routing key of a RabbitMQ message, which may be empty.
    pub fn routing_key(field: &str, text: &str) -> Result<Self, EndpointRejection> {
        if text.chars().any(char::is_control) {
            return Err(EndpointRejection::invalid(field, "has a control character"));
        }
        Self::parse(field, text)
    }

    /// Fills in what an event brings, percent-encoded but for ASCII letters, digits, `-` and `_`.
    pub fn fill(&self, event: &RecordedEvent) -> String {
        let mut out = String::new();
        for part in &self.parts {
            let value = match part {
                Part::Text(text) => {
                    out.push_str(text);
                    continue;
                }
                Part::Category => event.category(),
                Part::Type => event.event_type(),
                Part::Tenant => event.tenant(),
            };
            out.extend(utf8_percent_encode(value, ENCODED));
        }
        out
    }

    fn parse(field: &str, text: &str) -> Result<Self, EndpointRejection> {
        let refused = |problem: String| Err(EndpointRejection::invalid(field, problem));
        if text.len() > LEN_MAX {
            return refused(format!("has more than {LEN_MAX} bytes"));
        }
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some((before, behind)) = rest.split_once('{') {
            let Some((name, after)) = behind.split_once('}') else {
                return refused("has a { without }".to_owned());
            };
            let part = match name {
                "category" => Part::Category,
                "type" => Part::Type,
                "tenant" => Part::Tenant,
                _ => {
                    let problem = "is not known: write {category}, {type} or {tenant}";
                    return refused(format!("has {{{name}}}, which {problem}"));
                }
            };
            // So that the length of what comes out has a bound.
            if parts.contains(&part) {
                return refused(format!("has {{{name}}} twice"));
            }
            parts.extend([Part::Text(before.to_owned()), part]);
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        match parts.iter().any(|part| matches!(part, Part::Text(text) if text.contains('}'))) {
            true => refused("has a } without {".to_owned()),
            false => Ok(Self { parts }),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use headwater::event::Tenant;
    use headwater::event::{NewEvent, Position, Revision, StreamId, encode_record, seal_record};
    use jiff::Timestamp;

    use super::*;

    fn event(category: &str, event_type: &str) -> RecordedEvent {
        let (stream, tenant) = (StreamId::new(category, "1").unwrap(), Tenant::default_tenant());
        let (event, mut record) = (NewEvent::json(event_type, 1, "{}").unwrap(), Vec::new());
        encode_record(&mut record, &tenant, &stream, &event);
        seal_record(&mut record, Position::new(1), Revision::ZERO, Timestamp::UNIX_EPOCH);
        RecordedEvent::parse(&Bytes::from(record)).unwrap()
    }

    fn refused(text: &str) -> String {
        Template::subject("target.subject", text).unwrap_err().to_string()
    }

    #[test]
    fn events_fill_in_what_is_theirs() {
        let template = Template::subject("s", "shop.{tenant}.{category}.v1-{type}").unwrap();
        let tenant = Tenant::default_tenant();
        let filled = template.fill(&event("order", "Placed"));
        assert_eq!(filled, format!("shop.{tenant}.order.v1-Placed"));
        let key = Template::routing_key("k", "").unwrap();
        assert_eq!(key.fill(&event("order", "Placed")), "");
    }

    #[test]
    fn what_an_event_brings_stays_one_word() {
        let template = Template::subject("s", "{category}.{type}").unwrap();
        let filled = template.fill(&event("order", "a.b"));
        assert_eq!(filled, "order.a%2Eb");
    }

    #[test]
    fn a_subject_that_nats_would_not_have_is_refused_with_the_reason() {
        for (text, words) in [
            ("", "empty word"),
            ("a..b", "empty word"),
            (".a", "empty word"),
            ("a.", "empty word"),
            ("a b", "has ' '"),
            ("a.*", "has '*'"),
            ("a.>", "has '>'"),
            ("é", "has 'é'"),
            ("$JS.API.STREAM.DELETE.x", "begins with $"),
            ("_INBOX.a", "begins with $ or _"),
            ("{name}", "has {name}, which is not known"),
            ("{type", "{ without }"),
            ("type}", "} without {"),
            ("{type}.{type}", "{type} twice"),
            (&"a".repeat(201), "more than 200 bytes"),
        ] {
            let told = refused(text);
            assert!(told.contains("target.subject") && told.contains(words), "{text}: {told}");
        }
    }

    #[test]
    fn a_routing_key_may_hold_what_a_subject_may_not() {
        for text in ["", "a b", "a..b", "é", "a.*", "{type}"] {
            Template::routing_key("k", text).unwrap();
        }
        assert!(Template::routing_key("k", "a\n").is_err());
    }
}

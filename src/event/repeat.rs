//! Whether an event that is sent under an id is the one that the log has under it.

use super::moment::Moment;
use super::record::{Layout, RECORD_HEADER_LEN, given_time, header_time, layout_of, texts};

const ID_AT: usize = 40;
const NAMES_END: usize = 63;

/// Returns whether two records hold the same event: the record of an event that is sent, its
/// places still open, and the one that is stored.
///
/// Equal must be tenant, stream, event id, type, version, the set of tags, and data byte for
/// byte. Metadata may differ, as it does when a client sends a request again. The time at which
/// it happened counts when both were told one: they must name the same instant.
#[must_use]
pub fn is_repeat(sent: &[u8], stored: &[u8]) -> bool {
    let (Ok(own), Ok(other)) = (layout_of(sent), layout_of(stored)) else { return false };
    let is_same = |from: usize, to: usize| sent.get(from..to) == stored.get(from..to);
    // Id, version and the lengths of the names; the names; the data.
    is_same(ID_AT, NAMES_END)
        && is_same(RECORD_HEADER_LEN, own.event_type as usize)
        && sent.get(own.metadata as usize..) == stored.get(other.metadata as usize..)
        && has_same_tags((sent, own), (stored, other))
        && has_same_time((sent, own), (stored, other))
}

fn has_same_tags(sent: (&[u8], Layout), stored: (&[u8], Layout)) -> bool {
    let sorted = |(record, layout): (&[u8], Layout)| {
        let tags = record.get(layout.event_type as usize..layout.tags as usize);
        let mut tags: Vec<_> = texts(tags.unwrap_or_default()).map(str::to_owned).collect();
        tags.sort_unstable();
        tags.dedup();
        tags
    };
    sorted(sent) == sorted(stored)
}

fn has_same_time(sent: (&[u8], Layout), stored: (&[u8], Layout)) -> bool {
    match (told_time(sent), told_time(stored)) {
        (Some(sent), Some(stored)) => sent.instant() == stored.instant(),
        _ => true,
    }
}

/// Returns when the event happened; `None` when nobody told, which is stored as the time at
/// which it was recorded.
fn told_time((record, layout): (&[u8], Layout)) -> Option<Moment> {
    let metadata = record.get(layout.tags as usize..layout.metadata as usize);
    let text = given_time(metadata.unwrap_or_default());
    let (occurred, recorded) = (header_time(record, 24)?, header_time(record, 32));
    (text.is_some() || recorded != Some(occurred)).then(|| Moment::of_record(occurred, text))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::super::{
        NewEvent, Position, Revision, StreamId, Tag, Tenant, encode_record, seal_record,
    };
    use super::*;

    fn event(data: &str) -> NewEvent {
        let tags = ["a:1", "b:2"].map(|tag| Tag::new(tag).unwrap()).to_vec();
        NewEvent::json("Placed", 2, data.to_owned()).unwrap().with_tags(tags)
    }

    fn record(event: &NewEvent, stream: &str, tenant: &str) -> Vec<u8> {
        let mut out = Vec::new();
        let stream = StreamId::new("order", stream).unwrap();
        encode_record(&mut out, &Tenant::new(tenant).unwrap(), &stream, event);
        out
    }

    fn stored(event: &NewEvent) -> Vec<u8> {
        let mut out = record(event, "1", "t");
        let at = Timestamp::from_second(1_700_000_000).unwrap();
        seal_record(&mut out, Position::new(9), Revision::new(3), at);
        out
    }

    fn told(event: &NewEvent, time: &str) -> NewEvent {
        event.clone().with_occurred_at(time.parse::<Moment>().unwrap())
    }

    #[test]
    fn metadata_and_the_order_of_tags_make_no_other_event() {
        let event = event("1");
        let mut again = event.clone();
        again.metadata.who = Some("x".repeat(255));
        again.tags.reverse();
        again.tags.push(again.tags[0].clone());
        assert!(is_repeat(&record(&again, "1", "t"), &stored(&event)));
    }

    #[test]
    fn everything_else_does() {
        let event = event("1");
        let is_again = |other: &NewEvent, stream, tenant| {
            is_repeat(&record(other, stream, tenant), &stored(&event))
        };
        assert!(is_again(&event, "1", "t"));
        assert!(!is_again(&event, "2", "t") && !is_again(&event, "1", "u"));
        let json = |event_type: &str, version, data: &str| {
            let other = NewEvent::json(event_type, version, data.to_owned()).unwrap();
            other.with_id(event.id).with_tags(event.tags.clone())
        };
        assert!(is_again(&json("Placed", 2, "1"), "1", "t"));
        assert!(!is_again(&json("Placed", 2, "1.0"), "1", "t"));
        assert!(!is_again(&json("Placed", 1, "1"), "1", "t"));
        assert!(!is_again(&json("Plaped", 2, "1"), "1", "t"));
        assert!(!is_again(&json("Placed", 2, "1").with_tags(Vec::new()), "1", "t"));
        assert!(!is_again(&event.clone().with_id(super::super::EventId::fresh()), "1", "t"));
    }

    #[test]
    fn the_time_counts_when_both_were_told_one() {
        let (event, time) = (event("1"), "2010-12-01T08:26:00.123456789+01:00");
        let same = "2010-12-01T07:26:00.123456789Z";
        let (sent, kept) =
            (|event: &NewEvent| record(event, "1", "t"), stored(&told(&event, time)));
        assert!(is_repeat(&sent(&told(&event, time)), &kept));
        assert!(is_repeat(&sent(&told(&event, same)), &kept));
        assert!(is_repeat(&sent(&event), &kept));
        assert!(is_repeat(&sent(&told(&event, time)), &stored(&event)));
        let other = told(&event, "2010-12-01T08:26:00.123456788+01:00");
        assert!(!is_repeat(&sent(&other), &kept));
    }
}

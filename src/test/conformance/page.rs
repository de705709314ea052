//! Rules of reading: pages of streams and of the log, both ways, within bounds.

use super::Outcome;
use super::kit::{
    Fallible, event, events, positions, put, read_all, revisions, stream, tenant, to, whole_log,
    whole_stream,
};
use crate::event::{EventId, Metadata, Moment, NewEvent, Position, RecordedEvent, Revision, Tag};
use crate::store::{
    BeyondEnd, Direction, Expected, LogRead, SharedStore, StoreError, StreamList, StreamRead,
};

/// Pages of a stream join without gap or double.
pub async fn a_stream_reads_forward_in_pages(store: SharedStore) -> Outcome {
    for _ in 0..9 {
        put(&store, "a", 5).await?;
        put(&store, "b", 3).await?;
    }
    let all = whole_stream(&store, "a").await?;
    assert_eq!(revisions(&all), (1..=45).collect::<Vec<_>>());
    assert!(all.iter().all(|event| event.stream_id() == "a"));
    let read = StreamRead::after(tenant(), stream("a")?, Revision::ZERO, 10);
    let page = store.read_stream(read).await?;
    assert_eq!((page.revision, page.next), (Revision::new(45), Some(Revision::new(10))));
    Ok(())
}

/// The newest event of a stream comes first, the first one last.
pub async fn a_stream_reads_backward_in_pages(store: SharedStore) -> Outcome {
    for _ in 0..9 {
        put(&store, "a", 5).await?;
        put(&store, "b", 3).await?;
    }
    let mut read = StreamRead::before(tenant(), stream("a")?, Revision::MAX, 7);
    let mut all = Vec::new();
    loop {
        let page = store.read_stream(read.clone()).await?;
        assert_eq!(page.revision, Revision::new(45));
        all.extend(revisions(&page.events));
        match page.next {
            Some(next) => read.from = next,
            None => break,
        }
    }
    assert_eq!(all, (1..=45).rev().collect::<Vec<_>>());
    Ok(())
}

/// An unknown stream is an empty one.
pub async fn a_stream_without_events_reads_empty(store: SharedStore) -> Outcome {
    put(&store, "a", 1).await?;
    for direction in [Direction::Forward, Direction::Backward] {
        let (stream, from) = (stream("unknown")?, Revision::new(5));
        let read = StreamRead { tenant: tenant(), stream, from, direction, limit: 10 };
        let page = store.read_stream(read).await?;
        assert!(page.events.is_empty());
        assert_eq!((page.revision, page.next), (Revision::ZERO, None));
    }
    Ok(())
}

/// A read starts beyond its revision; beyond the end there is nothing.
pub async fn a_stream_reads_from_the_middle(store: SharedStore) -> Outcome {
    put(&store, "a", 6).await?;
    let read = async |from, direction| {
        let (stream, from) = (stream("a")?, Revision::new(from));
        let read = StreamRead { tenant: tenant(), stream, from, direction, limit: 2 };
        let page = store.read_stream(read).await?;
        Ok::<_, Box<dyn std::error::Error>>((revisions(&page.events), page.next))
    };
    let forward = read(3, Direction::Forward).await?;
    assert_eq!(forward, (vec![4, 5], Some(Revision::new(5))));
    assert_eq!(read(4, Direction::Forward).await?, (vec![5, 6], None));
    assert_eq!(read(6, Direction::Forward).await?, (vec![], None));
    let backward = read(4, Direction::Backward).await?;
    assert_eq!(backward, (vec![3, 2], Some(Revision::new(2))));
    assert_eq!(read(1, Direction::Backward).await?, (vec![], None));
    Ok(())
}

/// Pages of the log join without gap or double.
pub async fn the_log_reads_forward_in_pages(store: SharedStore) -> Outcome {
    for n in 0..70 {
        put(&store, &format!("{}", n % 5), 2).await?;
    }
    assert_eq!(positions(&whole_log(&store).await?), (1..=140).collect::<Vec<_>>());
    Ok(())
}

/// The newest event of the log comes first.
pub async fn the_log_reads_backward_in_pages(store: SharedStore) -> Outcome {
    for n in 0..70 {
        put(&store, &format!("{}", n % 5), 2).await?;
    }
    let all = read_all(&store, LogRead::before(Position::MAX, 9)).await?;
    assert_eq!(positions(&all), (1..=140).rev().collect::<Vec<_>>());
    Ok(())
}

/// A read starts beyond its position.
pub async fn the_log_reads_from_the_middle(store: SharedStore) -> Outcome {
    put(&store, "a", 20).await?;
    let page = store.read_log(LogRead::after(Position::new(7), 3)).await?;
    assert_eq!(positions(&page.events), [8, 9, 10]);
    assert_eq!((page.next, page.is_end), (Position::new(10), false));
    let page = store.read_log(LogRead::before(Position::new(3), 5)).await?;
    assert_eq!(positions(&page.events), [2, 1]);
    assert!(page.is_end);
    Ok(())
}

/// At the end a page is empty, the last, and does not go back.
pub async fn reading_at_the_end_gives_an_empty_last_page(store: SharedStore) -> Outcome {
    assert!(store.read_log(LogRead::after(Position::ZERO, 5)).await?.is_end);
    put(&store, "a", 3).await?;
    let page = store.read_log(LogRead::after(Position::new(3), 5)).await?;
    assert!(page.events.is_empty() && page.is_end);
    assert_eq!(page.next, Position::new(3));
    assert!(store.read_log(LogRead::before(Position::FIRST, 5)).await?.is_end);
    Ok(())
}

/// A position beyond the end is refused with the place of the end, filtered or not: events that
/// came there later would be skipped.
pub async fn reading_from_beyond_the_end_is_refused(store: SharedStore) -> Outcome {
    for end in [0, 3] {
        for from in [end + 1, 9, u64::MAX] {
            let read = LogRead::after(Position::new(from), 5);
            let items = vec![super::kit::item(&["Placed"], &[])?];
            let tags = vec![super::kit::item(&[], &["a:1"])?];
            for query in [Vec::new(), items, tags] {
                let read = read.clone().of_tenant(tenant()).matching(super::kit::query(query));
                let refused = store.read_log(read).await.err().ok_or("not refused")?;
                assert!(is_beyond(&refused, from, end), "{refused}");
            }
            let refused = store.read_log(read).await.err().ok_or("not refused")?;
            assert!(is_beyond(&refused, from, end), "{refused}");
        }
        put(&store, "a", 3).await?;
    }
    Ok(())
}

/// A list of streams that starts beyond the end is refused too.
pub async fn listing_from_beyond_the_end_is_refused(store: SharedStore) -> Outcome {
    put(&store, "a", 3).await?;
    for category in [None, Some(crate::event::Category::new("order")?)] {
        let list = |after| StreamList {
            tenant: tenant(),
            category: category.clone(),
            after: Position::new(after),
            limit: 5,
        };
        assert!(store.list_streams(list(3)).await?.streams.is_empty());
        let refused = store.list_streams(list(4)).await.err().ok_or("not refused")?;
        assert!(is_beyond(&refused, 4, 3), "{refused}");
    }
    Ok(())
}

/// Backward, beyond the end means from the end.
pub async fn reading_backward_from_beyond_the_end_begins_at_the_end(store: SharedStore) -> Outcome {
    put(&store, "a", 3).await?;
    let page = store.read_log(LogRead::before(Position::new(99), 2)).await?;
    assert_eq!(positions(&page.events), [3, 2]);
    Ok(())
}

fn is_beyond(error: &StoreError, asked: u64, end: u64) -> bool {
    let beyond = BeyondEnd { asked: Position::new(asked), end: Position::new(end) };
    matches!(error, StoreError::BeyondEnd(found) if *found == beyond)
}

/// A page ends before it would be over its bytes; one larger event comes alone.
pub async fn a_page_keeps_to_the_bound_of_bytes(store: SharedStore) -> Outcome {
    let text = format!("\"{}\"", "x".repeat(3_000));
    for _ in 0..4 {
        let big =
            (0..5).map(|_| NewEvent::json("Big", 1, text.clone())).collect::<Result<_, _>>()?;
        store.append(to("a", Expected::Any, big)?).await?;
    }
    let max = store.limits().page_bytes_max;
    let size = |events: &[crate::event::RecordedEvent]| {
        events.iter().map(|event| event.as_bytes().len()).sum::<usize>()
    };
    for read in [LogRead::after(Position::ZERO, 50), LogRead::before(Position::MAX, 50)] {
        let page = store.read_log(read.clone()).await?;
        assert!(!page.is_end && !page.events.is_empty() && size(&page.events) <= max);
        assert_eq!(read_all(&store, read).await?.len(), 20);
    }
    let read = StreamRead::after(tenant(), stream("a")?, Revision::ZERO, 50);
    let page = store.read_stream(read).await?;
    assert!(page.next.is_some() && size(&page.events) <= max);
    assert_eq!(whole_stream(&store, "a").await?.len(), 20);
    Ok(())
}

/// A limit above the store's own gives the store's.
pub async fn a_page_keeps_to_the_stores_bound_of_events(store: SharedStore) -> Outcome {
    put(&store, "a", 100).await?;
    let max = store.limits().page_events_max;
    let page = store.read_log(LogRead::after(Position::ZERO, usize::MAX)).await?;
    assert_eq!(page.events.len(), max);
    let read = StreamRead::before(tenant(), stream("a")?, Revision::MAX, usize::MAX);
    assert_eq!(store.read_stream(read).await?.events.len(), max);
    Ok(())
}

/// A limit of zero would never come to an end, so it means one.
pub async fn a_limit_of_zero_reads_one(store: SharedStore) -> Outcome {
    put(&store, "a", 3).await?;
    let page = store.read_log(LogRead::after(Position::ZERO, 0)).await?;
    assert_eq!(positions(&page.events), [1]);
    Ok(())
}

/// Data comes back byte for byte, and so does everything known beside it.
pub async fn everything_comes_back_as_it_went_in(store: SharedStore) -> Outcome {
    let data = " {\"b\": 1.0,\"a\":\"\\u00e9 \u{e9}\u{1F980}\" , \"b\":2}\n";
    let text = || Some("x".repeat(Metadata::TEXT_LEN_MAX));
    let metadata =
        Metadata { correlation_id: text(), who: Some("me".into()), ..Metadata::default() };
    let tags = vec![Tag::new("customer:17850")?, Tag::new("\u{e9}".repeat(64))?];
    let event = NewEvent::json("Placed", 7, data)?
        .with_id(EventId::derived(&[b"own"]))
        .with_metadata(metadata.clone())
        .with_tags(tags.clone())
        .with_occurred_at("2010-12-01T08:26:00.000001Z".parse::<Moment>()?);
    let new = event.clone();
    put(&store, "before", 3).await?;
    let mut all = events(2)?;
    all.push(event);
    store.append(to("C536365 \u{e9}", Expected::NoStream, all)?).await?;
    put(&store, "after", 3).await?;
    let log = whole_log(&store).await?;
    let found = log.get(5).ok_or("the sixth event is missing")?;
    assert_eq!(found.data(), data.as_bytes());
    assert_eq!((found.id(), found.version(), found.event_type()), (new.id, 7, "Placed"));
    assert_eq!(found.metadata(), metadata);
    assert_eq!(found.tags().collect::<Vec<_>>(), tags.iter().map(Tag::as_str).collect::<Vec<_>>());
    assert_eq!(Some(found.moment()), new.occurred_at);
    assert_eq!(found.stream()?, stream("C536365 \u{e9}")?);
    assert_eq!((found.revision(), found.tenant_name()?), (Revision::new(3), tenant()));
    assert_eq!(Some(found), whole_stream(&store, "C536365 \u{e9}").await?.last());
    Ok(())
}

/// When it happened comes back as it was given, and is ordered by the instant.
pub async fn a_moment_comes_back_as_it_was_given(store: SharedStore) -> Outcome {
    let given = [
        "2010-12-01T08:26:00Z",
        "2010-12-01T08:26:00.100+01:00",
        "2010-12-01T08:26:00.123456789012-09:30",
        "2016-12-31T23:59:60Z",
        "2017-01-01T08:59:60.5+09:00",
        "2010-12-01T08:26:00-00:00",
    ];
    let moments = given.iter().map(|text| text.parse::<Moment>()).collect::<Result<Vec<_>, _>>()?;
    let at = |moment: &Moment| Ok(event(1)?.with_occurred_at(moment.clone()));
    let all = moments.iter().map(at).collect::<Fallible<_>>()?;
    store.append(to("a", Expected::Any, all)?).await?;
    let log = whole_log(&store).await?;
    assert_eq!(log.iter().map(|event| event.moment().to_string()).collect::<Vec<_>>(), given);
    for (event, moment) in log.iter().zip(&moments) {
        let micros = moment.instant().as_microsecond();
        assert_eq!(event.occurred_at().as_microsecond(), micros, "{moment}");
    }
    Ok(())
}

/// An event without a time of its own happened when it was recorded, and no event was recorded
/// before the one at the position before.
pub async fn recorded_times_never_run_backwards(store: SharedStore) -> Outcome {
    for _ in 0..20 {
        put(&store, "a", 2).await?;
    }
    let log = whole_log(&store).await?;
    assert!(log.iter().all(|event| event.moment() == event.recorded_at().into()));
    assert!(log.is_sorted_by_key(RecordedEvent::recorded_at));
    Ok(())
}

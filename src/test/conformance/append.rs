//! Rules of appending: expectations, atomicity, bounds, order.

use futures_util::future::join_all;

use super::Outcome;
use super::kit::{
    event, events, positions, put, refusal, stream, tenant, to, to_many, whole_log, whole_stream,
};
use crate::event::{NewEvent, Position, Revision};
use crate::store::{Append, AppendError, Expected, SharedStore, StreamWrite};

/// `Any` appends to a stream with and without events.
pub async fn any_appends_in_any_case(store: SharedStore) -> Outcome {
    put(&store, "a", 1).await?;
    put(&store, "a", 1).await?;
    assert_eq!(whole_stream(&store, "a").await?.len(), 2);
    Ok(())
}

/// `NoStream` refuses once the stream has an event.
pub async fn no_stream_holds_only_before_the_first_event(store: SharedStore) -> Outcome {
    store.append(to("a", Expected::NoStream, events(2)?)?).await?;
    let error = refusal(&store, to("a", Expected::NoStream, events(1)?)?).await?;
    assert!(matches!(error, AppendError::Conflict { actual, .. } if actual == Revision::new(2)));
    Ok(())
}

/// `Exists` refuses until the stream has an event.
pub async fn exists_holds_only_after_the_first_event(store: SharedStore) -> Outcome {
    let error = refusal(&store, to("a", Expected::Exists, events(1)?)?).await?;
    assert!(matches!(error, AppendError::Conflict { actual: Revision::ZERO, .. }));
    put(&store, "a", 1).await?;
    store.append(to("a", Expected::Exists, events(1)?)?).await?;
    Ok(())
}

/// `At` refuses below and above the stream's last revision.
pub async fn at_holds_only_at_that_revision(store: SharedStore) -> Outcome {
    put(&store, "a", 3).await?;
    for wrong in [2, 4] {
        let expected = Expected::At(Revision::new(wrong));
        let error = refusal(&store, to("a", expected, events(1)?)?).await?;
        assert!(
            matches!(error, AppendError::Conflict { actual, .. } if actual == Revision::new(3))
        );
    }
    store.append(to("a", Expected::At(Revision::new(3)), events(1)?)?).await?;
    Ok(())
}

/// `At` revision 0 means that there is no event.
pub async fn at_zero_is_no_stream(store: SharedStore) -> Outcome {
    store.append(to("a", Expected::At(Revision::ZERO), events(1)?)?).await?;
    let error = refusal(&store, to("a", Expected::At(Revision::ZERO), events(1)?)?).await?;
    assert!(matches!(error, AppendError::Conflict { .. }));
    Ok(())
}

/// The receipt has the last position, and each stream's first and last revision.
pub async fn a_receipt_names_the_places_of_the_events(store: SharedStore) -> Outcome {
    put(&store, "a", 2).await?;
    let appended = put(&store, "a", 3).await?;
    assert_eq!(appended.position, Position::new(5));
    assert!(!appended.duplicate);
    let written: Vec<_> = appended.streams.iter().map(|s| (s.first.get(), s.last.get())).collect();
    assert_eq!(written, [(3, 5)]);
    Ok(())
}

/// An append to several streams gives each its revisions, in the order of the request.
pub async fn several_streams_are_appended_together(store: SharedStore) -> Outcome {
    put(&store, "b", 1).await?;
    let writes = vec![("b", Expected::Exists, events(2)?), ("a", Expected::NoStream, events(1)?)];
    let appended = store.append(to_many(writes)?).await?;
    let written = appended.streams.iter().map(|s| (s.stream.id().to_owned(), s.last.get()));
    assert_eq!(written.collect::<Vec<_>>(), [("b".into(), 3), ("a".into(), 1)]);
    assert_eq!(positions(&whole_stream(&store, "b").await?), [1, 2, 3]);
    assert_eq!(positions(&whole_stream(&store, "a").await?), [4]);
    Ok(())
}

/// When one stream is not as expected, no stream gets an event.
pub async fn one_conflict_refuses_all_streams_of_the_append(store: SharedStore) -> Outcome {
    put(&store, "b", 1).await?;
    let writes = vec![("a", Expected::Any, events(2)?), ("b", Expected::NoStream, events(1)?)];
    let error = refusal(&store, to_many(writes)?).await?;
    assert!(matches!(error, AppendError::Conflict { stream, .. } if stream.id() == "b"));
    assert!(whole_stream(&store, "a").await?.is_empty());
    assert_eq!(whole_log(&store).await?.len(), 1);
    Ok(())
}

/// Appends that were waiting beside a refused one are stored.
pub async fn a_conflict_fails_its_own_append_alone(store: SharedStore) -> Outcome {
    let appends = (0..40_usize).map(|n| match n % 4 {
        0 => to("shared", Expected::NoStream, vec![event(n)?]),
        _ => to(&format!("own-{n}"), Expected::NoStream, vec![event(n)?]),
    });
    let appends = appends.collect::<Result<Vec<_>, _>>()?;
    let outcomes = join_all(appends.into_iter().map(|append| store.append(append))).await;
    let refused = outcomes.iter().filter(|outcome| outcome.is_err()).count();
    assert_eq!(refused, 9, "of ten that expect no stream one wins");
    assert_eq!(positions(&whole_log(&store).await?), (1..=31).collect::<Vec<_>>());
    Ok(())
}

/// Every revision is won by one of the writers that expected the one before.
pub async fn of_racing_writers_one_wins_each_revision(store: SharedStore) -> Outcome {
    for round in 0..10 {
        let expected = Expected::At(Revision::new(round));
        let appends = (0..8).map(|n| to("a", expected, vec![event(n)?]));
        let appends = appends.collect::<Result<Vec<_>, _>>()?;
        let outcomes = join_all(appends.into_iter().map(|append| store.append(append))).await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    }
    assert_eq!(whole_stream(&store, "a").await?.len(), 10);
    Ok(())
}

/// Positions and revisions run on without gap, however many write.
pub async fn positions_have_no_gap_under_concurrent_writers(store: SharedStore) -> Outcome {
    let appends = (0..120).map(|n| to(&format!("{}", n % 7), Expected::Any, events(n % 3 + 1)?));
    let appends = appends.collect::<Result<Vec<_>, _>>()?;
    let outcomes = join_all(appends.into_iter().map(|append| store.append(append))).await;
    assert!(outcomes.iter().all(Result::is_ok));
    assert_eq!(positions(&whole_log(&store).await?), (1..=240).collect::<Vec<_>>());
    for id in 0..7 {
        let revisions = super::kit::revisions(&whole_stream(&store, &id.to_string()).await?);
        assert_eq!(revisions, (1..=revisions.len() as u64).collect::<Vec<_>>());
    }
    Ok(())
}

/// An append must have an event.
pub async fn an_append_without_events_is_refused(store: SharedStore) -> Outcome {
    let append = Append { tenant: tenant(), writes: Vec::new(), condition: None };
    assert!(matches!(refusal(&store, append).await?, AppendError::Invalid(_)));
    Ok(())
}

/// A stream may occur once in an append.
pub async fn a_stream_named_twice_is_refused(store: SharedStore) -> Outcome {
    let write = |events| {
        Ok::<_, Box<dyn std::error::Error>>(StreamWrite {
            stream: stream("a")?,
            expected: Expected::Any,
            events,
        })
    };
    let writes = vec![write(events(1)?)?, write(events(1)?)?];
    let append = Append { tenant: tenant(), writes, condition: None };
    assert!(matches!(refusal(&store, append).await?, AppendError::Invalid(_)));
    Ok(())
}

/// The bound of an append's events holds.
pub async fn too_many_events_are_refused(store: SharedStore) -> Outcome {
    let max = store.limits().append_events_max;
    let error = refusal(&store, to("a", Expected::Any, events(max + 1)?)?).await?;
    assert!(matches!(error, AppendError::Invalid(_)));
    put(&store, "a", max).await?;
    Ok(())
}

/// The bounds of an event's and of an append's bytes hold.
pub async fn too_much_data_is_refused(store: SharedStore) -> Outcome {
    let (one, all) = (store.limits().data_bytes_max, store.limits().append_bytes_max);
    let sized = |len: usize| NewEvent::json("Big", 1, format!("\"{}\"", "x".repeat(len - 2)));
    let error = refusal(&store, to("a", Expected::Any, vec![sized(one + 1)?])?).await?;
    assert!(matches!(error, AppendError::Invalid(_)));
    let many = (0..=all / one).map(|_| sized(one)).collect::<Result<Vec<_>, _>>()?;
    let error = refusal(&store, to("a", Expected::Any, many)?).await?;
    assert!(matches!(error, AppendError::Invalid(_)));
    store.append(to("a", Expected::Any, vec![sized(one)?])?).await?;
    Ok(())
}

/// After a refusal the next event gets the place that the refused one would have had.
pub async fn a_refused_append_leaves_no_trace(store: SharedStore) -> Outcome {
    put(&store, "a", 1).await?;
    refusal(&store, to("a", Expected::NoStream, events(3)?)?).await?;
    let appended = put(&store, "a", 1).await?;
    assert_eq!(appended.position, Position::new(2));
    assert_eq!(appended.streams.first().map(|s| s.last), Some(Revision::new(2)));
    Ok(())
}

/// The head never goes back, and what it promises is there.
pub async fn the_head_grows_and_everything_up_to_it_can_be_read(store: SharedStore) -> Outcome {
    let mut head = store.head();
    assert_eq!(*head.borrow_and_update(), Position::ZERO);
    let mut last = Position::ZERO;
    for _ in 0..20 {
        let appended = put(&store, "a", 2).await?;
        let now = *head.borrow_and_update();
        assert!(now >= appended.position && now > last);
        last = now;
        assert_eq!(whole_log(&store).await?.len() as u64, now.get());
    }
    Ok(())
}

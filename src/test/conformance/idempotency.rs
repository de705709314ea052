//! Rules of sending an append again.

use futures_util::future::join_all;

use super::Outcome;
use super::kit::{Fallible, event, events, put, refusal, stream, to, to_many, whole_log};
use crate::event::{EventId, Metadata, Moment, NewEvent, Tag, Tenant};
use crate::store::{Append, AppendError, Expected, SharedStore};

/// The second time nothing is stored and the receipt says where the events lie.
pub async fn the_same_append_again_gives_the_same_receipt(store: SharedStore) -> Outcome {
    put(&store, "before", 2).await?;
    let append = to("a", Expected::Any, events(3)?)?;
    let first = store.append(append.clone()).await?;
    put(&store, "between", 2).await?;
    let again = store.append(append).await?;
    assert!(!first.duplicate && again.duplicate);
    assert_eq!((again.position, &again.streams), (first.position, &first.streams));
    assert_eq!(whole_log(&store).await?.len(), 7);
    Ok(())
}

/// A repeat is known before its expectation is looked at.
pub async fn a_repeat_passes_although_its_expectation_holds_no_more(store: SharedStore) -> Outcome {
    let append = to("a", Expected::NoStream, events(1)?)?;
    store.append(append.clone()).await?;
    assert!(store.append(append).await?.duplicate);
    Ok(())
}

/// A repeat of an append to several streams has the same receipt.
pub async fn a_repeat_over_several_streams_is_known(store: SharedStore) -> Outcome {
    let writes = vec![("a", Expected::NoStream, events(2)?), ("b", Expected::NoStream, events(3)?)];
    let append = to_many(writes)?;
    let first = store.append(append.clone()).await?;
    let again = store.append(append).await?;
    assert!(again.duplicate);
    assert_eq!(again.streams, first.streams);
    assert_eq!(whole_log(&store).await?.len(), 5);
    Ok(())
}

/// Events from the middle of an append are not that append, unless they are its beginning.
pub async fn a_part_of_an_append_is_not_a_repeat(store: SharedStore) -> Outcome {
    let all = events(3)?;
    store.append(to("a", Expected::Any, all.clone())?).await?;
    let swapped = all.iter().rev().cloned().collect();
    let error = refusal(&store, to("a", Expected::Any, swapped)?).await?;
    assert!(matches!(error, AppendError::IdReused { .. }));
    Ok(())
}

/// An append that mixes stored and new events is refused whole.
pub async fn an_append_with_an_old_and_a_new_event_is_refused(store: SharedStore) -> Outcome {
    let old = event(1)?;
    let position = store.append(to("a", Expected::Any, vec![old.clone()])?).await?.position;
    for mixed in [vec![old.clone(), event(2)?], vec![event(2)?, old.clone()]] {
        let error = refusal(&store, to("a", Expected::Any, mixed)?).await?;
        assert!(
            matches!(error, AppendError::IdReused { id, position: at } if id == old.id && at == position)
        );
    }
    assert_eq!(whole_log(&store).await?.len(), 1);
    Ok(())
}

/// An id belongs to one stream.
pub async fn an_id_in_another_stream_is_refused(store: SharedStore) -> Outcome {
    let old = event(1)?.with_id(EventId::derived(&[b"key"]));
    store.append(to("a", Expected::Any, vec![old.clone()])?).await?;
    let error = refusal(&store, to("b", Expected::Any, vec![old])?).await?;
    assert!(matches!(error, AppendError::IdReused { .. }));
    Ok(())
}

/// An id with another type, version, data or tags is another event, which is refused: nothing
/// that is sent is dropped in silence.
pub async fn an_id_with_other_content_is_refused(store: SharedStore) -> Outcome {
    put(&store, "before", 1).await?;
    for id in [EventId::fresh(), EventId::derived(&[b"key"])] {
        let make = |event_type: &str, version, data: &str, tags: &[&str]| -> Fallible<_> {
            let tags = tags.iter().map(Tag::new).collect::<Result<_, _>>()?;
            let event = NewEvent::json(event_type, version, data.to_owned())?;
            Ok(event.with_id(id).with_tags(tags))
        };
        let stream = id.to_string();
        let append = |event| to(&stream, Expected::Any, vec![event]);
        let event = make("Placed", 1, r#"{"a":1}"#, &["x:1", "y:2"])?;
        let first = store.append(append(event)?).await?;
        for other in [
            make("Moved", 1, r#"{"a":1}"#, &["x:1", "y:2"])?,
            make("Placed", 2, r#"{"a":1}"#, &["x:1", "y:2"])?,
            make("Placed", 1, r#"{"a":2}"#, &["x:1", "y:2"])?,
            make("Placed", 1, r#"{"a":1}"#, &["x:1"])?,
            make("Placed", 1, r#"{"a":1}"#, &["x:1", "y:2", "z:3"])?,
        ] {
            let error = refusal(&store, append(other)?).await?;
            assert!(
                matches!(error, AppendError::IdReused { id: own, position }
                    if own == id && position == first.position),
                "{error}"
            );
        }
        assert!(
            store
                .append(append(make("Placed", 1, r#"{"a":1}"#, &["y:2", "x:1"])?)?)
                .await?
                .duplicate
        );
    }
    assert_eq!(whole_log(&store).await?.len(), 3);
    Ok(())
}

/// Of several events under known ids the one that differs is named.
pub async fn of_several_events_the_other_one_is_named(store: SharedStore) -> Outcome {
    let all = events(3)?;
    store.append(to("a", Expected::Any, all.clone())?).await?;
    let other = |at: usize| -> Fallible<_> {
        let mut events = all.clone();
        let changed = events.get_mut(at).ok_or("no such event")?;
        *changed = event(99)?.with_id(changed.id);
        Ok((changed.id, to("a", Expected::Any, events)?))
    };
    for at in 0..3 {
        let (id, append) = other(at)?;
        let error = refusal(&store, append).await?;
        let is_named = matches!(error, AppendError::IdReused { id: own, .. } if own == id);
        assert!(is_named, "{at}: {error}");
    }
    assert_eq!(whole_log(&store).await?.len(), 3);
    Ok(())
}

/// Metadata differs from one sending to the next, and a time counts only where two were told.
pub async fn metadata_makes_no_other_event_and_a_time_only_where_two_were_told(
    store: SharedStore,
) -> Outcome {
    let plain = event(1)?;
    let metadata = Metadata { who: Some("another".into()), ..Metadata::default() };
    let time = |text: &str| text.parse::<Moment>();
    let told = plain.clone().with_occurred_at(time("2010-12-01T08:26:00.5+01:00")?);
    let append = |event: NewEvent| to("a", Expected::Any, vec![event]);
    store.append(append(told.clone())?).await?;
    for again in [
        told.clone().with_metadata(metadata),
        plain.clone(),
        plain.clone().with_occurred_at(time("2010-12-01T07:26:00.500Z")?),
    ] {
        assert!(store.append(append(again)?).await?.duplicate);
    }
    let other = plain.with_occurred_at(time("2010-12-01T08:26:00.500000001+01:00")?);
    let error = refusal(&store, append(other)?).await?;
    assert!(matches!(error, AppendError::IdReused { .. }), "{error}");
    Ok(())
}

/// Each tenant has the ids for itself: none can take one from another, or learn of it.
pub async fn an_id_of_another_tenant_is_free(store: SharedStore) -> Outcome {
    let ids = [EventId::fresh(), EventId::derived(&[b"key"])];
    let own = ids.map(|id| event(1).map(|event| event.with_id(id)));
    let own = own.into_iter().collect::<Fallible<Vec<_>>>()?;
    let of = |tenant: &str, events: Vec<NewEvent>| -> Fallible<_> {
        Ok(Append::to_stream(Tenant::new(tenant)?, stream("a")?, Expected::NoStream, events))
    };
    let mut last = 0;
    for tenant in ["default", "other", "third"] {
        let appended = store.append(of(tenant, own.clone())?).await?;
        last += 2;
        assert!(!appended.duplicate && appended.position.get() == last, "{appended:?}");
    }
    let again = store.append(of("other", own.clone())?).await?;
    assert!(again.duplicate && again.position.get() == 4, "{again:?}");
    let changed = own.iter().map(|old| event(9).map(|event| event.with_id(old.id)));
    let error = refusal(&store, of("other", changed.collect::<Fallible<_>>()?)?).await?;
    assert!(matches!(error, AppendError::IdReused { position, .. } if position.get() == 3));
    for (tenant, at) in [("default", 1), ("other", 3), ("third", 5)] {
        let found = store.find_event(Tenant::new(tenant)?, ids[0]).await?.ok_or("not found")?;
        assert_eq!((found.tenant(), found.position().get()), (tenant, at));
    }
    assert!(store.find_event(Tenant::new("fourth")?, ids[0]).await?.is_none());
    Ok(())
}

/// Appends that are refused, and those of other tenants with the same ids, harm none that wait
/// with them.
pub async fn a_reused_id_fails_its_own_append_alone(store: SharedStore) -> Outcome {
    let taken = event(0)?;
    store.append(to("taken", Expected::Any, vec![taken.clone()])?).await?;
    let mut appends = Vec::new();
    for number in 0..40 {
        let name = format!("{number}");
        let bad = event(number + 1)?.with_id(taken.id);
        let good = event(number)?;
        let tenant = Tenant::new(format!("tenant-{number}"))?;
        appends.push(to(&name, Expected::NoStream, vec![good.clone()])?);
        appends.push(to(&name, Expected::Any, vec![bad.clone()])?);
        appends.push(Append::to_stream(tenant, stream("a")?, Expected::NoStream, vec![good, bad]));
    }
    let outcomes = join_all(appends.into_iter().map(|append| store.append(append))).await;
    for three in outcomes.chunks(3) {
        assert!(matches!(three, [Ok(_), Err(AppendError::IdReused { .. }), Ok(_)]), "{three:?}");
    }
    assert_eq!(whole_log(&store).await?.len(), 1 + 40 * 3);
    Ok(())
}

/// An append must not name an id twice.
pub async fn an_id_twice_in_one_append_is_refused(store: SharedStore) -> Outcome {
    let twice = event(1)?;
    let error = refusal(&store, to("a", Expected::Any, vec![twice.clone(), twice])?).await?;
    assert!(matches!(error, AppendError::Invalid(_)));
    Ok(())
}

/// The same append sent many times at once is stored once and answered each time.
pub async fn racing_repeats_are_stored_once(store: SharedStore) -> Outcome {
    for round in 0..10 {
        let append = to(&format!("{round}"), Expected::NoStream, events(2)?)?;
        let outcomes = join_all((0..8).map(|_| store.append(append.clone()))).await;
        let outcomes = outcomes.into_iter().collect::<Result<Vec<_>, _>>()?;
        assert_eq!(outcomes.iter().filter(|appended| !appended.duplicate).count(), 1);
        let first = outcomes.first().map(|appended| appended.position);
        assert!(outcomes.iter().all(|appended| Some(appended.position) == first));
    }
    assert_eq!(whole_log(&store).await?.len(), 20);
    Ok(())
}

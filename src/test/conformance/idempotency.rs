//! Rules of sending an append again.

use futures_util::future::join_all;

use super::Outcome;
use super::kit::{event, events, put, refusal, stream, to, to_many, whole_log};
use crate::event::{EventId, Tenant};
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

/// An id belongs to one tenant.
pub async fn an_id_of_another_tenant_is_refused(store: SharedStore) -> Outcome {
    let old = event(1)?;
    store.append(to("a", Expected::Any, vec![old.clone()])?).await?;
    let tenant = Tenant::new("other")?;
    let append = Append::to_stream(tenant, stream("a")?, Expected::Any, vec![old]);
    assert!(matches!(refusal(&store, append).await?, AppendError::IdReused { .. }));
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

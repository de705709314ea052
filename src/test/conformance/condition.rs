//! Rules of the append condition: the dynamic consistency boundary.

use futures_util::future::join_all;

use super::Outcome;
use super::kit::{events, item, put, put_tagged, refusal, tagged, tenant, to, unless};
use crate::event::{Position, StreamId, Tenant};
use crate::store::{
    Append, AppendCondition, AppendError, Appended, Expected, LogRead, SharedStore, StoreError,
};

async fn try_with(
    store: &SharedStore,
    condition: AppendCondition,
) -> Result<Result<Appended, AppendError>, Box<dyn std::error::Error>> {
    let append = to("new", Expected::Any, events(1)?)?.with_condition(condition);
    Ok(store.append(append).await)
}

/// Without a match the append is stored.
pub async fn an_append_passes_when_nothing_matches(store: SharedStore) -> Outcome {
    put_tagged(&store, "Placed", &["a:1"]).await?;
    let condition = unless(vec![item(&[], &["a:2"])?], Position::ZERO);
    assert!(try_with(&store, condition).await?.is_ok());
    Ok(())
}

/// A match after the position refuses and names the match.
pub async fn a_matching_event_after_the_position_refuses(store: SharedStore) -> Outcome {
    put(&store, "other", 3).await?;
    let position = put_tagged(&store, "Placed", &["a:1"]).await?;
    let condition = unless(vec![item(&[], &["a:1"])?], position.previous());
    let outcome = try_with(&store, condition).await?;
    assert!(
        matches!(outcome, Err(AppendError::ConditionFailed { position: at }) if at == position)
    );
    Ok(())
}

/// What was read before the decision does not refuse it.
pub async fn a_matching_event_up_to_the_position_does_not_count(store: SharedStore) -> Outcome {
    let position = put_tagged(&store, "Placed", &["a:1"]).await?;
    let condition = unless(vec![item(&[], &["a:1"])?], position);
    assert!(try_with(&store, condition).await?.is_ok());
    Ok(())
}

/// An item with types and tags matches only what has both.
pub async fn types_and_tags_must_both_match(store: SharedStore) -> Outcome {
    put_tagged(&store, "Placed", &["a:1"]).await?;
    let only = |event_type| item(&[event_type], &["a:1"]);
    let paid = unless(vec![only("Paid")?], Position::ZERO);
    assert!(try_with(&store, paid).await?.is_ok());
    let placed = unless(vec![only("Placed")?], Position::ZERO);
    assert!(try_with(&store, placed).await?.is_err());
    Ok(())
}

/// An item of two tags matches only what has both.
pub async fn all_tags_of_an_item_must_match(store: SharedStore) -> Outcome {
    put_tagged(&store, "Placed", &["a:1", "b:1"]).await?;
    let differs = unless(vec![item(&[], &["a:1", "b:2"])?], Position::ZERO);
    assert!(try_with(&store, differs).await?.is_ok());
    let same = unless(vec![item(&[], &["a:1", "b:1"])?], Position::ZERO);
    assert!(try_with(&store, same).await?.is_err());
    Ok(())
}

/// Items are alternatives: one that matches refuses.
pub async fn any_item_is_enough(store: SharedStore) -> Outcome {
    put_tagged(&store, "Placed", &["a:1"]).await?;
    let items = vec![item(&[], &["a:9"])?, item(&["Placed"], &[])?];
    assert!(try_with(&store, unless(items, Position::ZERO)).await?.is_err());
    Ok(())
}

/// A condition looks at its own tenant's events only.
pub async fn another_tenants_events_do_not_count(store: SharedStore) -> Outcome {
    let stream = StreamId::new("order", "1")?;
    let theirs = vec![tagged("Placed", &["a:1"])?];
    let append = Append::to_stream(Tenant::new("other")?, stream, Expected::Any, theirs);
    store.append(append).await?;
    let condition = unless(vec![item(&["Placed"], &["a:1"])?], Position::ZERO);
    assert!(try_with(&store, condition).await?.is_ok());
    Ok(())
}

/// A condition of types alone looks at the whole log, further than a page does.
pub async fn a_query_without_tags_is_checked_too(store: SharedStore) -> Outcome {
    let position = put_tagged(&store, "Opened", &[]).await?;
    put(&store, "other", 100).await?;
    let rare = || item(&["Opened"], &[]);
    assert!(try_with(&store, unless(vec![rare()?], position)).await?.is_ok());
    let refused = try_with(&store, unless(vec![rare()?], Position::ZERO)).await?;
    assert!(
        matches!(refused, Err(AppendError::ConditionFailed { position: at }) if at == position)
    );
    Ok(())
}

/// A condition that begins beyond the end is refused with the place of the end.
pub async fn a_condition_from_beyond_the_end_is_refused(store: SharedStore) -> Outcome {
    put(&store, "other", 3).await?;
    for tags in [vec!["a:1"], vec![]] {
        let condition = unless(vec![item(&["Placed"], &tags)?], Position::new(4));
        let error = try_with(&store, condition).await?.err().ok_or("not refused")?;
        let AppendError::ConditionBeyondEnd(beyond) = error else {
            return Err(format!("{error}").into());
        };
        assert_eq!((beyond.asked.get(), beyond.end.get()), (4, 3));
    }
    Ok(())
}

/// The bounds of a query's items and names hold, for conditions and for reads.
pub async fn a_query_over_its_bounds_is_refused(store: SharedStore) -> Outcome {
    let (items_max, names_max) = (store.limits().query_items_max, store.limits().query_names_max);
    let names: Vec<String> = (0..=names_max).map(|n| format!("T{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let many = (0..=items_max).map(|_| item(&["Placed"], &[])).collect::<Result<Vec<_>, _>>()?;
    for (items, word) in [(many, "items"), (vec![item(&names, &[])?], "types")] {
        let read = LogRead::after(Position::ZERO, 5).of_tenant(tenant());
        let read = read.matching(super::kit::query(items.clone()));
        let refused = store.read_log(read).await.err().ok_or("not refused")?;
        assert!(matches!(&refused, StoreError::Query(told) if told.contains(word)), "{refused}");
        let refused = try_with(&store, unless(items, Position::ZERO)).await?;
        let refused = refused.err().ok_or("not refused")?;
        assert!(matches!(&refused, AppendError::Invalid(told) if told.contains(word)), "{refused}");
    }
    let fits = (0..items_max).map(|_| item(&["Paid"], &[])).collect::<Result<Vec<_>, _>>()?;
    assert!(try_with(&store, unless(fits, Position::ZERO)).await?.is_ok());
    Ok(())
}

/// A condition that would look at too many events is refused, unless an index answers it.
pub async fn a_condition_over_too_many_events_is_refused_or_answered_by_an_index(
    store: SharedStore,
) -> Outcome {
    let events_max = store.limits().condition_scan_max;
    for _ in 0..=events_max / 50 {
        put(&store, "other", 100).await?;
    }
    // Too far back for the writer to look at all of it.
    for _ in 0..12 {
        put(&store, "other", 100).await?;
    }
    let wide = unless(vec![item(&["Opened"], &[])?], Position::ZERO);
    match try_with(&store, wide).await? {
        Ok(_) => {}
        Err(AppendError::ConditionTooWide { after, events_max: told }) => {
            assert_eq!((after, told), (Position::ZERO, events_max));
        }
        Err(other) => return Err(other.into()),
    }
    let near = *store.head().borrow();
    let narrow = unless(vec![item(&["Opened"], &[])?], near);
    assert!(try_with(&store, narrow).await?.is_ok());
    Ok(())
}

/// What comes while a condition is examined counts too: of racing appends one passes, however
/// long the log is that they look at.
pub async fn of_racing_appends_over_a_long_log_one_passes(store: SharedStore) -> Outcome {
    for _ in 0..13 {
        put(&store, "other", 100).await?;
    }
    let append = |id: usize| {
        let condition = unless(vec![item(&["Booked"], &["seat:1"])?], Position::ZERO);
        let append = to(&format!("{id}"), Expected::Any, vec![tagged("Booked", &["seat:1"])?])?;
        Ok::<_, Box<dyn std::error::Error>>(append.with_condition(condition))
    };
    let appends = (0..16).map(append).collect::<Result<Vec<_>, _>>()?;
    let outcomes = join_all(appends.into_iter().map(|append| store.append(append))).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    let refused = |outcome: &&Result<Appended, AppendError>| {
        matches!(outcome, Err(AppendError::ConditionFailed { .. }))
    };
    assert_eq!(outcomes.iter().filter(refused).count(), 15);
    Ok(())
}

/// The same append again gives the same receipt, whatever its condition would say now.
pub async fn a_repeat_passes_although_its_condition_holds_no_more(store: SharedStore) -> Outcome {
    let condition = unless(vec![item(&["Booked"], &["seat:1"])?], Position::ZERO);
    let append = to("a", Expected::Any, vec![tagged("Booked", &["seat:1"])?])?;
    let append = append.with_condition(condition);
    let first = store.append(append.clone()).await?;
    for round in 0..2 {
        let again = store.append(append.clone()).await?;
        assert!(again.duplicate, "round {round}");
        assert_eq!(again.position, first.position);
        for _ in 0..13 {
            put(&store, "other", 100).await?;
        }
    }
    Ok(())
}

/// Of appends that exclude one another, sent at once, one is stored.
pub async fn of_racing_appends_one_passes(store: SharedStore) -> Outcome {
    for tags in [vec!["seat:1"], vec![]] {
        let after = *store.head().borrow();
        let append = |id: usize| {
            let events = vec![tagged("Booked", &tags)?];
            let condition = unless(vec![item(&["Booked"], &tags)?], after);
            Ok::<_, Box<dyn std::error::Error>>(
                to(&format!("{id}"), Expected::Any, events)?.with_condition(condition),
            )
        };
        let appends = (0..16).map(append).collect::<Result<Vec<_>, _>>()?;
        let outcomes = join_all(appends.into_iter().map(|append| store.append(append))).await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    }
    let late = to("late", Expected::Any, events(1)?)?;
    let condition = unless(vec![item(&["Booked"], &[])?], Position::ZERO);
    let error = refusal(&store, late.with_condition(condition)).await?;
    assert!(matches!(error, AppendError::ConditionFailed { .. }), "{} {error}", tenant());
    Ok(())
}

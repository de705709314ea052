//! Rules of the append condition: the dynamic consistency boundary.

use futures_util::future::join_all;

use super::Outcome;
use super::kit::{events, item, put, put_tagged, refusal, tagged, tenant, to, unless};
use crate::event::{Position, StreamId, Tenant};
use crate::store::{Append, AppendCondition, AppendError, Appended, Expected, SharedStore};

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

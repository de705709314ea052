//! Rules of filtered reads, and of tenants.

use super::Outcome;
use super::kit::{
    Fallible, event, item, positions, put, put_tagged, query, read_all, refusal, stream, tagged,
    tenant, to, unless, whole_log,
};
use crate::event::{Category, Position, RecordedEvent, Revision, StreamId, Tenant};
use crate::store::{
    Append, AppendError, EventQuery, Expected, LogRead, QueryItem, SharedStore, StreamRead,
};

fn forward(query: EventQuery) -> LogRead {
    LogRead::after(Position::ZERO, 7).matching(query).of_tenant(tenant())
}

fn backward(query: EventQuery) -> LogRead {
    LogRead::before(Position::MAX, 7).matching(query).of_tenant(tenant())
}

async fn put_for(
    store: &SharedStore,
    tenant: &str,
    category: &str,
    tag: &str,
) -> Fallible<Position> {
    let stream = StreamId::new(category, "1")?;
    let events = vec![tagged("Placed", &[tag])?];
    let append = Append::to_stream(Tenant::new(tenant)?, stream, Expected::Any, events);
    Ok(store.append(append).await?.position)
}

/// Only events of the category come.
pub async fn a_category_narrows_the_log(store: SharedStore) -> Outcome {
    for category in ["order", "product", "order", "customer"] {
        put_for(&store, "default", category, "t").await?;
    }
    let categories = vec![Category::new("order")?];
    let only = query(vec![QueryItem { categories, ..QueryItem::default() }]);
    assert_eq!(positions(&read_all(&store, forward(only.clone())).await?), [1, 3]);
    assert_eq!(positions(&read_all(&store, backward(only)).await?), [3, 1]);
    Ok(())
}

/// Only events of the types come.
pub async fn a_type_narrows_the_log(store: SharedStore) -> Outcome {
    for event_type in ["Placed", "Paid", "Shipped", "Paid"] {
        put_tagged(&store, event_type, &[]).await?;
    }
    let only = query(vec![item(&["Paid", "Shipped"], &[])?]);
    assert_eq!(positions(&read_all(&store, forward(only)).await?), [2, 3, 4]);
    Ok(())
}

/// A type is any text without control characters, as CloudEvents has it, and can be asked for.
pub async fn a_type_may_be_any_text(store: SharedStore) -> Outcome {
    let long = "ä".repeat(64);
    let types = ["Auftrag geändert", " ", "a/b?c&d=e%f", "\"quoted\" 'x'", "注文 🦀", &*long];
    for event_type in types {
        put_tagged(&store, event_type, &["t:1"]).await?;
    }
    let log = whole_log(&store).await?;
    assert_eq!(log.iter().map(RecordedEvent::event_type).collect::<Vec<_>>(), types);
    for (at, event_type) in (1..).zip(types) {
        for tags in [&[] as &[&str], &["t:1"]] {
            let only = query(vec![item(&[event_type], tags)?]);
            assert_eq!(positions(&read_all(&store, forward(only)).await?), [at], "{event_type}");
        }
        let again = unless(vec![item(&[event_type], &[])?], Position::ZERO);
        let append = to("a", Expected::Any, vec![event(1)?])?.with_condition(again);
        let refused = refusal(&store, append).await?;
        let is_found = |position: Position| position.get() == at;
        assert!(matches!(refused, AppendError::ConditionFailed { position } if is_found(position)));
    }
    Ok(())
}

/// Only events with the tag come, forward and backward, however far apart.
pub async fn a_tag_narrows_the_log_both_ways(store: SharedStore) -> Outcome {
    let mut expected = Vec::new();
    for n in 0..30 {
        put(&store, "other", 3).await?;
        if n % 3 == 0 {
            expected.push(put_tagged(&store, "Placed", &["x:1", "y:2"]).await?.get());
        }
    }
    let only = query(vec![item(&[], &["y:2"])?]);
    assert_eq!(positions(&read_all(&store, forward(only.clone())).await?), expected);
    expected.reverse();
    assert_eq!(positions(&read_all(&store, backward(only)).await?), expected);
    Ok(())
}

/// An event comes once, though several items match it.
pub async fn items_are_alternatives(store: SharedStore) -> Outcome {
    put_tagged(&store, "Placed", &["a"]).await?;
    put_tagged(&store, "Placed", &["b"]).await?;
    put_tagged(&store, "Placed", &["a", "b"]).await?;
    put_tagged(&store, "Paid", &["c"]).await?;
    let both = query(vec![item(&[], &["a"])?, item(&[], &["b"])?]);
    assert_eq!(positions(&read_all(&store, forward(both)).await?), [1, 2, 3]);
    let mixed = query(vec![item(&[], &["b"])?, item(&["Paid"], &[])?]);
    assert_eq!(positions(&read_all(&store, forward(mixed)).await?), [2, 3, 4]);
    Ok(())
}

/// An item that asks for nothing matches every event.
pub async fn an_item_of_nothing_matches_everything(store: SharedStore) -> Outcome {
    put(&store, "a", 3).await?;
    let all = query(vec![item(&["Never"], &[])?, QueryItem::default()]);
    assert_eq!(read_all(&store, forward(all)).await?.len(), 3);
    Ok(())
}

/// A tenant's reads show its own events and revisions only.
pub async fn tenants_are_apart(store: SharedStore) -> Outcome {
    for tenant in ["one", "two", "one"] {
        put_for(&store, tenant, "order", "t").await?;
    }
    let of = |name| Ok::<_, Box<dyn std::error::Error>>(Tenant::new(name)?);
    let read = LogRead::after(Position::ZERO, 10).of_tenant(of("one")?);
    assert_eq!(positions(&read_all(&store, read).await?), [1, 3]);
    let read = StreamRead::after(of("two")?, stream("1")?, Revision::ZERO, 10);
    let page = store.read_stream(read).await?;
    assert_eq!((positions(&page.events), page.revision), (vec![2], Revision::FIRST));
    Ok(())
}

/// The same tag of two tenants is two tags; only the program itself sees both.
pub async fn a_tenants_tag_is_not_anothers(store: SharedStore) -> Outcome {
    for tenant in ["one", "two", "one"] {
        put_for(&store, tenant, "order", "t").await?;
    }
    let tagged = LogRead::after(Position::ZERO, 10).matching(query(vec![item(&[], &["t"])?]));
    assert_eq!(positions(&read_all(&store, tagged.clone()).await?), [1, 2, 3]);
    let own = tagged.of_tenant(Tenant::new("two")?);
    assert_eq!(positions(&read_all(&store, own).await?), [2]);
    Ok(())
}

/// A page without a match ends after the store's bound and goes on behind it, unless an index
/// leads to the match.
pub async fn a_filtered_page_looks_at_a_bounded_number_of_events(store: SharedStore) -> Outcome {
    for _ in 0..3 {
        put(&store, "a", 50).await?;
    }
    put_tagged(&store, "Rare", &[]).await?;
    let rare = query(vec![item(&["Rare"], &[])?]);
    let page = store.read_log(forward(rare.clone())).await?;
    let scan_max = store.limits().page_scan_max;
    assert!(page.looked_at <= scan_max);
    match page.events.is_empty() {
        true => assert_eq!((page.is_end, page.next.get()), (false, scan_max as u64)),
        false => assert_eq!(positions(&page.events), [151]),
    }
    assert_eq!(positions(&read_all(&store, forward(rare)).await?), [151]);
    Ok(())
}

/// Every match comes once and in order, however the pages fall.
pub async fn filtered_pages_together_hold_every_match_once(store: SharedStore) -> Outcome {
    for n in 0..200 {
        let event_type = ["A", "B", "C"].get(n % 3).copied().unwrap_or_default();
        put_tagged(&store, event_type, &[&format!("t:{}", n % 7)]).await?;
    }
    let by_type = query(vec![item(&["B"], &[])?]);
    let expected: Vec<u64> = (0..200).filter(|n| n % 3 == 1).map(|n| n + 1).collect();
    assert_eq!(positions(&read_all(&store, forward(by_type.clone())).await?), expected);
    let reversed: Vec<u64> = expected.into_iter().rev().collect();
    assert_eq!(positions(&read_all(&store, backward(by_type)).await?), reversed);
    let by_tag = query(vec![item(&["A"], &["t:3"])?]);
    let expected: Vec<u64> = (0..200).filter(|n| n % 21 == 3).map(|n| n + 1).collect();
    assert_eq!(positions(&read_all(&store, forward(by_tag)).await?), expected);
    Ok(())
}

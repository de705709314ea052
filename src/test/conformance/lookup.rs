//! Rules of finding an event by its id, and of listing streams.

use super::Outcome;
use super::kit::{Fallible, event, put, tenant, to};
use crate::event::{Category, EventId, Position, StreamId, Tenant};
use crate::store::{Append, Expected, SharedStore, StreamList};

/// An id leads to its event, an unknown one to none.
pub async fn an_event_is_found_by_its_id(store: SharedStore) -> Outcome {
    let (fresh, derived) = (event(1)?, event(2)?.with_id(EventId::derived(&[b"key"])));
    store.append(to("a", Expected::Any, vec![fresh.clone(), derived.clone()])?).await?;
    put(&store, "b", 90).await?;
    for (id, position) in [(fresh.id, 1), (derived.id, 2)] {
        let found = store.find_event(tenant(), id).await?.ok_or("event not found")?;
        assert_eq!((found.id(), found.position()), (id, Position::new(position)));
    }
    assert!(store.find_event(tenant(), EventId::fresh()).await?.is_none());
    Ok(())
}

/// An event is not shown to another tenant.
pub async fn another_tenants_event_is_not_found(store: SharedStore) -> Outcome {
    let own = event(1)?;
    store.append(to("a", Expected::Any, vec![own.clone()])?).await?;
    assert!(store.find_event(Tenant::new("other")?, own.id).await?.is_none());
    Ok(())
}

async fn list(
    store: &SharedStore,
    category: Option<&str>,
    limit: usize,
) -> Fallible<Vec<(String, u64)>> {
    let category = category.map(Category::new).transpose()?;
    let mut list = StreamList { tenant: tenant(), category, after: Position::ZERO, limit };
    let mut all = Vec::new();
    loop {
        let page = store.list_streams(list.clone()).await?;
        assert!(page.streams.len() <= limit);
        all.extend(page.streams.iter().map(|(s, p)| (s.to_string(), p.get())));
        match page.next {
            Some(next) => list.after = next,
            None => return Ok(all),
        }
    }
}

async fn put_in(store: &SharedStore, tenant: &str, category: &str, id: &str) -> Outcome {
    let stream = StreamId::new(category, id)?;
    let append = Append::to_stream(Tenant::new(tenant)?, stream, Expected::Any, vec![event(1)?]);
    store.append(append).await?;
    Ok(())
}

/// Streams come in the order of their first event, each once.
pub async fn streams_are_listed_by_their_first_event(store: SharedStore) -> Outcome {
    for id in ["b", "a", "b", "c", "a"] {
        put_in(&store, "default", "order", id).await?;
    }
    put_in(&store, "other", "order", "x").await?;
    let expected = [("order/b", 1), ("order/a", 2), ("order/c", 4)];
    assert_eq!(list(&store, None, 10).await?, expected.map(|(s, p)| (s.to_owned(), p)));
    Ok(())
}

/// Pages of the list join without gap or double.
pub async fn the_list_of_streams_reads_in_pages(store: SharedStore) -> Outcome {
    for n in 0..45 {
        put_in(&store, "default", "order", &format!("{}", n % 23)).await?;
    }
    let all = list(&store, None, 4).await?;
    let expected: Vec<_> = (0..23).map(|n| (format!("order/{n}"), n + 1)).collect();
    assert_eq!(all, expected);
    Ok(())
}

/// Only streams of the category are listed.
pub async fn the_list_of_streams_narrows_to_a_category(store: SharedStore) -> Outcome {
    for category in ["order", "product", "order"] {
        put_in(&store, "default", category, "1").await?;
    }
    assert_eq!(list(&store, Some("product"), 10).await?, [("product/1".to_owned(), 2)]);
    assert!(list(&store, Some("customer"), 10).await?.is_empty());
    Ok(())
}

//! What the rules are written with.

use std::error::Error;

use crate::event::{NewEvent, Position, RecordedEvent, Revision, StreamId, Tag, Tenant};
use crate::store::{
    Append, AppendCondition, AppendError, Appended, EventQuery, Expected, LogRead, QueryItem,
    SharedStore, StreamRead, StreamWrite,
};

pub(super) type Fallible<T> = Result<T, Box<dyn Error>>;

pub(super) fn tenant() -> Tenant {
    Tenant::default_tenant()
}

pub(super) fn stream(id: &str) -> Fallible<StreamId> {
    Ok(StreamId::new("order", id)?)
}

pub(super) fn event(number: usize) -> Fallible<NewEvent> {
    Ok(NewEvent::json("Placed", 1, format!("{{\"number\":{number}}}"))?)
}

pub(super) fn events(count: usize) -> Fallible<Vec<NewEvent>> {
    (0..count).map(event).collect()
}

pub(super) fn tagged(event_type: &str, tags: &[&str]) -> Fallible<NewEvent> {
    let tags = tags.iter().map(Tag::new).collect::<Result<_, _>>()?;
    Ok(NewEvent::json(event_type, 1, "{}")?.with_tags(tags))
}

pub(super) fn to(id: &str, expected: Expected, events: Vec<NewEvent>) -> Fallible<Append> {
    Ok(Append::to_stream(tenant(), stream(id)?, expected, events))
}

pub(super) fn to_many(writes: Vec<(&str, Expected, Vec<NewEvent>)>) -> Fallible<Append> {
    let write = |(id, expected, events)| Ok(StreamWrite { stream: stream(id)?, expected, events });
    let writes = writes.into_iter().map(write).collect::<Fallible<_>>()?;
    Ok(Append { tenant: tenant(), writes, condition: None })
}

pub(super) async fn put(store: &SharedStore, id: &str, count: usize) -> Fallible<Appended> {
    Ok(store.append(to(id, Expected::Any, events(count)?)?).await?)
}

pub(super) async fn put_tagged(
    store: &SharedStore,
    event_type: &str,
    tags: &[&str],
) -> Fallible<Position> {
    let append = to("tagged", Expected::Any, vec![tagged(event_type, tags)?])?;
    Ok(store.append(append).await?.position)
}

pub(super) async fn refusal(store: &SharedStore, append: Append) -> Fallible<AppendError> {
    match store.append(append).await {
        Err(error) => Ok(error),
        Ok(appended) => Err(format!("not refused: {appended:?}").into()),
    }
}

pub(super) fn item(types: &[&str], tags: &[&str]) -> Fallible<QueryItem> {
    let types = types.iter().map(crate::event::EventType::new).collect::<Result<_, _>>()?;
    let tags = tags.iter().map(Tag::new).collect::<Result<_, _>>()?;
    Ok(QueryItem { categories: Vec::new(), types, tags })
}

pub(super) fn query(items: Vec<QueryItem>) -> EventQuery {
    EventQuery { items }
}

pub(super) fn unless(items: Vec<QueryItem>, after: Position) -> AppendCondition {
    AppendCondition { query: query(items), after }
}

/// Reads all that a read asks for, page by page, each page strictly further than the last.
pub(super) async fn read_all(
    store: &SharedStore,
    mut read: LogRead,
) -> Fallible<Vec<RecordedEvent>> {
    let mut all = Vec::new();
    loop {
        let mut page = store.read_log(read.clone()).await?;
        all.append(&mut page.events);
        if page.is_end {
            return Ok(all);
        }
        assert_ne!(page.next, read.from, "a page that is not the last must go on");
        read.from = page.next;
    }
}

pub(super) async fn whole_log(store: &SharedStore) -> Fallible<Vec<RecordedEvent>> {
    read_all(store, LogRead::after(Position::ZERO, 17)).await
}

pub(super) async fn whole_stream(store: &SharedStore, id: &str) -> Fallible<Vec<RecordedEvent>> {
    let mut read = StreamRead::after(tenant(), stream(id)?, Revision::ZERO, 17);
    let mut all = Vec::new();
    loop {
        let mut page = store.read_stream(read.clone()).await?;
        all.append(&mut page.events);
        match page.next {
            Some(next) => read.from = next,
            None => return Ok(all),
        }
    }
}

pub(super) fn positions(events: &[RecordedEvent]) -> Vec<u64> {
    events.iter().map(|event| event.position().get()).collect()
}

pub(super) fn revisions(events: &[RecordedEvent]) -> Vec<u64> {
    events.iter().map(|event| event.revision().get()).collect()
}

//! `headwater events`: shows the log.

use headwater::event::{EventQuery, Position, QueryItem};
use headwater::store::{EventStore, LogRead};
use serde_json::Value;

use super::output;
use super::session::Session;
use crate::cli::{EventFilter, EventsCommand, SharedArgs};
use crate::error::Failure;
use crate::remote::Remote;

/// Shows events.
pub async fn run(command: EventsCommand) -> Result<(), Failure> {
    match command {
        EventsCommand::Read { after, limit, filter, shared } => {
            let session = Session::start(&shared).await?;
            let events = forward(&session, &shared, &filter, (after, limit)).await;
            session.end().await?;
            events?.iter().try_for_each(|event| print(event, shared.json))
        }
        EventsCommand::Tail { last, filter, shared } => {
            let session = Session::start(&shared).await?;
            let shown = tail(&session, &shared, &filter, last).await;
            session.end().await?;
            shown
        }
    }
}

async fn forward(
    session: &Session,
    shared: &SharedArgs,
    filter: &EventFilter,
    (mut after, limit): (Position, usize),
) -> Result<Vec<Value>, Failure> {
    let node = match session {
        Session::Remote(remote) => {
            let path = format!("/v1/events?after={after}&limit={limit}{}", parameters(filter));
            return events_of(remote.get(&path)?);
        }
        Session::Local(node) => node,
    };
    let mut events = Vec::new();
    loop {
        let read = LogRead::after(after, limit - events.len());
        let read = read.matching(query(filter)).of_tenant(shared.tenant.clone());
        let page = node.log.read_log(read).await?;
        for event in &page.events {
            events.push(serde_json::to_value(event)?);
        }
        after = page.next;
        if page.is_end || events.len() >= limit {
            return Ok(events);
        }
    }
}

async fn tail(
    session: &Session,
    shared: &SharedArgs,
    filter: &EventFilter,
    last: usize,
) -> Result<(), Failure> {
    let mut events = match session {
        Session::Remote(remote) => {
            let path = format!("/v1/events?before={}&limit={last}", u64::MAX);
            events_of(remote.get(&(path + &parameters(filter)))?)?
        }
        Session::Local(node) => {
            let read = LogRead::before(Position::MAX, last).matching(query(filter));
            let page = node.log.read_log(read.of_tenant(shared.tenant.clone())).await?;
            page.events.iter().map(serde_json::to_value).collect::<Result<_, _>>()?
        }
    };
    events.reverse();
    events.iter().try_for_each(|event| print(event, shared.json))?;
    match session {
        Session::Remote(remote) => follow(remote, shared, filter, events.last()),
        Session::Local(_) => Ok(()),
    }
}

fn follow(
    remote: &Remote,
    shared: &SharedArgs,
    filter: &EventFilter,
    last: Option<&Value>,
) -> Result<(), Failure> {
    let after = last.map_or_else(|| "0".to_owned(), |event| output::text(event, "position"));
    let path = format!("/v1/events/subscribe?after={after}{}", parameters(filter));
    // The message that all earlier events were sent has a position too, but no type.
    remote.follow(&path, |event| match event.get("type") {
        Some(_) => print(&event, shared.json),
        None => Ok(()),
    })
}

fn query(filter: &EventFilter) -> EventQuery {
    EventQuery {
        items: vec![QueryItem {
            categories: filter.category.iter().cloned().collect(),
            types: filter.event_type.iter().cloned().collect(),
            tags: filter.tags.clone(),
        }],
    }
}

fn parameters(filter: &EventFilter) -> String {
    let category = filter.category.iter().map(|name| ("category", name.as_str()));
    let event_type = filter.event_type.iter().map(|name| ("type", name.as_str()));
    let tags = filter.tags.iter().map(|tag| ("tag", tag.as_str()));
    let pairs = category.chain(event_type).chain(tags);
    pairs.map(|(name, value)| format!("&{name}={}", encode(value))).collect()
}

/// Writes a value so that it can stand in a query string (RFC 3986, percent-encoding).
fn encode(value: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    value.bytes().map(byte).collect()
}

fn events_of(page: Value) -> Result<Vec<Value>, Failure> {
    match page.get("events").and_then(Value::as_array) {
        Some(events) => Ok(events.clone()),
        None => Err(Failure::new("the server's reply holds no events")),
    }
}

/// Prints an event as one line: its place, its time, what happened, the data.
fn print(event: &Value, as_json: bool) -> Result<(), Failure> {
    if as_json {
        println!("{event}");
        return Ok(());
    }
    let field = |name| output::text(event, name);
    println!(
        "{:>9}  {}  {}/{}@{}  {}  {}",
        field("position"),
        field("occurred_at"),
        field("category"),
        field("stream"),
        field("revision"),
        field("type"),
        field("data"),
    );
    Ok(())
}

//! `headwater events`: shows the log.

use headwater::event::{EventQuery, Position, QueryItem};
use headwater::store::LogRead;
use serde_json::Value;

use super::output;
use super::session::Session;
use crate::cli::{EventFilter, EventsCommand, SharedArgs};
use crate::command::output::say;
use crate::error::Failure;
use crate::node::Look;
use crate::remote::Remote;

/// The most events that are asked of a server at once: what it gives without being asked.
const PAGE: usize = 100;

/// Which events are wanted of whom.
struct Wanted<'a> {
    session: &'a Session<Look>,
    shared: &'a SharedArgs,
    filter: &'a EventFilter,
    limit: usize,
}

/// Where a page begins, and in which direction it goes.
#[derive(Clone, Copy)]
enum Start {
    After(Position),
    Before(Position),
}

struct Page {
    events: Vec<Value>,
    next: Position,
    is_end: bool,
}

/// Shows events.
pub async fn run(command: EventsCommand) -> Result<(), Failure> {
    match command {
        EventsCommand::Read { after, limit, filter, shared } => {
            let session = Session::look(&shared).await?;
            let wanted = Wanted { session: &session, shared: &shared, filter: &filter, limit };
            let events = wanted.collect(Start::After(after)).await;
            session.end()?;
            events?.iter().try_for_each(|event| print(event, shared.json))
        }
        EventsCommand::Tail { last, filter, shared } => {
            let session = Session::look(&shared).await?;
            let shown = tail(&session, &shared, &filter, last).await;
            session.end()?;
            shown
        }
    }
}

impl Wanted<'_> {
    /// Reads page by page: neither folder nor server gives any number of events at once.
    async fn collect(&self, mut start: Start) -> Result<Vec<Value>, Failure> {
        let mut events = Vec::new();
        while events.len() < self.limit {
            let limit = self.limit - events.len();
            let page = match self.session {
                Session::Local(node) => self.page_of_folder(node, start, limit).await?,
                Session::Remote(remote) => self.page_of_server(remote, start, limit)?,
            };
            events.extend(page.events);
            if page.is_end {
                break;
            }
            start = start.moved_to(page.next);
        }
        Ok(events)
    }

    async fn page_of_folder(
        &self,
        node: &Look,
        start: Start,
        limit: usize,
    ) -> Result<Page, Failure> {
        let read = match start {
            Start::After(position) => LogRead::after(position, limit),
            Start::Before(position) => LogRead::before(position, limit),
        };
        let read = read.matching(query(self.filter)).of_tenant(self.shared.tenant.clone());
        let page = node.log.store().read_log(read).await?;
        let events = page.events.iter().map(serde_json::to_value).collect::<Result<_, _>>()?;
        Ok(Page { events, next: page.next, is_end: page.is_end })
    }

    fn page_of_server(&self, remote: &Remote, start: Start, limit: usize) -> Result<Page, Failure> {
        let place = match start {
            Start::After(position) => format!("after={position}"),
            Start::Before(position) => format!("before={position}"),
        };
        let (limit, filter) = (limit.min(PAGE), parameters(self.filter));
        let page = remote.get(&format!("/v1/events?{place}&limit={limit}{filter}"))?;
        let next = page.get("next").and_then(Value::as_u64).map(Position::new);
        let is_end = page.get("is_end").and_then(Value::as_bool);
        match (page.get("events").and_then(Value::as_array), next, is_end) {
            (Some(events), Some(next), Some(is_end)) => {
                Ok(Page { events: events.clone(), next, is_end })
            }
            _ => Err(Failure::new("the server's reply is no page of events")),
        }
    }
}

impl Start {
    const fn moved_to(self, position: Position) -> Self {
        match self {
            Self::After(_) => Self::After(position),
            Self::Before(_) => Self::Before(position),
        }
    }
}

async fn tail(
    session: &Session<Look>,
    shared: &SharedArgs,
    filter: &EventFilter,
    last: usize,
) -> Result<(), Failure> {
    let wanted = Wanted { session, shared, filter, limit: last };
    let mut events = wanted.collect(Start::Before(Position::MAX)).await?;
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
    // What is no event tells how far the server has looked.
    remote.follow(&path, |message| match message.get("type") {
        Some(_) => print(&message, shared.json),
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

/// Prints an event as one line: its place, its time, what happened, the data.
fn print(event: &Value, as_json: bool) -> Result<(), Failure> {
    if as_json {
        say!("{event}");
        return Ok(());
    }
    let field = |name| output::text(event, name);
    say!(
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

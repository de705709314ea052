//! `headwater streams`: lists streams in the order of their first event.

use headwater::event::Position;
use headwater::store::StreamList;
use serde_json::{Value, json};

use super::output;
use super::session::Session;
use crate::cli::StreamsArgs;
use crate::error::Failure;
use crate::node::Look;
use crate::remote::Remote;

/// The most streams that are asked of a server at once: what it gives without being asked.
const PAGE: usize = 100;

/// Lists streams.
pub async fn run(args: StreamsArgs) -> Result<(), Failure> {
    let session = Session::look(&args.shared).await?;
    let streams = list(&session, &args).await;
    session.end()?;
    let streams = streams?;
    if args.shared.json {
        return output::json(&streams);
    }
    let row = |stream: &Value| vec![output::text(stream, "first"), output::text(stream, "stream")];
    let rows: Vec<_> = streams.iter().map(row).collect();
    output::columns(&["first event", "stream"], &rows);
    Ok(())
}

/// Reads page by page: neither folder nor server gives any number of streams at once.
async fn list(session: &Session<Look>, args: &StreamsArgs) -> Result<Vec<Value>, Failure> {
    let (mut streams, mut after) = (Vec::new(), args.after);
    while streams.len() < args.limit {
        let limit = args.limit - streams.len();
        let (page, next) = match session {
            Session::Local(node) => page_of_folder(node, args, (after, limit)).await?,
            Session::Remote(remote) => page_of_server(remote, args, (after, limit))?,
        };
        streams.extend(page);
        match next {
            Some(next) => after = next,
            None => break,
        }
    }
    Ok(streams)
}

async fn page_of_folder(
    node: &Look,
    args: &StreamsArgs,
    (after, limit): (Position, usize),
) -> Result<(Vec<Value>, Option<Position>), Failure> {
    let (tenant, category) = (args.shared.tenant.clone(), args.category.clone());
    let page = node.log.store().list_streams(StreamList { tenant, category, after, limit }).await?;
    let row = |(stream, first): &(_, _)| json!({ "stream": format!("{stream}"), "first": first });
    Ok((page.streams.iter().map(row).collect(), page.next))
}

fn page_of_server(
    remote: &Remote,
    args: &StreamsArgs,
    (after, limit): (Position, usize),
) -> Result<(Vec<Value>, Option<Position>), Failure> {
    let mut path = format!("/v1/streams?after={after}&limit={}", limit.min(PAGE));
    if let Some(category) = &args.category {
        path.push_str(&format!("&category={category}"));
    }
    let page = remote.get(&path)?;
    let row = |stream: &Value| {
        let name = format!("{}/{}", output::text(stream, "category"), output::text(stream, "id"));
        json!({ "stream": name, "first": stream.get("position") })
    };
    let streams = page.get("streams").and_then(Value::as_array);
    let streams =
        streams.ok_or_else(|| Failure::new("the server's reply is no list of streams"))?;
    let next = page.get("next").and_then(Value::as_u64).map(Position::new);
    Ok((streams.iter().map(row).collect(), next))
}

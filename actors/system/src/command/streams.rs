//! `headwater streams`: lists streams in the order of their first event.

use headwater::store::{EventStore, StreamList};
use serde_json::{Value, json};

use super::output;
use super::session::Session;
use crate::cli::StreamsArgs;
use crate::error::Failure;

/// Lists streams.
pub async fn run(args: StreamsArgs) -> Result<(), Failure> {
    let session = Session::start(&args.shared).await?;
    let streams = list(&session, &args).await;
    session.end().await?;
    let streams = streams?;
    if args.shared.json {
        return output::json(&streams);
    }
    let row = |stream: &Value| vec![output::text(stream, "first"), output::text(stream, "stream")];
    let rows: Vec<_> = streams.iter().map(row).collect();
    output::columns(&["first event", "stream"], &rows);
    Ok(())
}

async fn list(session: &Session, args: &StreamsArgs) -> Result<Vec<Value>, Failure> {
    match session {
        Session::Local(node) => {
            let list = StreamList {
                tenant: args.shared.tenant.clone(),
                category: args.category.clone(),
                after: args.after,
                limit: args.limit,
            };
            let page = node.log.list_streams(list).await?;
            let row =
                |(stream, first): &(_, _)| json!({ "stream": format!("{stream}"), "first": first });
            Ok(page.streams.iter().map(row).collect())
        }
        Session::Remote(remote) => {
            let mut path = format!("/v1/streams?after={}&limit={}", args.after, args.limit);
            if let Some(category) = &args.category {
                path.push_str(&format!("&category={category}"));
            }
            let page = remote.get(&path)?;
            let streams = page.get("streams").and_then(Value::as_array).cloned();
            let row = |stream: &Value| {
                let name =
                    format!("{}/{}", output::text(stream, "category"), output::text(stream, "id"));
                json!({ "stream": name, "first": stream.get("position") })
            };
            Ok(streams.unwrap_or_default().iter().map(row).collect())
        }
    }
}

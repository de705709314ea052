//! `headwater projections`: shows and steers the projections.

use serde_json::Value;

use super::output;
use super::session::Session;
use crate::cli::{ProjectionArgs, ProjectionsCommand, SharedArgs};
use crate::error::Failure;
use crate::node::Node;

/// Does what is asked with projections.
pub async fn run(command: ProjectionsCommand) -> Result<(), Failure> {
    match command {
        ProjectionsCommand::List(args) => list(&args.shared).await,
        ProjectionsCommand::Pause(args) => steer(&args, Verb::Pause).await,
        ProjectionsCommand::Resume(args) => steer(&args, Verb::Resume).await,
        ProjectionsCommand::Rebuild(args) => steer(&args, Verb::Rebuild).await,
    }
}

#[derive(Clone, Copy)]
enum Verb {
    Pause,
    Resume,
    Rebuild,
}

async fn list(shared: &SharedArgs) -> Result<(), Failure> {
    let session = Session::start(shared).await?;
    let statuses = match &session {
        Session::Local(node) => local(node),
        Session::Remote(remote) => remote.get("/v1/projections"),
    };
    session.end().await?;
    let statuses = statuses?;
    if shared.json {
        return output::json(&statuses);
    }
    let statuses = statuses.get("projections").unwrap_or(&statuses);
    print(statuses.as_array().map(Vec::as_slice).unwrap_or_default());
    Ok(())
}

fn local(node: &Node) -> Result<Value, Failure> {
    Ok(serde_json::to_value(node.system.projections())?)
}

/// Prints the projections as a table.
pub fn print(statuses: &[Value]) {
    let fields = ["name", "version", "state", "position", "lag_events", "skipped", "parked"];
    let row = |status: &Value| fields.iter().map(|field| output::text(status, field)).collect();
    let rows: Vec<Vec<String>> = statuses.iter().map(row).collect();
    output::columns(&["name", "version", "state", "position", "lag", "skipped", "parked"], &rows);
    for status in statuses {
        let error = output::text(status, "last_error");
        if !error.is_empty() {
            println!("{}: {error}", output::text(status, "name"));
        }
    }
}

async fn steer(args: &ProjectionArgs, verb: Verb) -> Result<(), Failure> {
    let session = Session::start(&args.shared).await?;
    let done = match &session {
        Session::Local(node) => steer_local(node, &args.name, verb).await,
        Session::Remote(remote) => {
            let word = match verb {
                Verb::Pause => "pause",
                Verb::Resume => "resume",
                Verb::Rebuild => "rebuild",
            };
            remote.post(&format!("/v1/projections/{}/{word}", args.name)).map(|_| ())
        }
    };
    session.end().await?;
    done?;
    match verb {
        Verb::Pause => println!("{} pauses before its next batch", args.name),
        Verb::Resume => println!("{} goes on", args.name),
        Verb::Rebuild => println!("{} is being filled anew; its old rows stay readable", args.name),
    }
    Ok(())
}

/// Steers in this process; a rebuild is waited for, since the process ends with the command.
async fn steer_local(node: &Node, name: &str, verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::Pause => Ok(node.system.pause(name).await?),
        Verb::Resume => Ok(node.system.resume(name).await?),
        Verb::Rebuild => Ok(node.system.rebuild(name).await?),
    }
}

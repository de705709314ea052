//! `headwater projections`: shows and steers the projections.

use std::time::{Duration, Instant};

use headwater::projection::{ProjectionState, stored_projections};
use headwater::runtime::ControlError;
use serde_json::Value;

use super::output;
use super::session::Session;
use crate::cli::{ProjectionArgs, ProjectionsCommand, SharedArgs};
use crate::command::output::say;
use crate::error::Failure;
use crate::node::{Look, Node};
use crate::read_side;
use crate::remote::Remote;

/// How long the actor of a projection may take to start.
const ACTOR_START: Duration = Duration::from_secs(10);
/// How often a projection that is waited for is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(10);

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
    let session = Session::look_at_both(shared).await?;
    let statuses = match &session {
        Session::Local(look) => stored(look).await,
        Session::Remote(remote) => of_server(remote),
    };
    session.end()?;
    let statuses = statuses?;
    if shared.json {
        return output::json(&statuses);
    }
    print(statuses.as_array().map(Vec::as_slice).unwrap_or_default());
    Ok(())
}

/// Asks a server, and leaves out what it tells only those who read rows over HTTP.
fn of_server(remote: &Remote) -> Result<Value, Failure> {
    let mut reply = remote.get("/v1/projections")?;
    let mut statuses = reply.get_mut("projections").map(Value::take).unwrap_or_default();
    for status in statuses.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
        status.remove("is_served");
        status.remove("indexes");
    }
    Ok(statuses)
}

/// Reads how they stood when they were last stored: whoever looks runs none and makes no table.
async fn stored(look: &Look) -> Result<Value, Failure> {
    let database = read_side::open_to_read(&look.config).await?;
    let head = *look.log.store().head().borrow();
    Ok(serde_json::to_value(stored_projections(&database, head).await?)?)
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
            say!("{}: {error}", output::text(status, "name"));
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
    let is_local = matches!(session, Session::Local(_));
    session.end().await?;
    done?;
    match verb {
        Verb::Rebuild if is_local => say!("{} is filled anew", args.name),
        Verb::Pause => say!("{} pauses before its next batch", args.name),
        Verb::Resume => say!("{} goes on", args.name),
        Verb::Rebuild => say!("{} is being filled anew; its old rows stay readable", args.name),
    }
    Ok(())
}

/// Steers in this process. The projection's actor starts beside the command, so it is asked
/// until it is there; a rebuild is waited for, since the process ends with the command.
async fn steer_local(node: &Node, name: &str, verb: Verb) -> Result<(), Failure> {
    let generation = generation(node, name);
    let start = Instant::now();
    loop {
        let asked = match verb {
            Verb::Pause => node.system.pause(name).await,
            Verb::Resume => node.system.resume(name).await,
            Verb::Rebuild => node.system.rebuild(name).await,
        };
        match asked {
            Err(ControlError::NotRunning { .. }) if start.elapsed() < ACTOR_START => {
                tokio::time::sleep(LOOK_EVERY).await;
            }
            Err(error) => return Err(error.into()),
            Ok(()) => break,
        }
    }
    match verb {
        Verb::Pause | Verb::Resume => Ok(()),
        Verb::Rebuild => wait_for_rebuild(node, name, generation).await,
    }
}

async fn wait_for_rebuild(node: &Node, name: &str, before: Option<u64>) -> Result<(), Failure> {
    loop {
        let status = node.system.catalog().status(name);
        let Some(status) = status.filter(|_| generation(node, name) == before) else {
            return Ok(());
        };
        if status.state != ProjectionState::Rebuilding {
            let error = status.last_error.unwrap_or_else(|| format!("it is {}", status.state));
            return Err(Failure::new(format!("{name} was not filled anew: {error}")));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn generation(node: &Node, name: &str) -> Option<u64> {
    node.system.catalog().status(name).map(|status| status.generation)
}

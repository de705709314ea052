//! `headwater nodes`: who shares the read side, and what each runs; asks the database itself.

use headwater::nodes::{Lease, Node, Roster, roster};
use headwater::sql::migration::{NODES, StepState};
use headwater::sql::{MigrationStatus, Migrator};
use serde_json::{Value, json};

use super::output;
use crate::cli::NodesArgs;
use crate::command::output::say;
use crate::config::Config;
use crate::error::Failure;
use crate::node::open_database;

/// Lists the nodes.
pub async fn run(args: NodesArgs) -> Result<(), Failure> {
    let config = super::settings(&args.shared)?;
    let roster = find(&config).await?;
    if args.shared.json {
        return output::json(&document(&roster));
    }
    let headings = ["name", "state", "version", "address", "started at", "heartbeat", "runs"];
    let rows: Vec<_> = roster.nodes.iter().map(|node| row(&roster, node)).collect();
    output::columns(&headings, &rows);
    for lease in roster.unheld() {
        say!(
            "nobody runs {}: it is taken within a heartbeat, or see the health of the nodes",
            lease.name
        );
    }
    Ok(())
}

async fn find(config: &Config) -> Result<Roster, Failure> {
    if config.read.is_none() && !config.data_dir.join("read.sqlite").exists() {
        let dir = config.data_dir.display();
        return Err(Failure::new(format!(
            "{dir} has no read side: name another --data-dir, or an address with --read"
        )));
    }
    let database = open_database(config)?;
    let steps = Migrator::only(database.clone(), [NODES]).status().await?;
    let is_there = |step: &MigrationStatus| step.state == StepState::Done;
    if !steps.iter().all(is_there) {
        return Err(Failure::new("no node has used this read side yet: headwater serve"));
    }
    Ok(roster(&database).await?)
}

fn row(roster: &Roster, node: &Node) -> Vec<String> {
    let holds: Vec<&str> = roster.held_by(&node.id).map(|lease| lease.name.as_str()).collect();
    vec![
        node.name.clone(),
        node.state.as_str().to_owned(),
        node.program_version.clone(),
        node.address.clone().unwrap_or_default(),
        node.started_at.to_string(),
        format!("{:.1} s ago", node.silent_for.as_secs_f64()),
        holds.join(", "),
    ]
}

fn document(roster: &Roster) -> Value {
    let nodes: Vec<Value> = roster.nodes.iter().map(|node| node_document(roster, node)).collect();
    let unheld: Vec<&str> = roster.unheld().map(|lease| lease.name.as_str()).collect();
    json!({ "nodes": nodes, "unheld": unheld })
}

fn node_document(roster: &Roster, node: &Node) -> Value {
    let lease = |lease: &Lease| {
        let taken_at = lease.taken_at.map(|at| at.to_string());
        json!({ "name": lease.name, "token": lease.token, "taken_at": taken_at })
    };
    json!({
        "id": node.id,
        "name": node.name,
        "program_version": node.program_version,
        "address": node.address,
        "started_at": node.started_at.to_string(),
        "state": node.state.as_str(),
        "silent_ms": node.silent_for.as_millis() as u64,
        "holds": roster.held_by(&node.id).map(lease).collect::<Vec<_>>(),
        "runs": node.runs,
        "knows": node.knows,
    })
}

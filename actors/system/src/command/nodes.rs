//! `headwater nodes`: who shares the read side, and what each runs; asks the database itself.

use headwater::nodes::{Node, Roster, RosterReport, roster};
use headwater::sql::migration::{NODES, StepState};
use headwater::sql::{MigrationStatus, Migrator};

use super::output;
use crate::cli::NodesArgs;
use crate::command::output::say;
use crate::config::Config;
use crate::error::Failure;
use crate::read_side;

/// Lists the nodes.
pub async fn run(args: NodesArgs) -> Result<(), Failure> {
    let config = super::settings(&args.shared)?;
    let roster = find(&config).await?;
    if args.shared.json {
        return output::json(&RosterReport::of(&roster, None));
    }
    let headings = ["name", "state", "version", "address", "started at", "heartbeat", "runs"];
    let rows: Vec<_> = roster.nodes.iter().map(|node| row(&roster, node)).collect();
    output::columns(&headings, &rows);
    for lease in roster.unheld() {
        say!(
            "nobody runs {}: a node takes it at its next heartbeat, or a minute after a node with a \
             newer version has crashed; if none does, see the health of the nodes",
            lease.name
        );
    }
    Ok(())
}

async fn find(config: &Config) -> Result<Roster, Failure> {
    let database = read_side::open_to_read(config).await?;
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

//! `headwater migrate`: the schema of read side and log, shown, compared, brought up and down.

use headwater::event::Position;
use headwater::sql::migration::{NODES, Phase, Reach, STORE, StepHead, StepState};
use headwater::sql::{Database, MigrationStatus, Migrator, SqlError, TxEngine};
use serde_json::{Value, json};

use super::migration_file;
use super::migration_progress;
use super::output;
use crate::cli::{MigrateCommand, SharedArgs, StepName};
use crate::command::output::say;
use crate::config::Config;
use crate::error::Failure;
use crate::node::{
    existing_database, log_dir, migration_sets, open_database, open_store_database,
    store_database_to_read,
};
use crate::read_side::{Lost, ReadSide, database_to_read, nothing_there};
use crate::wal_watch::WalWatch;

/// Does what is asked with the schema.
pub async fn run(command: MigrateCommand) -> Result<(), Failure> {
    match command {
        MigrateCommand::Status(args) => status(&args.shared).await,
        MigrateCommand::Plan(args) => plan(&args.shared).await,
        MigrateCommand::Up { to, phase, shared } => up(to, phase, &shared).await,
        MigrateCommand::New { capability, name, phase, dir } => {
            migration_file::write(&dir, &capability, &name, phase)
        }
        MigrateCommand::Down { capability, to, yes, shared } => {
            down(&capability, to, yes, &shared).await
        }
        MigrateCommand::Verify(args) => verify(&args.shared).await,
    }
}

async fn status(shared: &SharedArgs) -> Result<(), Failure> {
    let steps = steps(&looking(shared).await?).await?;
    if shared.json {
        return output::json(&steps.iter().map(document).collect::<Vec<_>>());
    }
    let headings = ["capability", "step", "phase", "state", "done at", "by"];
    output::columns(&headings, &steps.iter().map(row).collect::<Vec<_>>());
    for step in steps {
        if let Some(advice) = advice(step.state) {
            let rows = step.rows.map(far).unwrap_or_default();
            say!("{}/{}: {rows}{advice}", step.capability, step.stem);
        }
    }
    Ok(())
}

async fn plan(shared: &SharedArgs) -> Result<(), Failure> {
    let migrators = looking(shared).await?;
    refuse_problems(&migrators).await?;
    let mut steps = steps(&migrators).await?;
    let is_left = |state| !matches!(state, StepState::Done | StepState::Unknown);
    steps.retain(|step| is_left(step.state));
    if shared.json {
        return output::json(&steps.iter().map(document).collect::<Vec<_>>());
    }
    for step in &steps {
        say!("{}/{}: {}", step.capability, step.stem, manner(&step.head));
    }
    let next = if steps.is_empty() { "" } else { ": headwater migrate up" };
    say!("{} to do{next}", counted(steps.len()));
    Ok(())
}

async fn up(
    to: Option<StepName>,
    phase: Option<Phase>,
    shared: &SharedArgs,
) -> Result<(), Failure> {
    let config = super::settings(shared)?;
    let found = ReadSide::look(&config).await?;
    found.expect_known(&config, head_at_least(&config).await?, Lost::Refuse)?;
    let read = open_database(&config)?;
    found.mark(&read).await?;
    let mut reach = Reach::all();
    let migrators = migrators(read, &config, open_store_database(&config)?);
    if let Some(phase) = phase {
        reach = reach.phase(phase);
    }
    let migrators = match to {
        None => migrators,
        Some((capability, number)) => {
            reach = reach.to(&capability, number);
            vec![owner(migrators, &capability)?]
        }
    };
    let done = advance(migrators, &reach).await;
    WalWatch::settle(&config)?;
    let count = done?;
    if shared.json {
        return output::json(&json!({ "done": count }));
    }
    say!("{} done", counted(count));
    Ok(())
}

async fn advance(migrators: Vec<Migrator>, reach: &Reach) -> Result<usize, Failure> {
    let mut count = 0;
    for migrator in migrators {
        count += migrator.observed(migration_progress::observer()).advance(reach).await?;
    }
    Ok(count)
}

async fn down(
    capability: &str,
    to: Option<u32>,
    is_sure: bool,
    shared: &SharedArgs,
) -> Result<(), Failure> {
    let config = super::settings(shared)?;
    let read = existing_database(&config).await?;
    let migrator = owner(migrators(read, &config, open_store_database(&config)?), capability)?;
    let mut begun = migrator.status().await?;
    begun.retain(|step| step.capability == capability && step.state != StepState::Pending);
    let to = to.unwrap_or_else(|| (begun.len() as u32).saturating_sub(1));
    let undone: Vec<_> = begun.iter().skip(to as usize).map(|step| step.stem.as_str()).collect();
    if !is_sure && !undone.is_empty() {
        return Err(Failure::new(format!(
            "{capability} {} would be undone, with what lies in their tables: stop the programs \
             that use them, make a backup and say --yes",
            undone.join(", ")
        )));
    }
    let migrator = migrator.observed(migration_progress::observer());
    let done = migrator.down(capability, to).await;
    drop(migrator);
    WalWatch::settle(&config)?;
    let count = done?;
    if shared.json {
        return output::json(&json!({ "undone": count }));
    }
    say!("{} undone", counted(count));
    Ok(())
}

async fn verify(shared: &SharedArgs) -> Result<(), Failure> {
    let migrators = looking(shared).await?;
    refuse_problems(&migrators).await?;
    let steps = steps(&migrators).await?;
    let unfinished = steps.iter().filter(|step| advice(step.state).is_some()).count();
    if unfinished > 0 {
        let words = format!("{} unfinished: headwater migrate up", counted(unfinished));
        return Err(Failure::new(words));
    }
    let pending = steps.iter().filter(|step| step.state == StepState::Pending).count();
    if shared.json {
        return output::json(&json!({ "fits": true, "pending": pending }));
    }
    say!("what is done fits this program; {} to do", counted(pending));
    Ok(())
}

/// Returns the migrator of the read side, then that of the log if it lies in tables.
fn migrators(read: Database, config: &Config, tables: Option<Database>) -> Vec<Migrator> {
    let read = Migrator::new(read, migration_sets());
    // Programs are looked for where the tables are that they use.
    let nodes = (config.read != config.store).then_some(NODES);
    let log = tables.map(|tables| Migrator::only(tables, [STORE].into_iter().chain(nodes)));
    std::iter::once(read).chain(log).collect()
}

/// Returns 1 when the log may have events, without opening it: a server may have it open.
async fn head_at_least(config: &Config) -> Result<Position, Failure> {
    let has_events = match store_database_to_read(config)? {
        Some(tables) => tables.inspect::<_, SqlError>(has_events).await?,
        None => log_dir(config).join("FORMAT").exists(),
    };
    Ok(Position::new(u64::from(has_events)))
}

fn has_events(tx: &mut dyn TxEngine) -> Result<bool, SqlError> {
    let there = "select 1 from pg_catalog.pg_class where oid = to_regclass('events')";
    let is_there = !tx.query(there, &[])?.is_empty();
    Ok(is_there && !tx.query("select position from events limit 1", &[])?.is_empty())
}

/// Returns the one that has a capability's steps.
fn owner(migrators: Vec<Migrator>, capability: &str) -> Result<Migrator, Failure> {
    let at = usize::from(capability == STORE.capability);
    let found = migrators.into_iter().nth(at);
    found.ok_or_else(|| Failure::new("the log lies in files and has no migrations"))
}

/// The same, to be looked at alone: nothing is made. A file must be there; of a database the schema
/// need not be.
async fn looking(shared: &SharedArgs) -> Result<Vec<Migrator>, Failure> {
    let config = super::settings(shared)?;
    ReadSide::look(&config).await?;
    let read = database_to_read(&config)?.ok_or_else(|| nothing_there(&config))?;
    Ok(migrators(read, &config, store_database_to_read(&config)?))
}

async fn steps(migrators: &[Migrator]) -> Result<Vec<MigrationStatus>, Failure> {
    let mut steps = Vec::new();
    for migrator in migrators {
        steps.extend(migrator.status().await?);
    }
    Ok(steps)
}

/// Fails with everything that does not fit, a line each.
async fn refuse_problems(migrators: &[Migrator]) -> Result<(), Failure> {
    let mut problems = Vec::new();
    for migrator in migrators {
        problems.extend(migrator.verify().await?.iter().map(ToString::to_string));
    }
    if problems.is_empty() { Ok(()) } else { Err(Failure::new(problems.join("\n"))) }
}

fn row(step: &MigrationStatus) -> Vec<String> {
    vec![
        step.capability.clone(),
        step.stem.clone(),
        step.head.phase.to_string(),
        state_name(step.state).to_owned(),
        step.applied_at.clone().unwrap_or_default(),
        step.applied_by.clone().unwrap_or_default(),
    ]
}

fn document(step: &MigrationStatus) -> Value {
    json!({
        "capability": step.capability,
        "step": step.stem,
        "phase": step.head.phase.to_string(),
        "transaction": step.head.is_in_transaction,
        "batch": step.head.batch.as_ref().map(|batch| format!("{} by {}", batch.table, batch.key)),
        "rows": step.rows.map(|(rows, _)| rows),
        "rows_total": step.rows.map(|(_, total)| total),
        "lock_timeout_ms": step.head.lock_timeout.as_millis() as u64,
        "state": state_name(step.state),
        "applied_at": step.applied_at,
        "applied_by": step.applied_by,
    })
}

fn manner(head: &StepHead) -> String {
    let transaction = match (&head.batch, head.is_in_transaction) {
        (Some(batch), _) => format!("{} in parts by {}", batch.table, batch.key),
        (None, true) => "in a transaction".to_owned(),
        (None, false) => "statement by statement".to_owned(),
    };
    let (phase, wait) = (head.phase, head.lock_timeout);
    format!("{phase}, {transaction}, waits {wait:?} for a lock")
}

const fn state_name(state: StepState) -> &'static str {
    match state {
        StepState::Pending => "pending",
        StepState::Done => "done",
        StepState::Unfinished => "unfinished",
        StepState::UnfinishedDown => "unfinished down",
        StepState::Changed => "changed",
        StepState::Unknown => "unknown",
        StepState::UnknownContract => "unknown contract",
    }
}

/// Says what to do about a state that should not last.
const fn advice(state: StepState) -> Option<&'static str> {
    match state {
        // What a newer program adds does not harm this one.
        StepState::Pending | StepState::Done | StepState::Unknown => None,
        StepState::Unfinished => {
            Some("is under way, or its run was killed: headwater migrate up finishes it")
        }
        StepState::UnfinishedDown => Some(
            "was being undone: headwater migrate up does it again, headwater migrate down undoes it",
        ),
        StepState::Changed => Some("was done with another text: use the program that did it"),
        StepState::UnknownContract => Some(
            "was done by a newer program and takes away what this one may need: use that one, or \
             headwater migrate down",
        ),
    }
}

/// Says how far a backfill is.
fn far((rows, total): (u64, u64)) -> String {
    let (rows, total) = (output::thousands(rows), output::thousands(total));
    format!("{rows} of about {total} rows; ")
}

fn counted(count: usize) -> String {
    format!("{count} {}", if count == 1 { "step" } else { "steps" })
}

//! How projections stood when somebody last wrote it down, for who looks while none of them runs.

use super::status::Progress;
use super::{ProjectionState, ProjectionStatus, checkpoint, parked};
use crate::event::Position;
use crate::sql::{Database, SqlError, TxEngine, Value};

/// Returns how every projection in a database stood when its last batch was stored; reads only, and
/// runs none of them. `head` is the last position of the log.
///
/// # Errors
/// [`SqlError`], also when the framework's tables are not there.
pub async fn stored_projections(
    database: &Database,
    head: Position,
) -> Result<Vec<ProjectionStatus>, SqlError> {
    database.inspect(move |tx| read(tx, head)).await
}

fn read(tx: &mut dyn TxEngine, head: Position) -> Result<Vec<ProjectionStatus>, SqlError> {
    let names = tx.query("select distinct name from projection_checkpoints order by name", &[])?;
    let names = names.iter().filter_map(|row| row.first().and_then(Value::as_text));
    let mut statuses = Vec::new();
    for name in names {
        if let Some(progress) = progress(tx, name)? {
            statuses.push(progress.status(name, head));
        }
    }
    Ok(statuses)
}

/// `None` when no rows of it are read yet.
fn progress(tx: &mut dyn TxEngine, name: &str) -> Result<Option<Progress>, SqlError> {
    let all = checkpoint::load(tx, name)?;
    let (live, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|own| own.is_live);
    let (Some(live), shadow) = (live.into_iter().next(), others.into_iter().next()) else {
        return Ok(None);
    };
    let counts = parked::count(tx, name, live.generation)?;
    let is = |state| [Some(&live), shadow.as_ref()].iter().flatten().any(|own| own.state == state);
    let state = match shadow {
        _ if is(ProjectionState::Paused) => ProjectionState::Paused,
        _ if is(ProjectionState::Halted) => ProjectionState::Halted,
        Some(_) => ProjectionState::Rebuilding,
        None => ProjectionState::Running,
    };
    let shadow_error = shadow.as_ref().and_then(|own| own.last_error.clone());
    Ok(Some(Progress {
        version: live.version,
        generation: live.generation,
        position: live.position,
        rebuild_position: shadow.map(|own| own.position),
        state,
        skipped: counts.skipped,
        parked: counts.parked,
        unknown: live.unknown,
        last_error: live.last_error.or(shadow_error),
    }))
}

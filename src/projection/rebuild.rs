//! Tables of another generation: made beside the live ones, filled, swapped in, dropped.

use super::ProjectionState;
use super::checkpoint::{self, Checkpoint, Ticket, suffix};
use super::definition::Definition;
use crate::event::Position;
use crate::sql::{SqlError, TxEngine, place_tables};

/// Makes the live tables of a projection that has none, so that they can be read; returns its
/// checkpoints, the live one first. Whoever runs it is left alone.
pub(crate) fn prepare(
    tx: &mut dyn TxEngine,
    definition: &Definition,
) -> Result<(Checkpoint, Option<Checkpoint>), SqlError> {
    let name = definition.name();
    checkpoint::hold(tx, name)?;
    if !checkpoint::load(tx, name)?.iter().any(|row| row.is_live) {
        begin(tx, definition, true)?;
    }
    split(name, checkpoint::load(tx, name)?)
}

/// Takes a projection over: makes what is missing, drops what is left over, fences whoever
/// wrote before. Returns its checkpoints, the live one first. The projection must be held.
///
/// Rows of another version stay live and readable; new ones are begun beside them. A rebuild
/// that was killed is gone on with, for its rows and its checkpoint fit each other.
pub(crate) fn open(
    tx: &mut dyn TxEngine,
    definition: &Definition,
) -> Result<(Checkpoint, Option<Checkpoint>), SqlError> {
    let (name, version) = (definition.name(), definition.version());
    let mut rows = checkpoint::load(tx, name)?;
    if !rows.iter().any(|row| row.is_live) {
        begin(tx, definition, true)?;
    }
    for left in rows.extract_if(.., |row| !row.is_live && row.version != version) {
        drop_shadow(tx, name, &left)?;
    }
    let is_old = rows.iter().any(|row| row.is_live && row.version != version);
    if is_old && rows.iter().all(|row| row.is_live) {
        begin(tx, definition, false)?;
    }
    checkpoint::take_over(tx, name)?;
    split(name, checkpoint::load(tx, name)?)
}

/// Tells the live checkpoint from that of a rebuild.
pub(crate) fn split(
    name: &str,
    rows: Vec<Checkpoint>,
) -> Result<(Checkpoint, Option<Checkpoint>), SqlError> {
    let (live, shadow): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.is_live);
    let live = live.into_iter().next();
    let live = live.ok_or_else(|| {
        SqlError::Damaged(format!("projection {name} has no checkpoint of live tables"))
    })?;
    Ok((live, shadow.into_iter().next()))
}

/// Makes empty tables and their checkpoint.
pub(crate) fn begin(
    tx: &mut dyn TxEngine,
    definition: &Definition,
    is_live: bool,
) -> Result<(), SqlError> {
    let name = definition.name();
    let rows = checkpoint::load(tx, name)?;
    let generation = rows.last().map_or(1, |row| row.generation + 1);
    let schema = definition.schema(tx.dialect());
    tx.run_script(&place_tables(&schema, &suffix(is_live, generation)))?;
    let row = Checkpoint {
        generation,
        version: definition.version(),
        is_live,
        owner: rows.iter().map(|row| row.owner).max().unwrap_or(1),
        position: Position::ZERO,
        state: ProjectionState::Running,
        unknown: 0,
        last_error: None,
        poison: None,
        tables: definition.tables(tx.dialect()),
    };
    row.insert(tx, name)
}

/// Drops the tables of a rebuild that is not wanted.
fn drop_shadow(
    tx: &mut dyn TxEngine,
    name: &'static str,
    row: &Checkpoint,
) -> Result<(), SqlError> {
    let ticket =
        Ticket { name, generation: row.generation, owner: row.owner, position: row.position };
    abandon(tx, &ticket, &row.tables, &row.suffix()).map(drop)
}

/// Drops tables with their checkpoint; `false`, and nothing done, when it is not as believed.
pub(crate) fn abandon(
    tx: &mut dyn TxEngine,
    ticket: &Ticket,
    tables: &[String],
    suffix: &str,
) -> Result<bool, SqlError> {
    if !ticket.remove(tx)? {
        return Ok(false);
    }
    for table in tables.iter().rev() {
        tx.run_script(&format!("drop table {table}{suffix}"))?;
    }
    Ok(true)
}

/// What a swap needs to know of the two sets of tables.
pub(crate) struct Swap {
    pub(crate) live: Ticket,
    pub(crate) live_tables: Vec<String>,
    pub(crate) shadow: Ticket,
    pub(crate) shadow_tables: Vec<String>,
    /// Up to where the new tables have considered everything.
    pub(crate) position: Position,
}

impl Swap {
    /// Puts the new tables in the place of the live ones; `false` when another runner owns
    /// them. All in the one transaction, so that a reader sees either the old or the new.
    pub(crate) fn run(&self, tx: &mut dyn TxEngine) -> Result<bool, SqlError> {
        if !abandon(tx, &self.live, &self.live_tables, "")?
            || !self.shadow.make_live(tx, self.position)?
        {
            return Ok(false);
        }
        let suffix = suffix(false, self.shadow.generation);
        for table in &self.shadow_tables {
            tx.run_script(&format!("alter table {table}{suffix} rename to {table}"))?;
        }
        Ok(true)
    }
}

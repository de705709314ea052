//! Checkpoints as they lie in the database: compared before they are moved, so that of two
//! writers only the owner writes.

use super::ProjectionState;
use crate::event::Position;
use crate::sql::{Dialect, SqlError, SqlRow, ToValue, TxEngine, Value};

/// How far a set of tables is.
#[derive(Clone, Debug)]
pub(crate) struct Checkpoint {
    pub(crate) generation: u64,
    pub(crate) version: u32,
    pub(crate) is_live: bool,
    pub(crate) owner: i64,
    pub(crate) position: Position,
    pub(crate) state: ProjectionState,
    pub(crate) unknown: u64,
    pub(crate) last_error: Option<String>,
    /// The event before which it has halted.
    pub(crate) poison: Option<Position>,
    /// The tables, without the suffix of their generation.
    pub(crate) tables: Vec<String>,
}

/// What a writer believes of a checkpoint.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket {
    pub(crate) name: &'static str,
    pub(crate) generation: u64,
    pub(crate) owner: i64,
    pub(crate) position: Position,
}

impl Checkpoint {
    /// Returns what stands behind the names of its tables.
    pub(crate) fn suffix(&self) -> String {
        suffix(self.is_live, self.generation)
    }

    /// Writes a new checkpoint.
    pub(crate) fn insert(&self, tx: &mut dyn TxEngine, name: &str) -> Result<(), SqlError> {
        let sql = "insert into projection_checkpoints (name, generation, version, is_live, owner,
                position, state, unknown, last_error, poison_position, tables)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
        let values = [
            name.to_value(),
            int(self.generation),
            self.version.to_value(),
            Value::Int(i64::from(self.is_live)),
            self.owner.to_value(),
            self.position.to_value(),
            self.state.as_str().to_value(),
            int(self.unknown),
            self.last_error.to_value(),
            self.poison.to_value(),
            self.tables.join(" ").to_value(),
        ];
        tx.execute(sql, &values).map(drop)
    }
}

impl Ticket {
    /// Moves the checkpoint and counts unknown events; `false` when it is not as believed.
    pub(crate) fn advance(
        &self,
        tx: &mut dyn TxEngine,
        to: Position,
        unknown: u64,
    ) -> Result<bool, SqlError> {
        let sql = "update projection_checkpoints set position = $5, unknown = unknown + $6
            where name = $1 and generation = $2 and owner = $3 and position = $4";
        let values = self.values().into_iter().chain([to.to_value(), int(unknown)]);
        tx.execute(sql, &values.collect::<Vec<_>>()).map(|changed| changed == 1)
    }

    /// Sets the state; `false` when the checkpoint is not as believed.
    pub(crate) fn set_state(
        &self,
        tx: &mut dyn TxEngine,
        state: ProjectionState,
        fault: Option<(&str, Option<Position>)>,
    ) -> Result<bool, SqlError> {
        let sql = "update projection_checkpoints
            set state = $5, last_error = $6, poison_position = $7
            where name = $1 and generation = $2 and owner = $3 and position = $4";
        let error = fault.map(|(error, _)| error).to_value();
        let poison = fault.and_then(|(_, poison)| poison).to_value();
        let values = self.values().into_iter().chain([state.as_str().to_value(), error, poison]);
        tx.execute(sql, &values.collect::<Vec<_>>()).map(|changed| changed == 1)
    }

    /// Makes the checkpoint the live one at a position; `false` when it is not as believed.
    pub(crate) fn make_live(&self, tx: &mut dyn TxEngine, at: Position) -> Result<bool, SqlError> {
        let sql = "update projection_checkpoints set is_live = 1, position = $5
            where name = $1 and generation = $2 and owner = $3 and position = $4";
        let values = self.values().into_iter().chain([at.to_value()]);
        tx.execute(sql, &values.collect::<Vec<_>>()).map(|changed| changed == 1)
    }

    /// Removes the checkpoint and its records; `false` when it is not as believed.
    pub(crate) fn remove(&self, tx: &mut dyn TxEngine) -> Result<bool, SqlError> {
        let key = [self.name.to_value(), int(self.generation)];
        for table in ["projection_skipped", "projection_parked"] {
            tx.execute(&format!("delete from {table} where name = $1 and generation = $2"), &key)?;
        }
        let sql = "delete from projection_checkpoints
            where name = $1 and generation = $2 and owner = $3 and position = $4";
        tx.execute(sql, &self.values()).map(|changed| changed == 1)
    }

    fn values(&self) -> [Value; 4] {
        let Self { name, generation, owner, position } = self;
        [name.to_value(), int(*generation), owner.to_value(), position.to_value()]
    }
}

/// Reads the checkpoints of a projection, oldest generation first.
pub(crate) fn load(tx: &mut dyn TxEngine, name: &str) -> Result<Vec<Checkpoint>, SqlError> {
    let sql = "select generation, version, is_live, owner, position, state, unknown, last_error,
        poison_position, tables from projection_checkpoints where name = $1 order by generation";
    let rows = tx.query(sql, &[name.to_value()])?;
    let read = |row| read(row).ok_or_else(|| damaged(name));
    rows.into_iter().map(read).collect()
}

/// Keeps other owners and writers of a projection out until the transaction ends, and waits
/// for those that are under way; what is read after this stays true.
///
/// Where writes do not wait for each other anyway: the lock keeps out those who make the first
/// checkpoint, the update those who move one.
pub(crate) fn hold(tx: &mut dyn TxEngine, name: &str) -> Result<(), SqlError> {
    tx.lock(&format!("projection {name}"))?;
    let sql = "update projection_checkpoints set owner = owner where name = $1";
    tx.execute(sql, &[name.to_value()]).map(drop)
}

/// Ends the sessions of a former owner who stands still in the middle of a write, on PostgreSQL:
/// whoever holds the lease would wait for it as long as the server lets a session be idle.
///
/// An unfinished update's transaction stands in the row that it replaces.
pub(crate) fn evict(tx: &mut dyn TxEngine, name: &str) -> Result<(), SqlError> {
    if tx.dialect() == Dialect::Sqlite {
        return Ok(());
    }
    let sql = "select pg_terminate_backend(session.pid)
        from projection_checkpoints as checkpoint
        join pg_locks as held on held.locktype = 'transactionid' and held.granted
            and held.transactionid = checkpoint.xmax
        join pg_stat_activity as session on session.pid = held.pid
        where checkpoint.name = $1 and session.usename = current_user
            and session.state = 'idle in transaction'
            and session.state_change < clock_timestamp() - interval '500 milliseconds'";
    tx.query(sql, &[name.to_value()]).map(drop)
}

/// Makes the caller the owner: whoever wrote before is fenced. The projection must be held.
pub(crate) fn take_over(tx: &mut dyn TxEngine, name: &str) -> Result<(), SqlError> {
    let sql = "update projection_checkpoints set owner = 1 +
        (select max(owner) from projection_checkpoints where name = $1) where name = $1";
    tx.execute(sql, &[name.to_value()]).map(drop)
}

/// Returns what stands behind the table names of a generation.
pub(crate) fn suffix(is_live: bool, generation: u64) -> String {
    if is_live { String::new() } else { format!("__g{generation}") }
}

/// Makes the value of a count.
pub(crate) fn int(number: u64) -> Value {
    Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

fn read(row: SqlRow) -> Option<Checkpoint> {
    let [generation, version, is_live, owner, position, state, unknown, error, poison, tables] =
        row.try_into().ok()?;
    let number = |value: &Value| value.as_int().and_then(|number| u64::try_from(number).ok());
    Some(Checkpoint {
        generation: number(&generation)?,
        version: u32::try_from(version.as_int()?).ok()?,
        is_live: is_live.as_int()? == 1,
        owner: owner.as_int()?,
        position: Position::new(number(&position)?),
        state: ProjectionState::parse(state.as_text()?)?,
        unknown: number(&unknown)?,
        last_error: error.as_text().map(str::to_owned),
        poison: number(&poison).map(Position::new),
        tables: tables.as_text()?.split_whitespace().map(str::to_owned).collect(),
    })
}

fn damaged(name: &str) -> SqlError {
    SqlError::Damaged(format!("checkpoint of projection {name} is not of this shape"))
}

//! Snapshots of aggregates in the read side: a cache, never the truth (G11).

use crate::event::{Revision, StreamId, Tenant};

use super::{Database, SqlError, SqlRow, ToValue, TxEngine, Value};

/// Keeps the newest snapshot of each stream.
#[derive(Clone)]
pub struct SnapshotStore {
    database: Database,
    bytes_max: usize,
}

/// What a snapshot must fit; anything else is as if there were none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotKey {
    /// Whose stream.
    pub tenant: Tenant,
    /// The stream.
    pub stream: StreamId,
    /// The aggregate's type.
    pub aggregate: String,
    /// Identifies the shape of the state.
    pub schema_hash: u64,
    /// Generation of the logic that folded it.
    pub logic_version: u32,
}

/// A state as of a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSnapshot {
    /// The last revision that is folded in.
    pub revision: Revision,
    /// The state, as its codec wrote it.
    pub state: Vec<u8>,
}

impl SnapshotStore {
    /// The most bytes of a state unless told otherwise.
    pub const BYTES_MAX: usize = 1 << 20;

    /// Keeps snapshots in this database, whose schema must be up.
    #[must_use]
    pub const fn new(database: Database) -> Self {
        Self { database, bytes_max: Self::BYTES_MAX }
    }

    /// Sets the most bytes of a state; a larger one is not kept.
    #[must_use]
    pub const fn with_bytes_max(mut self, bytes_max: usize) -> Self {
        self.bytes_max = bytes_max;
        self
    }

    /// Keeps a snapshot in place of an older one; returns `false` when it is too large or an
    /// equally new one of the same kind is there.
    ///
    /// # Errors
    /// [`SqlError`]; nothing is lost then but the cache.
    pub async fn save(&self, key: SnapshotKey, kept: StoredSnapshot) -> Result<bool, SqlError> {
        if kept.state.len() > self.bytes_max {
            return Ok(false);
        }
        self.database.write(move |tx| save(tx, &key, kept)).await
    }

    /// Loads the snapshot that fits the key; `None` when there is none, when it is of another
    /// shape, logic or type, or when its bytes are damaged, which is logged.
    ///
    /// # Errors
    /// [`SqlError`]; the caller replays the stream instead.
    pub async fn load(&self, key: SnapshotKey) -> Result<Option<StoredSnapshot>, SqlError> {
        let sql = "select aggregate, schema_hash, logic_version, revision, crc, state
            from snapshots where tenant = $1 and category = $2 and stream = $3";
        let found = self.database.read(sql, place(&key).to_vec()).await?;
        let Some(row) = found.rows.into_iter().next() else { return Ok(None) };
        let snapshot = fitting(&key, row);
        if let Err(reason) = snapshot {
            tracing::warn!(tenant = %key.tenant, stream = %key.stream, reason, "snapshot discarded");
        }
        Ok(snapshot.ok())
    }

    /// Forgets the snapshot of a stream.
    ///
    /// # Errors
    /// [`SqlError`].
    pub async fn forget(&self, key: SnapshotKey) -> Result<(), SqlError> {
        let sql = "delete from snapshots where tenant = $1 and category = $2 and stream = $3";
        self.database.write(move |tx| tx.execute(sql, &place(&key)).map(drop)).await
    }
}

fn save(tx: &mut dyn TxEngine, key: &SnapshotKey, kept: StoredSnapshot) -> Result<bool, SqlError> {
    let sql = "insert into snapshots
            (tenant, category, stream, aggregate, schema_hash, logic_version, revision, crc, state)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        on conflict (tenant, category, stream) do update set
            aggregate = excluded.aggregate, schema_hash = excluded.schema_hash,
            logic_version = excluded.logic_version, revision = excluded.revision,
            crc = excluded.crc, state = excluded.state
        where snapshots.revision < excluded.revision
            or snapshots.aggregate <> excluded.aggregate
            or snapshots.schema_hash <> excluded.schema_hash
            or snapshots.logic_version <> excluded.logic_version";
    let [tenant, category, stream] = place(key);
    let crc = Value::Int(i64::from(crc32c::crc32c(&kept.state)));
    let values = [
        tenant,
        category,
        stream,
        Value::Text(key.aggregate.clone()),
        Value::Int(key.schema_hash.cast_signed()),
        key.logic_version.to_value(),
        kept.revision.to_value(),
        crc,
        Value::Bytes(kept.state),
    ];
    tx.execute(sql, &values).map(|changed| changed > 0)
}

fn place(key: &SnapshotKey) -> [Value; 3] {
    let text = |text: &str| Value::Text(text.to_owned());
    [text(key.tenant.as_str()), text(key.stream.category().as_str()), text(key.stream.id())]
}

/// Returns the snapshot of a row, or why it is as if there were none.
fn fitting(key: &SnapshotKey, row: SqlRow) -> Result<StoredSnapshot, &'static str> {
    let damaged = "it is damaged";
    let [aggregate, schema_hash, logic_version, revision, crc, state] =
        row.try_into().map_err(|_| damaged)?;
    if aggregate.as_text() != Some(&key.aggregate) {
        return Err("it is of another aggregate");
    }
    if schema_hash.as_int() != Some(key.schema_hash.cast_signed()) {
        return Err("its state has another shape");
    }
    if logic_version.as_int() != Some(i64::from(key.logic_version)) {
        return Err("its logic has another version");
    }
    let Value::Bytes(state) = state else { return Err(damaged) };
    let revision = revision.as_int().and_then(|revision| u64::try_from(revision).ok());
    let is_whole = crc.as_int() == Some(i64::from(crc32c::crc32c(&state)));
    let revision = revision.filter(|_| is_whole).map(Revision::new);
    revision.map(|revision| StoredSnapshot { revision, state }).ok_or(damaged)
}

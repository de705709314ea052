//! The row form over the SQL form: loads the rows that a batch touches, folds, writes each once.

use std::borrow::Cow;
use std::fmt::Write;

use rustc_hash::FxHashMap;

use super::row_memory::{Kept, RowMemory};
use super::storable::{
    INDEXED_BYTES_MAX, json_of_stored, json_to_stored, oversized, text_to_stored,
};
use super::{PoisonPolicy, Projection, ProjectionError, RowProjection, UnknownPolicy};
use crate::event::{Position, Recorded};
use crate::sql::{Dialect, Tx, Value, ValueRef};

/// A projection in row form, as one in SQL form.
///
/// Its table is `{name} (tenant, key, position, data)`: the row's JSON, and the position of the
/// last event that changed it. Equal events give equal bytes (G8) if a row is what its JSON
/// says: no field left out of it, no map without an order.
pub struct Rows<P> {
    projection: P,
}

impl<P: RowProjection> Rows<P> {
    /// Wraps a projection in row form.
    #[must_use]
    pub const fn new(projection: P) -> Self {
        Self { projection }
    }
}

impl<P: RowProjection> Projection for Rows<P> {
    const NAME: &'static str = P::NAME;
    const VERSION: u32 = P::VERSION;
    const SCHEMA: &'static str = "";
    const INDEXES: &'static [&'static str] = P::INDEXES;
    const POISON: PoisonPolicy = P::POISON;
    const UNKNOWN: UnknownPolicy = P::UNKNOWN;
    type Event = P::Event;

    fn schema(dialect: Dialect) -> Cow<'static, str> {
        let name = P::NAME;
        // Rows are looked up by key alone, so SQLite needs no second tree for row numbers; on
        // PostgreSQL keys have the order of their bytes, as on SQLite, whatever the database has.
        let (text, json, end) = match dialect {
            Dialect::Sqlite => ("text", "text", " without rowid"),
            // Room in each page lets an update stay there, and the indexes as they are.
            Dialect::Postgres => ("text collate \"C\"", "json", " with (fillfactor = 50)"),
        };
        let mut schema = format!(
            "create table {{{name}}} (tenant {text} not null, key {text} not null, position bigint \
             not null, data {json} not null, primary key (tenant, key)){end};"
        );
        for field in P::INDEXES {
            let expression = field_expression(dialect, field);
            schema += &format!(
                "create index {{{name}}}_by_{field} on {{{name}}} (tenant, ({expression}), key);"
            );
        }
        schema.into()
    }

    fn apply(&self, batch: &[Recorded<P::Event>], tx: &mut Tx<'_>) -> Result<(), ProjectionError> {
        let memory = tx.recall::<RowMemory<P::Row>>();
        let mut memory = memory.unwrap_or_else(|| Box::new(RowMemory::new()));
        let mut touched = Touched::<P>::route(&self.projection, batch, &mut memory)?;
        touched.load(tx)?;
        touched.evolve(&self.projection, batch)?;
        touched.write(tx, &mut memory)?;
        tx.remember(memory);
        Ok(())
    }
}

/// Returns the expression of a row's field that is indexed and compared.
///
/// On SQLite the field's JSON, which tells `true` from `1`; on PostgreSQL its text.
pub(crate) fn field_expression(dialect: Dialect, field: &str) -> String {
    match dialect {
        Dialect::Sqlite => format!("data -> '{field}'"),
        Dialect::Postgres => format!("data ->> '{field}'"),
    }
}

/// The rows that a batch touches, each once.
struct Touched<P: RowProjection> {
    slots: Vec<Slot<P::Row>>,
    /// Which slot each event touches under which key, in the order of the events.
    visits: Vec<(usize, usize, P::Key)>,
}

struct Slot<R> {
    /// Tenant, `/`, key; a tenant's name has no `/`.
    id: String,
    row: Option<R>,
    is_known: bool,
    was_there: bool,
    position: Position,
}

impl<R> Slot<R> {
    fn parts(&self) -> (&str, &str) {
        self.id.split_once('/').unwrap_or_default()
    }
}

impl<P: RowProjection> Touched<P> {
    /// Finds the rows of a batch and takes those that are remembered.
    fn route(
        projection: &P,
        batch: &[Recorded<P::Event>],
        memory: &mut RowMemory<P::Row>,
    ) -> Result<Self, ProjectionError> {
        let mut touched = Self { slots: Vec::new(), visits: Vec::with_capacity(batch.len()) };
        let mut known: FxHashMap<String, usize> = FxHashMap::default();
        let mut id = String::new();
        for (at, event) in batch.iter().enumerate() {
            for key in projection.route(event) {
                id.clear();
                // Writing to a string does not fail.
                let _ = write!(id, "{}/{key}", event.tenant());
                check_key(&id, event.position())?;
                if let Cow::Owned(stored) = text_to_stored(&id) {
                    id = stored;
                }
                let slot = match known.get(id.as_str()) {
                    Some(slot) => *slot,
                    None => {
                        let slot = touched.slots.len();
                        touched.slots.push(Slot::begin(id.clone(), memory.take(&id)));
                        known.insert(id.clone(), slot);
                        slot
                    }
                };
                touched.visits.push((at, slot, key));
            }
        }
        Ok(touched)
    }

    /// Reads the rows that are not remembered, many with one statement.
    fn load(&mut self, tx: &mut Tx<'_>) -> Result<(), ProjectionError> {
        let mut missing: Vec<&mut Slot<P::Row>> =
            self.slots.iter_mut().filter(|slot| !slot.is_known).collect();
        missing.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        for same_tenant in missing.chunk_by_mut(|a, b| a.parts().0 == b.parts().0) {
            for chunk in same_tenant.chunks_mut(LOAD_MAX) {
                load_chunk(P::NAME, chunk, tx)?;
            }
        }
        Ok(())
    }

    fn evolve(
        &mut self,
        projection: &P,
        batch: &[Recorded<P::Event>],
    ) -> Result<(), ProjectionError> {
        for (at, slot, key) in &self.visits {
            let (Some(event), Some(slot)) = (batch.get(*at), self.slots.get_mut(*slot)) else {
                continue;
            };
            slot.position = event.position();
            projection.evolve(key, &mut slot.row, event).map_err(|error| match error {
                ProjectionError::Sql(error) => ProjectionError::Sql(error),
                ProjectionError::Poison(reason) => poison(event.position(), reason),
                other => poison(event.position(), other.to_string()),
            })?;
        }
        Ok(())
    }

    /// Writes every row once, in the order of the table, and remembers it.
    fn write(
        mut self,
        tx: &mut Tx<'_>,
        memory: &mut RowMemory<P::Row>,
    ) -> Result<(), ProjectionError> {
        self.slots.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        let mut texts = Vec::with_capacity(self.slots.len());
        for slot in &self.slots {
            let text = slot.row.as_ref().map(serde_json::to_string).transpose();
            let text = text.map_err(|error| poison(slot.position, error.to_string()))?;
            let text = text.map(json_to_stored);
            if let Some(reason) = text.as_deref().and_then(|text| oversized(text, P::INDEXES)) {
                return Err(poison(slot.position, reason));
            }
            texts.push(text);
        }
        let upsert = format!(
            "insert into {{{name}}} (tenant, key, position, data) values ($1, $2, $3, $4)
             on conflict (tenant, key) do update set
             position = excluded.position, data = excluded.data",
            name = P::NAME
        );
        let rows = self.slots.iter().zip(&texts).filter_map(|(slot, text)| {
            let (tenant, key) = slot.parts();
            Some([tenant.into(), key.into(), slot.position.into(), text.as_ref()?.into()])
        });
        tx.execute_many(&upsert, rows)?;
        let gone = self.slots.iter().filter(|slot| slot.was_there && slot.row.is_none());
        let gone = gone.map(|slot| [slot.parts().0.into(), slot.parts().1.into()]);
        let delete = format!("delete from {{{}}} where tenant = $1 and key = $2", P::NAME);
        tx.execute_many(&delete, gone)?;
        for (slot, text) in self.slots.into_iter().zip(texts) {
            let bytes = text.map_or(0, |text| text.len());
            memory.put(slot.id, Kept { row: slot.row, bytes });
        }
        Ok(())
    }
}

impl<R> Slot<R> {
    fn begin(id: String, kept: Option<Kept<R>>) -> Self {
        let is_known = kept.is_some();
        let row = kept.and_then(|kept| kept.row);
        let was_there = row.is_some();
        Self { id, row, is_known, was_there, position: Position::ZERO }
    }
}

/// The most rows that one statement reads.
const LOAD_MAX: usize = 64;

/// Reads some rows of one tenant; the slots are sorted by key.
fn load_chunk<R: serde::de::DeserializeOwned>(
    name: &str,
    chunk: &mut [&mut Slot<R>],
    tx: &mut Tx<'_>,
) -> Result<(), ProjectionError> {
    // Few shapes of the statement, so that each stays prepared: the last key fills it up.
    let width = if chunk.len() == 1 { 1 } else { LOAD_MAX };
    let places: Vec<String> = (0..width).map(|at| format!("${}", at + 2)).collect();
    let sql = format!(
        "select key, data from {{{name}}} where tenant = $1 and key in ({})",
        places.join(", ")
    );
    let rows = {
        let keys = chunk.iter().map(|slot| slot.parts().1);
        let fill = chunk.last().map(|slot| slot.parts().1).into_iter().cycle();
        let tenant = chunk.first().map(|slot| slot.parts().0).into_iter();
        let values: Vec<ValueRef<'_>> =
            tenant.chain(keys.chain(fill).take(width)).map(ValueRef::from).collect();
        tx.select(&sql, &values)?
    };
    for row in rows {
        let [Value::Text(key), Value::Text(data)] = row.as_slice() else {
            return Err(damaged(name, "a row that is not text".to_owned()));
        };
        let found = chunk.binary_search_by(|slot| slot.parts().1.cmp(key.as_str()));
        let Some(slot) = found.ok().and_then(|at| chunk.get_mut(at)) else { continue };
        let row = serde_json::from_str(&json_of_stored(data.clone())).map_err(|error| {
            damaged(name, format!("row {key:?} that is not of this version: {error}"))
        })?;
        slot.row = Some(row);
        slot.was_there = true;
    }
    Ok(())
}

fn damaged(table: &str, problem: String) -> ProjectionError {
    crate::sql::SqlError::Damaged(format!("table {table} has {problem}; rebuild the projection"))
        .into()
}

/// Refuses a key that no index can hold; `id` is the tenant, `/`, the key.
fn check_key(id: &str, position: Position) -> Result<(), ProjectionError> {
    match id.split_once('/') {
        Some((_, key)) if key.len() > INDEXED_BYTES_MAX => {
            let len = key.len();
            let reason = format!("key of a row has {len} bytes: it may have {INDEXED_BYTES_MAX}");
            Err(poison(position, reason))
        }
        _ => Ok(()),
    }
}

const fn poison(position: Position, reason: String) -> ProjectionError {
    ProjectionError::PoisonEvent { position, reason }
}

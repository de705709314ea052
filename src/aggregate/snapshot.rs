//! Snapshots: a cache of folded state, thrown away whenever it might not fit (G11).

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Writes and reads a state as bytes.
pub struct SnapshotCodec<A> {
    /// Writes the state.
    pub save: fn(&A) -> Option<Vec<u8>>,
    /// Reads a state; `None` when the bytes do not fit.
    pub load: fn(&[u8]) -> Option<A>,
    /// Identifies the shape of the state: another hash means that old snapshots are ignored.
    pub schema_hash: u64,
}

/// Says how often an aggregate's state is kept, and in which generation of its logic.
pub struct SnapshotPolicy<A> {
    /// A snapshot is written when so many events have come since the last one; at least 1.
    pub every_events: u64,
    /// Generation of [`Aggregate::evolve`](super::Aggregate::evolve): raise it when the same
    /// events add up to something else, and old snapshots are ignored.
    pub logic_version: u32,
    /// How the state is written.
    pub codec: SnapshotCodec<A>,
}

impl<A: Default + Serialize + DeserializeOwned> SnapshotPolicy<A> {
    /// Keeps the state as JSON every `every_events` events.
    ///
    /// The schema hash is that of the names and kinds of fields of the default state.
    #[must_use]
    pub fn json(every_events: u64, logic_version: u32) -> Self {
        let codec = SnapshotCodec {
            save: |state| serde_json::to_vec(state).ok(),
            load: |bytes| serde_json::from_slice(bytes).ok(),
            schema_hash: schema_hash(&A::default()),
        };
        Self { every_events: every_events.max(1), logic_version, codec }
    }
}

fn schema_hash<A: Serialize>(state: &A) -> u64 {
    let mut shape = String::from(std::any::type_name::<A>());
    describe(&serde_json::to_value(state).unwrap_or_default(), &mut shape);
    let hash = blake3::hash(shape.as_bytes());
    u64::from_le_bytes(hash.as_bytes().first_chunk().copied().unwrap_or_default())
}

fn describe(value: &serde_json::Value, shape: &mut String) {
    use serde_json::Value;
    match value {
        Value::Null => shape.push('0'),
        Value::Bool(_) => shape.push('b'),
        Value::Number(_) => shape.push('n'),
        Value::String(_) => shape.push('s'),
        Value::Array(items) => {
            shape.push('[');
            items.iter().for_each(|item| describe(item, shape));
            shape.push(']');
        }
        Value::Object(fields) => {
            shape.push('{');
            for (name, field) in fields {
                shape.push_str(name);
                shape.push(':');
                describe(field, shape);
            }
            shape.push('}');
        }
    }
}

//! Rows that were written lately, so that a hot row is not read and parsed for every batch.

use rustc_hash::FxHashMap;

/// A bounded memory of rows, as they are in the table after the last commit.
///
/// Two halves: what is used moves to the young one, and when that is full the old one is
/// forgotten. So the rows used last stay, for one look-up and no list to keep in order.
/// It belongs to a transaction while it is used and is dropped with it if that rolls back.
pub(crate) struct RowMemory<R> {
    young: FxHashMap<String, Kept<R>>,
    old: FxHashMap<String, Kept<R>>,
    young_bytes: usize,
}

/// A row as remembered; `row` is `None` when the table is known to have none.
pub(crate) struct Kept<R> {
    pub(crate) row: Option<R>,
    pub(crate) bytes: usize,
}

impl<R> RowMemory<R> {
    /// The most rows of a half.
    const ROWS_MAX: usize = 16_384;
    /// The most bytes of JSON and keys of a half; in memory they take a few times as much.
    const BYTES_MAX: usize = 2 << 20;

    pub(crate) fn new() -> Self {
        Self { young: FxHashMap::default(), old: FxHashMap::default(), young_bytes: 0 }
    }

    /// Takes a row out; it is put back once it is written.
    pub(crate) fn take(&mut self, id: &str) -> Option<Kept<R>> {
        if let Some(kept) = self.young.remove(id) {
            self.young_bytes = self.young_bytes.saturating_sub(kept.bytes + id.len());
            return Some(kept);
        }
        self.old.remove(id)
    }

    /// Puts a row in as it was written.
    pub(crate) fn put(&mut self, id: String, kept: Kept<R>) {
        self.young_bytes += kept.bytes + id.len();
        self.young.insert(id, kept);
        if self.young.len() > Self::ROWS_MAX || self.young_bytes > Self::BYTES_MAX {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
    }
}

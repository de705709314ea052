//! Prepared statements of a connection, the least lately used of which goes first.

use rustc_hash::FxHashMap;
use tokio_postgres::{Client, Error, Statement};

/// Statements by their text; at most a number of them.
pub(super) struct Statements {
    kept: FxHashMap<String, Kept>,
    most: usize,
    uses: u64,
}

struct Kept {
    statement: Statement,
    last_use: u64,
}

impl Statements {
    pub(super) fn new(most: usize) -> Self {
        Self { kept: FxHashMap::default(), most: most.max(1), uses: 0 }
    }

    /// Returns the statement, preparing it if it is not kept.
    pub(super) async fn prepare(&mut self, client: &Client, sql: &str) -> Result<Statement, Error> {
        self.uses += 1;
        if let Some(kept) = self.kept.get_mut(sql) {
            kept.last_use = self.uses;
            return Ok(kept.statement.clone());
        }
        let statement = client.prepare(sql).await?;
        self.make_room();
        let kept = Kept { statement: statement.clone(), last_use: self.uses };
        self.kept.insert(sql.to_owned(), kept);
        Ok(statement)
    }

    /// Forgets every statement; the server does too.
    pub(super) fn clear(&mut self) {
        self.kept.clear();
    }

    fn make_room(&mut self) {
        if self.kept.len() < self.most {
            return;
        }
        let oldest = self.kept.iter().min_by_key(|(_, kept)| kept.last_use);
        if let Some(sql) = oldest.map(|(sql, _)| sql.clone()) {
            self.kept.remove(&sql);
        }
    }
}

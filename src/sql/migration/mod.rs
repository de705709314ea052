//! The schema of the read side, changed in numbered steps up and down.
//!
//! Each capability has steps of its own, `migrations/<capability>/NNNN_name.up.sql` and
//! `.down.sql`, embedded by [`migrations!`](crate::migrations). A step runs in one transaction
//! together with its entry in `schema_migrations`, so a killed run is simply continued. Tables
//! of projections are not migrated: a raised version fills new ones.

mod ledger;

use self::ledger::{Applied, enter, key, read_applied};
use super::{Database, Dialect, SqlError, TxEngine};
use crate::clock::{Clock, SystemClock};

/// The framework's own tables.
pub const CORE: MigrationSet = crate::migrations!("core" in "migrations/core" {
    "0001_projections",
    "0002_snapshots",
    "0003_api_keys",
});

/// The tables of the event log in PostgreSQL; the embedded log has none.
pub const STORE: MigrationSet = MigrationSet {
    capability: "store",
    steps: &[Migration {
        stem: "0001_events",
        up: Script::Each {
            sqlite: "",
            postgres: include_str!("../../../migrations/store/0001_events.up.postgres.sql"),
        },
        down: Script::Each {
            sqlite: "",
            postgres: include_str!("../../../migrations/store/0001_events.down.postgres.sql"),
        },
    }],
};

/// The steps of a capability, in order.
#[derive(Clone, Copy, Debug)]
pub struct MigrationSet {
    /// The capability's name.
    pub capability: &'static str,
    /// The steps, numbered from 1 without a gap.
    pub steps: &'static [Migration],
}

/// A step of a schema.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// `NNNN_name`.
    pub stem: &'static str,
    /// Does the step.
    pub up: Script,
    /// Undoes the step.
    pub down: Script,
}

/// The text of a step.
#[derive(Clone, Copy, Debug)]
pub enum Script {
    /// One text for both engines.
    Same(&'static str),
    /// A text for each engine, where they truly differ.
    Each {
        /// For SQLite.
        sqlite: &'static str,
        /// For PostgreSQL.
        postgres: &'static str,
    },
}

/// What is known of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationStatus {
    /// The capability.
    pub capability: String,
    /// `NNNN_name`.
    pub stem: String,
    /// When it was done; `None` while it is not.
    pub applied_at: Option<String>,
}

/// Says why the schema was not changed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum MigrationError {
    /// A step was edited after it had been done. Developer: restore it and add another step.
    #[error("migration {capability}/{stem} was changed after it was applied: restore its text")]
    Changed {
        /// The capability.
        capability: String,
        /// The step.
        stem: String,
    },
    /// The database has a step that this program does not. Operator: use the newer program.
    #[error("database has migration {capability}/{stem}, unknown here: use a newer program")]
    Newer {
        /// The capability.
        capability: String,
        /// The step.
        stem: String,
    },
    /// A step is not numbered as its place says, or an earlier one is missing. Developer.
    #[error("migration {capability}/{stem} is out of order: number steps from 0001 without gaps")]
    Order {
        /// The capability.
        capability: String,
        /// The step.
        stem: String,
    },
    /// There is no such capability. Caller: name another.
    #[error("no migrations of capability {capability:?} are known")]
    UnknownCapability {
        /// The capability asked for.
        capability: String,
    },
    /// A step failed and was rolled back.
    #[error("migration {capability}/{stem} failed: {source}")]
    Failed {
        /// The capability.
        capability: String,
        /// The step.
        stem: String,
        /// What the engine says.
        source: SqlError,
    },
    /// The table of done steps cannot be read.
    #[error(transparent)]
    Sql(#[from] SqlError),
}

/// Brings a database's schema up and down.
pub struct Migrator {
    database: Database,
    sets: Vec<MigrationSet>,
}

impl Migrator {
    /// Knows the framework's steps and those of the capabilities, which run in this order.
    #[must_use]
    pub fn new(database: Database, capabilities: impl IntoIterator<Item = MigrationSet>) -> Self {
        Self::only(database, std::iter::once(CORE).chain(capabilities))
    }

    /// Knows these steps and no others, such as [`STORE`]'s in the database of the log.
    #[must_use]
    pub fn only(database: Database, sets: impl IntoIterator<Item = MigrationSet>) -> Self {
        Self { database, sets: sets.into_iter().collect() }
    }

    /// Does every step that is not done and returns how many those were.
    ///
    /// # Errors
    /// [`MigrationError`]; steps before the one that failed stay done.
    pub async fn up(&self) -> Result<usize, MigrationError> {
        let done = self.checked().await?;
        let mut count = 0;
        for set in &self.sets {
            for step in set.steps.iter().filter(|step| !done.contains_key(&key(set, step))) {
                self.run(set, *step, true).await?;
                count += 1;
            }
        }
        Ok(count)
    }

    /// Undoes a capability's steps above number `to`, latest first; 0 undoes all.
    ///
    /// # Errors
    /// [`MigrationError`]; steps undone before the one that failed stay undone.
    pub async fn down(&self, capability: &str, to: u32) -> Result<usize, MigrationError> {
        let set = self.sets.iter().find(|set| set.capability == capability);
        let set = set.ok_or_else(|| MigrationError::UnknownCapability {
            capability: capability.to_owned(),
        })?;
        let done = self.checked().await?;
        let mut count = 0;
        for step in set.steps.iter().rev().filter(|step| step.number() > to) {
            if done.contains_key(&key(set, step)) {
                self.run(set, *step, false).await?;
                count += 1;
            }
        }
        Ok(count)
    }

    /// Lists every step and when it was done.
    ///
    /// # Errors
    /// [`MigrationError`] when what is done does not fit what is known.
    pub async fn status(&self) -> Result<Vec<MigrationStatus>, MigrationError> {
        let done = self.checked().await?;
        let steps = self.sets.iter().flat_map(|set| set.steps.iter().map(move |step| (set, step)));
        let status = steps.map(|(set, step)| MigrationStatus {
            capability: set.capability.to_owned(),
            stem: step.stem.to_owned(),
            applied_at: done.get(&key(set, step)).map(|applied| applied.at.clone()),
        });
        Ok(status.collect())
    }

    /// Reads what is done and checks it against what is known.
    async fn checked(&self) -> Result<Applied, MigrationError> {
        let done: Applied = self.database.write(read_applied).await?;
        for set in &self.sets {
            self.check_set(set, &done)?;
        }
        Ok(done)
    }

    fn check_set(&self, set: &MigrationSet, done: &Applied) -> Result<(), MigrationError> {
        let capability = || set.capability.to_owned();
        let mut has_gap = false;
        for (at, step) in set.steps.iter().enumerate() {
            let stem = || step.stem.to_owned();
            let applied = done.get(&key(set, step));
            if step.number() as usize != at + 1 || (applied.is_some() && has_gap) {
                return Err(MigrationError::Order { capability: capability(), stem: stem() });
            }
            has_gap |= applied.is_none();
            let checksum = step.checksum(self.database.dialect());
            if applied.is_some_and(|applied| applied.checksum != checksum) {
                return Err(MigrationError::Changed { capability: capability(), stem: stem() });
            }
        }
        let own = done.iter().filter(|((capability, _), _)| capability == set.capability);
        let known = set.steps.len() as u32;
        match own.map(|((_, number), applied)| (number, applied)).find(|(n, _)| **n > known) {
            Some((_, applied)) => {
                let stem = applied.stem.clone();
                Err(MigrationError::Newer { capability: capability(), stem })
            }
            None => Ok(()),
        }
    }

    async fn run(
        &self,
        set: &MigrationSet,
        step: Migration,
        is_up: bool,
    ) -> Result<(), MigrationError> {
        let capability = set.capability;
        let at = SystemClock.now().to_string();
        let work = move |tx: &mut dyn TxEngine| {
            let script = if is_up { step.up } else { step.down };
            tx.run_script(script.text(tx.dialect()))?;
            enter(tx, capability, &step, is_up.then_some(at))
        };
        self.database.write_durably(work).await.map_err(|source| MigrationError::Failed {
            capability: capability.to_owned(),
            stem: step.stem.to_owned(),
            source,
        })
    }
}

impl Migration {
    /// Returns the number in front of the name; 0 when there is none.
    #[must_use]
    pub fn number(&self) -> u32 {
        let number = self.stem.split_once('_').map(|(number, _)| number);
        number.filter(|n| n.len() == 4).and_then(|n| n.parse().ok()).unwrap_or_default()
    }

    /// Returns the hash of both texts; line ends do not count.
    fn checksum(&self, dialect: Dialect) -> String {
        let mut hasher = blake3::Hasher::new();
        for script in [self.up, self.down] {
            for line in script.text(dialect).lines() {
                hasher.update(line.as_bytes()).update(b"\n");
            }
        }
        hasher.finalize().to_hex().as_str().chars().take(32).collect()
    }
}

impl Script {
    const fn text(self, dialect: Dialect) -> &'static str {
        match (self, dialect) {
            (Self::Same(text), _) => text,
            (Self::Each { sqlite, .. }, Dialect::Sqlite) => sqlite,
            (Self::Each { postgres, .. }, Dialect::Postgres) => postgres,
        }
    }
}

/// Embeds the steps of a capability; the folder is relative to the crate's `Cargo.toml`.
///
/// ```
/// use headwater::sql::MigrationSet;
///
/// const STEPS: MigrationSet = headwater::migrations!("core" in "migrations/core" {
///     "0001_projections",
/// });
/// ```
#[macro_export]
macro_rules! migrations {
    ($capability:literal in $folder:literal { $( $stem:literal ),* $(,)? }) => {
        $crate::sql::MigrationSet {
            capability: $capability,
            steps: &[ $( $crate::sql::Migration {
                stem: $stem,
                up: $crate::sql::migration::Script::Same(include_str!(concat!(
                    env!("CARGO_MANIFEST_DIR"), "/", $folder, "/", $stem, ".up.sql"
                ))),
                down: $crate::sql::migration::Script::Same(include_str!(concat!(
                    env!("CARGO_MANIFEST_DIR"), "/", $folder, "/", $stem, ".down.sql"
                ))),
            } ),* ],
        }
    };
}

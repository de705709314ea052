//! The schema of the read side, changed in numbered steps up and down.
//!
//! Each capability has steps of its own, `migrations/<capability>/NNNN_name.up.sql` and
//! `.down.sql`, embedded by [`migrations!`](crate::migrations). A step runs in one transaction
//! together with its entry in `schema_migrations`, so a killed run is simply continued; a
//! [`StepHead`] of its own may say otherwise. One runner works at a time. Tables of projections
//! are not migrated: a raised version fills new ones.

mod apart;
mod batch;
mod change;
mod error;
mod gate;
mod head;
mod ledger;
mod migrator;
mod reach;
mod run;
mod statement;
mod status;
mod turn;

pub use self::batch::Batch;
pub use self::error::MigrationError;
pub use self::head::{HeadError, Phase, StepHead};
pub use self::migrator::{MigrationProgress, Migrator};
pub use self::reach::Reach;
pub(crate) use self::statement::statements;
pub use self::status::{MigrationStatus, StepState};
use super::Dialect;

/// The framework's own tables.
pub const CORE: MigrationSet = crate::migrations!("core" in "migrations/core" {
    "0001_projections",
    "0002_snapshots",
    "0003_api_keys",
    "0004_log",
});

/// Who uses a database and what each holds of it; in the read side, and in the database of the
/// log when that is another.
pub const NODES: MigrationSet = crate::migrations!("nodes" in "migrations/nodes" {
    "0001_nodes",
});

/// The tables of the event log in PostgreSQL; the embedded log has none.
pub const STORE: MigrationSet = crate::migrations!("store" in "migrations/store" {
    "0001_events" for postgres,
    "0002_conditions" for postgres,
    "0003_event_ids" for postgres,
    "0004_event_scope" for postgres,
});

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

impl Migration {
    /// Returns the number in front of the name; 0 when there is none.
    #[must_use]
    pub fn number(&self) -> u32 {
        let number = self.stem.split_once('_').map(|(number, _)| number);
        number.filter(|n| n.len() == 4).and_then(|n| n.parse().ok()).unwrap_or_default()
    }

    /// Returns how the step is done, or how it is undone: what its text says at its top.
    ///
    /// # Errors
    /// [`HeadError`] naming the line.
    pub fn head(&self, dialect: Dialect, is_up: bool) -> Result<StepHead, HeadError> {
        self.text(dialect, is_up).parse()
    }

    /// Returns the text that does or undoes the step.
    const fn text(&self, dialect: Dialect, is_up: bool) -> &'static str {
        let script = if is_up { self.up } else { self.down };
        script.text(dialect)
    }

    /// Returns the hash of both texts.
    fn checksum(&self, dialect: Dialect) -> String {
        checksum_of(&[self.up, self.down].map(|script| script.text(dialect)))
    }
}

/// Returns the hash of texts; line ends do not count.
fn checksum_of(texts: &[&str]) -> String {
    let mut hasher = blake3::Hasher::new();
    for line in texts.iter().flat_map(|text| text.lines()) {
        hasher.update(line.as_bytes()).update(b"\n");
    }
    hasher.finalize().to_hex().as_str().chars().take(32).collect()
}

impl Script {
    /// Returns the text for an engine.
    #[must_use]
    pub const fn text(self, dialect: Dialect) -> &'static str {
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
///
/// Where the engines truly differ, `"0002_name" for each` takes `0002_name.up.sqlite.sql` and
/// `0002_name.up.postgres.sql`, and the same with `down`; `for postgres` and `for sqlite` take
/// the files of one engine and do nothing on the other.
#[macro_export]
macro_rules! migrations {
    ($capability:literal in $folder:literal {
        $( $stem:literal $( for $engine:ident )? ),* $(,)?
    }) => {
        $crate::sql::MigrationSet {
            capability: $capability,
            steps: &[ $( $crate::sql::Migration {
                stem: $stem,
                up: $crate::migrations!(@script $folder, $stem, ".up" $(, $engine)?),
                down: $crate::migrations!(@script $folder, $stem, ".down" $(, $engine)?),
            } ),* ],
        }
    };
    (@script $folder:literal, $stem:literal, $way:literal) => {
        $crate::sql::migration::Script::Same(
            $crate::migrations!(@text $folder, $stem, $way, ".sql")
        )
    };
    (@script $folder:literal, $stem:literal, $way:literal, each) => {
        $crate::sql::migration::Script::Each {
            sqlite: $crate::migrations!(@text $folder, $stem, $way, ".sqlite.sql"),
            postgres: $crate::migrations!(@text $folder, $stem, $way, ".postgres.sql"),
        }
    };
    (@script $folder:literal, $stem:literal, $way:literal, sqlite) => {
        $crate::sql::migration::Script::Each {
            sqlite: $crate::migrations!(@text $folder, $stem, $way, ".sqlite.sql"),
            postgres: "",
        }
    };
    (@script $folder:literal, $stem:literal, $way:literal, postgres) => {
        $crate::sql::migration::Script::Each {
            sqlite: "",
            postgres: $crate::migrations!(@text $folder, $stem, $way, ".postgres.sql"),
        }
    };
    (@text $folder:literal, $stem:literal, $way:literal, $end:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/", $folder, "/", $stem, $way, $end))
    };
}

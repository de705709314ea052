//! Where a system says that it lives: in its read side, and where the log has tables apart.

use super::builder::StartError;
use crate::nodes::{Membership, NodeConfig};
use crate::sql::migration::{NODES, STORE};
use crate::sql::{Database, Migrator};

/// The databases that know of a system.
pub(super) struct Places {
    /// Where it takes its share of the work.
    pub read_side: Membership,
    /// Where the log's tables are, when that is another place: it takes no work there.
    log: Option<Membership>,
}

impl Places {
    /// Says in each database that the system lives and what it knows of the schema.
    pub async fn join(
        read_side: &Database,
        migrator: Migrator,
        log_tables: Option<Database>,
        node: NodeConfig,
    ) -> Result<Self, StartError> {
        let is_here = |tables: &Database| tables.address() == read_side.address();
        let (here, apart) = match log_tables {
            Some(tables) if is_here(&tables) => (Some(tables), None),
            apart => (None, apart),
        };
        let mut known = migrator;
        if here.is_some() {
            known = known.with(STORE);
        }
        let log = match apart {
            Some(tables) => {
                let known = Migrator::only(tables, [STORE, NODES]);
                Some(enter(&known, NodeConfig { is_visitor: true, ..node.clone() }).await?)
            }
            None => None,
        };
        Ok(Self { read_side: enter(&known, node).await?, log })
    }

    /// Returns each of them.
    pub fn all(&self) -> impl Iterator<Item = Membership> {
        std::iter::once(self.read_side.clone()).chain(self.log.clone())
    }

    /// Says everywhere that the system leaves.
    pub async fn leave(&self) {
        for place in self.all() {
            if let Err(error) = place.leave().await {
                tracing::warn!(%error, "others were not told that this node leaves");
            }
        }
    }
}

/// Enters one place, and looks whether its schema fits once it is known there who uses it: from
/// then on no step takes away what this program needs.
async fn enter(known: &Migrator, node: NodeConfig) -> Result<Membership, StartError> {
    let heartbeats = known.database().aside()?;
    let membership = Membership::join(heartbeats, node, known.last_steps()).await?;
    known.check().await?;
    Ok(membership)
}

//! A node's own part: its heartbeat, its leases, and what it last saw of the others.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::{Mutex, Notify, watch};
use tokio::time::{MissedTickBehavior, interval};
use uuid::Uuid;

use super::roster::{Lease, Node, NodeState, Roster};
use super::share::{newest, share_out};
use super::{NodeConfig, table};
use crate::sql::{Database, Dialect, SqlError, ToValue, TxEngine, Value};

/// A node among those that share a database; cheap to clone.
#[derive(Clone)]
pub struct Membership {
    inner: Arc<Inner>,
}

struct Inner {
    id: String,
    config: NodeConfig,
    knows: Versions,
    /// What somebody on this node stands ready to do, with its version.
    able: parking_lot::Mutex<Versions>,
    has_changed: Notify,
    database: Database,
    view: watch::Sender<View>,
    company: Company,
    /// One round at a time, so that a later one is not overwritten by an earlier one's view.
    presence: Mutex<Presence>,
}

/// Whether there may be another round.
#[derive(Default, PartialEq, Eq)]
enum Presence {
    #[default]
    Here,
    Left,
}

/// Versions by name.
pub(crate) type Versions = BTreeMap<String, u32>;

/// A lease as this node holds it; cheap to clone.
#[derive(Clone, Debug)]
pub struct Tenure {
    name: String,
    node: String,
    token: i64,
    company: Company,
}

/// Whether other nodes live, which follow what this one does.
#[derive(Clone, Debug, Default)]
pub(crate) struct Company(Arc<watch::Sender<bool>>);

/// What a node saw at its last heartbeat.
#[derive(Clone, Default)]
struct View {
    roster: Roster,
    /// Its own leases, without those that it should give up.
    holds: BTreeMap<String, i64>,
}

/// Says why a lease could not be taken at once.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// Another node has a newer version of what the lease is for. Caller: ask that node.
    #[error("{lease} is run by nodes of version {version}, such as {node}: ask that one")]
    Newer {
        /// The lease.
        lease: String,
        /// The newer version.
        version: u32,
        /// The name of a node that has it, with its address where it has one.
        node: String,
    },
    /// The database failed. Nobody while it is transient, else operator.
    #[error(transparent)]
    Sql(#[from] SqlError),
}

impl Company {
    /// Returns whether there was another living node at the last heartbeat.
    pub(crate) fn is_there(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until there is another living node.
    pub(crate) async fn arrives(&self) {
        // The sender lives as long as this borrow.
        let _ = self.0.subscribe().wait_for(|is_there| *is_there).await;
    }
}

impl Tenure {
    /// Returns what tells whether the holder is followed by others.
    pub(crate) fn company(&self) -> Company {
        self.company.clone()
    }

    /// Returns the name of the lease.
    #[must_use]
    pub fn lease(&self) -> &str {
        &self.name
    }

    /// Returns what tells this holder from those before it: it only rises.
    #[must_use]
    pub const fn token(&self) -> i64 {
        self.token
    }

    /// Returns whether the lease is still held, as of this transaction.
    ///
    /// Who takes a lease later does not wait for this transaction: write what only the holder
    /// may write with the token beside it, and compare that at each write.
    ///
    /// # Errors
    /// [`SqlError`].
    pub fn is_held(&self, tx: &mut dyn TxEngine) -> Result<bool, SqlError> {
        table::is_held(tx, self)
    }

    pub(super) fn values(&self) -> [Value; 3] {
        [self.name.to_value(), self.node.to_value(), self.token.to_value()]
    }
}

impl Membership {
    /// Joins the nodes of a database, whose migrations must be up, and takes a first share.
    ///
    /// A file belongs to one program: there, whoever comes takes everything.
    pub(crate) async fn join(
        database: Database,
        config: NodeConfig,
        knows: Versions,
    ) -> Result<Self, SqlError> {
        let is_alone = database.dialect() == Dialect::Sqlite;
        let (id, config) = (Uuid::now_v7().to_string(), config.bounded(is_alone));
        let inner = Inner {
            id,
            config,
            knows,
            able: parking_lot::Mutex::default(),
            has_changed: Notify::new(),
            database,
            view: watch::Sender::default(),
            company: Company::default(),
            presence: Mutex::default(),
        };
        let own = Self { inner: Arc::new(inner) };
        if is_alone {
            own.be_alone().await?;
        }
        own.refresh().await?;
        Ok(own)
    }

    /// Returns what tells this start of the program from every other.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.inner.id
    }

    /// Returns what was seen at the last heartbeat.
    #[must_use]
    pub fn roster(&self) -> Roster {
        self.inner.view.borrow().roster.clone()
    }

    /// Waits until what is seen at a heartbeat is as wanted.
    pub async fn until(&self, mut is_so: impl FnMut(&Roster) -> bool) -> Roster {
        let mut views = self.inner.view.subscribe();
        // The sender lives as long as this borrow.
        let _ = views.wait_for(|view| is_so(&view.roster)).await;
        self.roster()
    }

    /// Says again and again that this node lives, and takes its share; never ends.
    pub(crate) async fn live(self) {
        let mut beats = interval(self.inner.config.heartbeat);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut was_well = true;
        loop {
            tokio::select! {
                _ = beats.tick() => {}
                () = self.inner.has_changed.notified() => {}
            }
            let beaten = self.refresh().await;
            match &beaten {
                Ok(()) if !was_well => tracing::info!("heartbeats are written again"),
                Err(error) if was_well => tracing::warn!(%error, "heartbeat was not written"),
                Ok(()) | Err(_) => {}
            }
            was_well = beaten.is_ok();
        }
    }

    /// Says that this node lives, sees who else does, and takes what it should hold.
    pub(crate) async fn refresh(&self) -> Result<(), SqlError> {
        let presence = self.inner.presence.lock().await;
        if *presence == Presence::Left {
            return Ok(());
        }
        let inner = Arc::clone(&self.inner);
        let view = self.inner.database.write(move |tx| inner.round(tx)).await?;
        let mut others = view.roster.nodes.iter().filter(|node| node.id != self.inner.id);
        let has_company = others.any(|node| node.state == NodeState::Alive);
        self.inner.company.0.send_replace(has_company);
        self.inner.view.send_replace(view);
        Ok(())
    }

    /// Says that somebody on this node can do what a lease is for, and its version of that; or,
    /// with `None`, that nobody can any more: then another node does.
    pub(crate) fn set_able(&self, lease: &str, version: Option<u32>) {
        let mut able = self.inner.able.lock();
        let before = match version {
            Some(version) => able.insert(lease.to_owned(), version),
            None => able.remove(lease),
        };
        drop(able);
        if before != version {
            self.inner.has_changed.notify_one();
        }
    }

    /// Returns the lease, if this node holds it and should.
    pub(crate) fn tenure(&self, lease: &str) -> Option<Tenure> {
        let token = self.inner.view.borrow().holds.get(lease).copied()?;
        Some(self.inner.tenure(lease, token))
    }

    /// Waits until this node holds a lease.
    pub(crate) async fn held(&self, lease: &str) -> Tenure {
        let mut views = self.inner.view.subscribe();
        loop {
            if let Some(tenure) = self.tenure(lease) {
                return tenure;
            }
            // The sender lives as long as this borrow.
            let _ = views.changed().await;
        }
    }

    /// Waits until a lease is lost, or should be given up.
    pub(crate) async fn lost(&self, tenure: &Tenure) {
        let is_lost = |view: &View| view.holds.get(&tenure.name) != Some(&tenure.token);
        let _ = self.inner.view.subscribe().wait_for(is_lost).await;
    }

    /// Gives a lease up, after the work under it has ended; when it was lost before, forgets it.
    pub(crate) async fn give_up(&self, tenure: &Tenure) -> Result<(), SqlError> {
        let _presence = self.inner.presence.lock().await;
        let own = tenure.clone();
        let work = move |tx: &mut dyn TxEngine| {
            table::lock(tx)?;
            table::give_up(tx, &own)
        };
        self.inner.database.write(work).await?;
        self.inner.view.send_modify(|view| {
            if view.holds.get(&tenure.name) == Some(&tenure.token) {
                view.holds.remove(&tenure.name);
            }
        });
        Ok(())
    }

    /// Takes a lease from whoever has it, to do at once what an operator asked this node for.
    pub(crate) async fn claim(&self, lease: &str) -> Result<Tenure, ClaimError> {
        if let Some(tenure) = self.tenure(lease) {
            return Ok(tenure);
        }
        let presence = self.inner.presence.lock().await;
        if *presence == Presence::Left {
            return Err(SqlError::Closed.into());
        }
        let (inner, name) = (Arc::clone(&self.inner), lease.to_owned());
        let view = self.inner.database.transact(move |tx| inner.claim(tx, &name)).await?;
        self.inner.view.send_replace(view);
        self.tenure(lease).ok_or_else(|| SqlError::Closed.into())
    }

    /// Says that this node goes in order, and gives up what it holds.
    pub(crate) async fn leave(&self) -> Result<(), SqlError> {
        let mut presence = self.inner.presence.lock().await;
        *presence = Presence::Left;
        let (id, is_visitor) = (self.inner.id.clone(), self.inner.config.is_visitor);
        let work = move |tx: &mut dyn TxEngine| {
            table::lock(tx)?;
            table::leave(tx, &id)?;
            // It was never one that others had to know of.
            if is_visitor { table::remove(tx, &id) } else { Ok(()) }
        };
        self.inner.database.write(work).await
    }

    async fn be_alone(&self) -> Result<(), SqlError> {
        let id = self.inner.id.clone();
        self.inner.database.write(move |tx| table::remove_others(tx, &id)).await
    }
}

impl Inner {
    /// One heartbeat: what is due to this node is taken, and what is due to another is left out
    /// of what it holds, so that whoever works under it ends and gives it up.
    fn round(&self, tx: &mut dyn TxEngine) -> Result<View, SqlError> {
        let before = self.enter(tx)?;
        let chosen = share_out(&before);
        let due = |lease: &Lease| chosen.get(lease.name.as_str()).copied();
        let is_own = |lease: &Lease| due(lease) == Some(self.id.as_str());
        let free = |lease: &&Lease| is_own(lease) && before.is_free(lease);
        let free: Vec<&Lease> = before.leases.iter().filter(free).collect();
        for lease in &free {
            table::take(tx, &lease.name, &self.id)?;
        }
        let roster = if free.is_empty() { before.clone() } else { table::roster(tx)? };
        // What is due to nobody stays with who has it.
        let held = roster.held_by(&self.id).filter(|lease| is_own(lease) || due(lease).is_none());
        let holds = held.map(|lease| (lease.name.clone(), lease.token)).collect();
        Ok(View { roster, holds })
    }

    /// Takes one lease, free or not, beside those it holds.
    fn claim(&self, tx: &mut dyn TxEngine, lease: &str) -> Result<View, ClaimError> {
        let roster = self.enter(tx)?;
        let own = self.able.lock().get(lease).copied();
        if let Some((version, node)) = newest(&roster, lease).filter(|(new, _)| Some(*new) > own) {
            return Err(newer(lease, version, node));
        }
        table::take(tx, lease, &self.id)?;
        let roster = table::roster(tx)?;
        let held = roster.held_by(&self.id);
        let held = held.filter(|held| held.name == lease || self.holds(&held.name));
        let holds = held.map(|lease| (lease.name.clone(), lease.token)).collect();
        Ok(View { roster, holds })
    }

    /// Writes this node's heartbeat and its leases, and reads all of them.
    fn enter(&self, tx: &mut dyn TxEngine) -> Result<Roster, SqlError> {
        table::lock(tx)?;
        let able = self.able.lock().clone();
        let nothing = Versions::new();
        let runs = if self.config.is_visitor { &nothing } else { &able };
        table::beat(tx, &self.id, &self.config, [&self.knows, runs])?;
        let roster = table::roster(tx)?;
        let is_known = |name: &String| roster.leases.iter().any(|lease| lease.name == *name);
        let missing: Vec<&String> = able.keys().filter(|name| !is_known(name)).collect();
        // Nobody here can do what these are for any more.
        let held = roster.held_by(&self.id);
        let left: Vec<&Lease> = held.filter(|held| !able.contains_key(&held.name)).collect();
        if missing.is_empty() && left.is_empty() {
            return Ok(roster);
        }
        missing.into_iter().try_for_each(|name| table::add_lease(tx, name))?;
        for lease in left {
            table::give_up(tx, &self.tenure(&lease.name, lease.token))?;
        }
        table::roster(tx)
    }

    fn tenure(&self, lease: &str, token: i64) -> Tenure {
        let (name, node) = (lease.to_owned(), self.id.clone());
        Tenure { name, node, token, company: self.company.clone() }
    }

    fn holds(&self, lease: &str) -> bool {
        self.view.borrow().holds.contains_key(lease)
    }
}

fn newer(lease: &str, version: u32, node: &Node) -> ClaimError {
    let place = node.address.as_ref().map(|address| format!(" at {address}")).unwrap_or_default();
    let node = format!("{}{place}", node.name);
    ClaimError::Newer { lease: lease.to_owned(), version, node }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::sql::migration::NODES;
    use crate::sql::{Migrator, PostgresConfig};
    use crate::test::ScratchSchema;

    async fn member(scratch: &ScratchSchema) -> Membership {
        let database = PostgresConfig::at(scratch.address().clone()).open().unwrap();
        Migrator::only(database.clone(), [NODES]).up().await.unwrap();
        let config = NodeConfig { silence: Duration::from_secs(600), ..NodeConfig::default() };
        Membership::join(database, config, Versions::new()).await.unwrap()
    }

    #[tokio::test]
    async fn a_lease_for_what_nobody_here_can_do_any_more_goes_to_another_node() {
        let scratch = ScratchSchema::new().unwrap();
        let (one, two) = (member(&scratch).await, member(&scratch).await);
        one.set_able("work", Some(1));
        one.refresh().await.unwrap();
        two.set_able("work", Some(1));
        two.refresh().await.unwrap();
        assert!(one.tenure("work").is_some() && two.tenure("work").is_none());
        one.set_able("work", None);
        one.refresh().await.unwrap();
        two.refresh().await.unwrap();
        assert!(one.tenure("work").is_none() && two.tenure("work").is_some());
    }

    #[tokio::test]
    async fn a_lease_given_up_is_not_held_again_before_the_next_heartbeat() {
        let scratch = ScratchSchema::new().unwrap();
        let one = member(&scratch).await;
        one.set_able("work", Some(1));
        one.refresh().await.unwrap();
        let first = one.tenure("work").unwrap();
        one.give_up(&first).await.unwrap();
        assert!(one.tenure("work").is_none());
        one.refresh().await.unwrap();
        assert!(one.tenure("work").unwrap().token > first.token);
    }

    #[tokio::test]
    async fn who_has_left_says_no_more_that_it_lives() {
        let scratch = ScratchSchema::new().unwrap();
        let (one, two) = (member(&scratch).await, member(&scratch).await);
        one.leave().await.unwrap();
        one.refresh().await.unwrap();
        assert!(one.claim("work").await.is_err());
        two.refresh().await.unwrap();
        assert_eq!(two.roster().node(one.id()).unwrap().state, NodeState::Left);
    }
}

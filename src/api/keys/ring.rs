//! The keys in memory: a request is let in without asking the read side.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use parking_lot::RwLock;
use rustc_hash::FxHashMap;

use super::caller::{KnownKey, Rate};
use super::{Caller, KeyText, Patience, Trials, row};
use crate::api::{ApiLimits, Problem, ProblemKind};
use crate::clock::SharedClock;
use crate::sql::{Database, SqlError, SqlRow, ToValue, Value};

/// A bounded memory of keys, of unknown ones too, so that guessing costs the read side little.
pub(in crate::api) struct KeyRing {
    database: Database,
    clock: SharedClock,
    limits: ApiLimits,
    held: RwLock<FxHashMap<String, Held>>,
    /// Raised by each revocation: a key that was read before it is not kept after it.
    revocations: AtomicU64,
    /// Keys that were looked up and not found good.
    trials: Trials,
}

/// Wrong keys that are looked up for one address, and for all.
const OF_ONE: Patience = Patience { at_once: 100, one_in: Duration::from_millis(100) };
const OF_ALL: Patience = Patience { at_once: 2_000, one_in: Duration::from_millis(2) };

struct Held {
    /// `None`: there is no such key.
    key: Option<Arc<KnownKey>>,
    until: Instant,
}

impl KeyRing {
    pub fn new(database: Database, clock: SharedClock, limits: ApiLimits) -> Self {
        let (held, revocations) = (RwLock::default(), AtomicU64::new(0));
        let trials = Trials::new(&OF_ONE, &OF_ALL);
        Self { database, clock, limits, held, revocations, trials }
    }

    /// Finds whose key it is; the problem never says which part of it is wrong. An address from
    /// which many wrong keys came has to wait before unknown ones are looked up for it.
    pub async fn authenticate(
        &self,
        key: &KeyText,
        address: Option<IpAddr>,
    ) -> Result<Caller, Problem> {
        let known = match self.look_up(key.id()) {
            Some(known) => known,
            None if self.remembers(key) => self.load(key.id()).await?,
            None => {
                self.trials.admit(address)?;
                let known = self.load(key.id()).await?;
                if !known.as_ref().is_some_and(|known| known.hash.matches(&key.hash())) {
                    self.trials.fail(address);
                }
                known
            }
        };
        let now = self.clock.now();
        let good = known.filter(|known| known.hash.matches(&key.hash()) && works(known, now));
        let caller = Caller::new(good.ok_or_else(unknown)?);
        caller.note_use(now);
        Ok(caller)
    }

    /// Returns whether a caller that was let in earlier would be let in now.
    pub async fn still_allows(&self, caller: &Caller) -> bool {
        let known = match self.look_up(caller.key_id()) {
            Some(known) => known,
            None => self.load(caller.key_id()).await.unwrap_or_default(),
        };
        known.is_some_and(|known| works(&known, self.clock.now()))
    }

    /// Returns whether the key was found good earlier, though it may have to be looked up again.
    pub fn remembers(&self, key: &KeyText) -> bool {
        let held = self.held.read();
        let known = held.get(key.id()).and_then(|held| held.key.as_ref());
        known.is_some_and(|known| known.hash.matches(&key.hash()))
    }

    /// Forgets a key that was revoked.
    pub fn forget(&self, id: &str) {
        self.revocations.fetch_add(1, Ordering::SeqCst);
        self.held.write().remove(id);
    }

    /// Stores when keys were last used, those that were since the last time.
    pub async fn store_uses(&self) -> Result<(), SqlError> {
        let uses = self.uses();
        if uses.is_empty() {
            return Ok(());
        }
        let store = move |tx: &mut dyn crate::sql::TxEngine| {
            uses.iter().try_for_each(|(id, at)| {
                tx.execute(row::NOTE_USE, &[at.to_value(), id.to_value()]).map(drop)
            })
        };
        self.database.write(store).await
    }

    fn uses(&self) -> Vec<(String, Timestamp)> {
        let held = self.held.read();
        held.values().filter_map(|held| held.key.as_ref()).filter_map(last_use).collect()
    }

    fn look_up(&self, id: &str) -> Option<Option<Arc<KnownKey>>> {
        let held = self.held.read();
        held.get(id).filter(|held| held.until > Instant::now()).map(|held| held.key.clone())
    }

    async fn load(&self, id: &str) -> Result<Option<Arc<KnownKey>>, Problem> {
        let before = self.revocations.load(Ordering::SeqCst);
        let values: Vec<Value> = vec![id.to_value()];
        let rows = self.database.read(row::SELECT, values).await.map_err(no_keys)?;
        let key = rows.rows.first().map(|row| self.known(row)).transpose().map_err(no_keys)?;
        self.hold_since(before, id, key.clone());
        Ok(key)
    }

    fn known(&self, row: &SqlRow) -> Result<Arc<KnownKey>, SqlError> {
        let info = row::info(row)?;
        // A key that is read again goes on with the bound and the use it had.
        let earlier = self.held.read().get(&info.id).and_then(|held| held.key.clone());
        let used_at_s = earlier.as_ref().map_or(0, |key| key.used_at_s.load(Ordering::Relaxed));
        let rate = match earlier.and_then(|key| key.rate.clone()) {
            Some(rate) => Some(rate),
            None => Rate::of(&self.limits).map(Arc::new),
        };
        let used_at_s = AtomicI64::new(used_at_s);
        Ok(Arc::new(KnownKey { info, hash: row::hash(row)?, rate, used_at_s }))
    }

    /// Keeps what was read, unless a key was revoked since it was.
    fn hold_since(&self, before: u64, id: &str, key: Option<Arc<KnownKey>>) {
        let now = Instant::now();
        let mut held = self.held.write();
        if self.revocations.load(Ordering::SeqCst) != before {
            return;
        }
        if held.len() >= self.limits.keys_cached_max {
            held.retain(|_, held| held.until > now);
        }
        if held.len() >= self.limits.keys_cached_max {
            // Unknown keys make room first, or guessing would push out those in use.
            let victim = held.iter().find(|(_, held)| held.key.is_none()).or(held.iter().next());
            if let Some(victim) = victim.map(|(id, _)| id.clone()) {
                held.remove(&victim);
            }
        }
        let until = now + self.limits.keys_cached_for.max(Duration::from_millis(1));
        held.insert(id.to_owned(), Held { key, until });
    }
}

fn works(key: &KnownKey, now: Timestamp) -> bool {
    key.info.revoked_at.is_none() && key.info.expires_at.is_none_or(|at| now < at)
}

fn last_use(key: &Arc<KnownKey>) -> Option<(String, Timestamp)> {
    let at = Timestamp::from_second(key.used_at_s.swap(0, Ordering::Relaxed)).ok()?;
    (at > Timestamp::UNIX_EPOCH).then(|| (key.info.id.clone(), at))
}

fn unknown() -> Problem {
    let detail = "key is not known, has expired or was revoked";
    Problem::new(ProblemKind::Unauthenticated, detail).closing()
}

fn no_keys(error: SqlError) -> Problem {
    tracing::error!(%error, "keys could not be read");
    Problem::new(ProblemKind::Unavailable, "keys cannot be checked now: try again later")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::keys::{Scope, create_first};
    use crate::clock::SystemClock;
    use crate::event::Tenant;
    use crate::sql::{Migrator, SqliteConfig};

    async fn ring(folder: &tempfile::TempDir) -> KeyRing {
        let database = SqliteConfig::at(folder.path().join("x.sqlite")).open().unwrap();
        Migrator::new(database.clone(), []).up().await.unwrap();
        let limits = ApiLimits { keys_cached_max: 3, ..ApiLimits::default() };
        KeyRing::new(database, SystemClock::shared(), limits)
    }

    #[tokio::test]
    async fn guessing_keys_fills_no_memory_and_pushes_out_no_key_in_use() {
        let folder = tempfile::TempDir::new().unwrap();
        let ring = ring(&folder).await;
        let tenant = Tenant::default_tenant();
        let first = create_first(&ring.database, tenant, Timestamp::now()).await.unwrap().unwrap();
        assert_eq!(first.info.scopes, Scope::ALL);
        assert!(ring.authenticate(&first.text, None).await.is_ok());
        for _ in 0..20 {
            assert!(ring.authenticate(&KeyText::fresh().unwrap(), None).await.is_err());
        }
        assert_eq!(ring.held.read().len(), 3);
        assert!(ring.held.read().contains_key(first.text.id()));
    }

    #[tokio::test]
    async fn wrong_keys_are_looked_up_so_often_and_a_known_key_works_all_the_while() {
        let folder = tempfile::TempDir::new().unwrap();
        let ring = ring(&folder).await;
        let tenant = Tenant::default_tenant();
        let first = create_first(&ring.database, tenant, Timestamp::now()).await.unwrap().unwrap();
        assert!(ring.authenticate(&first.text, None).await.is_ok());
        let mut told = Vec::new();
        while told.last() != Some(&ProblemKind::RateLimited) {
            let wrong = ring.authenticate(&KeyText::fresh().unwrap(), None).await;
            told.push(wrong.err().unwrap().kind());
        }
        assert!(told.len() > 100, "{}", told.len());
        ring.held.write().values_mut().for_each(|held| held.until = Instant::now());
        assert!(ring.authenticate(&first.text, None).await.is_ok());
    }

    #[tokio::test]
    async fn a_key_that_was_read_before_a_revocation_is_not_kept_after_it() {
        let folder = tempfile::TempDir::new().unwrap();
        let ring = ring(&folder).await;
        let before = ring.revocations.load(Ordering::SeqCst);
        ring.forget("some other key");
        ring.hold_since(before, "id", None);
        assert!(ring.look_up("id").is_none());
    }
}

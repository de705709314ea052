//! A world of a memory log, a place for a database, and two small projections of a bank.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use headwater::event::{NewEvent, Position, Recorded, StreamId, Tenant};
use headwater::projection::{
    Definition, PoisonPolicy, Projection, ProjectionError, RowProjection, RunnerConfig, Step,
};
use headwater::runtime::feed::{Catalog, Runner};
use headwater::sql::{Database, Migrator, Tx, Value};
use headwater::store::{Append, EventStore, Expected, MemoryStore, SharedStore};
use serde::{Deserialize, Serialize};

use super::place::Place;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum AccountEvent {
    Opened { owner: String },
    Deposited { cents: i64 },
    Closed {},
}

headwater::event_schema! {
    AccountEvent in "account" { Opened = 1, Deposited = 1, Closed = 1 }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Balance {
    pub owner: String,
    pub cents: i64,
    pub deposits: u32,
    pub is_rich: bool,
}

/// What a switch of a test turns off: deposits of this amount cannot be applied.
pub const BAD_CENTS: i64 = 666;

/// The balance of each account; a closed account has no row. `VERSION` is a parameter, so that
/// a test can raise it, and so is the policy: 0 halts, 1 skips, 2 parks.
#[derive(Clone)]
pub struct Balances<const V: u32 = 1, const POLICY: u8 = 0> {
    /// Whether bad deposits are refused.
    pub is_strict: Arc<AtomicBool>,
}

impl<const V: u32, const POLICY: u8> Default for Balances<V, POLICY> {
    fn default() -> Self {
        Self { is_strict: Arc::new(AtomicBool::new(true)) }
    }
}

impl<const V: u32, const POLICY: u8> RowProjection for Balances<V, POLICY> {
    const NAME: &'static str = "balances";
    const VERSION: u32 = V;
    const INDEXES: &'static [&'static str] = &["owner", "is_rich", "cents"];
    const POISON: PoisonPolicy = match POLICY {
        0 => PoisonPolicy::Halt,
        1 => PoisonPolicy::Skip,
        _ => PoisonPolicy::Park,
    };
    type Event = AccountEvent;
    type Key = String;
    type Row = Balance;

    fn route(&self, event: &Recorded<AccountEvent>) -> impl IntoIterator<Item = String> {
        [event.stream_id().to_owned()]
    }

    fn evolve(
        &self,
        _: &String,
        row: &mut Option<Balance>,
        event: &Recorded<AccountEvent>,
    ) -> Result<(), ProjectionError> {
        match &event.data {
            AccountEvent::Opened { owner } => {
                *row = Some(Balance { owner: owner.clone(), ..Balance::default() });
            }
            AccountEvent::Deposited { cents } => {
                if *cents == BAD_CENTS && self.is_strict.load(Ordering::SeqCst) {
                    return Err(ProjectionError::Poison("the devil's deposit".into()));
                }
                let row = row.get_or_insert_default();
                row.cents += cents * i64::from(V);
                row.deposits += 1;
                row.is_rich = row.cents >= 1_000;
            }
            AccountEvent::Closed {} => *row = None,
        }
        Ok(())
    }
}

/// Every deposit as a row, in SQL form; panics at a bad one.
pub struct Deposits;

impl Projection for Deposits {
    const NAME: &'static str = "deposits";
    const VERSION: u32 = 1;
    const SCHEMA: &'static str = "create table {deposits} (tenant text not null, account text not \
        null, revision bigint not null, cents bigint not null, \
        primary key (tenant, account, revision));
        create index {deposits}_by_cents on {deposits} (tenant, cents)";
    const KEY: &'static [&'static str] = &["account", "revision"];
    const INDEXES: &'static [&'static str] = &["cents"];
    const POISON: PoisonPolicy = PoisonPolicy::Skip;
    type Event = AccountEvent;

    fn apply(
        &self,
        batch: &[Recorded<AccountEvent>],
        tx: &mut Tx<'_>,
    ) -> Result<(), ProjectionError> {
        let sql = "insert into {deposits} (tenant, account, revision, cents) values ($1,$2,$3,$4)";
        let rows = batch.iter().filter_map(|event| match event.data {
            AccountEvent::Deposited { cents } => {
                assert!(cents != BAD_CENTS, "no such deposit");
                let id = event.stream_id();
                Some([event.tenant().into(), id.into(), event.revision().into(), cents.into()])
            }
            _ => None,
        });
        tx.execute_many(sql, rows)?;
        Ok(())
    }
}

/// A log, a place and what runs on them.
pub struct World {
    pub store: Arc<MemoryStore>,
    pub place: Place,
    pub config: RunnerConfig,
}

impl World {
    pub fn new() -> Self {
        let config = RunnerConfig { batch_events_max: 4, ..RunnerConfig::default() };
        Self { store: MemoryStore::shared(), place: Place::new(), config }
    }

    pub async fn database(&self) -> Database {
        let database = self.place.open();
        Migrator::new(database.clone(), []).up().await.unwrap();
        database
    }

    pub async fn catalog(&self, definitions: Vec<Definition>) -> Catalog {
        let store: SharedStore = self.store.clone();
        Catalog::open(self.database().await, store, definitions, self.config.clone()).await.unwrap()
    }

    pub async fn append(&self, tenant: &str, account: &str, events: &[AccountEvent]) -> Position {
        let events = events.iter().map(|event| NewEvent::typed(event).unwrap()).collect();
        self.append_raw(tenant, account, events).await
    }

    pub async fn append_raw(&self, tenant: &str, account: &str, events: Vec<NewEvent>) -> Position {
        let stream = StreamId::new("account", account).unwrap();
        let append = Append::to_stream(Tenant::new(tenant).unwrap(), stream, Expected::Any, events);
        self.store.append(append).await.unwrap().position
    }

    /// Opens some accounts, makes deposits, closes one.
    pub async fn fill(&self) -> Position {
        for account in ["ada", "bob", "cyd"] {
            self.append("bank", account, &[opened(account)]).await;
        }
        for cents in 1..=10 {
            self.append("bank", "ada", &[deposited(cents)]).await;
            self.append("bank", "bob", &[deposited(cents * 100)]).await;
        }
        self.append("bank", "cyd", &[AccountEvent::Closed {}]).await
    }
}

pub fn opened(owner: &str) -> AccountEvent {
    AccountEvent::Opened { owner: owner.into() }
}

pub fn deposited(cents: i64) -> AccountEvent {
    AccountEvent::Deposited { cents }
}

pub fn bank() -> Tenant {
    Tenant::new("bank").unwrap()
}

/// Steps until the live rows have considered everything up to a position.
pub async fn run_to(runner: &mut Runner, position: Position) -> Vec<Step> {
    let mut steps = Vec::new();
    while runner.status().position < position {
        let step = runner.step().await.unwrap();
        assert!(step != Step::Halted && step != Step::Paused, "{:?}", runner.status());
        steps.push(step);
    }
    steps
}

/// Steps until the runner says what is wanted.
pub async fn step_until(runner: &mut Runner, is_wanted: impl Fn(&Step) -> bool) -> Step {
    loop {
        let step = runner.step().await.unwrap();
        if is_wanted(&step) {
            return step;
        }
        assert!(step != Step::Halted && step != Step::Paused, "{:?}", runner.status());
    }
}

/// Every row of a table, in order.
pub async fn dump(database: &Database, table: &str) -> Vec<Vec<Value>> {
    let sql = format!("select * from {table} order by 1, 2, 3");
    database.read(&sql, vec![]).await.unwrap().rows
}

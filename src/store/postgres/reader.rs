//! Reads pages over a few connections.

use deadpool_postgres::{Object, Pool};
use futures_util::TryStreamExt;
use futures_util::future::join3;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Error, Row};

use super::config::PostgresStoreConfig;
use super::fault::store_error;
use super::page::{Damage, RawPage};
use super::request::items_json;
use super::statement::{Plan, Statements};
use super::wire::{SqlId, position, revision, sql_position, sql_revision};
use crate::event::{EventId, Position, RecordedEvent, Revision, StreamId, Tenant};
use crate::postgres::{Address, Fault, Pooler, pool};
use crate::store::{
    Direction, LogPage, LogRead, StoreError, StoreLimits, StreamList, StreamListPage, StreamPage,
    StreamRead,
};

/// Plans that hold whatever the statistics say, which lag behind a log that grows.
const SETUP: &str = "set enable_seqscan = off; set enable_hashjoin = off; \
    set enable_mergejoin = off; set jit = off; set work_mem = '64MB'";

/// The same where a session lasts no longer than a transaction.
const BEGIN: &str = "begin isolation level read committed read only; \
    set local enable_seqscan = off; set local enable_hashjoin = off; \
    set local enable_mergejoin = off; set local jit = off; set local work_mem = '64MB'";

/// A parameter and its type, which a statement that is not prepared must be told.
type Parameter<'a> = (&'a (dyn ToSql + Sync), Type);

/// Reads what is visible of the log.
pub(super) struct Reader {
    address: Address,
    limits: StoreLimits,
    pool: Pool,
    statements: Statements,
}

impl Reader {
    /// Makes a reader; its connections are made when they are needed.
    pub fn new(config: &PostgresStoreConfig) -> Result<Self, StoreError> {
        let address = config.address.clone();
        let pool = pool(&address, config.readers).map_err(|fault| store_error(&fault, &address))?;
        let statements = Statements::of(address.schema());
        Ok(Self { address, limits: config.limits.clone(), pool, statements })
    }

    /// Ends the connections when their reads are done.
    pub fn close(&self) {
        self.pool.close();
    }

    /// Reads a page of the log.
    pub async fn log_page(&self, read: LogRead) -> Result<LogPage, StoreError> {
        let plan = Plan::of(&read);
        let limit = read.limit.clamp(1, self.limits.page_events_max);
        let (from, count, bytes) = self.bounds(sql_position(read.from), limit);
        let (tenant, items) = (
            read.tenant.as_ref().map(Tenant::as_str),
            (plan != Plan::All).then(|| items_json(&read.query).to_string()),
        );
        let scan = i64::try_from(self.limits.page_scan_max).unwrap_or(i64::MAX / 2);
        let all: [Parameter<'_>; 6] = [
            (&from, Type::INT8),
            (&count, Type::INT8),
            (&bytes, Type::INT8),
            (&tenant, Type::TEXT),
            (&items, Type::TEXT),
            (&scan, Type::INT8),
        ];
        let used = match plan {
            Plan::All => 3,
            Plan::Tags => 5,
            Plan::Kinds | Plan::Mixed => 6,
        };
        let parameters = all.get(..used).unwrap_or_default();
        let row = self.row(self.statements.log(plan, read.direction), parameters).await?;
        let row = row.ok_or(StoreError::Closed)?;
        let raw = RawPage::read(&row).map_err(|error| self.error(&error))?;
        let events = self.events(&raw)?;
        let last = events.last().map(RecordedEvent::position).filter(|_| raw.is_cut(limit));
        let scan = plan.is_scan().then_some(self.limits.page_scan_max as u64);
        Ok(log_page(&read, events, (last, scan), position(raw.head)))
    }

    /// Reads a page of a stream.
    pub async fn stream_page(&self, read: StreamRead) -> Result<StreamPage, StoreError> {
        let limit = read.limit.clamp(1, self.limits.page_events_max);
        let (from, count, bytes) = self.bounds(sql_revision(read.from), limit);
        let name = stream_name(&read.tenant, &read.stream);
        let parameters: [Parameter<'_>; 4] =
            [(&from, Type::INT8), (&count, Type::INT8), (&bytes, Type::INT8), (&name, Type::TEXT)];
        let row = self.row(self.statements.stream(read.direction), &parameters).await?;
        let row = row.ok_or(StoreError::Closed)?;
        let raw = RawPage::read(&row).map_err(|error| self.error(&error))?;
        let events = self.events(&raw)?;
        let (last, own) = (events.last().map(RecordedEvent::revision), revision(raw.head));
        let end = match read.direction {
            Direction::Forward => own,
            Direction::Backward => Revision::FIRST,
        };
        Ok(StreamPage { events, revision: own, next: last.filter(|last| *last != end) })
    }

    /// Finds an event.
    pub async fn event(
        &self,
        tenant: Tenant,
        id: EventId,
    ) -> Result<Option<RecordedEvent>, StoreError> {
        let parameters: [Parameter<'_>; 2] =
            [(&SqlId(id), Type::UUID), (&tenant.as_str(), Type::TEXT)];
        let found = self.row(&self.statements.event, &parameters).await?;
        let Some(row) = found else {
            return Ok(None);
        };
        let raw = RawPage::read_event(&row).map_err(|error| self.error(&error))?;
        Ok(self.events(&raw)?.into_iter().next())
    }

    /// Lists streams.
    pub async fn list(&self, list: StreamList) -> Result<StreamListPage, StoreError> {
        let limit = list.limit.clamp(1, self.limits.page_scan_max);
        let count = i64::try_from(limit + 1).unwrap_or(i64::MAX);
        let (statement, owner) = match &list.category {
            Some(category) => (&self.statements.family, format!("{}/{category}", list.tenant)),
            None => (&self.statements.tenant, list.tenant.as_str().to_owned()),
        };
        let after = sql_position(list.after);
        let parameters: [Parameter<'_>; 3] =
            [(&owner, Type::TEXT), (&after, Type::INT8), (&count, Type::INT8)];
        let rows = self.rows(statement, &parameters).await?;
        let mut streams = Vec::with_capacity(rows.len());
        for row in &rows {
            let (name, at): (&str, i64) = (self.get(row, 0)?, self.get(row, 1)?);
            streams.push((self.stream(name, position(at))?, position(at)));
        }
        let has_more = streams.len() > limit;
        streams.truncate(limit);
        let next = streams.last().filter(|_| has_more).map(|(_, position)| *position);
        Ok(StreamListPage { streams, next })
    }

    fn stream(&self, name: &str, at: Position) -> Result<StreamId, StoreError> {
        let own = name.split_once('/').map_or(name, |(_, own)| own);
        own.parse().map_err(|error: crate::event::NameError| {
            self.damaged(Damage { position: at, problem: error.to_string() })
        })
    }

    fn bounds(&self, from: i64, limit: usize) -> (i64, i64, i64) {
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        (from, number(limit), number(self.limits.page_bytes_max))
    }

    fn events(&self, raw: &RawPage<'_>) -> Result<Vec<RecordedEvent>, StoreError> {
        raw.events().map_err(|damage| self.damaged(damage))
    }

    async fn row(
        &self,
        statement: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<Option<Row>, StoreError> {
        Ok(self.rows(statement, parameters).await?.into_iter().next())
    }

    /// Runs a statement; once more on a new connection when the one at hand was dead, because
    /// a read may be repeated.
    async fn rows(
        &self,
        statement: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<Vec<Row>, StoreError> {
        let mut attempts = self.pool.status().max_size + 1;
        loop {
            match self.try_rows(statement, parameters).await {
                Ok(rows) => return Ok(rows),
                Err((fault, true)) if fault.ends_connection() && attempts > 0 => attempts -= 1,
                Err((fault, _)) => return Err(store_error(&fault, &self.address)),
            }
        }
    }

    /// The second part of an error says whether a connection had been there.
    async fn try_rows(
        &self,
        statement: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<Vec<Row>, (Fault, bool)> {
        let fault = |error| (Fault::of(&error, &self.address), true);
        let client = self.pool.get().await;
        let client = client.map_err(|error| (Fault::of_pool(&error, &self.address), false))?;
        if self.address.pooler() == Pooler::Transaction {
            return in_transaction(&client, statement, parameters).await.map_err(fault);
        }
        if Object::metrics(&client).recycle_count == 0 {
            client.batch_execute(SETUP).await.map_err(fault)?;
        }
        let prepared = client.prepare_cached(statement).await.map_err(fault)?;
        let values = parameters.iter().map(|(value, _)| *value);
        let rows = client.query_raw(&prepared, values).await.map_err(fault)?;
        rows.try_collect().await.map_err(fault)
    }

    fn get<'a, T: tokio_postgres::types::FromSql<'a>>(
        &self,
        row: &'a Row,
        at: usize,
    ) -> Result<T, StoreError> {
        row.try_get(at).map_err(|error| self.error(&error))
    }

    fn error(&self, error: &Error) -> StoreError {
        store_error(&Fault::of(error, &self.address), &self.address)
    }

    fn damaged(&self, damage: Damage) -> StoreError {
        let path = format!("table events of {}", self.address);
        StoreError::Damaged { path, offset: damage.position.get(), problem: damage.problem }
    }
}

/// Reads in a transaction of its own, all in one round trip and with nothing prepared.
async fn in_transaction(
    client: &Client,
    statement: &str,
    parameters: &[Parameter<'_>],
) -> Result<Vec<Row>, Error> {
    // Sent in this order without waiting: each puts its message out when it is first polled.
    let (begun, rows, ended) = join3(
        client.batch_execute(BEGIN),
        client.query_typed(statement, parameters),
        client.batch_execute("commit"),
    )
    .await;
    begun?;
    let rows = rows?;
    ended.map(|()| rows)
}

/// Returns how far the page looked; `last` is its last event if more would have matched.
fn log_page(
    read: &LogRead,
    events: Vec<RecordedEvent>,
    (last, scan): (Option<Position>, Option<u64>),
    head: Position,
) -> LogPage {
    match read.direction {
        Direction::Forward => {
            let end = scan.map_or(head, |scan| head.min(read.from.plus(scan)));
            let next = last.unwrap_or(end).max(read.from);
            LogPage { events, next, is_end: next >= head }
        }
        Direction::Backward => {
            let start = read.from.min(head.next());
            let end = scan.map_or(Position::FIRST, |scan| {
                Position::new(start.since(Position::new(scan))).max(Position::FIRST)
            });
            let next = last.unwrap_or(end);
            LogPage { events, next, is_end: next <= Position::FIRST }
        }
    }
}

fn stream_name(tenant: &Tenant, stream: &StreamId) -> String {
    format!("{tenant}/{stream}")
}

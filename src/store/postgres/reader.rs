//! Reads pages over a few connections.

use deadpool_postgres::{Object, Pool};
use futures_util::TryStreamExt;
use futures_util::future::join3;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Error, Row};

use super::config::PostgresStoreConfig;
use super::examine;
use super::fault::store_error;
use super::page::{Damage, RawPage};
use super::request::items_json;
use super::statement::{Plan, Statements};
use super::wire::{SqlId, position, revision, sql_position, sql_revision};
use crate::event::{EventId, Position, RecordedEvent, Revision, StreamId, Tenant};
use crate::postgres::{Address, Fault, Pooler, pool};
use crate::store::{
    BeyondEnd, Direction, LogPage, LogRead, StoreError, StoreLimits, StreamList, StreamListPage,
    StreamPage, StreamRead,
};

/// Plans that hold whatever the statistics say, which lag behind a log that grows, and are not
/// there at all behind a restore: every statement follows an index in its order.
pub(super) const SETUP: &str = "set enable_seqscan = off; set enable_bitmapscan = off; \
    set enable_sort = off; set enable_hashjoin = off; set enable_mergejoin = off; \
    set jit = off; set work_mem = '64MB'";

/// The same where a session lasts no longer than a transaction.
const BEGIN: &str = "begin isolation level read committed read only; \
    set local enable_seqscan = off; set local enable_bitmapscan = off; \
    set local enable_sort = off; set local enable_hashjoin = off; \
    set local enable_mergejoin = off; set local jit = off; set local work_mem = '64MB'";

/// How many positions a filtered page looks at for each event that it may return.
const SCAN_PER_EVENT: usize = 64;

/// The least that a filtered page looks at.
const SCAN_MIN: usize = 4_096;

/// A parameter and its type, which a statement that is not prepared must be told.
type Parameter<'a> = (&'a (dyn ToSql + Sync), Type);

/// Reads what is visible of the log.
pub(super) struct Reader {
    pub(super) address: Address,
    pub(super) limits: StoreLimits,
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
        self.limits.check_query(&read.query).map_err(StoreError::Query)?;
        let plan = Plan::of(&read);
        let limit = read.limit.clamp(1, self.limits.page_events_max);
        let (from, count, bytes) = self.bounds(sql_position(read.from), limit);
        let bytes = bytes.min(i64::try_from(read.bytes_max).unwrap_or(i64::MAX));
        let (tenant, items) = (
            read.tenant.as_ref().map(Tenant::as_str),
            (plan != Plan::All).then(|| items_json(&read.query).to_string()),
        );
        let scan = limit.saturating_mul(SCAN_PER_EVENT).max(SCAN_MIN);
        let scan = i64::try_from(scan.min(self.limits.page_scan_max)).unwrap_or(i64::MAX / 2);
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
        if read.direction == Direction::Forward {
            BeyondEnd::check(read.from, position(raw.head))?;
        }
        let events = self.events(&raw)?;
        let last = events.last().map(RecordedEvent::position).filter(|_| raw.is_cut(limit));
        let reach = raw.reach.map(position);
        Ok(log_page(&read, events, (last, reach), position(raw.head)))
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
        if rows.is_empty() && list.after > Position::ZERO {
            let last = self.row(&self.statements.last, &[]).await?.ok_or(StoreError::Closed)?;
            BeyondEnd::check(list.after, position(self.get(&last, 0)?))?;
        }
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
            return in_transaction(&client, BEGIN, statement, parameters).await.map_err(fault);
        }
        if Object::metrics(&client).recycle_count == 0 {
            client.batch_execute(SETUP).await.map_err(fault)?;
        }
        let prepared = client.prepare_cached(statement).await.map_err(fault)?;
        let values = parameters.iter().map(|(value, _)| *value);
        let rows = client.query_raw(&prepared, values).await.map_err(fault)?;
        rows.try_collect().await.map_err(fault)
    }

    /// Examines a condition; see [`FIND`](super::examine::FIND).
    pub(super) async fn find_row(
        &self,
        condition: &str,
        probes_max: i64,
    ) -> Result<Option<Row>, Fault> {
        let parameters: [Parameter<'_>; 2] = [(&condition, Type::TEXT), (&probes_max, Type::INT8)];
        let mut attempts = self.pool.status().max_size + 1;
        loop {
            let client = self.pool.get().await;
            let client = client.map_err(|error| Fault::of_pool(&error, &self.address))?;
            let find = self.statements.find.as_str();
            let rows = in_transaction(&client, examine::BEGIN, find, &parameters).await;
            match rows.map_err(|error| Fault::of(&error, &self.address)) {
                Ok(rows) => return Ok(rows.into_iter().next()),
                // The one at hand was dead; a read may be repeated.
                Err(fault) if fault.ends_connection() && attempts > 0 => attempts -= 1,
                Err(fault) => return Err(fault),
            }
        }
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
    begin: &str,
    statement: &str,
    parameters: &[Parameter<'_>],
) -> Result<Vec<Row>, Error> {
    // Sent in this order without waiting: each puts its message out when it is first polled.
    let (begun, rows, ended) = join3(
        client.batch_execute(begin),
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
    (last, reach): (Option<Position>, Option<Position>),
    head: Position,
) -> LogPage {
    let looked_at = events.len();
    match read.direction {
        Direction::Forward => {
            let end = reach.map_or(head, |reach| head.min(reach));
            let next = last.unwrap_or(end).max(read.from);
            LogPage { events, next, is_end: next >= head, looked_at }
        }
        Direction::Backward => {
            let end = reach.map_or(Position::FIRST, |reach| reach.max(Position::FIRST));
            let next = last.unwrap_or(end);
            LogPage { events, next, is_end: next <= Position::FIRST, looked_at }
        }
    }
}

fn stream_name(tenant: &Tenant, stream: &StreamId) -> String {
    format!("{tenant}/{stream}")
}

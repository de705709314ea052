//! All projections of a program: what they are called, how they stand, their rows.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use super::lane::Context;
use super::runner::glance;
use super::{Runner, StepError};
use crate::clock::SystemClock;
use crate::event::{Position, Tenant};
use crate::nodes::{Company, Tenure};
use crate::projection::definition::Form;
use crate::projection::status::Progress;
use crate::projection::{
    Definition, ParkedStream, ProjectionState, ProjectionStatus, QueryError, RowEntry, RowPage,
    RowQuery, RunnerConfig, SkippedEvent, checkpoint, origin, parked, query, rebuild,
};
use crate::sql::{Database, SqlError, TxEngine, is_identifier};
use crate::store::{LogRead, SharedStore, StoreError};

/// Knows every registered projection; cheap to clone.
#[derive(Clone)]
pub struct Catalog {
    entries: Arc<BTreeMap<&'static str, Context>>,
    database: Database,
    store: SharedStore,
}

/// What readers may ask of a projection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Readable {
    /// Its name.
    pub name: &'static str,
    /// Whether its rows are served by key.
    pub is_served: bool,
    /// What a key is made of.
    pub key: Vec<&'static str>,
    /// The fields that rows can be filtered by.
    pub indexes: &'static [&'static str],
}

impl Catalog {
    /// The most records that are listed at once.
    pub const LIST_MAX: usize = 1_000;

    /// Registers projections and makes their tables, so that all can be read from now on.
    ///
    /// The database's schema must be up.
    ///
    /// # Errors
    /// [`StepError::Refused`] when a name occurs twice or does not make a table name, a
    /// projection has no table, or its rows are newer than the log; [`StepError::OtherLog`]
    /// when they are of another log; [`StepError::Sql`] when its schema is wrong.
    pub async fn open(
        database: Database,
        store: SharedStore,
        definitions: Vec<Definition>,
        config: RunnerConfig,
    ) -> Result<Self, StepError> {
        let mut entries = BTreeMap::new();
        for definition in definitions {
            let cx = context(definition, &database, &store, &config);
            check(&cx)?;
            cx.check_origin().await?;
            prepare(&cx).await?;
            check_end(&cx).await?;
            if entries.insert(cx.facts.name, cx.clone()).is_some() {
                return Err(cx.refused("another projection has the same name"));
            }
        }
        Ok(Self { entries: Arc::new(entries), database, store })
    }

    /// Lists the projections by name.
    #[must_use]
    pub fn list(&self) -> Vec<Readable> {
        self.entries.values().map(readable).collect()
    }

    /// Returns what readers may ask of a projection; `None` when there is no such.
    #[must_use]
    pub fn readable(&self, name: &str) -> Option<Readable> {
        self.entries.get(name).map(readable)
    }

    /// Takes a projection over for running it; an older runner of it is fenced.
    ///
    /// # Errors
    /// [`StepError`].
    pub async fn runner(&self, name: &str) -> Result<Runner, StepError> {
        Runner::open(self.context(name)?.clone(), None).await
    }

    /// The same for the holder of a lease.
    ///
    /// # Errors
    /// [`StepError::Fenced`] when the lease is lost; else as [`Catalog::runner`].
    pub(crate) async fn runner_under(
        &self,
        name: &str,
        tenure: Tenure,
    ) -> Result<Runner, StepError> {
        Runner::open(self.context(name)?.clone(), Some(tenure)).await
    }

    /// Looks how a projection stands that another node runs, and tells those who wait for it.
    ///
    /// # Errors
    /// [`StepError`].
    pub(crate) async fn look(&self, name: &str) -> Result<(), StepError> {
        let cx = self.context(name)?;
        let name = cx.facts.name;
        let work = move |tx: &mut dyn TxEngine| {
            let rows = rebuild::split(name, checkpoint::load(tx, name)?)?;
            Ok((glance(tx, name, rows)?, origin::load(tx)?))
        };
        let (progress, origin) = cx.database.inspect::<_, SqlError>(work).await?;
        cx.compare(origin).await?;
        cx.progress.send_replace(progress);
        Ok(())
    }

    /// Returns whether somebody waits for a projection's progress.
    pub(crate) fn is_awaited(&self, name: &str) -> bool {
        self.entries.get(name).is_some_and(|cx| cx.progress.receiver_count() > 0)
    }

    /// Waits until somebody begins to wait for a projection's progress.
    pub(crate) async fn awaited(&self, name: &str) {
        match self.entries.get(name) {
            Some(cx) => cx.is_wanted.notified().await,
            None => std::future::pending().await,
        }
    }

    /// Returns the version of a projection's definition; 0 when there is no such.
    pub(crate) fn version(&self, name: &str) -> u32 {
        self.entries.get(name).map_or(0, |cx| cx.facts.version)
    }

    fn context(&self, name: &str) -> Result<&Context, StepError> {
        self.entries.get(name).ok_or_else(|| StepError::Refused {
            name: name.to_owned(),
            problem: "there is no such projection".to_owned(),
        })
    }

    /// Returns how every projection stands, by name.
    #[must_use]
    pub fn statuses(&self) -> Vec<ProjectionStatus> {
        self.entries.keys().filter_map(|name| self.status(name)).collect()
    }

    /// Returns how a projection stands; `None` when there is no such.
    #[must_use]
    pub fn status(&self, name: &str) -> Option<ProjectionStatus> {
        let cx = self.entries.get(name)?;
        let head = *self.store.head().borrow();
        Some(cx.progress.borrow().status(cx.facts.name, head))
    }

    /// Waits until a projection has considered everything up to a position; returns where it
    /// is then.
    ///
    /// # Errors
    /// [`QueryError::NotReached`] after the time, [`QueryError::Halted`] at once when it has
    /// halted before the position.
    pub async fn wait_for(
        &self,
        name: &str,
        position: Position,
        time: Duration,
    ) -> Result<Position, QueryError> {
        let cx = self.entry(name)?;
        let mut progress = cx.progress.subscribe();
        let is_over = |progress: &Progress| {
            progress.position >= position || progress.state == ProjectionState::Halted
        };
        cx.is_wanted.notify_one();
        let reached = timeout(time, progress.wait_for(is_over)).await;
        let is_timeout = reached.is_err();
        drop(reached);
        let (at, name) = (cx.progress.borrow().position, name.to_owned());
        match at >= position {
            true => Ok(at),
            false if is_timeout => Err(QueryError::NotReached { name, at, wanted: position }),
            false => Err(QueryError::Halted { name, at, wanted: position }),
        }
    }

    /// Reads a page of a projection's rows.
    ///
    /// # Errors
    /// [`QueryError`].
    pub async fn query(&self, query: RowQuery) -> Result<RowPage, QueryError> {
        let cx = self.entry(&query.projection)?;
        let facts = cx.facts.clone();
        // Taken before the rows are read: they are at least as new.
        let considered = cx.progress.borrow().position;
        let page = self.database.inspect(move |tx| query::page(tx, &facts, &query)).await;
        let mut page = self.explained(cx, page).await?;
        page.position = page.position.max(considered);
        Ok(page)
    }

    /// Reads the row with a key; `None` when there is none.
    ///
    /// # Errors
    /// [`QueryError`].
    pub async fn get(
        &self,
        name: &str,
        tenant: Tenant,
        key: String,
    ) -> Result<Option<RowEntry>, QueryError> {
        let cx = self.entry(name)?;
        let facts = cx.facts.clone();
        let row = self.database.inspect(move |tx| query::get(tx, &facts, (&tenant, &key))).await;
        self.explained(cx, row).await
    }

    /// Lists skipped events of a projection after a position, oldest first.
    ///
    /// # Errors
    /// [`QueryError`].
    pub async fn skipped(
        &self,
        name: &str,
        after: Position,
        limit: usize,
    ) -> Result<Vec<SkippedEvent>, QueryError> {
        let (name, page) = (self.entry(name)?.facts.name, bounded(after, limit));
        let work = move |tx: &mut dyn crate::sql::TxEngine| parked::list_skipped(tx, name, page);
        Ok(self.database.inspect::<_, SqlError>(work).await?)
    }

    /// Lists parked streams of a projection whose first event lies after a position.
    ///
    /// # Errors
    /// [`QueryError`].
    pub async fn parked(
        &self,
        name: &str,
        after: Position,
        limit: usize,
    ) -> Result<Vec<ParkedStream>, QueryError> {
        let (name, page) = (self.entry(name)?.facts.name, bounded(after, limit));
        let work = move |tx: &mut dyn crate::sql::TxEngine| parked::list_parked(tx, name, page);
        Ok(self.database.inspect::<_, SqlError>(work).await?)
    }

    /// Says so where a statement failed because a node of another version made the rows.
    async fn explained<T>(
        &self,
        cx: &Context,
        outcome: Result<T, QueryError>,
    ) -> Result<T, QueryError> {
        let Err(QueryError::Sql(SqlError::Statement { .. })) = &outcome else { return outcome };
        let (name, own) = (cx.facts.name, cx.facts.version);
        let load = move |tx: &mut dyn TxEngine| checkpoint::load(tx, name);
        let rows = self.database.inspect::<_, SqlError>(load).await?;
        match rows.into_iter().find(|row| row.is_live && row.version != own) {
            Some(live) => {
                let (name, rows) = (name.to_owned(), live.version);
                Err(QueryError::OtherVersion { name, rows, own })
            }
            None => outcome,
        }
    }

    fn entry(&self, name: &str) -> Result<&Context, QueryError> {
        self.entries.get(name).ok_or_else(|| QueryError::UnknownProjection {
            name: name.to_owned(),
            known: self.entries.keys().copied().collect::<Vec<_>>().join(", "),
        })
    }
}

fn bounded(after: Position, limit: usize) -> (Position, u64) {
    (after, limit.clamp(1, Catalog::LIST_MAX) as u64)
}

fn context(
    definition: Definition,
    database: &Database,
    store: &SharedStore,
    config: &RunnerConfig,
) -> Context {
    let facts = definition.facts();
    let progress = Progress {
        version: facts.version,
        generation: 0,
        position: Position::ZERO,
        rebuild_position: None,
        state: ProjectionState::Running,
        skipped: 0,
        parked: 0,
        unknown: 0,
        last_error: None,
    };
    Context {
        definition,
        facts,
        database: database.clone(),
        store: store.clone(),
        config: config.clone(),
        clock: SystemClock::shared(),
        progress: Arc::new(watch::Sender::new(progress)),
        is_wanted: Arc::default(),
        company: Company::default(),
        first_event: Arc::default(),
    }
}

/// Makes the tables of a projection that has none.
async fn prepare(cx: &Context) -> Result<(), StepError> {
    let (definition, name) = (cx.definition.clone(), cx.facts.name);
    let work = move |tx: &mut dyn TxEngine| {
        let rows = rebuild::prepare(tx, &definition)?;
        glance(tx, name, rows)
    };
    cx.progress.send_replace(cx.database.write(work).await?);
    Ok(())
}

/// Checks that the log is not older than the rows made of it: what is appended to it next would
/// be missing from them.
async fn check_end(cx: &Context) -> Result<(), StepError> {
    let position = cx.progress.borrow().position;
    if position <= *cx.store.head().borrow() {
        return Ok(());
    }
    // Another node may have appended and applied it since this one looked where the log ends.
    match cx.store.read_log(LogRead::after(position.previous(), 1)).await {
        Ok(page) if !page.events.is_empty() => return Ok(()),
        Ok(_) | Err(StoreError::BeyondEnd(_)) => {}
        Err(error) => return Err(error.into()),
    }
    let end = *cx.store.head().borrow();
    Err(cx.refused(format!(
        "its rows are of position {position}, the log ends at {end}: bring the newer log back, or \
         set the read side's file aside: rows are made anew, keys and all else in it are not"
    )))
}

/// Checks what a projection's definition would break later.
fn check(cx: &Context) -> Result<(), StepError> {
    let facts = &cx.facts;
    let words = facts.indexes.iter().chain(match &facts.form {
        Form::Rows => [].iter(),
        Form::Columns(key) => key.iter(),
    });
    let tables = cx.definition.tables(cx.database.dialect());
    let all = words.copied().chain([facts.name]).chain(tables.iter().map(String::as_str));
    for word in all {
        if !is_identifier(word) || word.contains("__g") {
            let rule = "use lower case letters, digits and '_', at most 48, without \"__g\"";
            return Err(cx.refused(format!("{word:?} is not a name: {rule}")));
        }
    }
    if tables.is_empty() {
        return Err(cx.refused("SCHEMA makes no table: write `create table {name} (…)`"));
    }
    let is_served = facts.form != Form::Columns(&[]);
    if is_served && !tables.iter().any(|table| table == facts.name) {
        return Err(cx.refused("KEY is set, but SCHEMA makes no table of the projection's name"));
    }
    Ok(())
}

fn readable(cx: &Context) -> Readable {
    let key = match cx.facts.form {
        Form::Rows => vec!["key"],
        Form::Columns(columns) => columns.to_vec(),
    };
    let (name, indexes) = (cx.facts.name, cx.facts.indexes);
    Readable { name, is_served: !key.is_empty(), key, indexes }
}

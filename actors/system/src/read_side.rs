//! Whose read side it is: looked at before anything is written, and marked when it is made.

use headwater::event::Position;
use headwater::plugin::Plugin;
use headwater::runtime::Contribution;
use headwater::sql::{
    Database, Dialect, MigrationSet, Migrator, PostgresConfig, SqlError, SqliteConfig, ToValue,
    TxEngine, Value,
};
use jiff::Timestamp;

use crate::config::Config;
use crate::error::Failure;
use crate::node::read_file;

/// The table with the mark.
const STEPS: MigrationSet = headwater::migrations!("program" in "../../migrations/program" {
    "0001_mark",
});

/// The name of this program in the mark.
const NAME: &str = "headwater";

/// The projections of programs that made no mark yet; a read side without a mark and with another
/// one is not this program's. Later projections do not belong here.
const BEFORE_THE_MARK: [&str; 6] =
    ["customers", "order_hours", "orders", "outbox_endpoints", "products", "revenue"];

/// The capability that a read side of this program has, with or without a mark.
const OUTBOX: &str = "outbox";

/// What was found where the read side is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadSide {
    /// Nothing: no file, an empty one, or no table.
    Nothing,
    /// This program's tables.
    Own {
        /// The mark says so.
        is_marked: bool,
        /// They were made with the log, or hold rows of its events.
        knows_log: bool,
    },
}

/// What to do about a log with events whose read side knows nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// Refuse: the keys and the places of endpoints are somewhere else.
    Refuse,
    /// Make a new one: somebody has said that they are lost.
    MakeAnew,
}

/// Brings the steps of the mark into a system.
pub struct ProgramMark;

impl Plugin for ProgramMark {
    fn name(&self) -> &'static str {
        STEPS.capability
    }

    fn contribute(self, parts: Contribution) -> Contribution {
        parts.migrations(STEPS)
    }
}

impl ReadSide {
    /// Looks without making or writing anything.
    ///
    /// # Errors
    /// A [`Failure`] when it is another program's, or cannot be read.
    pub async fn look(config: &Config) -> Result<Self, Failure> {
        let Some(database) = database_to_read(config)? else { return Ok(Self::Nothing) };
        let schema = config.read.as_ref().map(|address| address.schema().to_owned());
        let found = database.inspect(move |tx| examine(tx, schema.as_deref())).await?;
        found.map_err(|problem| {
            let place = place(config);
            Failure::new(format!(
                "{place} {problem}: name another --data-dir, or another schema with \
                 --read postgres://…?schema=NAME; nothing was changed"
            ))
        })
    }

    /// Marks a read side as this program's, unless it is marked; its tables are made by others.
    ///
    /// # Errors
    /// A [`Failure`] when it cannot be written.
    pub async fn mark(self, database: &Database) -> Result<(), Failure> {
        match self {
            Self::Own { is_marked: true, .. } => Ok(()),
            _ => mark(database).await,
        }
    }

    /// Makes sure that a log with events has a read side that knows it.
    ///
    /// # Errors
    /// A [`Failure`] that says what is lost and what to do.
    pub fn expect_known(self, config: &Config, head: Position, lost: Lost) -> Result<(), Failure> {
        let knows_log = matches!(self, Self::Own { knows_log: true, .. });
        if knows_log || head == Position::ZERO {
            return Ok(());
        }
        let place = place(config);
        if lost == Lost::MakeAnew {
            tracing::warn!(
                read_side = place,
                head = head.get(),
                "read side is made anew: API keys and the places of endpoints are not in it"
            );
            return Ok(());
        }
        Err(Failure::new(format!(
            "the log has {head} events, and {place} knows nothing of them: the API keys and the \
             places of endpoints, which are in no log, are lost or somewhere else. Restore it from a \
             backup, or, if they are lost for good, start with headwater serve --new-read-side, \
             which makes a new first key and sends endpoints everything since their start again"
        )))
    }
}

/// Opens this program's read side for reading alone; nothing is made.
///
/// # Errors
/// A [`Failure`] when there is none, or it is another program's.
pub async fn open_to_read(config: &Config) -> Result<Database, Failure> {
    match (ReadSide::look(config).await?, database_to_read(config)?) {
        (ReadSide::Own { .. }, Some(database)) => Ok(database),
        _ => Err(nothing_there(config)),
    }
}

/// Opens the place of this program's read side for reading alone; `None` when there is no file.
/// There may be no table yet in a database.
///
/// # Errors
/// A [`Failure`] naming the file or the database and the fix.
pub fn database_to_read(config: &Config) -> Result<Option<Database>, Failure> {
    if let Some(address) = &config.read {
        return Ok(Some(PostgresConfig::at(address.clone()).open_to_read()?));
    }
    let path = read_file(config);
    match path.exists() {
        true => Ok(Some(SqliteConfig::at(path).open_to_read()?)),
        false => Ok(None),
    }
}

/// Says that there is no read side, and how one is made.
pub fn nothing_there(config: &Config) -> Failure {
    let place = match &config.read {
        Some(address) => address.to_string(),
        None => config.data_dir.display().to_string(),
    };
    Failure::new(format!(
        "{place} has no read side: name another --data-dir, or an address with --read, or make \
         it: headwater migrate up"
    ))
}

async fn mark(database: &Database) -> Result<(), Failure> {
    Migrator::only(database.clone(), [STEPS]).up().await?;
    let sql = "insert into program_mark (id, name, made_at) values (1, $1, $2)
        on conflict (id) do nothing";
    let values = [NAME.to_value(), Timestamp::now().to_string().to_value()];
    Ok(database.write_durably(move |tx| tx.execute(sql, &values).map(drop)).await?)
}

/// Returns the steps of the mark.
pub const fn steps() -> MigrationSet {
    STEPS
}

fn place(config: &Config) -> String {
    match &config.read {
        Some(address) => address.to_string(),
        None => read_file(config).display().to_string(),
    }
}

/// What is there, or why it is another program's.
type Found = Result<ReadSide, String>;

fn examine(tx: &mut dyn TxEngine, schema: Option<&str>) -> Result<Found, SqlError> {
    let tables = tables(tx, schema)?;
    let has = |name: &str| tables.iter().any(|table| table == name);
    if tables.is_empty() {
        return Ok(Ok(ReadSide::Nothing));
    }
    if !has("schema_migrations") {
        return Ok(Err("has tables of another program".to_owned()));
    }
    if has("program_mark")
        && let Some(name) = texts(tx, "select name from program_mark where id = 1")?.first()
    {
        return Ok(match name == NAME {
            true => Ok(ReadSide::Own { is_marked: true, knows_log: true }),
            false => Err(format!("is the read side of the program {name:?}")),
        });
    }
    let steps = texts(tx, "select distinct capability from schema_migrations")?;
    let projections = match has("projection_checkpoints") {
        true => texts(tx, "select distinct name from projection_checkpoints order by name")?,
        false => Vec::new(),
    };
    let is_known = |name: &&String| BEFORE_THE_MARK.contains(&name.as_str());
    if let Some(other) = projections.iter().find(|name| !is_known(name)) {
        return Ok(Err(format!("is another program's: it has a projection {other:?}")));
    }
    // A first start that was killed before it came to the outbox has left no rows.
    let has_keys = has("api_keys") && !texts(tx, "select id from api_keys limit 1")?.is_empty();
    let is_used = has_keys || !projections.is_empty();
    if is_used && !steps.iter().any(|capability| capability == OUTBOX) {
        return Ok(Err("is another program's: it has keys or rows, and no outbox".to_owned()));
    }
    let has_rows = has("projection_log")
        && !texts(tx, "select first_event from projection_log limit 1")?.is_empty();
    Ok(Ok(ReadSide::Own { is_marked: false, knows_log: has_keys || has_rows }))
}

fn tables(tx: &mut dyn TxEngine, schema: Option<&str>) -> Result<Vec<String>, SqlError> {
    let rows = match tx.dialect() {
        Dialect::Sqlite => tx.query(
            "select name from sqlite_master where type = 'table' and name not like 'sqlite!_%'
                escape '!'",
            &[],
        )?,
        Dialect::Postgres => tx.query(
            "select tablename::text from pg_catalog.pg_tables where schemaname = $1::text",
            &[schema.to_value()],
        )?,
    };
    Ok(firsts(&rows))
}

fn texts(tx: &mut dyn TxEngine, sql: &str) -> Result<Vec<String>, SqlError> {
    Ok(firsts(&tx.query(sql, &[])?))
}

fn firsts(rows: &[Vec<Value>]) -> Vec<String> {
    let texts = rows.iter().filter_map(|row| row.first().and_then(Value::as_text));
    texts.map(str::to_owned).collect()
}

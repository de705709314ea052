//! Whether the address's schema holds a log of this program, in a version that it knows.

use tokio_postgres::Client;
use tokio_postgres::types::Type;

use super::fault::store_error;
use super::statement::{LAST, in_schema};
use super::wire::position;
use crate::event::Position;
use crate::postgres::{Address, Fault, Pooler};
use crate::store::StoreError;

/// The format of the tables that this program reads and writes.
const FORMAT: i32 = 2;

/// `pg_current_xact_id` came with it.
const SERVER_MIN: i32 = 130_000;

/// Asks about the schema without naming a table that may not be there.
const LOOK: &str = "
    select current_setting('server_version_num')::integer,
        current_setting('server_encoding'),
        pg_catalog.to_regnamespace(quote_ident($1)) is not null,
        (select count(*) from pg_catalog.pg_attribute a
            join pg_catalog.pg_class c on c.oid = a.attrelid
            where c.relnamespace = pg_catalog.to_regnamespace(quote_ident($1)) and a.attnum > 0
              and (c.relname, a.attname) in (('event_order', 'format'), ('events', 'position'),
                ('events', 'record'), ('streams', 'family'), ('event_kinds', 'type'),
                ('event_tags', 'kind'), ('event_fences', 'session'))),
        (select count(*) from pg_catalog.pg_class c
            where c.relnamespace = pg_catalog.to_regnamespace(quote_ident($1))
              and c.relname in ('event_order', 'events', 'streams', 'event_kinds', 'event_tags',
                'event_fences')),
        current_setting('search_path')";

// How many [`LOOK`] counts when the log is there.
const COLUMNS: i64 = 7;
const TABLES: i64 = 6;

/// What is known of a log when it has been found.
#[derive(Clone, Debug)]
pub(super) struct Found {
    /// Where batches are announced.
    pub channel: String,
    /// Its last position.
    pub head: Position,
}

/// Looks at the schema.
pub(super) async fn check(client: &Client, address: &Address) -> Result<Found, StoreError> {
    let fault = |error| store_error(&Fault::of(&error, address), address);
    let rows = client.query_typed(LOOK, &[(&address.schema(), Type::TEXT)]).await;
    let rows = rows.map_err(fault)?;
    let row = rows.first().ok_or(StoreError::Closed)?;
    let (version, encoding): (i32, String) =
        (row.try_get(0).map_err(fault)?, row.try_get(1).map_err(fault)?);
    let has_schema: bool = row.try_get(2).map_err(fault)?;
    let (columns, tables): (i64, i64) =
        (row.try_get(3).map_err(fault)?, row.try_get(4).map_err(fault)?);
    let (schema, path): (_, String) = (address.schema(), row.try_get(5).map_err(fault)?);
    let problem = match (columns, tables) {
        _ if address.pooler() != Pooler::Transaction && path.trim_matches('"') != schema => {
            "a pooler drops the options that sessions start with: say so in the address, \
             pooler=session or pooler=transaction, as it is set"
                .into()
        }
        _ if version < SERVER_MIN => {
            "the server is older than PostgreSQL 13: use a newer one".into()
        }
        _ if encoding != "UTF8" => {
            format!("the database is encoded in {encoding}: make one with encoding UTF8")
        }
        _ if !has_schema => {
            format!("there is no schema {schema:?}: run `headwater migrate up`")
        }
        (_, 0) => format!("schema {schema:?} holds no event log: run `headwater migrate up`"),
        (COLUMNS, TABLES) => return found(client, address).await,
        _ => format!(
            "schema {schema:?} holds tables of another program under the same names: \
             choose another schema in the address, for example ?schema=headwater"
        ),
    };
    Err(StoreError::Invalid { path: address.to_string(), problem })
}

async fn found(client: &Client, address: &Address) -> Result<Found, StoreError> {
    let fault = |error| store_error(&Fault::of(&error, address), address);
    let look = format!(
        "select (select max(format) from ~event_order),
        'headwater_' || '~event_order'::regclass::oid, ({LAST})"
    );
    let rows = client.query_typed(&in_schema(&look, address.schema()), &[]).await;
    let rows = rows.map_err(fault)?;
    let row = rows.first().ok_or(StoreError::Closed)?;
    let format: Option<i32> = row.try_get(0).map_err(fault)?;
    let path = address.to_string();
    match format.unwrap_or_default() {
        FORMAT => Ok(Found {
            channel: row.try_get(1).map_err(fault)?,
            head: position(row.try_get(2).map_err(fault)?),
        }),
        newer if newer > FORMAT => Err(StoreError::NewerFormat {
            path,
            found: newer.unsigned_abs(),
            supported: FORMAT.unsigned_abs(),
        }),
        older => {
            let problem = format!(
                "the event log has format {older}, this program needs {FORMAT}: \
                 run `headwater migrate up`"
            );
            Err(StoreError::Invalid { path, problem })
        }
    }
}

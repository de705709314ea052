//! The log of attempts, as it is read: pages, one attempt, counts by the minute.

use headwater::event::{Position, Tenant};
use headwater::sql::{SqlError, SqlRow, ToValue, TxEngine, Value};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::{AttemptPlace, Cells, int, verdict_name};
use crate::webhook::Verdict;

/// Microseconds of a minute.
const MINUTE_US: i64 = 60_000_000;

/// An attempt, as it is served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Attempt)]
pub(crate) struct AttemptView {
    /// When it ended.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The event's position.
    pub position: u64,
    /// The event's id; the message's too, unless that held several events.
    pub event_id: String,
    /// Its category.
    pub category: String,
    /// The id of its stream.
    pub stream: String,
    /// Its type.
    #[serde(rename = "type")]
    pub event_type: String,
    /// The how manieth attempt it was, from 1.
    pub attempt: u64,
    /// What followed from it.
    pub verdict: Verdict,
    /// The status of the answer; null when there was none.
    #[schema(required = true)]
    pub status: Option<u16>,
    /// What went wrong.
    #[schema(required = true)]
    pub error: Option<String>,
    /// The beginning of the answer, at most 1 KiB.
    #[schema(required = true)]
    pub response: Option<String>,
    /// How long it took, in microseconds.
    pub took_us: u64,
    /// The replay that it was part of; 0 when it was none.
    pub replay: u64,
}

/// Which attempts.
#[derive(Clone, Debug)]
pub(crate) struct AttemptQuery {
    /// Ended before this time.
    pub before: Option<Timestamp>,
    /// Only what follows this place, the latest first: where a page that was read ends.
    pub after: Option<AttemptPlace>,
    /// Ended at this time or later.
    pub since: Option<Timestamp>,
    pub position: Option<Position>,
    pub verdict: Option<Verdict>,
    pub stream: Option<String>,
    pub event_type: Option<String>,
    pub event_id: Option<String>,
    /// The least and the greatest status of the answer; 0 is none.
    pub status: (u16, u16),
    pub limit: usize,
}

/// How many attempts of a verdict ended in a minute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MinuteCount {
    /// Minutes since 1970.
    pub minute: i64,
    pub verdict: Verdict,
    pub count: u64,
}

impl AttemptView {
    /// Returns where it is in the log of attempts.
    pub fn place(&self) -> AttemptPlace {
        AttemptPlace { at: self.at, position: Position::new(self.position), feed: self.replay }
    }
}

impl Default for AttemptQuery {
    fn default() -> Self {
        Self {
            before: None,
            after: None,
            since: None,
            position: None,
            verdict: None,
            stream: None,
            event_type: None,
            event_id: None,
            status: (0, u16::MAX),
            limit: 100,
        }
    }
}

const COLUMNS: &str = "at_us, position, event_id, category, stream, event_type, attempt, verdict, \
status, error, response, took_us, feed";

const CHOSEN: &str = "tenant = $1 and endpoint = $2 \
and at_us < $3 and (at_us, position, feed) < ($8, $14, $15) and at_us >= $9 \
and (position = $4 or $4 < 0) and ($5 = '' or verdict = $5) and ($6 = '' or stream = $6) \
and ($10 = '' or event_type = $10) and ($11 = '' or event_id = $11) \
and coalesce(status, 0) between $12 and $13 \
order by at_us desc, position desc, feed desc limit $7";

/// Returns attempts of an endpoint, the latest first.
pub(crate) fn attempts(
    tx: &mut dyn TxEngine,
    (tenant, endpoint): (&Tenant, &str),
    query: &AttemptQuery,
) -> Result<Vec<AttemptView>, SqlError> {
    let (least, greatest) = query.status;
    let after = query.after.map(|own| (own.at.as_microsecond(), own.position.get(), own.feed));
    let (at_us, position, feed) = after.unwrap_or((i64::MAX, 0, 0));
    let values = [
        tenant.to_value(),
        endpoint.to_value(),
        query.before.map_or(i64::MAX, Timestamp::as_microsecond).to_value(),
        query.position.map_or(Value::Int(-1), |position| position.to_value()),
        query.verdict.map_or("", verdict_name).to_value(),
        query.stream.clone().unwrap_or_default().to_value(),
        int(query.limit as u64),
        at_us.to_value(),
        query.since.map_or(i64::MIN, Timestamp::as_microsecond).to_value(),
        query.event_type.clone().unwrap_or_default().to_value(),
        query.event_id.clone().unwrap_or_default().to_value(),
        Value::Int(least.into()),
        Value::Int(greatest.into()),
        int(position),
        int(feed),
    ];
    let sql = format!("select {COLUMNS} from outbox_attempts where {CHOSEN}");
    tx.query(&sql, &values)?.into_iter().map(attempt).collect()
}

/// Returns the attempt at a place.
pub(crate) fn one_attempt(
    tx: &mut dyn TxEngine,
    (tenant, endpoint): (&Tenant, &str),
    AttemptPlace { at, position, feed }: AttemptPlace,
) -> Result<Option<AttemptView>, SqlError> {
    let sql = format!(
        "select {COLUMNS} from outbox_attempts where tenant = $1 and endpoint = $2 \
        and at_us = $3 and position = $4 and feed = $5"
    );
    let values = [
        tenant.to_value(),
        endpoint.to_value(),
        at.as_microsecond().to_value(),
        position.to_value(),
        int(feed),
    ];
    tx.query(&sql, &values)?.into_iter().map(attempt).next().transpose()
}

/// Counts the attempts of an endpoint since a time by minute and verdict.
pub(crate) fn by_minute(
    tx: &mut dyn TxEngine,
    (tenant, endpoint): (&Tenant, &str),
    since: Timestamp,
) -> Result<Vec<MinuteCount>, SqlError> {
    let sql = format!(
        "select at_us / {MINUTE_US}, verdict, count(*) from outbox_attempts \
        where tenant = $1 and endpoint = $2 and at_us >= $3 group by 1, 2"
    );
    let values = [tenant.to_value(), endpoint.to_value(), since.as_microsecond().to_value()];
    let counted = |row| {
        let mut cells = Cells::of(row);
        Ok(MinuteCount { minute: cells.int()?, verdict: cells.verdict()?, count: cells.count()? })
    };
    tx.query(&sql, &values)?.into_iter().map(counted).collect()
}

fn attempt(row: SqlRow) -> Result<AttemptView, SqlError> {
    let mut cells = Cells::of(row);
    Ok(AttemptView {
        at: Timestamp::from_microsecond(cells.int()?).unwrap_or_default(),
        position: cells.count()?,
        event_id: cells.text()?,
        category: cells.text()?,
        stream: cells.text()?,
        event_type: cells.text()?,
        attempt: cells.count()?,
        verdict: cells.verdict()?,
        status: cells.int_or_none().and_then(|status| u16::try_from(status).ok()),
        error: cells.text_or_none(),
        response: cells.text_or_none(),
        took_us: cells.count()?,
        replay: cells.count()?,
    })
}

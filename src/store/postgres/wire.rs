//! How ids and times travel: PostgreSQL's binary forms, without a copy through text.

use std::error::Error;

use bytes::{BufMut, BytesMut};
use jiff::Timestamp;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use crate::event::{EventId, Position, Revision};

/// Microseconds from 1970 to 2000, from where PostgreSQL counts.
const EPOCH_US: i64 = 946_684_800_000_000;

/// An event id as a `uuid`.
#[derive(Debug)]
pub(super) struct SqlId(pub EventId);

impl ToSql for SqlId {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.put_slice(&self.0.to_bytes());
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::UUID
    }

    to_sql_checked!();
}

/// A `timestamptz` as a time.
#[derive(Clone, Copy, Debug)]
pub(super) struct SqlTime(pub Timestamp);

impl<'a> FromSql<'a> for SqlTime {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        let micros = i64::from_be_bytes(raw.try_into()?);
        Ok(Self(Timestamp::from_microsecond(micros.saturating_add(EPOCH_US))?))
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::TIMESTAMPTZ
    }
}

/// Returns a position as a `bigint`; one that no event can have becomes the greatest.
pub(super) fn sql_position(position: Position) -> i64 {
    // Some room above it, so that statements can add to it.
    i64::try_from(position.get()).unwrap_or(i64::MAX).min(i64::MAX / 2)
}

/// Returns a revision as a `bigint`; one that no event can have becomes the greatest.
pub(super) fn sql_revision(revision: Revision) -> i64 {
    i64::try_from(revision.get()).unwrap_or(i64::MAX)
}

/// Returns the position that a `bigint` means.
pub(super) fn position(number: i64) -> Position {
    Position::new(u64::try_from(number).unwrap_or_default())
}

/// Returns the revision that a `bigint` means.
pub(super) fn revision(number: i64) -> Revision {
    Revision::new(u64::try_from(number).unwrap_or_default())
}

//! Values on their way to PostgreSQL and back, by the type that the statement has.

use std::error::Error;
use std::str::{FromStr, from_utf8};

use bytes::{BufMut, BytesMut};
use tokio_postgres::types::{Format, FromSql, IsNull, ToSql, Type, to_sql_checked};

use super::numeric;
use crate::sql::{Value, ValueRef};

type Refusal = Box<dyn Error + Sync + Send>;

/// PostgreSQL counts microseconds and days from the first of 2000.
const EPOCH_US: i64 = 946_684_800_000_000;
const EPOCH_DAYS: i64 = 10_957;

/// A value that is bound; what has no binary form here goes as text, which the server reads.
#[derive(Debug)]
pub(super) struct Bound<'a>(pub(super) &'a ValueRef<'a>);

/// A value that was read.
pub(super) struct Cell(pub(super) Value);

/// Returns whether values of a type are written in binary, alone and in arrays.
pub(super) const fn is_binary(ty: &Type) -> bool {
    matches!(
        *ty,
        Type::BOOL
            | Type::INT2
            | Type::INT4
            | Type::INT8
            | Type::FLOAT4
            | Type::FLOAT8
            | Type::TEXT
            | Type::VARCHAR
            | Type::JSON
            | Type::JSONB
            | Type::BYTEA
    )
}

impl ToSql for Bound<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Refusal> {
        if *self.0 == ValueRef::Null {
            return Ok(IsNull::Yes);
        }
        self.0.check()?;
        match *ty {
            Type::BOOL => out.put_u8(u8::from(whole(self.0)? != 0)),
            Type::INT2 => out.put_i16(i16::try_from(whole(self.0)?).map_err(|_| TOO_LARGE)?),
            Type::INT4 => out.put_i32(i32::try_from(whole(self.0)?).map_err(|_| TOO_LARGE)?),
            Type::INT8 => out.put_i64(whole(self.0)?),
            Type::FLOAT4 => out.put_f32(real(self.0)? as f32),
            Type::FLOAT8 => out.put_f64(real(self.0)?),
            Type::JSONB => {
                // The version of its binary form.
                out.put_u8(1);
                text(self.0, out)?;
            }
            Type::BYTEA => match self.0 {
                ValueRef::Bytes(bytes) => out.put_slice(bytes),
                other => text(other, out)?,
            },
            _ => text(self.0, out)?,
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, ty: &Type) -> Format {
        if is_binary(ty) { Format::Binary } else { Format::Text }
    }

    to_sql_checked!();
}

const TOO_LARGE: &str = "number is too large for its column";

fn whole(value: &ValueRef<'_>) -> Result<i64, Refusal> {
    match value {
        ValueRef::Bool(truth) => Ok(i64::from(*truth)),
        ValueRef::Int(number) => Ok(*number),
        ValueRef::Text(text) => match text.trim() {
            "t" | "true" => Ok(1),
            "f" | "false" => Ok(0),
            text => parse(text, "value is no whole number"),
        },
        _ => Err("value is no whole number".into()),
    }
}

fn real(value: &ValueRef<'_>) -> Result<f64, Refusal> {
    match value {
        ValueRef::Real(number) => Ok(*number),
        ValueRef::Int(number) => Ok(*number as f64),
        ValueRef::Text(text) => parse(text.trim(), "value is no number"),
        _ => Err("value is no number".into()),
    }
}

/// Parses without quoting the text: values are not shown.
fn parse<T: FromStr>(text: &str, problem: &'static str) -> Result<T, Refusal> {
    text.parse().map_err(|_| problem.into())
}

fn text(value: &ValueRef<'_>, out: &mut BytesMut) -> Result<(), Refusal> {
    match value {
        ValueRef::Null => {}
        ValueRef::Bool(truth) => out.put_slice(truth.to_string().as_bytes()),
        ValueRef::Int(number) => out.put_slice(number.to_string().as_bytes()),
        ValueRef::Real(number) => out.put_slice(number.to_string().as_bytes()),
        ValueRef::Text(text) => out.put_slice(text.as_bytes()),
        ValueRef::Bytes(bytes) => {
            out.put_slice(from_utf8(bytes).map_err(|_| "bytes are no text")?.as_bytes());
        }
    }
    Ok(())
}

impl<'a> FromSql<'a> for Cell {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Refusal> {
        let value = match *ty {
            Type::BOOL => Value::Bool(bool::from_sql(ty, raw)?),
            Type::INT2 => Value::Int(i64::from(i16::from_sql(ty, raw)?)),
            Type::INT4 => Value::Int(i64::from(i32::from_sql(ty, raw)?)),
            Type::INT8 => Value::Int(i64::from_sql(ty, raw)?),
            Type::OID => Value::Int(i64::from(u32::from_sql(ty, raw)?)),
            Type::FLOAT4 => Value::Real(f64::from(f32::from_sql(ty, raw)?)),
            Type::FLOAT8 => Value::Real(f64::from_sql(ty, raw)?),
            Type::BYTEA => Value::Bytes(raw.to_vec()),
            _ => Value::Text(read_text(ty, raw)?),
        };
        Ok(Self(value))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Refusal> {
        Ok(Self(Value::Null))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

fn read_text(ty: &Type, raw: &[u8]) -> Result<String, Refusal> {
    let plain = |raw: &[u8]| Ok(from_utf8(raw)?.to_owned());
    match *ty {
        Type::TEXT
        | Type::VARCHAR
        | Type::BPCHAR
        | Type::NAME
        | Type::UNKNOWN
        | Type::JSON
        | Type::CHAR => plain(raw),
        Type::JSONB => plain(raw.get(1..).unwrap_or_default()),
        Type::NUMERIC => numeric::read(raw),
        Type::UUID => Ok(uuid::Uuid::from_slice(raw)?.to_string()),
        Type::TIMESTAMPTZ => {
            let us = i64::from_sql(&Type::INT8, raw)?.checked_add(EPOCH_US);
            let us = us.ok_or("time is infinite, which is not read")?;
            Ok(jiff::Timestamp::from_microsecond(us)?.to_string())
        }
        Type::TIMESTAMP => {
            let us = i64::from_sql(&Type::INT8, raw)?.checked_add(EPOCH_US);
            let at = jiff::Timestamp::from_microsecond(us.ok_or("time is infinite")?)?;
            Ok(at.to_zoned(jiff::tz::TimeZone::UTC).datetime().to_string())
        }
        Type::DATE => {
            let days = i64::from(i32::from_sql(&Type::INT4, raw)?) + EPOCH_DAYS;
            let at = jiff::Timestamp::from_second(days.saturating_mul(86_400))?;
            Ok(at.to_zoned(jiff::tz::TimeZone::UTC).date().to_string())
        }
        _ => Err(format!("columns of type {} are not read: cast it to text", ty.name()).into()),
    }
}

//! Values that go into statements and come out of rows.

use std::borrow::Cow;

/// A value of a statement or a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// No value.
    Null,
    /// A truth value; 0 or 1 on SQLite.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A floating-point number; never money.
    Real(f64),
    /// A text; also decimals, times and JSON.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// A value that is borrowed where it can be, so that binding it copies nothing.
#[derive(Clone, Debug, PartialEq)]
pub enum ValueRef<'a> {
    /// No value.
    Null,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A floating-point number.
    Real(f64),
    /// A text.
    Text(Cow<'a, str>),
    /// Bytes.
    Bytes(Cow<'a, [u8]>),
}

/// A row that a query returned: its values in the order of the columns.
pub type SqlRow = Vec<Value>;

/// What a query returned, with the names of the columns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SqlRows {
    /// The names, in order.
    pub columns: Vec<String>,
    /// The rows.
    pub rows: Vec<SqlRow>,
}

/// Becomes a [`Value`]; implemented for what read models are made of.
pub trait ToValue {
    /// Makes the value.
    fn to_value(&self) -> Value;

    /// Makes the value without a copy where the type allows it.
    fn value_ref(&self) -> ValueRef<'_> {
        self.to_value().into()
    }
}

impl ValueRef<'_> {
    /// Checks that every engine can hold the value, so that what one takes the other takes too.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        match self {
            Self::Text(text) if text.as_bytes().contains(&0) => {
                Err("a text holds the character U+0000 (NUL), which PostgreSQL cannot store")
            }
            _ => Ok(()),
        }
    }
}

/// Puts U+FFFD in the place of NUL in a text for people, so that it can be stored.
pub(crate) fn for_people(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{FFFD}") } else { text }
}

impl Value {
    /// Returns the number; `None` for every other kind.
    #[must_use]
    pub const fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// Returns the text; `None` for every other kind.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Borrows the value.
    #[must_use]
    pub fn borrow(&self) -> ValueRef<'_> {
        match self {
            Self::Null => ValueRef::Null,
            Self::Bool(truth) => ValueRef::Bool(*truth),
            Self::Int(number) => ValueRef::Int(*number),
            Self::Real(number) => ValueRef::Real(*number),
            Self::Text(text) => ValueRef::Text(Cow::Borrowed(text)),
            Self::Bytes(bytes) => ValueRef::Bytes(Cow::Borrowed(bytes)),
        }
    }

    /// Makes the JSON that clients see; bytes become a text of hexadecimal digits.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Null => serde_json::Value::Null,
            Self::Bool(truth) => (*truth).into(),
            Self::Int(number) => (*number).into(),
            Self::Real(number) => (*number).into(),
            Self::Text(text) => text.as_str().into(),
            Self::Bytes(bytes) => {
                bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into()
            }
        }
    }
}

impl From<Value> for ValueRef<'_> {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(truth) => Self::Bool(truth),
            Value::Int(number) => Self::Int(number),
            Value::Real(number) => Self::Real(number),
            Value::Text(text) => Self::Text(Cow::Owned(text)),
            Value::Bytes(bytes) => Self::Bytes(Cow::Owned(bytes)),
        }
    }
}

macro_rules! to_value {
    ($( $type:ty => |$this:ident| $value:expr ),+ $(,)?) => { $(
        impl ToValue for $type {
            fn to_value(&self) -> Value {
                let $this = self;
                $value
            }
        }
    )+ };
}

to_value! {
    bool => |this| Value::Bool(*this),
    i64 => |this| Value::Int(*this),
    i32 => |this| Value::Int(i64::from(*this)),
    u32 => |this| Value::Int(i64::from(*this)),
    u16 => |this| Value::Int(i64::from(*this)),
    f64 => |this| Value::Real(*this),
    jiff::Timestamp => |this| Value::Text(this.to_string()),
    jiff::civil::Date => |this| Value::Text(this.to_string()),
    crate::event::Position => |this| Value::Int(i64::try_from(this.get()).unwrap_or(i64::MAX)),
    crate::event::Revision => |this| Value::Int(i64::try_from(this.get()).unwrap_or(i64::MAX)),
    crate::event::EventId => |this| Value::Text(this.to_string()),
}

macro_rules! to_borrowed {
    ($( $type:ty => |$this:ident| $kind:ident $from:expr ),+ $(,)?) => { $(
        impl ToValue for $type {
            fn to_value(&self) -> Value {
                let $this = self;
                Value::$kind($from.to_owned())
            }

            fn value_ref(&self) -> ValueRef<'_> {
                let $this = self;
                ValueRef::$kind(Cow::Borrowed($from))
            }
        }
    )+ };
}

to_borrowed! {
    str => |this| Text this,
    &str => |this| Text *this,
    String => |this| Text this.as_str(),
    crate::event::Tenant => |this| Text this.as_str(),
    Vec<u8> => |this| Bytes this.as_slice(),
    [u8] => |this| Bytes this,
}

impl ToValue for Value {
    fn to_value(&self) -> Value {
        self.clone()
    }

    fn value_ref(&self) -> ValueRef<'_> {
        self.borrow()
    }
}

impl<T: ToValue> ToValue for Option<T> {
    fn to_value(&self) -> Value {
        self.as_ref().map_or(Value::Null, ToValue::to_value)
    }

    fn value_ref(&self) -> ValueRef<'_> {
        self.as_ref().map_or(ValueRef::Null, ToValue::value_ref)
    }
}

macro_rules! from_plain {
    ($( $type:ty ),+ $(,)?) => { $(
        impl From<$type> for ValueRef<'_> {
            fn from(value: $type) -> Self {
                value.to_value().into()
            }
        }
    )+ };
}

from_plain! {
    bool, i64, i32, u32, u16, f64, String, Vec<u8>, jiff::Timestamp, jiff::civil::Date,
    crate::event::Position, crate::event::Revision, crate::event::EventId,
}

impl<'a> From<&'a str> for ValueRef<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl<'a> From<&'a String> for ValueRef<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl<'a> From<&'a [u8]> for ValueRef<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Bytes(Cow::Borrowed(bytes))
    }
}

impl<'a, T: Into<ValueRef<'a>>> From<Option<T>> for ValueRef<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

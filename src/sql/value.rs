//! Values that go into statements and come out of rows.

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

/// A row that a query returned: its values in the order of the columns.
pub type SqlRow = Vec<Value>;

/// Becomes a [`Value`]; implemented for what read models are made of.
pub trait ToValue {
    /// Makes the value.
    fn to_value(&self) -> Value;
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
    Value => |this| this.clone(),
    bool => |this| Value::Bool(*this),
    i64 => |this| Value::Int(*this),
    i32 => |this| Value::Int(i64::from(*this)),
    u32 => |this| Value::Int(i64::from(*this)),
    u16 => |this| Value::Int(i64::from(*this)),
    f64 => |this| Value::Real(*this),
    str => |this| Value::Text(this.to_owned()),
    &str => |this| Value::Text((*this).to_owned()),
    String => |this| Value::Text(this.clone()),
    Vec<u8> => |this| Value::Bytes(this.clone()),
    jiff::Timestamp => |this| Value::Text(this.to_string()),
    jiff::civil::Date => |this| Value::Text(this.to_string()),
    crate::event::Position => |this| Value::Int(i64::try_from(this.get()).unwrap_or(i64::MAX)),
    crate::event::Revision => |this| Value::Int(i64::try_from(this.get()).unwrap_or(i64::MAX)),
}

impl<T: ToValue> ToValue for Option<T> {
    fn to_value(&self) -> Value {
        self.as_ref().map_or(Value::Null, ToValue::to_value)
    }
}

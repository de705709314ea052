//! Typed events: the enum of a category and every shape of it that may lie on disk.

use serde::Serialize;

use super::{Moment, NameError, Tag};

/// One shape of an event on disk: a type and a version of its fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Shape {
    /// The variant's name.
    pub event_type: &'static str,
    /// Generation of the fields, from 1.
    pub version: u16,
}

/// Says why an event's data did not become a typed event, or the other way round.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The category has no such type here; the reader's policy decides.
    #[error("event type {event_type:?} of category {category:?} is not known here")]
    UnknownType {
        /// The category.
        category: String,
        /// The type found.
        event_type: String,
    },
    /// The type is known, the version is not; the reader's policy decides.
    #[error("version {version} of event type {event_type:?} is not known here")]
    UnknownVersion {
        /// The type.
        event_type: String,
        /// The version found.
        version: u16,
    },
    /// The data does not fit the shape.
    #[error("data of {event_type:?} version {version} does not fit its shape: {source}")]
    Data {
        /// The type.
        event_type: String,
        /// The version.
        version: u16,
        /// What serde says.
        source: serde_json::Error,
    },
}

impl DecodeError {
    /// Returns whether the event is of a type or version that this program does not know.
    #[must_use]
    pub const fn is_unknown(&self) -> bool {
        matches!(self, Self::UnknownType { .. } | Self::UnknownVersion { .. })
    }
}

/// Implemented by the event enum of one category, through [`event_schema!`](crate::event_schema).
pub trait Event: Serialize + Clone + Send + Sync + 'static {
    /// The category of the streams that hold these events.
    const CATEGORY: &'static str;

    /// Returns every shape that may lie on disk, retired ones included.
    fn shapes() -> &'static [Shape];

    /// Returns the shape in which this event is written today.
    fn shape(&self) -> Shape;

    /// Reads an event of any shape in the table, upcasting retired ones.
    ///
    /// # Errors
    /// [`DecodeError`] when the shape is not in the table or the data does not fit it.
    fn decode(event_type: &str, version: u16, data: &[u8]) -> Result<Self, DecodeError>;

    /// Writes the fields as JSON.
    ///
    /// # Errors
    /// [`DecodeError::Data`] when a field does not serialize.
    fn encode(&self) -> Result<Vec<u8>, DecodeError>;

    /// Returns the marks by which the event is found across streams; none by default.
    ///
    /// # Errors
    /// [`NameError`] when a value of the event does not make a valid tag.
    fn tags(&self) -> Result<Vec<Tag>, NameError> {
        Ok(Vec::new())
    }

    /// Returns when it happened in the world; `None`, the default, means when it is recorded.
    fn occurred_at(&self) -> Option<Moment> {
        None
    }
}

/// Makes an event of a retired shape of it; comes by itself with `From`.
///
/// It is there for the words of the compiler: [`event_schema!`](crate::event_schema) asks for it.
///
/// ```compile_fail,E0277
/// # use serde::{Deserialize, Serialize};
/// #[derive(Clone, Debug, Serialize, Deserialize)]
/// pub enum DoorEvent { Entered { by: String } }
///
/// #[derive(Deserialize)]
/// pub struct EnteredV1 { who: String }
///
/// // The event `DoorEvent` cannot be made of its old shape `EnteredV1`.
/// headwater::event_schema! { DoorEvent in "door" { Entered = 2 { 1 => EnteredV1 } } }
/// ```
#[diagnostic::on_unimplemented(
    message = "the event `{Self}` cannot be made of its old shape `{Old}`",
    label = "`From<{Old}>` is missing for `{Self}`",
    note = "write `impl From<{Old}> for {Self}`: it says what an old event means today"
)]
pub trait FromOld<Old> {
    /// Makes today's event of an old one.
    fn from_old(old: Old) -> Self;
}

#[diagnostic::do_not_recommend]
impl<E: From<Old>, Old> FromOld<Old> for E {
    fn from_old(old: Old) -> Self {
        Self::from(old)
    }
}

/// Lists the shapes of an event enum and implements [`Event`] for it.
///
/// Each variant has the version in which it is written today; retired versions stand in
/// braces beside it with the struct that still reads them, which becomes the enum by `From`.
/// `tags` and `occurred_at` are optional functions of `&Self`; `occurred_at` returns an
/// `Option` of a [`Moment`](crate::event::Moment) or of a `jiff::Timestamp`.
///
/// ```
/// use headwater::event::{Event, NameError, Tag};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Clone, Debug, Serialize, Deserialize)]
/// pub enum AccountEvent {
///     Opened { owner: String },
///     Deposited { cents: i64 },
/// }
///
/// #[derive(Deserialize)]
/// pub struct DepositedV1 { dollars: i64 }
///
/// impl From<DepositedV1> for AccountEvent {
///     fn from(old: DepositedV1) -> Self { Self::Deposited { cents: old.dollars * 100 } }
/// }
///
/// headwater::event_schema! {
///     AccountEvent in "account" {
///         Opened = 1,
///         Deposited = 2 { 1 => DepositedV1 },
///     }
/// }
///
/// let old = AccountEvent::decode("Deposited", 1, br#"{"dollars":3}"#).unwrap();
/// assert!(matches!(old, AccountEvent::Deposited { cents: 300 }));
/// ```
#[macro_export]
macro_rules! event_schema {
    (
        $event:ident in $category:literal {
            $( $variant:ident = $version:literal $( { $( $old_version:literal => $old:ty ),+ $(,)? } )? ),+ $(,)?
        }
        $( tags: $tags:expr; )?
        $( occurred_at: $occurred_at:expr; )?
    ) => {
        impl $crate::event::Event for $event {
            const CATEGORY: &'static str = $category;

            fn shapes() -> &'static [$crate::event::Shape] {
                &[ $(
                    $crate::event::Shape { event_type: stringify!($variant), version: $version },
                    $( $( $crate::event::Shape {
                        event_type: stringify!($variant),
                        version: $old_version,
                    }, )+ )?
                )+ ]
            }

            fn shape(&self) -> $crate::event::Shape {
                match self {
                    $( Self::$variant { .. } => $crate::event::Shape {
                        event_type: stringify!($variant),
                        version: $version,
                    }, )+
                }
            }

            fn decode(
                event_type: &str,
                version: u16,
                data: &[u8],
            ) -> ::core::result::Result<Self, $crate::event::DecodeError> {
                let decoded = match (event_type, version) {
                    $(
                        (stringify!($variant), $version) => {
                            $crate::event::decode_variant::<Self>(event_type, data)
                        }
                        $( $( (stringify!($variant), $old_version) => {
                            $crate::reexport::serde_json::from_slice::<$old>(data)
                                .map(<Self as $crate::event::FromOld<$old>>::from_old)
                        } )+ )?
                        (stringify!($variant), _) => {
                            return Err($crate::event::DecodeError::UnknownVersion {
                                event_type: event_type.to_owned(),
                                version,
                            });
                        }
                    )+
                    _ => {
                        return Err($crate::event::DecodeError::UnknownType {
                            category: $category.to_owned(),
                            event_type: event_type.to_owned(),
                        });
                    }
                };
                decoded.map_err(|source| $crate::event::DecodeError::Data {
                    event_type: event_type.to_owned(),
                    version,
                    source,
                })
            }

            fn encode(&self) -> ::core::result::Result<Vec<u8>, $crate::event::DecodeError> {
                let shape = $crate::event::Event::shape(self);
                $crate::event::encode_variant(shape.event_type, self).map_err(|source| {
                    $crate::event::DecodeError::Data {
                        event_type: shape.event_type.to_owned(),
                        version: shape.version,
                        source,
                    }
                })
            }

            $( fn tags(
                &self,
            ) -> ::core::result::Result<Vec<$crate::event::Tag>, $crate::event::NameError> {
                ($tags)(self)
            } )?

            $( fn occurred_at(&self) -> ::core::option::Option<$crate::event::Moment> {
                ::core::option::Option::map(($occurred_at)(self), $crate::event::Moment::from)
            } )?
        }
    };
}

//! What a reader subscribes to: the type is the subscription.

use super::{Category, DecodeError, Event, EventQuery, QueryItem, RecordedEvent};

/// A set of events that a reader wants, decoded: one category's enum, several joined by
/// [`merge_events!`](crate::merge_events), or [`Raw`] for all.
pub trait EventSet: Sized + Send + Sync + 'static {
    /// Returns what to ask the store for.
    fn query() -> EventQuery;

    /// Decodes an event that matches [`EventSet::query`].
    ///
    /// # Errors
    /// [`DecodeError`] when the shape is not known or the data does not fit it.
    fn decode(event: &RecordedEvent) -> Result<Self, DecodeError>;
}

impl<E: Event> EventSet for E {
    fn query() -> EventQuery {
        let categories = Category::new(E::CATEGORY).into_iter().collect();
        EventQuery { items: vec![QueryItem { categories, ..QueryItem::default() }] }
    }

    fn decode(event: &RecordedEvent) -> Result<Self, DecodeError> {
        E::decode(event.event_type(), event.version(), event.data())
    }
}

/// Every event of every category, its data left as JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Raw;

impl EventSet for Raw {
    fn query() -> EventQuery {
        EventQuery::all()
    }

    fn decode(_: &RecordedEvent) -> Result<Self, DecodeError> {
        Ok(Self)
    }
}

/// Joins the events of several categories into one enum that a projection can subscribe to.
///
/// ```
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Clone, Serialize, Deserialize)] pub enum OrderEvent { Placed {} }
/// # #[derive(Clone, Serialize, Deserialize)] pub enum PaymentEvent { Paid {} }
/// # headwater::event_schema! { OrderEvent in "order" { Placed = 1 } }
/// # headwater::event_schema! { PaymentEvent in "payment" { Paid = 1 } }
/// headwater::merge_events! {
///     /// What a sale consists of.
///     pub enum SalesEvent { Order(OrderEvent), Payment(PaymentEvent) }
/// }
/// ```
#[macro_export]
macro_rules! merge_events {
    ( $(#[$meta:meta])* $vis:vis enum $name:ident { $( $variant:ident($event:ty) ),+ $(,)? } ) => {
        $(#[$meta])*
        #[derive(Clone)]
        $vis enum $name {
            $(
                #[doc = concat!("An event of [`", stringify!($event), "`].")]
                $variant($event),
            )+
        }

        impl $crate::event::EventSet for $name {
            fn query() -> $crate::event::EventQuery {
                let mut items = Vec::new();
                $( items.extend(<$event as $crate::event::EventSet>::query().items); )+
                $crate::event::EventQuery { items }
            }

            fn decode(
                event: &$crate::event::RecordedEvent,
            ) -> ::core::result::Result<Self, $crate::event::DecodeError> {
                match event.category() {
                    $( <$event as $crate::event::Event>::CATEGORY => {
                        <$event as $crate::event::EventSet>::decode(event).map(Self::$variant)
                    } )+
                    other => Err($crate::event::DecodeError::UnknownType {
                        category: other.to_owned(),
                        event_type: event.event_type().to_owned(),
                    }),
                }
            }
        }
    };
}

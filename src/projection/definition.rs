//! A projection with its types hidden, so that many kinds fit in one list.

use std::borrow::Cow;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::{PoisonPolicy, Projection, ProjectionError, RowProjection, Rows, UnknownPolicy};
use crate::event::{EventQuery, EventSet, Position, Recorded, RecordedEvent};
use crate::sql::{Dialect, Tx, panic_text, tables_of};

/// A projection, ready to be registered; cheap to clone.
#[derive(Clone)]
pub struct Definition {
    fold: Arc<dyn Fold>,
}

/// How the rows of a projection are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Keyed JSON rows.
    Rows,
    /// Columns of its own, and those that make the key after the tenant.
    Columns(&'static [&'static str]),
}

/// What is fixed about a projection.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(crate) name: &'static str,
    pub(crate) version: u32,
    pub(crate) poison: PoisonPolicy,
    pub(crate) indexes: &'static [&'static str],
    pub(crate) form: Form,
    pub(crate) query: EventQuery,
}

/// Events of one type, decoded, that can be applied in parts.
pub(crate) trait Batch: Send + Sync {
    fn len(&self) -> usize;
    fn event(&self, at: usize) -> Option<&RecordedEvent>;
    fn apply(&self, range: Range<usize>, tx: &mut Tx<'_>) -> Result<(), ProjectionError>;
}

/// A run of events, decoded as far as it can be.
pub(crate) struct Decoded {
    pub(crate) batch: Arc<dyn Batch>,
    /// Where events of unknown type or version were passed over.
    pub(crate) unknown: Vec<Position>,
    /// The first event that does not decode, and why; what follows it was not looked at.
    pub(crate) poison: Option<(RecordedEvent, String)>,
}

trait Fold: Send + Sync {
    fn facts(&self) -> Facts;
    fn schema(&self, dialect: Dialect) -> Cow<'static, str>;
    fn decode(&self, events: Vec<RecordedEvent>) -> Decoded;
}

impl Definition {
    /// Hides the types of a projection in SQL form.
    #[must_use]
    pub fn of<P: Projection>(projection: P) -> Self {
        let form = Form::Columns(P::KEY);
        Self { fold: Arc::new(Typed { projection: Arc::new(projection), form }) }
    }

    /// Hides the types of a projection in row form.
    #[must_use]
    pub fn of_rows<P: RowProjection>(projection: P) -> Self {
        let projection = Arc::new(Rows::new(projection));
        Self { fold: Arc::new(Typed { projection, form: Form::Rows }) }
    }

    /// Returns the projection's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.facts().name
    }

    /// Returns the version of the definition.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.facts().version
    }

    pub(crate) fn facts(&self) -> Facts {
        self.fold.facts()
    }

    pub(crate) fn schema(&self, dialect: Dialect) -> Cow<'static, str> {
        self.fold.schema(dialect)
    }

    pub(crate) fn tables(&self, dialect: Dialect) -> Vec<String> {
        tables_of(&self.schema(dialect))
    }

    pub(crate) fn decode(&self, events: Vec<RecordedEvent>) -> Decoded {
        self.fold.decode(events)
    }
}

struct Typed<P> {
    projection: Arc<P>,
    form: Form,
}

impl<P: Projection> Fold for Typed<P> {
    fn facts(&self) -> Facts {
        Facts {
            name: P::NAME,
            version: P::VERSION,
            poison: P::POISON,
            indexes: P::INDEXES,
            form: self.form,
            query: P::Event::query(),
        }
    }

    fn schema(&self, dialect: Dialect) -> Cow<'static, str> {
        P::schema(dialect)
    }

    fn decode(&self, events: Vec<RecordedEvent>) -> Decoded {
        let (mut unknown, mut poison) = (Vec::new(), None);
        let mut decoded = Vec::with_capacity(events.len());
        for event in events {
            // Decoding runs the projection author's `From` of old shapes: it may panic.
            match catch_unwind(AssertUnwindSafe(|| P::Event::decode(&event))) {
                Ok(Ok(data)) => decoded.push(Recorded::new(data, event)),
                Ok(Err(error)) if error.is_unknown() && P::UNKNOWN == UnknownPolicy::Skip => {
                    unknown.push(event.position());
                }
                Ok(Err(error)) => poison = Some((event, error.to_string())),
                Err(panic) => poison = Some((event, panicked(panic.as_ref()))),
            }
            if poison.is_some() {
                break;
            }
        }
        let projection = Arc::clone(&self.projection);
        let batch = Arc::new(TypedBatch { projection, events: decoded });
        Decoded { batch, unknown, poison }
    }
}

struct TypedBatch<P: Projection> {
    projection: Arc<P>,
    events: Vec<Recorded<P::Event>>,
}

impl<P: Projection> Batch for TypedBatch<P> {
    fn len(&self) -> usize {
        self.events.len()
    }

    fn event(&self, at: usize) -> Option<&RecordedEvent> {
        self.events.get(at).map(Recorded::raw)
    }

    fn apply(&self, range: Range<usize>, tx: &mut Tx<'_>) -> Result<(), ProjectionError> {
        let events = self.events.get(range).unwrap_or_default();
        // What the panic left half done is rolled back with the transaction.
        catch_unwind(AssertUnwindSafe(|| self.projection.apply(events, tx)))
            .unwrap_or_else(|panic| Err(ProjectionError::Poison(panicked(panic.as_ref()))))
    }
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> String {
    format!("panicked: {}", panic_text(panic))
}

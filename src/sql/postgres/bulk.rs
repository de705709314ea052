//! Many runs of one statement: written together where they can be, else sent without waiting.

use std::pin::Pin;
use std::task::Poll;

use futures_util::poll;
use rustc_hash::FxHashSet;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Error, Statement};

use super::cell::Bound;
use crate::sql::ValueRef;

/// The most rows of one statement, and the most statements on their way at once.
pub(super) const ROWS_MAX: usize = 4_096;

/// The most bytes of the values of one statement, about.
pub(super) const BYTES_MAX: usize = 8 << 20;

/// Fewer rows than this are not worth a statement of arrays.
const ROWS_MIN: usize = 4;

/// A statement in its forms.
pub(super) struct Forms {
    /// For one row.
    pub(super) single: Statement,
    /// For many, with an array for each value; `None` when it must run row by row.
    pub(super) arrays: Option<Arrays>,
}

/// The form for many rows.
pub(super) struct Arrays {
    pub(super) statement: Statement,
    /// The values that must not occur twice in one statement.
    pub(super) key: Vec<usize>,
}

/// Returns whether equal values of a type look equal to this program too.
pub(super) const fn is_exact(ty: &Type) -> bool {
    matches!(
        *ty,
        Type::BOOL
            | Type::INT2
            | Type::INT4
            | Type::INT8
            | Type::TEXT
            | Type::VARCHAR
            | Type::BYTEA
    )
}

/// Runs the statement once for each row, in order, and returns how many rows changed.
pub(super) async fn run(
    client: &Client,
    forms: &Forms,
    width: usize,
    values: &[ValueRef<'_>],
) -> Result<u64, Error> {
    let rows: Vec<&[ValueRef<'_>]> = values.chunks(width).collect();
    let mut flight = Flight { under_way: Vec::new(), changed: 0 };
    let mut rest = rows.as_slice();
    while !rest.is_empty() {
        let count = forms.arrays.as_ref().map_or(1, |arrays| run_length(rest, &arrays.key));
        let (together, others) = rest.split_at(count);
        rest = others;
        match &forms.arrays {
            Some(Arrays { statement, .. }) if count >= ROWS_MIN => {
                flight.send(execute_arrays(client, statement, width, together)).await?;
            }
            _ => {
                for row in together {
                    let row = row.iter().map(Bound);
                    flight.send(client.execute_raw(&forms.single, row)).await?;
                }
            }
        }
    }
    flight.land().await
}

type Execution<'f> = Pin<Box<dyn Future<Output = Result<u64, Error>> + 'f>>;

/// Statements that were sent and not answered yet.
struct Flight<'f> {
    under_way: Vec<Execution<'f>>,
    changed: u64,
}

impl<'f> Flight<'f> {
    /// Sends a statement: the first poll does, so they arrive in the order in which they are
    /// given here.
    async fn send(
        &mut self,
        execution: impl Future<Output = Result<u64, Error>> + 'f,
    ) -> Result<(), Error> {
        let mut execution: Execution<'f> = Box::pin(execution);
        match poll!(&mut execution) {
            Poll::Ready(done) => self.changed += done?,
            Poll::Pending => self.under_way.push(execution),
        }
        Ok(())
    }

    async fn land(self) -> Result<u64, Error> {
        let mut changed = self.changed;
        for execution in self.under_way {
            changed += execution.await?;
        }
        Ok(changed)
    }
}

/// Returns how many of the rows may be in one statement.
fn run_length(rows: &[&[ValueRef<'_>]], key: &[usize]) -> usize {
    if key.is_empty() {
        return rows.len();
    }
    let mut seen = FxHashSet::default();
    let identities = rows.iter().map(|row| {
        let identities = key.iter().map(|at| row.get(*at).map(identity));
        identities.collect::<Vec<_>>()
    });
    identities.take_while(|identity| seen.insert(identity.clone())).count()
}

/// What tells one value of a key from another.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Identity<'a> {
    Null,
    Int(i64),
    Bytes(&'a [u8]),
}

fn identity<'a>(value: &'a ValueRef<'_>) -> Identity<'a> {
    match value {
        // A number in a key of numbers is never written as a text in one row and not in another.
        ValueRef::Null | ValueRef::Real(_) => Identity::Null,
        ValueRef::Bool(truth) => Identity::Int(i64::from(*truth)),
        ValueRef::Int(number) => Identity::Int(*number),
        ValueRef::Text(text) => Identity::Bytes(text.as_bytes()),
        ValueRef::Bytes(bytes) => Identity::Bytes(bytes),
    }
}

async fn execute_arrays(
    client: &Client,
    statement: &Statement,
    width: usize,
    rows: &[&[ValueRef<'_>]],
) -> Result<u64, Error> {
    let column = |at| rows.iter().filter_map(|row| row.get(at).map(Bound)).collect();
    let columns: Vec<Vec<Bound<'_>>> = (0..width).map(column).collect();
    let columns = columns.iter().map(|column| column as &(dyn ToSql + Sync));
    client.execute_raw(statement, columns).await
}

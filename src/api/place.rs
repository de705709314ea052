//! Positions that clients name: one that lies beyond the end of the log is refused everywhere.

use super::Problem;
use crate::event::{Position, Revision};
use crate::store::{BeyondEnd, SharedStore, StoreError, check_place};

/// Refuses a position that lies beyond the end of the log; `pointer` names its field.
pub(super) async fn check(
    store: &SharedStore,
    pointer: &str,
    place: Position,
) -> Result<(), Problem> {
    match check_place(&**store, place).await {
        Err(StoreError::BeyondEnd(beyond)) => Err(refused(pointer, beyond)),
        checked => Ok(checked?),
    }
}

/// Makes the problem of a field whose position lies beyond the end.
pub(super) fn refused(pointer: &str, beyond: BeyondEnd) -> Problem {
    Problem::field(pointer, beyond.to_string()).with("end", beyond.end.get())
}

/// Refuses a revision to read after that the stream has not reached.
pub(super) fn check_revision(pointer: &str, asked: Revision, end: Revision) -> Result<(), Problem> {
    if asked <= end {
        return Ok(());
    }
    let detail = format!(
        "revision {asked} lies beyond the end of the stream, which is at {end}: the log may have \
         been restored from a backup; start at {end} or before it"
    );
    Err(Problem::field(pointer, detail).with("end", end.get()))
}

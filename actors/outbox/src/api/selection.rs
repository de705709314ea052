//! The dead letters that an order would be about.

use std::ops::ControlFlow;

use headwater::api::Problem;
use headwater::event::Position;
use headwater::sql::TxEngine;

use super::document::invalid;
use crate::endpoint::{Selectable, Selection};
use crate::plugin::Shared;
use crate::table::{self, EndpointKey, Waiting, WaitingEvent, WaitingPlace};

/// How many dead letters are looked at in one transaction; an endpoint and each of its replays
/// has at most as many.
const SCAN: usize = 10_000;

/// What a selection comes to.
#[derive(Debug, Default)]
pub(crate) struct Selected {
    /// How many dead letters are selected.
    pub count: u64,
    /// About how many events wait behind them.
    pub waiting: u64,
    /// The first of them, by place.
    pub first: Vec<WaitingEvent>,
    /// The position of the last.
    pub last: Option<Position>,
}

/// Counts all the dead letters that are selected, and returns a few of them.
pub(crate) async fn count_selected(
    shared: &Shared,
    key: &EndpointKey,
    selection: &Selection,
    few: usize,
) -> Result<Selected, Problem> {
    let mut selected = Selected::default();
    let take = |event: WaitingEvent| {
        selected.count += 1;
        selected.waiting += event.waiting;
        selected.last = Some(Position::new(event.position));
        if selected.first.len() < few {
            selected.first.push(event);
        }
        ControlFlow::Continue(())
    };
    each(shared, key, selection, WaitingPlace::default(), take).await?;
    Ok(selected)
}

/// Returns some of the dead letters that are selected, by place, behind a place.
pub(crate) async fn selected(
    shared: &Shared,
    key: &EndpointKey,
    selection: &Selection,
    (after, limit): (WaitingPlace, usize),
) -> Result<Vec<WaitingEvent>, Problem> {
    let mut events = Vec::new();
    let take = |event| {
        events.push(event);
        if events.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    each(shared, key, selection, after, take).await?;
    Ok(events)
}

/// Goes through the dead letters that are selected, by place, until there are no more or one is
/// enough.
async fn each(
    shared: &Shared,
    key: &EndpointKey,
    selection: &Selection,
    mut after: WaitingPlace,
    mut take: impl FnMut(WaitingEvent) -> ControlFlow<()>,
) -> Result<(), Problem> {
    selection.check().map_err(|error| invalid(&error))?;
    loop {
        let (key, page) = (key.clone(), (after, SCAN));
        let work = move |tx: &mut dyn TxEngine| {
            table::waiting(tx, Waiting::DeadLetters, (&key.tenant, &key.id), page)
        };
        let events = shared.database().inspect(work).await?;
        let is_end = events.len() < SCAN;
        for event in events {
            after = event.place();
            if selection.matches(selectable(&event)) && take(event).is_break() {
                return Ok(());
            }
        }
        if is_end {
            return Ok(());
        }
    }
}

fn selectable(event: &WaitingEvent) -> Selectable<'_> {
    Selectable {
        position: Position::new(event.position),
        tenant: &event.tenant,
        category: &event.category,
        stream: &event.stream,
        event_type: &event.event_type,
    }
}

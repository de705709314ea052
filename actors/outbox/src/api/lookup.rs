//! Endpoints as they are set up and as they stand, for programs and for people.

use headwater::api::{Problem, ProblemKind};
use headwater::event::Position;
use headwater::projection::{RowEntry, RowQuery};
use headwater::runtime::System;
use headwater::sql::TxEngine;

use super::command::unknown;
use super::document::EndpointDocument;
use super::known::{PATIENCE, check};
use crate::plugin::Shared;
use crate::read_model::EndpointRow;
use crate::table::{self, EndpointKey};

/// The read model of endpoints.
pub(crate) const READ_MODEL: &str = "outbox_endpoints";

/// A page of endpoints.
pub(crate) struct Found {
    pub endpoints: Vec<EndpointDocument>,
    /// Behind which id the next page begins; `None` when this is the last.
    pub next: Option<String>,
    /// The page is at least as new as this.
    pub position: Position,
}

/// Finds a page of a tenant's endpoints.
pub(crate) async fn page(
    system: &System,
    shared: &Shared,
    query: RowQuery,
) -> Result<Found, Problem> {
    let tenant = query.tenant.clone();
    let page = system.catalog().query(query).await?;
    let head = *system.store().head().borrow();
    let ids: Vec<String> = page.rows.iter().map(|entry| entry.key.clone()).collect();
    let work = move |tx: &mut dyn TxEngine| table::standings(tx, &tenant, &ids, head);
    let mut standings = shared.database().inspect(work).await?;
    let document = |entry: RowEntry| {
        let delivery = standings.remove(&entry.key);
        Ok(EndpointDocument::new(row(&entry)?, delivery))
    };
    let endpoints = page.rows.into_iter().map(document).collect::<Result<_, Problem>>()?;
    Ok(Found { endpoints, next: page.next, position: page.position })
}

/// Finds one endpoint.
pub(crate) async fn one(
    system: &System,
    shared: &Shared,
    key: &EndpointKey,
) -> Result<EndpointDocument, Problem> {
    let (tenant, id) = (key.tenant.clone(), key.id.to_string());
    let read = || system.catalog().get(READ_MODEL, tenant.clone(), id.clone());
    let entry = match read().await? {
        Some(entry) => entry,
        None => {
            // It may have been registered a moment ago.
            check(shared, key).await?;
            system.wait_for(READ_MODEL, *system.store().head().borrow(), PATIENCE).await?;
            read().await?.ok_or_else(unknown)?
        }
    };
    let (ids, head) = ([id.clone()], *system.store().head().borrow());
    let work = move |tx: &mut dyn TxEngine| table::standings(tx, &tenant, &ids, head);
    let mut standings = shared.database().inspect(work).await?;
    Ok(EndpointDocument::new(row(&entry)?, standings.remove(&id)))
}

fn row(entry: &RowEntry) -> Result<EndpointRow, Problem> {
    serde_json::from_str(entry.row.get()).map_err(|error| {
        tracing::error!(%error, key = entry.key, "row of an endpoint cannot be read");
        Problem::new(ProblemKind::Internal, "endpoint cannot be read: the cause is logged")
    })
}

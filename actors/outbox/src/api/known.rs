//! Whether the tenant has an endpoint, which may have been registered a moment ago.

use std::sync::Arc;
use std::time::Duration;

use headwater::api::{Problem, ProblemKind};
use headwater::event::{Revision, StreamId};
use headwater::store::StreamRead;
use tokio::time::timeout;

use super::command::unknown;
use crate::dispatch::Registered;
use crate::endpoint::{CATEGORY, Phase};
use crate::plugin::Shared;
use crate::table::EndpointKey;

/// How long a request waits for an endpoint that was just registered, or is just taken over.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// Refuses an endpoint that the tenant does not have, or not any more.
pub(crate) async fn check(shared: &Shared, key: &EndpointKey) -> Result<(), Problem> {
    match shared.directory.get(key) {
        Some(registered) => present(registered).map(drop),
        None => check_stream(shared, key).await,
    }
}

/// Returns an endpoint that is not removed. One that this node has not read of yet is waited for,
/// so that it can be asked as soon as it is registered.
pub(crate) async fn met(shared: &Shared, key: &EndpointKey) -> Result<Arc<Registered>, Problem> {
    if let Some(registered) = shared.directory.get(key) {
        return present(registered);
    }
    check_stream(shared, key).await?;
    let mut view = shared.directory.watch();
    let read = view.wait_for(|view| view.endpoints.contains_key(key));
    // Past it the endpoint is as unread as it was.
    let _ = timeout(PATIENCE, read).await;
    let late = "this node has not read of the endpoint yet: ask again";
    let late = || Problem::new(ProblemKind::Unavailable, late);
    shared.directory.get(key).ok_or_else(late).and_then(present)
}

fn present(registered: Arc<Registered>) -> Result<Arc<Registered>, Problem> {
    let is_removed = registered.endpoint.phase == Phase::Removed;
    if is_removed { Err(unknown()) } else { Ok(registered) }
}

/// Looks into the log, which knows of every endpoint.
async fn check_stream(shared: &Shared, key: &EndpointKey) -> Result<(), Problem> {
    let stream = StreamId::new(CATEGORY, &*key.id).map_err(|_| unknown())?;
    let read = StreamRead::after(key.tenant.clone(), stream, Revision::ZERO, 1);
    let page = shared.store().read_stream(read).await?;
    if page.events.is_empty() { Err(unknown()) } else { Ok(()) }
}

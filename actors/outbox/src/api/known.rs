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

/// Refuses one endpoint too many of a tenant; one that it has is no more.
pub(super) async fn check_room(shared: &Shared, key: &EndpointKey) -> Result<(), Problem> {
    catch_up(shared).await;
    let (endpoints_max, mut count) = (shared.endpoints_max, 0);
    let view = Arc::clone(&shared.directory.watch().borrow());
    let first = EndpointKey { tenant: key.tenant.clone(), id: "".into() };
    let all = view.endpoints.range(first..).take_while(|(own, _)| own.tenant == key.tenant);
    for (own, _) in all.filter(|(_, own)| own.endpoint.phase != Phase::Removed) {
        count += 1;
        if own == key {
            return Ok(());
        }
    }
    if count < endpoints_max {
        return Ok(());
    }
    let detail = format!("the tenant has {count} endpoints, at most {endpoints_max}: remove one");
    Err(Problem::new(ProblemKind::Rejected, detail).with("code", "too-many-endpoints"))
}

/// Waits until this node has read what the log has now, for a while.
async fn catch_up(shared: &Shared) {
    let head = *shared.store().head().borrow();
    let (mut view, mut pages) = (shared.directory.watch(), shared.directory.tail().follow());
    let read = async {
        while view.borrow_and_update().position < head {
            tokio::select! {
                changed = view.changed() => if changed.is_err() { return },
                page = pages.recv() => drop(page),
            }
        }
    };
    // Past it those are counted that it has read of.
    let _ = timeout(PATIENCE, read).await;
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

//! Who looks at the outbox, and at whose endpoints.

use std::sync::Arc;

use headwater::api::Call;
use headwater::api::Problem;
use headwater::api::http::web::Data;
use headwater::api::keys::{Caller, Scope};
use headwater::event::Tenant;
use headwater::page::path_part;
use headwater::runtime::System;
use jiff::Timestamp;

use super::HOME;
use crate::api::document::EndpointDocument;
use crate::api::lookup;
use crate::plugin::Shared;
use crate::table::EndpointKey;

/// What every page of the outbox reads with.
#[derive(Clone)]
pub(super) struct Desk {
    pub system: System,
    pub shared: Arc<Shared>,
    pub tenant: Tenant,
    /// Whether the key may change endpoints, and so is shown how.
    pub may_change: bool,
}

impl Desk {
    pub fn of(call: &Call, shared: &Data<Shared>, caller: &Caller) -> Self {
        Self {
            system: call.system().clone(),
            shared: Arc::clone(shared),
            tenant: caller.tenant().clone(),
            may_change: caller.allows(Scope::Admin),
        }
    }

    pub fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    pub fn key(&self, id: &str) -> EndpointKey {
        EndpointKey { tenant: self.tenant.clone(), id: id.into() }
    }

    pub async fn endpoint(&self, id: &str) -> Result<EndpointDocument, Problem> {
        lookup::one(&self.system, &self.shared, &self.key(id)).await
    }
}

/// Returns the page of an endpoint, or one below it.
pub(super) fn path(id: &str, below: &str) -> String {
    format!("{HOME}/{}{below}", path_part(id))
}

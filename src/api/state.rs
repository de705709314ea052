//! What every worker of one server shares.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use bytes::Bytes;
use tokio::sync::{Semaphore, watch};

use super::keys::{Caller, KeyRing};
use super::openapi::openapi_of;
use super::readiness::Readiness;
use super::{ApiConfig, Problem, ProblemKind};
use crate::clock::{SharedClock, SystemClock};
use crate::runtime::System;

/// One server's state; shared, never copied.
pub(super) struct ApiState {
    pub system: System,
    pub config: ApiConfig,
    pub clock: SharedClock,
    pub keys: KeyRing,
    pub readiness: Readiness,
    /// The OpenAPI document, written once.
    pub document: Bytes,
    /// Places for subscribers to server-sent events.
    pub subscribers: Arc<Semaphore>,
    /// Handlers that panicked.
    pub panics: AtomicU64,
    /// Becomes true when the server stops taking requests.
    pub stopping: watch::Sender<bool>,
}

impl ApiState {
    pub fn new(system: System, config: ApiConfig) -> Self {
        let limits = config.limits.clone();
        let clock = SystemClock::shared();
        let document = openapi_of(&system).to_string();
        Self {
            keys: KeyRing::new(system.database().clone(), Arc::clone(&clock), limits.clone()),
            readiness: Readiness::default(),
            document: document.into(),
            subscribers: Arc::new(Semaphore::new(limits.subscribers_max)),
            panics: AtomicU64::new(0),
            stopping: watch::Sender::new(false),
            system,
            config,
            clock,
        }
    }

    /// Returns whether a caller belongs to those who run the program.
    pub fn is_operator(&self, caller: &Caller) -> bool {
        *caller.tenant() == self.config.operator
    }

    /// Refuses other tenants' admins what is there for every tenant.
    pub fn check_operator(&self, caller: &Caller, what: &str) -> Result<(), Problem> {
        if self.is_operator(caller) {
            return Ok(());
        }
        let who = "only admins of the operator's tenant may do this";
        Err(Problem::new(ProblemKind::Forbidden, format!("{what} serve every tenant: {who}")))
    }
}

//! What every worker of one server shares.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;

use super::budget::Budget;
use super::drain::Traffic;
use super::keys::{Caller, KeyRing, Patience, Trials};
use super::methods::Methods;
use super::openapi::openapi_of;
use super::readiness::Readiness;
use super::seats::Seats;
use super::{ApiConfig, Problem, ProblemKind};
use crate::clock::{SharedClock, SystemClock};
use crate::runtime::System;
use crate::store::Tail;

/// Sign-ins that may fail from one address, and from all.
const SIGN_INS_OF_ONE: Patience = Patience { at_once: 10, one_in: Duration::from_secs(6) };
const SIGN_INS_OF_ALL: Patience = Patience { at_once: 200, one_in: Duration::from_millis(200) };

/// One server's state; shared, never copied.
pub(super) struct ApiState {
    pub system: System,
    pub config: ApiConfig,
    pub clock: SharedClock,
    pub keys: KeyRing,
    /// Sign-ins that failed.
    pub sign_ins: Trials,
    /// Connections and requests.
    pub traffic: Arc<Traffic>,
    pub readiness: Readiness,
    /// The OpenAPI document, written once.
    pub document: Bytes,
    /// Which methods each documented address takes.
    pub methods: Methods,
    /// Places for those who wait or follow.
    pub seats: Arc<Seats>,
    /// What requests and replies may hold in memory.
    pub budget: Arc<Budget>,
    /// The end of the log, read once for all subscribers.
    pub tail: Tail,
    /// Handlers that panicked.
    pub panics: AtomicU64,
    /// Becomes true when the server stops taking requests.
    pub stopping: watch::Sender<bool>,
}

impl ApiState {
    pub fn new(system: System, config: ApiConfig) -> Self {
        let limits = config.limits.clone();
        let clock = SystemClock::shared();
        let document = openapi_of(&system);
        Self {
            keys: KeyRing::new(system.database().clone(), Arc::clone(&clock), limits.clone()),
            sign_ins: Trials::new(&SIGN_INS_OF_ONE, &SIGN_INS_OF_ALL),
            traffic: Arc::default(),
            readiness: Readiness::default(),
            methods: Methods::of(&document),
            document: document.to_string().into(),
            seats: Arc::new(Seats::new(&limits)),
            budget: Arc::new(Budget::new(&limits)),
            tail: Tail::new(system.store().clone()),
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

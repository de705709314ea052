//! Who asks: a key that was found good, and the extractors that demand a scope of it.

use std::future::{Ready, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use actix_web::dev::Payload;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use jiff::Timestamp;

use super::{KeyHash, KeyInfo, Scope};
use crate::api::{ApiLimits, Problem, ProblemKind};
use crate::event::Tenant;

type Limiter = RateLimiter<NotKeyed, InMemoryState, DefaultClock, StateInformationMiddleware>;

/// The key behind a request; cheap to clone.
#[derive(Clone)]
pub struct Caller(Arc<KnownKey>);

/// A stored key, held in memory.
pub(super) struct KnownKey {
    pub info: KeyInfo,
    pub hash: KeyHash,
    pub rate: Option<Arc<Rate>>,
    /// Second of the last use; 0 while it has not been used since it was loaded.
    pub used_at_s: AtomicI64,
}

/// The bound on how often one key asks.
pub(super) struct Rate {
    limiter: Limiter,
    policy: HeaderValue,
}

/// What the rate bound says of a request, to be told in the reply.
#[derive(Clone)]
pub(in crate::api) struct Turn {
    remaining: u32,
    /// Seconds to wait; `None` when the turn was granted.
    wait_s: Option<u32>,
    policy: HeaderValue,
}

impl Caller {
    pub(super) const fn new(key: Arc<KnownKey>) -> Self {
        Self(key)
    }

    /// Returns whose data the request is about; every route takes it from here.
    #[must_use]
    pub fn tenant(&self) -> &Tenant {
        &self.0.info.tenant
    }

    /// Returns the key's name, which goes into metadata as `who`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.info.name
    }

    /// Returns the key's public id.
    #[must_use]
    pub fn key_id(&self) -> &str {
        &self.0.info.id
    }

    /// Takes a turn; `None` when nothing bounds them.
    pub(in crate::api) fn take_turn(&self) -> Option<Turn> {
        self.0.rate.as_ref().map(|rate| rate.take())
    }

    /// Notes the time of use, to be stored later.
    pub(super) fn note_use(&self, now: Timestamp) {
        self.0.used_at_s.store(now.as_second(), Ordering::Relaxed);
    }

    /// Returns whether the key has a scope; to refuse a request, take an extractor.
    #[must_use]
    pub fn allows(&self, scope: Scope) -> bool {
        self.0.info.scopes.contains(&scope)
    }

    fn demand(&self, scope: Scope) -> Result<(), Problem> {
        if self.allows(scope) {
            return Ok(());
        }
        let detail = format!("key lacks the scope {scope}: ask an admin of the tenant for one");
        Err(Problem::new(ProblemKind::Forbidden, detail).with("scope", scope.as_str()))
    }
}

impl Rate {
    /// Makes the bound; `None` when there is none.
    pub fn of(limits: &ApiLimits) -> Option<Self> {
        let (per_second, burst) = (limits.rate_per_second?, limits.rate_burst);
        let quota = Quota::per_second(per_second).allow_burst(burst);
        let limiter = RateLimiter::direct(quota).with_middleware::<StateInformationMiddleware>();
        let window_s = burst.get().div_ceil(per_second.get());
        let policy = format!("\"key\";q={burst};w={window_s}");
        let policy = HeaderValue::from_str(&policy).ok()?;
        Some(Self { limiter, policy })
    }

    fn take(&self) -> Turn {
        let policy = self.policy.clone();
        match self.limiter.check() {
            Ok(state) => Turn { remaining: state.remaining_burst_capacity(), wait_s: None, policy },
            Err(until) => {
                let wait = until.wait_time_from(DefaultClock::default().now());
                let seconds = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).saturating_add(1);
                Turn { remaining: 0, wait_s: Some(seconds), policy }
            }
        }
    }
}

impl Turn {
    /// Returns the problem that says when to come back, unless the turn was granted.
    pub fn granted(&self) -> Result<(), Problem> {
        let Some(seconds) = self.wait_s else { return Ok(()) };
        let detail = format!("key asks too often: wait {seconds} s");
        Err(Problem::new(ProblemKind::RateLimited, detail).retry_after_s(seconds))
    }

    /// Adds the `RateLimit` headers of a reply.
    pub fn tell(self, headers: &mut HeaderMap) {
        if let Ok(left) = HeaderValue::from_str(&format!("\"key\";r={}", self.remaining)) {
            headers.insert(HeaderName::from_static("ratelimit"), left);
        }
        headers.insert(HeaderName::from_static("ratelimit-policy"), self.policy);
    }
}

macro_rules! demanding {
    ($( $(#[$doc:meta])* $name:ident = $scope:expr; )+) => { $(
        $(#[$doc])*
        pub struct $name(
            /// Who asks.
            pub Caller,
        );

        impl FromRequest for $name {
            type Error = Problem;
            type Future = Ready<Result<Self, Problem>>;

            fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
                ready(caller(request, $scope).map(Self))
            }
        }
    )+ };
}

demanding! {
    /// A caller that may read.
    Reader = Scope::Read;
    /// A caller that may write.
    Writer = Scope::Write;
    /// A caller that may manage its tenant.
    Admin = Scope::Admin;
}

/// Finds whom the guard let in; a route that no guard stands before lets in nobody.
fn caller(request: &HttpRequest, scope: Scope) -> Result<Caller, Problem> {
    let caller = request.extensions().get::<Caller>().cloned();
    let caller = caller
        .ok_or_else(|| Problem::new(ProblemKind::Unauthenticated, "this address needs a key"))?;
    caller.demand(scope)?;
    Ok(caller)
}

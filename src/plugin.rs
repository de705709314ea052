//! What a capability brings to the system.

use crate::runtime::Contribution;

/// A capability: outbox, jobs, metrics, a domain. It adds its parts to the system's.
///
/// ```
/// use headwater::plugin::Plugin;
/// use headwater::runtime::{ActorSpec, Contribution};
///
/// struct Ticker;
///
/// impl Plugin for Ticker {
///     fn name(&self) -> &'static str {
///         "ticker"
///     }
///
///     fn contribute(self, parts: Contribution) -> Contribution {
///         parts.actor(ActorSpec::new("ticker", |actor| async move {
///             actor.heartbeat.idle(actor.stopped()).await;
///             Ok(())
///         }))
///     }
/// }
/// ```
pub trait Plugin {
    /// Returns its name, unique in a system: lower case with `_`, also that of its migrations.
    fn name(&self) -> &'static str;

    /// Adds migrations, aggregates, projections, actors, routes and health checks.
    fn contribute(self, parts: Contribution) -> Contribution;
}

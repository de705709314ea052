//! Asking a webhook whether it wants deliveries, before it gets any.

use std::num::NonZeroU32;

use headwater::api::Problem;

use crate::endpoint::{EndpointConfig, Target};
use crate::plugin::Shared;

/// What problems are about.
const FIELD: &str = "/target/handshake";

/// Asks a webhook, and keeps its answer in the configuration; one that has allowed deliveries to
/// the same address before is not asked again.
pub(super) async fn ask(
    shared: &Shared,
    config: &mut EndpointConfig,
    before: Option<&EndpointConfig>,
) -> Result<(), Problem> {
    let rate = config.rate_per_second.map(|rate| rate.saturating_mul(60));
    let Target::Webhook { url, handshake, .. } = &mut config.target else { return Ok(()) };
    if let Some(Target::Webhook { url: known, handshake: allowed, .. }) =
        before.map(|own| &own.target)
        && known == url
        && allowed.is_some()
    {
        *handshake = *allowed;
        return Ok(());
    }
    let nameless =
        || Problem::field(FIELD, "needs a name for this system: set outbox.origin first");
    let origin = shared.origin.as_deref().ok_or_else(nameless)?;
    let address = shared.client.rules().parse(url);
    let address = address.map_err(|error| Problem::field("/target/url", error.to_string()))?;
    let asked = shared.client.handshake(address, origin, rate.and_then(NonZeroU32::new)).await;
    *handshake = Some(asked.map_err(|error| Problem::field(FIELD, error.to_string()))?);
    Ok(())
}

//! Long polls: an answer with what there is, or with what comes within a while.

use std::sync::Arc;
use std::time::Duration;

use headwater::api::http::HttpResponse;
use headwater::api::keys::Caller;
use headwater::api::{Call, Problem};

use super::Wanted;
use super::document::{DeliveryDocument, DeliveryPageDocument};
use super::push::crowded;
use crate::pull::{Group, Handed, Member, Taker};

/// Answers a poll.
pub(super) async fn answer(
    call: &Call,
    caller: &Caller,
    group: Arc<Group>,
    wanted: Wanted,
) -> Result<HttpResponse, Problem> {
    let taker = Taker { consumer: Arc::clone(&wanted.consumer), connection: None };
    let mut handed = group.take_now(&taker, wanted.max);
    if handed.is_empty() && wanted.wait > Duration::ZERO {
        handed = waited(call, caller, &group, (&taker, &wanted)).await?;
    }
    let deliveries = handed.iter().map(DeliveryDocument::new).collect();
    call.reply(200, &DeliveryPageDocument { deliveries, phase: group.phase() })
}

/// Answers as a poll does that gets nothing: whoever wants the head alone gets no event.
pub(super) fn head(call: &Call, group: &Group) -> Result<HttpResponse, Problem> {
    call.reply(200, &DeliveryPageDocument { deliveries: Vec::new(), phase: group.phase() })
}

async fn waited(
    call: &Call,
    caller: &Caller,
    group: &Arc<Group>,
    (taker, wanted): (&Taker, &Wanted),
) -> Result<Vec<Handed>, Problem> {
    let mut listening = call.listen(caller)?;
    // Counted like a connection that is sent events; what it takes is not returned by itself.
    let _member = Member::join(group).ok_or_else(crowded)?;
    let taking = group.take(taker, (wanted.max, None), wanted.wait);
    tokio::select! {
        handed = taking => Ok(handed),
        () = listening.stopped() => Ok(Vec::new()),
    }
}

//! Which thread a command belongs to, carried by the framework and not by the user.
//!
//! A message between actors runs on another task, so whatever is "current" at the sender is
//! lost on the way. The envelope therefore carries cause and span itself: they are taken when
//! the command is sent.

use std::future::Future;

use crate::event::{EventId, Metadata};

tokio::task_local! {
    static CAUSE: Metadata;
}

/// Runs a future in which every command sent continues the thread of `cause`.
///
/// Commands that name no correlation, causation, trace or author of their own get those of
/// `cause`; idempotency key and fingerprint are never inherited.
pub async fn caused_by<F: Future>(cause: Metadata, future: F) -> F::Output {
    CAUSE.scope(cause, future).await
}

/// Fills what the sender left out: from the cause around it, or as the start of a thread.
pub(super) fn complete(mut own: Metadata, command_id: EventId) -> Metadata {
    let _ = CAUSE.try_with(|cause| {
        let inherit = |own: &mut Option<String>, from: &Option<String>| {
            if own.is_none() {
                own.clone_from(from);
            }
        };
        inherit(&mut own.correlation_id, &cause.correlation_id);
        inherit(&mut own.causation_id, &cause.causation_id);
        inherit(&mut own.traceparent, &cause.traceparent);
        inherit(&mut own.who, &cause.who);
    });
    own.correlation_id.get_or_insert_with(|| command_id.to_string());
    own
}

//! A command on its way to its aggregate, and the slot it takes until it is answered.

use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;
use tokio::sync::oneshot;

use super::error::SendError;
use super::intake::Slot;
use crate::aggregate::{Aggregate, Command, Context, Decide, Receipt};
use crate::event::{EventId, Metadata, Revision, StreamId, Tenant};

/// Names a live aggregate.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub tenant: Tenant,
    pub stream: StreamId,
}

/// What the sender may add to a command.
#[derive(Clone, Debug, Default)]
pub struct SendOptions {
    /// Cause, thread and author of the command; its events get them. What is left out is taken
    /// from [`caused_by`](super::caused_by).
    pub metadata: Metadata,
    /// The same key with the same command gives the earlier answer, not a second effect; `None`
    /// means that a retry may happen twice. A receipt with events is found again for ever, a
    /// rejection or a receipt without events for 24 h; then the command is decided afresh.
    pub idempotency_key: Option<String>,
    /// The revision the aggregate must be at; `None` means any.
    pub expected: Option<Revision>,
}

/// A command of any type, as the actors of `A` carry it.
pub(super) trait Decision<A: Aggregate>: Send + Sync {
    fn name(&self) -> &'static str;

    fn decide(&self, state: &A, context: &Context) -> Result<Vec<A::Event>, A::Rejection>;

    /// Tells this command from every other one: the hash of its name and its canonical JSON.
    fn fingerprint(&self) -> Result<String, serde_json::Error>;
}

/// How a command is answered.
pub(super) type Answer<A> = Result<Receipt, SendError<<A as Aggregate>::Rejection>>;

/// A command with everything that its actor needs to know; shared with the waiting sender,
/// who sends it again when the actor is lost.
pub(super) struct Message<A> {
    pub key: Key,
    pub decision: Box<dyn Decision<A>>,
    pub expected: Option<Revision>,
    pub metadata: Metadata,
    pub first_id: EventId,
    pub span: tracing::Span,
    pub deadline: Instant,
}

/// A message with the way back to its sender.
pub(super) struct Envelope<A: Aggregate> {
    pub message: Arc<Message<A>>,
    /// Whether an earlier sending of the same message may have been done.
    pub is_resent: bool,
    reply: Option<oneshot::Sender<Answer<A>>>,
    /// Held until the answer, so that intake is bounded and shutdown knows what is left.
    slot: Option<Slot>,
}

impl<A: Aggregate> Envelope<A> {
    pub fn new(
        message: Arc<Message<A>>,
        is_resent: bool,
        slot: Slot,
    ) -> (Self, oneshot::Receiver<Answer<A>>) {
        let (reply, answer) = oneshot::channel();
        (Self { message, is_resent, reply: Some(reply), slot: Some(slot) }, answer)
    }

    /// Answers the sender; later answers are dropped, as are those nobody waits for.
    pub fn answer(&mut self, answer: Answer<A>) {
        // The slot first: when the sender sees its answer, there is room for its next command.
        drop(self.slot.take());
        if let Some(reply) = self.reply.take() {
            let _ = reply.send(answer);
        }
    }
}

impl<A> Message<A> {
    pub fn is_keyed(&self) -> bool {
        self.metadata.idempotency_key.is_some()
    }

    /// Returns the id of the command's event number `ordinal`, from 0; always the same.
    ///
    /// `generation` counts the outcomes of the command's key that have expired.
    pub fn event_id(&self, generation: u32, ordinal: u32) -> EventId {
        match self.metadata.idempotency_key.as_deref() {
            _ if (generation, ordinal) == (0, 0) => self.first_id,
            Some(key) => keyed_id(&self.key, key, (generation, ordinal)),
            None => following_id(self.first_id, ordinal),
        }
    }
}

impl<A: Aggregate> actix::Message for Envelope<A> {
    type Result = ();
}

/// A command of type `C`, kept as it came: it is decided on a copy each time.
pub(super) struct Typed<C>(pub C);

impl<A: Decide<C>, C: Command> Decision<A> for Typed<C> {
    fn name(&self) -> &'static str {
        C::NAME
    }

    fn decide(&self, state: &A, context: &Context) -> Result<Vec<A::Event>, A::Rejection> {
        state.decide(self.0.clone(), context)
    }

    fn fingerprint(&self) -> Result<String, serde_json::Error> {
        fingerprint(C::NAME, &self.0)
    }
}

/// Returns the id that an event of a keyed command has, whoever decides it.
pub(super) fn keyed_id(
    key: &Key,
    idempotency_key: &str,
    (generation, ordinal): (u32, u32),
) -> EventId {
    let (ordinal, generation_bytes) = (ordinal.to_le_bytes(), generation.to_le_bytes());
    let parts = [
        key.tenant.as_str().as_bytes(),
        key.stream.category().as_str().as_bytes(),
        key.stream.id().as_bytes(),
        idempotency_key.as_bytes(),
        &ordinal,
        &generation_bytes,
    ];
    // The first generation has no number: so were all ids before outcomes could expire.
    let [without_generation @ .., _] = &parts;
    EventId::derived(if generation == 0 { without_generation } else { &parts })
}

/// Hashes name and canonical JSON; a value sorts the fields, so their order does not count.
fn fingerprint<C: Serialize>(name: &str, command: &C) -> Result<String, serde_json::Error> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(name.as_bytes()).update(&[0]);
    hasher.update(&serde_json::to_vec(&serde_json::to_value(command)?)?);
    Ok(hasher.finalize().to_hex().chars().take(32).collect())
}

/// Counts on in the random tail of a UUID v7, so that the ids of one command are known from
/// its first and still sort by time.
fn following_id(first: EventId, ordinal: u32) -> EventId {
    let [head @ .., a, b, c, d] = first.to_bytes();
    let tail = u32::from_be_bytes([a, b, c, d]).wrapping_add(ordinal).to_be_bytes();
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(head.into_iter().chain(tail)).for_each(|(to, from)| *to = from);
    EventId::from_bytes(bytes)
}

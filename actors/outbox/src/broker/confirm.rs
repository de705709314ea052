//! Which published messages a RabbitMQ server has taken.
//!
//! A message that no queue wants comes back before it is confirmed. The library hands what came
//! back to whichever confirmation it completes next, and one frame can complete many, in any
//! order: so the confirmation of one message may carry another, and that other's own may look
//! like success. Here all confirmations of a channel are looked at together. What the library
//! hands out wrongly it hands to a message that it completes *before* the one that came back; so
//! once a confirmation was seen, all are looked at again until none is new, and only then is
//! anything decided.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

use super::Refusal;

/// What tells messages of a channel apart: their id and their routing key. Two that have both in
/// common share their fate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MessageKey {
    pub id: String,
    pub routing_key: String,
}

/// What a confirmation says.
#[derive(Debug)]
pub(super) struct Answer {
    /// Whether its message was taken.
    pub taken: Result<(), Refusal>,
    /// A message that came back, perhaps another.
    pub returned: Option<(MessageKey, Refusal)>,
}

/// Messages that wait to be confirmed.
pub(super) struct Confirms<F> {
    waiting: Vec<Waiting<F>>,
}

struct Waiting<F> {
    key: MessageKey,
    confirm: F,
    answer: Option<Result<(), Refusal>>,
    returned: Option<Refusal>,
    reply: oneshot::Sender<Result<(), Refusal>>,
}

impl<F: Future<Output = Answer> + Unpin> Confirms<F> {
    pub const fn new() -> Self {
        Self { waiting: Vec::new() }
    }

    pub const fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Takes a message that was published; what comes of it is replied.
    pub fn add(
        &mut self,
        key: MessageKey,
        confirm: F,
        reply: oneshot::Sender<Result<(), Refusal>>,
    ) {
        self.waiting.push(Waiting { key, confirm, answer: None, returned: None, reply });
    }

    /// Waits until something was confirmed, and replies what was; for ever when nothing waits.
    pub async fn settle(&mut self) {
        poll_fn(|context| self.look(context)).await;
        let (settled, waiting) =
            std::mem::take(&mut self.waiting).into_iter().partition(|own| own.answer.is_some());
        self.waiting = waiting;
        settled.into_iter().for_each(Waiting::conclude);
    }

    fn look(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let mut is_any = false;
        loop {
            let (mut is_new, mut returned) = (false, Vec::new());
            for own in self.waiting.iter_mut().filter(|own| own.answer.is_none()) {
                let Poll::Ready(answer) = Pin::new(&mut own.confirm).poll(context) else {
                    continue;
                };
                is_new = true;
                own.answer = Some(answer.taken);
                if let Some((key, refusal)) = answer.returned {
                    // Its own may be still on the way to another message.
                    own.returned.get_or_insert_with(uncertain);
                    returned.push((key, refusal));
                }
            }
            for (key, refusal) in returned {
                let own = self.waiting.iter_mut().filter(|own| own.key == key);
                own.for_each(|own| own.returned = Some(refusal.clone()));
            }
            match (is_new, is_any) {
                (true, _) => is_any = true,
                (false, true) => return Poll::Ready(()),
                (false, false) => return Poll::Pending,
            }
        }
    }
}

impl<F> Waiting<F> {
    fn conclude(self) {
        let answer = self.returned.map_or(self.answer, |refusal| Some(Err(refusal)));
        // Nobody listens any more when the delivery was broken off.
        let _ = answer.map(|answer| self.reply.send(answer));
    }
}

fn uncertain() -> Refusal {
    Refusal::again(
        "another message came back from RabbitMQ together with this one's confirmation, so it is \
         sent again to be safe",
    )
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use futures_util::future::Map;

    use super::*;

    type Fake =
        Map<oneshot::Receiver<Answer>, fn(Result<Answer, oneshot::error::RecvError>) -> Answer>;
    type Reply = oneshot::Receiver<Result<(), Refusal>>;

    fn key(id: &str) -> MessageKey {
        MessageKey { id: id.to_owned(), routing_key: "orders".to_owned() }
    }

    fn publish(confirms: &mut Confirms<Fake>, id: &str) -> (oneshot::Sender<Answer>, Reply) {
        let ((sender, confirm), (reply, answer)) = (oneshot::channel(), oneshot::channel());
        confirms.add(key(id), confirm.map(Result::unwrap), reply);
        (sender, answer)
    }

    fn ack(returned: Option<&str>) -> Answer {
        let no_queue = |id| (key(id), Refusal::again("no queue"));
        Answer { taken: Ok(()), returned: returned.map(no_queue) }
    }

    #[tokio::test]
    async fn messages_are_settled_in_whatever_order_they_are_confirmed() {
        let mut confirms = Confirms::new();
        let (first, mut first_reply) = publish(&mut confirms, "1");
        let (second, second_reply) = publish(&mut confirms, "2");
        second.send(ack(None)).unwrap();
        confirms.settle().await;
        assert!(second_reply.await.unwrap().is_ok() && first_reply.try_recv().is_err());
        first.send(Answer { taken: Err(Refusal::again("nack")), returned: None }).unwrap();
        confirms.settle().await;
        assert_eq!(first_reply.await.unwrap().unwrap_err().words, "nack");
        assert!(confirms.is_empty());
    }

    #[tokio::test]
    async fn a_message_that_came_back_with_anothers_confirmation_is_not_taken() {
        for is_sent_first in [true, false] {
            let mut confirms = Confirms::new();
            let pair = (publish(&mut confirms, "1"), publish(&mut confirms, "2"));
            let (lost, other) = if is_sent_first { pair } else { (pair.1, pair.0) };
            let lost_id = if is_sent_first { "1" } else { "2" };
            other.0.send(ack(Some(lost_id))).unwrap();
            lost.0.send(ack(None)).unwrap();
            confirms.settle().await;
            assert_eq!(lost.1.await.unwrap().unwrap_err().words, "no queue");
            assert!(other.1.await.unwrap().unwrap_err().words.contains("sent again"));
        }
    }

    #[tokio::test]
    async fn one_that_came_back_with_an_earlier_frame_is_not_taken_either() {
        let mut confirms = Confirms::new();
        let (lost, lost_reply) = publish(&mut confirms, "1");
        let (other, _) = publish(&mut confirms, "2");
        other.send(ack(Some("1"))).unwrap();
        confirms.settle().await;
        lost.send(ack(None)).unwrap();
        confirms.settle().await;
        assert_eq!(lost_reply.await.unwrap().unwrap_err().words, "no queue");
    }

    #[tokio::test]
    async fn nothing_is_settled_while_nothing_is_confirmed() {
        let mut confirms = Confirms::new();
        assert!(confirms.settle().now_or_never().is_none());
        let (_open, _reply) = publish(&mut confirms, "1");
        assert!(confirms.settle().now_or_never().is_none());
    }
}

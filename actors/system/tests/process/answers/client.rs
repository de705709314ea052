//! A client that sends commands to either node, and what it was told.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::harness::{Client, Random};

const CUSTOMERS: usize = 20;
const COUNTRIES: [&str; 3] = ["France", "EIRE", "Malta"];

/// A command about a customer.
#[derive(Clone, Debug)]
pub struct Sent {
    pub customer: usize,
    /// `register` or `move`.
    pub verb: &'static str,
    pub country: &'static str,
    pub key: Option<String>,
}

/// A command with the answer that came for it.
#[derive(Clone, Debug)]
pub struct Answered {
    pub sent: Sent,
    /// The greatest revision of the customer that anybody had been told before it was sent.
    pub least: u64,
    pub replied_at: Timestamp,
    pub status: u16,
    pub body: Value,
}

/// What the clients share.
pub struct Load {
    nodes: Arc<[RwLock<Client>; 2]>,
    commands: u64,
    pub answered: AtomicU64,
    /// The greatest revision told, by customer.
    told: [AtomicU64; CUSTOMERS],
}

impl Load {
    pub fn new(nodes: Arc<[RwLock<Client>; 2]>, commands: u64) -> Self {
        let told = std::array::from_fn(|_| AtomicU64::new(0));
        Self { nodes, commands, answered: AtomicU64::new(0), told }
    }

    /// Sends commands, each to a node drawn at random.
    pub fn run(&self, client: u64, seed: u64) -> Vec<Answered> {
        let mut random = Random::from_seed(seed);
        let mut answers = Vec::new();
        for number in 0..self.commands {
            let key = random.between(0, 3) > 0;
            let sent = Sent {
                customer: usize::try_from(random.between(0, CUSTOMERS as u64)).unwrap(),
                verb: if random.between(0, 4) == 0 { "register" } else { "move" },
                country: COUNTRIES[usize::try_from(random.between(0, 3)).unwrap()],
                key: key.then(|| format!("C{client}-{number}")),
            };
            answers.extend(self.send(sent, &mut random));
            self.answered.fetch_add(1, Ordering::SeqCst);
        }
        answers
    }

    /// Sends a command until its outcome is known; one without a key is sent once, since nobody
    /// knows what a second one would do.
    fn send(&self, sent: Sent, random: &mut Random) -> Option<Answered> {
        let least = self.told[sent.customer].load(Ordering::SeqCst);
        loop {
            let node = usize::try_from(random.between(0, 2)).unwrap();
            if let Some((status, body)) = self.ask(node, &sent)
                && matches!(status, 200 | 201 | 422)
            {
                let replied_at = Timestamp::now();
                let revision = body["revision"].as_u64();
                let revision = revision.unwrap_or_else(|| panic!("no revision: {sent:?}: {body}"));
                self.told[sent.customer].fetch_max(revision, Ordering::SeqCst);
                return Some(Answered { sent, least, replied_at, status, body });
            }
            sent.key.as_ref()?;
            std::thread::yield_now();
        }
    }

    fn ask(&self, node: usize, sent: &Sent) -> Option<(u16, Value)> {
        let client = self.nodes[node].read().unwrap().clone();
        let path = format!("/v1/customer/C{}/{}", sent.customer, sent.verb);
        let body = json!({ "country": sent.country });
        let reply = match &sent.key {
            Some(key) => client.command(&path, key, &body),
            None => client.post(&path, &body),
        };
        reply.ok().map(|reply| (reply.status, reply.body))
    }

    /// Sends a keyed command again, which must get the answer that it got.
    pub fn assert_the_same_again(&self, node: usize, answer: &Answered) {
        let (status, body) = self.ask(node, &answer.sent).unwrap();
        let expected = if answer.status == 422 { 422 } else { 200 };
        assert_eq!((status, &body["replayed"]), (expected, &json!(true)), "{answer:?}: {body}");
        for field in ["revision", "position", "events", "code", "detail"] {
            assert_eq!(body[field], answer.body[field], "{field} of {answer:?}");
        }
    }
}

impl Answered {
    pub fn is_keyed(&self) -> bool {
        self.sent.key.is_some()
    }

    pub fn revision(&self) -> u64 {
        self.body["revision"].as_u64().unwrap()
    }
}

/// Counts answers by what they say.
pub fn kinds(answers: &[Answered]) -> String {
    let mut kinds = BTreeMap::<String, usize>::new();
    for answer in answers {
        let kind = match answer.body["events"].as_u64() {
            Some(0) => "nothing to do".to_owned(),
            Some(_) => "done".to_owned(),
            None => answer.body["code"].as_str().unwrap_or("?").to_owned(),
        };
        *kinds.entry(kind).or_default() += 1;
    }
    format!("{kinds:?}")
}

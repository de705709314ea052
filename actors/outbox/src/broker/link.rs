//! A connection that is made when it is needed, and made again after it was lost.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use tokio::time::timeout;

/// How long a broker may take to let this program in.
const CONNECT: Duration = Duration::from_secs(10);
const REST_MIN: Duration = Duration::from_millis(100);
/// Less than the rest of an endpoint's breaker, whose probe would meet a closed door otherwise.
const REST_MAX: Duration = Duration::from_secs(2);

/// What can be connected to.
pub(crate) trait Connection: Sized {
    /// Where.
    type Address: Display;
    /// The name of its kind.
    const KIND: &'static str;
    /// The setting that says where.
    const SETTING: &'static str;

    /// Connects, or says why that is not possible.
    async fn connect(address: &Self::Address, ca_file: Option<&Path>) -> Result<Self, String>;

    /// Returns whether it is of no more use.
    fn is_lost(&self) -> bool;
}

/// One connection for a whole node.
pub(crate) struct Link<C: Connection> {
    address: C::Address,
    ca_file: Option<PathBuf>,
    state: Mutex<State<C>>,
}

enum State<C> {
    New,
    Up(Arc<C>),
    Down(Down),
}

/// A connection that could not be made: nobody tries again before the rest is over, so that many
/// endpoints do not all knock at a broker that is starting.
#[derive(Clone)]
struct Down {
    words: String,
    rest: Duration,
    until: Instant,
}

impl<C: Connection> Link<C> {
    pub fn new(address: C::Address, ca_file: Option<PathBuf>) -> Self {
        Self { address, ca_file, state: Mutex::new(State::New) }
    }

    /// Returns the connection, making it when there is none; an error says why there is none.
    pub async fn get(&self) -> Result<Arc<C>, String> {
        let mut state = self.state.lock().await;
        let rest = match &*state {
            State::Up(connection) if !connection.is_lost() => return Ok(Arc::clone(connection)),
            State::Up(_) | State::New => REST_MIN,
            State::Down(down) if Instant::now() < down.until => return Err(down.words.clone()),
            State::Down(down) => (down.rest * 2).min(REST_MAX),
        };
        // Apart, because it is large, and every message would carry room for it.
        let connecting = Box::pin(C::connect(&self.address, self.ca_file.as_deref()));
        let problem = match timeout(CONNECT, connecting).await {
            Ok(Ok(connection)) => {
                tracing::info!(broker = C::KIND, address = %self.address, "broker is connected");
                let connection = Arc::new(connection);
                *state = State::Up(Arc::clone(&connection));
                return Ok(connection);
            }
            Ok(Err(problem)) => problem,
            Err(_) => format!("it did not answer within {} s", CONNECT.as_secs()),
        };
        let (kind, address, setting) = (C::KIND, &self.address, C::SETTING);
        let words = format!(
            "{kind} at {address} cannot be reached ({problem}): start it, or mend {setting}"
        );
        tracing::warn!(broker = kind, %address, problem, "broker cannot be reached");
        *state = State::Down(Down { words: words.clone(), rest, until: Instant::now() + rest });
        Err(words)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

    use super::*;

    /// A broker that counts, and lets in when it is said to be there.
    #[derive(Clone, Default)]
    struct Fake(Arc<(AtomicBool, AtomicU32)>);

    struct Connected(Fake);

    impl Display for Fake {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("fake://here")
        }
    }

    impl Connection for Connected {
        type Address = Fake;
        const KIND: &'static str = "Fake";
        const SETTING: &'static str = "outbox.fake";

        async fn connect(address: &Fake, _: Option<&Path>) -> Result<Self, String> {
            address.0.1.fetch_add(1, Ordering::SeqCst);
            let is_there = address.0.0.load(Ordering::SeqCst);
            if is_there { Ok(Self(address.clone())) } else { Err("nobody is in".to_owned()) }
        }

        fn is_lost(&self) -> bool {
            !self.0.0.0.load(Ordering::SeqCst)
        }
    }

    #[tokio::test]
    async fn it_is_made_once_and_again_after_it_was_lost() {
        let fake = Fake::default();
        fake.0.0.store(true, Ordering::SeqCst);
        let link = Link::<Connected>::new(fake.clone(), None);
        assert!(link.get().await.is_ok() && link.get().await.is_ok());
        assert_eq!(fake.0.1.load(Ordering::SeqCst), 1);
        fake.0.0.store(false, Ordering::SeqCst);
        assert!(link.get().await.is_err());
        assert_eq!(fake.0.1.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn while_it_rests_all_get_the_same_words_at_once() {
        let fake = Fake::default();
        let link = Link::<Connected>::new(fake.clone(), None);
        let words = link.get().await.err().unwrap();
        assert!(words.contains("Fake at fake://here") && words.contains("mend outbox.fake"));
        for _ in 0..100 {
            assert_eq!(link.get().await.err(), Some(words.clone()));
        }
        assert!(fake.0.1.load(Ordering::SeqCst) < 10);
    }
}

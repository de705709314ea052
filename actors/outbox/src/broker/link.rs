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
pub(crate) trait Connection: Sized + Send + Sync + 'static {
    /// Where.
    type Address: Display + Send + Sync;
    /// The name of its kind.
    const KIND: &'static str;
    /// The setting that says where.
    const SETTING: &'static str;

    /// Connects, or says why that is not possible.
    fn connect(
        address: &Self::Address,
        ca_file: Option<&Path>,
    ) -> impl Future<Output = Result<Self, String>> + Send;

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
    ///
    /// Dropping the future breaks no connection off that is being made: whoever has too little
    /// time for it finds it made the next time.
    pub async fn get(self: &Arc<Self>) -> Result<Arc<C>, String> {
        {
            let state = self.state.lock().await;
            if let Some(known) = state.known() {
                return known;
            }
        }
        let own = Arc::clone(self);
        let making = tokio::spawn(async move { own.make().await });
        making.await.unwrap_or_else(|_| Err(format!("{} was not connected", C::KIND)))
    }

    async fn make(&self) -> Result<Arc<C>, String> {
        let mut state = self.state.lock().await;
        if let Some(known) = state.known() {
            return known;
        }
        let rest = match &*state {
            State::Up(_) | State::New => REST_MIN,
            State::Down(down) => (down.rest * 2).min(REST_MAX),
        };
        let made = match timeout(CONNECT, C::connect(&self.address, self.ca_file.as_deref())).await
        {
            Ok(made) => made,
            Err(_) => Err(format!("it did not answer within {} s", CONNECT.as_secs())),
        };
        let made = made.map(Arc::new).map_err(|problem| self.words(&problem));
        *state = match &made {
            Ok(connection) => {
                tracing::info!(broker = C::KIND, address = %self.address, "broker is connected");
                State::Up(Arc::clone(connection))
            }
            Err(words) => {
                State::Down(Down { words: words.clone(), rest, until: Instant::now() + rest })
            }
        };
        made
    }

    /// Logs why there is no connection, and says what to do.
    fn words(&self, problem: &str) -> String {
        let (kind, address, setting) = (C::KIND, &self.address, C::SETTING);
        tracing::warn!(broker = kind, %address, problem, "broker cannot be reached");
        format!("{kind} at {address} cannot be reached ({problem}): start it, or mend {setting}")
    }
}

impl<C: Connection> State<C> {
    /// Returns what is to be said without trying; `None` when it is to be tried.
    fn known(&self) -> Option<Result<Arc<C>, String>> {
        match self {
            Self::Up(connection) if !connection.is_lost() => Some(Ok(Arc::clone(connection))),
            Self::Down(down) if Instant::now() < down.until => Some(Err(down.words.clone())),
            Self::Up(_) | Self::New | Self::Down(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

    use futures_util::FutureExt;

    use super::*;

    /// A broker that counts, and lets in when it is said to be there; it takes a moment.
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
            tokio::task::yield_now().await;
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
        let link = Arc::new(Link::<Connected>::new(fake.clone(), None));
        assert!(link.get().await.is_ok() && link.get().await.is_ok());
        assert_eq!(fake.0.1.load(Ordering::SeqCst), 1);
        fake.0.0.store(false, Ordering::SeqCst);
        assert!(link.get().await.is_err());
        assert_eq!(fake.0.1.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn while_it_rests_all_get_the_same_words_at_once() {
        let fake = Fake::default();
        let link = Arc::new(Link::<Connected>::new(fake.clone(), None));
        let words = link.get().await.err().unwrap();
        assert!(words.contains("Fake at fake://here") && words.contains("mend outbox.fake"));
        for _ in 0..100 {
            assert_eq!(link.get().await.err(), Some(words.clone()));
        }
        assert!(fake.0.1.load(Ordering::SeqCst) < 10);
    }
    #[tokio::test]
    async fn a_connection_for_which_somebody_has_no_time_is_made_all_the_same() {
        let fake = Fake::default();
        fake.0.0.store(true, Ordering::SeqCst);
        let link = Arc::new(Link::<Connected>::new(fake.clone(), None));
        assert!(link.get().now_or_never().is_none());
        while fake.0.1.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        assert!(link.get().await.is_ok());
        assert_eq!(fake.0.1.load(Ordering::SeqCst), 1);
    }
}

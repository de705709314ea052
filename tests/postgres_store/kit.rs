//! A schema with a log, appends to it, and a wire that can be cut.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use headwater::event::{NewEvent, Position, RecordedEvent, StreamId, Tenant};
use headwater::postgres::Address;
use headwater::store::postgres::{PostgresStore, PostgresStoreConfig};
use headwater::store::{Append, EventStore, Expected, LogRead, StoreError};
use headwater::test::{ScratchSchema, ScratchServer};

/// Makes a schema with an empty log.
pub fn scratch() -> ScratchSchema {
    ScratchSchema::with_log().unwrap()
}

/// Makes a schema with an empty log on a server of the test's own.
pub fn log_on(server: &ScratchServer) -> ScratchSchema {
    let scratch = ScratchSchema::on(&server.address().unwrap()).unwrap();
    scratch.make_log().unwrap();
    scratch
}

/// Opens a node.
pub fn node(address: &Address) -> Arc<PostgresStore> {
    Arc::new(PostgresStore::open(PostgresStoreConfig::new(address.clone())).unwrap())
}

/// Opens a node that soon gives up on a database that is away.
pub fn impatient(address: &Address) -> PostgresStore {
    let config = PostgresStoreConfig::new(address.clone());
    PostgresStore::open(config.with_patience(Duration::from_millis(300))).unwrap()
}

/// Returns why a node cannot be opened.
pub fn opening(address: &Address) -> StoreError {
    PostgresStore::open(PostgresStoreConfig::new(address.clone())).err().unwrap()
}

/// Makes an append of `count` events to a stream.
pub fn append(stream: &str, expected: Expected, count: usize) -> Append {
    let stream = StreamId::new("order", stream).unwrap();
    let event = |number| NewEvent::json("Placed", 1, format!("{{\"number\":{number}}}")).unwrap();
    let events = (0..count).map(event).collect();
    Append::to_stream(Tenant::default_tenant(), stream, expected, events)
}

/// Reads the whole log.
pub async fn whole_log(store: &PostgresStore) -> Vec<RecordedEvent> {
    let (mut from, mut all) = (Position::ZERO, Vec::new());
    loop {
        let page = store.read_log(LogRead::after(from, 1_000)).await.unwrap();
        all.extend(page.events);
        from = page.next;
        if page.is_end {
            return all;
        }
    }
}

/// Stands between a node and the server, and fails on demand.
pub struct Proxy {
    pub address: Address,
    faults: Arc<Faults>,
}

#[derive(Default)]
struct Faults {
    is_cut: AtomicBool,
    swallows_notifications: AtomicBool,
    loses_next_answer: AtomicBool,
    delays_next_append: AtomicBool,
    loses_appends: AtomicBool,
    delayed: Mutex<Option<Delayed>>,
}

/// What a client sent before its connection was lost, and the way to the server, which has not
/// noticed.
struct Delayed {
    bytes: Vec<u8>,
    to_server: Box<dyn Write + Send>,
    answered: Receiver<()>,
}

impl Proxy {
    /// Listens in front of the scratch schema's server.
    pub fn before(scratch: &ScratchSchema) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (faults, server) = (Arc::new(Faults::default()), scratch.address().server());
        let own = faults.clone();
        thread::spawn(move || {
            for client in listener.incoming() {
                let (client, faults) = (client.unwrap(), own.clone());
                if faults.is_cut.load(Ordering::SeqCst) {
                    continue;
                }
                match server.strip_prefix('/') {
                    Some(_) => {
                        let (folder, port) = server.rsplit_once(':').unwrap();
                        let socket = format!("{folder}/.s.PGSQL.{port}");
                        let server = UnixStream::connect(socket).unwrap();
                        pump(client, (server.try_clone().unwrap(), server), faults);
                    }
                    None => {
                        let server = TcpStream::connect(&server).unwrap();
                        pump(client, (server.try_clone().unwrap(), server), faults);
                    }
                }
            }
        });
        let address = format!(
            "postgres://{}@127.0.0.1:{port}/{}?sslmode=disable&application_name={}",
            login(scratch),
            scratch.address().database(),
            scratch.address().schema(),
        );
        let address: Address = address.parse().unwrap();
        Self { address: address.with_schema(scratch.address().schema()).unwrap(), faults }
    }

    /// Ends every connection and lets no new one through.
    pub fn cut(&self) {
        self.faults.is_cut.store(true, Ordering::SeqCst);
    }

    /// Lets connections through again.
    pub fn mend(&self) {
        self.faults.is_cut.store(false, Ordering::SeqCst);
    }

    /// Passes no notification on, as a pooler of transactions does, or passes them on again.
    pub fn swallow_notifications(&self, swallows: bool) {
        self.faults.swallows_notifications.store(swallows, Ordering::SeqCst);
    }

    /// Ends the connection on which the next row is answered, behind the commit.
    pub fn lose_next_answer(&self) {
        self.faults.loses_next_answer.store(true, Ordering::SeqCst);
    }

    /// Ends each connection that sends an append, before the server has it.
    pub fn lose_appends(&self) {
        self.faults.loses_appends.store(true, Ordering::SeqCst);
    }

    /// Ends the connection that sends the next append, and keeps the append on its way.
    pub fn delay_next_append(&self) {
        self.faults.delays_next_append.store(true, Ordering::SeqCst);
    }

    /// Lets the append that was kept reach the server, and waits for the server's answer.
    pub fn deliver_delayed(&self) {
        let mut delayed = self.faults.delayed.lock().unwrap().take().expect("nothing was delayed");
        delayed.to_server.write_all(&delayed.bytes).unwrap();
        delayed.answered.recv().unwrap();
    }

    /// Returns whether the answer that was to be lost is lost.
    pub fn has_lost(&self) -> bool {
        !self.faults.loses_next_answer.load(Ordering::SeqCst)
    }
}

/// Returns `user:password` of the server.
fn login(scratch: &ScratchSchema) -> String {
    let url = std::env::var("DATABASE_URL").unwrap();
    let place = url.split_once("://").unwrap().1.split(['/', '?']).next().unwrap().to_owned();
    match place.rsplit_once('@') {
        Some((login, _)) => login.to_owned(),
        None => {
            let shown = scratch.address().to_string();
            shown.split_once("://").unwrap().1.split_once('@').unwrap().0.to_owned()
        }
    }
}

fn pump<S: Read + Write + Send + 'static>(
    client: TcpStream,
    (mut from_server, mut to_server): (S, S),
    faults: Arc<Faults>,
) {
    let (mut from_client, mut to_client) = (client.try_clone().unwrap(), client);
    let own = faults.clone();
    let (tell, answered) = channel();
    thread::spawn(move || {
        let mut bytes = [0; 16 << 10];
        while let Ok(count @ 1..) = from_client.read(&mut bytes) {
            let is_append = bytes[..count].windows(12).any(|part| part == b"append_batch");
            if is_append && own.delays_next_append.swap(false, Ordering::SeqCst) {
                let (bytes, to_server) = (bytes[..count].to_vec(), Box::new(to_server));
                *own.delayed.lock().unwrap() = Some(Delayed { bytes, to_server, answered });
                break;
            }
            let is_lost = is_append && own.loses_appends.load(Ordering::SeqCst);
            let is_lost = is_lost || own.is_cut.load(Ordering::SeqCst);
            if is_lost || to_server.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        let _ = from_client.shutdown(std::net::Shutdown::Both);
    });
    thread::spawn(move || {
        let mut has_row = false;
        while let Some(message) = message(&mut from_server) {
            has_row |= message[0] == b'D';
            let is_answer = message[0] == b'Z' && std::mem::take(&mut has_row);
            let is_lost = is_answer && faults.loses_next_answer.swap(false, Ordering::SeqCst);
            if is_lost || faults.is_cut.load(Ordering::SeqCst) {
                break;
            }
            let is_swallowed =
                message[0] == b'A' && faults.swallows_notifications.load(Ordering::SeqCst);
            let is_gone = !is_swallowed && to_client.write_all(&message).is_err();
            // Whoever delayed an append waits for the end of its answer, though its client is gone.
            if is_gone && message[0] == b'Z' && tell.send(()).is_err() {
                break;
            }
        }
        let _ = to_client.shutdown(std::net::Shutdown::Both);
    });
}

/// Reads a message of the server; rows wait in the proxy until what follows is known.
fn message(server: &mut impl Read) -> Option<Vec<u8>> {
    let mut message = vec![0; 5];
    server.read_exact(&mut message).ok()?;
    let len = u32::from_be_bytes(message[1..5].try_into().unwrap()) as usize;
    message.resize(len + 1, 0);
    server.read_exact(&mut message[5..]).ok()?;
    Some(message)
}

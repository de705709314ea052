//! Two nodes, four clients that alternate between them at random, kills and pauses: every answer
//! is right for a state between request and reply (G16), judged by a model outside.
//!
//! `HEADWATER_ANSWERS` sets how many commands, 600 otherwise; `HEADWATER_KILLS` how often a node
//! is killed and how often one is paused, 2 otherwise.

mod client;
mod history;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};
use std::thread;

use self::client::{Answered, Load};
use self::history::History;
use super::harness::{Client, Folder, Place, Random, Server, read_log, wait_until};
use super::kill::rounds;

const CLIENTS: u64 = 4;
const ARGS: [&str; 4] = ["--limits-rate-per-second", "0", "--node-silence", "600ms"];

fn commands() -> u64 {
    std::env::var("HEADWATER_ANSWERS").map_or(600, |count| count.parse().unwrap())
}

/// Two servers over one place, each of which may be replaced by its successor.
struct Nodes {
    place: Place,
    folders: [Folder; 2],
    servers: [Option<Server>; 2],
    /// How the clients reach them.
    clients: Arc<[RwLock<Client>; 2]>,
}

impl Nodes {
    fn start() -> Self {
        let (place, folders) = (Place::new(), [Folder::new(), Folder::new()]);
        let args = [&place.both()[..], &ARGS].concat();
        let [one, two] = &folders;
        let first = Server::start(one, &args);
        let second = Server::start_again(two, &args, first.client.key());
        let clients = [&first, &second].map(|server| RwLock::new(server.client.clone()));
        let servers = [Some(first), Some(second)];
        Self { place, folders, servers, clients: Arc::new(clients) }
    }

    fn kill_and_start_again(&mut self, node: usize) {
        let server = self.servers[node].take().unwrap();
        let key = server.client.key().to_owned();
        server.kill();
        let args = [&self.place.both()[..], &ARGS].concat();
        let server = Server::start_again(&self.folders[node], &args, &key);
        *self.clients[node].write().unwrap() = server.client.clone();
        self.servers[node] = Some(server);
    }

    /// Lets a node stand still until the clients have got so many answers from the other.
    fn pause(&self, node: usize, answers: u64, answered: &AtomicU64, total: u64) {
        let server = self.servers[node].as_ref().unwrap();
        server.signal("STOP");
        let end = (answered.load(Ordering::SeqCst) + answers).min(total);
        // The clients that ask this node wait for it, so there may be none left.
        let seen = std::time::Instant::now();
        while answered.load(Ordering::SeqCst) < end && seen.elapsed().as_millis() < 1_500 {
            thread::yield_now();
        }
        server.signal("CONT");
    }
}

#[test]
fn every_answer_of_two_nodes_is_right_for_a_state_between_request_and_reply() {
    let mut random = Random::of_this_run("answers of two nodes");
    let total = commands();
    let mut nodes = Nodes::start();
    let load = Arc::new(Load::new(Arc::clone(&nodes.clients), total / CLIENTS));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let (load, seed) = (Arc::clone(&load), random.between(0, u64::MAX));
            thread::spawn(move || load.run(number, seed))
        })
        .collect();
    let disturbances = rounds() * 2;
    for round in 0..disturbances {
        let due = total / CLIENTS * CLIENTS * (round + 1) / (disturbances + 1);
        wait_until("answers", || (load.answered.load(Ordering::SeqCst) >= due).then_some(()));
        let node = usize::try_from(random.between(0, 2)).unwrap();
        match round % 2 {
            0 => nodes.kill_and_start_again(node),
            _ => nodes.pause(node, random.between(5, 50), &load.answered, total),
        }
    }
    let answered: Vec<Answered> =
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect();
    let history = History::of(&read_log(&nodes.clients[0].read().unwrap()));
    let wrong: Vec<String> =
        answered.iter().filter_map(|answer| history.judge(answer).err()).collect();
    assert!(wrong.is_empty(), "{} of {}: {wrong:#?}", wrong.len(), answered.len());
    history.assert_no_key_did_twice();
    println!("{} commands: {}", answered.len(), client::kinds(&answered));
    for (number, answer) in answered.iter().enumerate().filter(|(_, answer)| answer.is_keyed()) {
        load.assert_the_same_again(number % 2, answer);
    }
    nodes.servers.into_iter().flatten().for_each(Server::stop);
}

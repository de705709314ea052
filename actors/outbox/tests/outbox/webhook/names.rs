//! Lookups that say what they are told.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use headwater_outbox::webhook::{Found, Lookup};

/// Answers each lookup with the next list of addresses, and the last one for ever.
#[derive(Clone, Default)]
pub struct Names {
    answers: Arc<Mutex<VecDeque<Vec<IpAddr>>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Names {
    pub fn new(answers: &[&[&str]]) -> Self {
        let list = |texts: &&[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        let answers = Arc::new(Mutex::new(answers.iter().map(list).collect()));
        Self { answers, asked: Arc::default() }
    }

    pub fn to(address: IpAddr) -> Self {
        let names = Self::default();
        names.answers.lock().unwrap().push_back(vec![address]);
        names
    }

    /// Returns the names that were looked up.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Names {
    fn found(&self, name: String) -> Found {
        self.asked.lock().unwrap().push(name);
        let mut answers = self.answers.lock().unwrap();
        let answer = match answers.len() {
            0 => Vec::new(),
            1 => answers[0].clone(),
            _ => answers.pop_front().unwrap(),
        };
        Box::pin(async move {
            Ok(answer.into_iter().map(|address| SocketAddr::new(address, 0)).collect())
        })
    }
}

impl From<Names> for Lookup {
    fn from(names: Names) -> Self {
        Arc::new(move |name| names.found(name))
    }
}

/// Knows no name and says so in one of the ways of resolvers.
pub fn failing(error: fn() -> io::Error) -> Lookup {
    Arc::new(move |_| {
        let error = error();
        Box::pin(async move { Err(error) })
    })
}

/// Never answers.
pub fn silent() -> Lookup {
    Arc::new(|_| Box::pin(std::future::pending()))
}

//! Numbers that a seed gives again.

use headwater::event::EventId;

/// A generator (xorshift, Marsaglia 2003).
pub struct Random(u64);

impl Random {
    /// Starts from a seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// Returns a number from 0 to below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    /// Returns whether one of `chances` came up.
    pub fn one_in(&mut self, chances: u64) -> bool {
        self.below(chances) == 0
    }

    /// Returns an index below `end`.
    pub fn index(&mut self, end: usize) -> usize {
        usize::try_from(self.below(end as u64)).unwrap()
    }
}

/// Returns the seed of this run, `HEADWATER_SEED` if it is set, and prints it.
pub fn seed() -> u64 {
    let set = std::env::var("HEADWATER_SEED").ok().and_then(|text| text.parse().ok());
    let seed = set.unwrap_or_else(|| {
        u64::from_be_bytes(EventId::fresh().to_bytes()[8..].try_into().unwrap())
    });
    println!("HEADWATER_SEED={seed}");
    seed
}

/// Returns the number that a variable sets, or what a short run takes.
pub fn length(variable: &str, short: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(short)
}

//! Numbers from a seed (SplitMix64: Steele, Lea and Flood, 2014).

/// A run of numbers that its seed decides.
pub struct Random(u64);

impl Random {
    /// Takes the seed of `HEADWATER_SEED`, or a new one, and prints it.
    pub fn of_this_run(what: &str) -> Self {
        let seed = match std::env::var("HEADWATER_SEED") {
            Ok(seed) => seed.parse().unwrap(),
            Err(_) => jiff::Timestamp::now().as_microsecond().unsigned_abs(),
        };
        println!("{what}: again with HEADWATER_SEED={seed}");
        Self(seed)
    }

    /// Takes a seed that another run of numbers gave.
    pub const fn from_seed(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns a number from `low` up to, not including, `high`.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        low + (mixed ^ (mixed >> 31)) % (high - low)
    }
}

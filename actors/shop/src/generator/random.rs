//! Chance that can be repeated: whole numbers only, so that every machine draws the same.

/// SplitMix64 (Steele, Lea and Flood, *Fast splittable pseudorandom number generators*,
/// OOPSLA 2014, figure 17): one 64-bit word of state, each draw one step of a fixed odd gap and
/// a mix. Plenty for made-up data; not for secrets.
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
}

/// Draws numbers of a table in proportion to their weights.
#[derive(Clone, Debug)]
pub struct Weighted {
    /// Sums of the weights up to and with each entry.
    sums: Vec<u64>,
}

impl Random {
    /// Starts from a seed; the same seed gives the same draws.
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// Draws 64 bits.
    pub const fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.state)
    }

    /// Draws a number below `bound`, 0 when that is 0. Multiplies and keeps the high half, which
    /// favours some numbers by less than `bound` in 2⁶⁴.
    pub const fn below(&mut self, bound: u64) -> u64 {
        ((self.draw() as u128 * bound as u128) >> 64) as u64
    }

    /// Draws a number from `low` to `high`, both included.
    pub const fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// Says yes in `count` of `of` cases.
    pub const fn chance(&mut self, count: u64, of: u64) -> bool {
        self.below(of) < count
    }
}

impl Weighted {
    /// Makes a table of weights; the index of a weight is what is drawn.
    pub fn new(weights: impl IntoIterator<Item = u64>) -> Self {
        let sums = weights.into_iter().scan(0_u64, |sum, weight| {
            *sum += weight;
            Some(*sum)
        });
        Self { sums: sums.collect() }
    }

    /// Makes a table after Zipf's law, shifted: entry `k` of `count` has weight 1 / (k + shift).
    pub fn zipf(count: u64, shift: u64) -> Self {
        Self::new((0..count).map(|k| 1_000_000_000 / (k + shift.max(1))))
    }

    /// Draws an index; 0 of an empty table.
    pub fn draw(&self, random: &mut Random) -> u64 {
        let at = random.below(self.sums.last().copied().unwrap_or_default());
        self.sums.partition_point(|sum| *sum <= at) as u64
    }
}

/// Mixes a number, so that neighbours have nothing in common.
pub const fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_draws_of_seed_0_are_the_published_ones() {
        let mut random = Random::new(0);
        let draws = [random.draw(), random.draw(), random.draw()];
        assert_eq!(draws, [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4, 0x06c4_5d18_8009_454f]);
    }

    #[test]
    fn an_entry_without_weight_is_never_drawn() {
        let table = Weighted::new([0, 3, 0, 1, 0]);
        let mut random = Random::new(7);
        let mut drawn = [0; 5];
        (0..4_000).for_each(|_| drawn[table.draw(&mut random) as usize] += 1);
        assert_eq!((drawn[0], drawn[2], drawn[4]), (0, 0, 0));
        assert!((2_800..3_200).contains(&drawn[1]), "{drawn:?}");
    }
}

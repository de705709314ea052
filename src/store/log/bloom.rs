//! A split-block Bloom filter: a probe touches one run of 32 bytes.
//!
//! Source: Putze, Sanders, Singler, "Cache-, Hash- and Space-Efficient Bloom Filters" (2007),
//! in the form that Apache Parquet specifies.

const BLOCK_LEN: usize = 32;
const BITS_PER_KEY: usize = 10;
const SALTS: [u32; 8] = [
    0x47b6_137b,
    0x4497_4d91,
    0x8824_ad5b,
    0xa2b7_289d,
    0x7054_95c7,
    0x2df1_424b,
    0x9efc_4947,
    0x5c6b_fb31,
];

/// Says of a key that it may be in the set, or that it is not.
pub struct Bloom {
    blocks: Vec<[u32; 8]>,
}

impl Bloom {
    /// Makes a filter of about one wrong answer in a hundred for that many keys.
    pub fn with_capacity(keys: usize) -> Self {
        let blocks = (keys * BITS_PER_KEY).div_ceil(BLOCK_LEN * 8).max(1);
        Self { blocks: vec![[0; 8]; blocks] }
    }

    /// Reads a filter from its bytes.
    pub fn decode(bytes: &[u8]) -> Self {
        let block = |bytes: &[u8]| std::array::from_fn(|at| super::frame::number(bytes, at * 4));
        Self { blocks: bytes.chunks_exact(BLOCK_LEN).map(block).collect() }
    }

    /// Appends the bytes to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let words = self.blocks.iter().flatten();
        words.for_each(|word| out.extend_from_slice(&word.to_le_bytes()));
    }

    /// Returns the bytes that [`Bloom::encode`] gives.
    pub const fn encoded_len(&self) -> usize {
        self.blocks.len() * BLOCK_LEN
    }

    /// Puts a key into the set.
    pub fn insert(&mut self, key: u64) {
        let at = self.block_of(key);
        if let Some(block) = self.blocks.get_mut(at) {
            block.iter_mut().zip(masks(key)).for_each(|(word, mask)| *word |= mask);
        }
    }

    /// Returns whether the key may be in the set.
    pub fn may_hold(&self, key: u64) -> bool {
        let block = self.blocks.get(self.block_of(key));
        block.is_some_and(|block| block.iter().zip(masks(key)).all(|(word, mask)| word & mask != 0))
    }

    const fn block_of(&self, key: u64) -> usize {
        (((key >> 32) * self.blocks.len() as u64) >> 32) as usize
    }
}

fn masks(key: u64) -> impl Iterator<Item = u32> {
    let low = key as u32;
    SALTS.iter().map(move |salt| 1 << (low.wrapping_mul(*salt) >> 27))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::log::key::tag_key;

    #[test]
    fn every_key_is_found_again_and_few_others_are() {
        let key = |n: u32| tag_key(b"t", &n.to_le_bytes());
        let mut bloom = Bloom::with_capacity(10_000);
        (0..10_000).for_each(|n| bloom.insert(key(n)));
        let mut bytes = Vec::new();
        bloom.encode(&mut bytes);
        let bloom = Bloom::decode(&bytes);
        assert!((0..10_000).all(|n| bloom.may_hold(key(n))));
        let wrong = (10_000..110_000).filter(|n| bloom.may_hold(key(*n))).count();
        assert!(wrong < 2_500, "{wrong} of 100000 wrong");
    }
}

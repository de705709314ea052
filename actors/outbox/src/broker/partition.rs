//! Which partition of a topic a key goes to.

use std::collections::BTreeSet;

/// Returns the partition of a key: the one that Kafka's own clients choose, so that what others
/// write under the same key lies with it. `None` for a topic without partitions.
pub(super) fn partition_of(key: &[u8], partitions: &BTreeSet<i32>) -> Option<i32> {
    let number = usize::try_from(murmur2(key) & 0x7fff_ffff).ok()?;
    partitions.iter().nth(number.checked_rem(partitions.len())?).copied()
}

/// The 32-bit MurmurHash2 (A. Appleby, public domain) with the seed of Kafka's clients.
fn murmur2(bytes: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let mut hash = 0x9747_b28c_u32 ^ bytes.len() as u32;
    let (words, rest) = bytes.as_chunks::<4>();
    for word in words {
        let word = u32::from_le_bytes(*word).wrapping_mul(M);
        let word = (word ^ (word >> 24)).wrapping_mul(M);
        hash = hash.wrapping_mul(M) ^ word;
    }
    if !rest.is_empty() {
        let tail = rest.iter().rev().fold(0, |tail, byte| (tail << 8) | u32::from(*byte));
        hash = (hash ^ tail).wrapping_mul(M);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_hash_as_in_the_tests_of_kafkas_own_client() {
        for (text, hash) in [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(text.as_bytes()) as i32, hash, "{text}");
        }
    }

    #[test]
    fn a_key_keeps_its_partition_and_keys_use_all() {
        let partitions = BTreeSet::from([0, 1, 2, 7]);
        let of = |n: u32| partition_of(format!("order/{n}").as_bytes(), &partitions);
        assert_eq!((0..100).filter_map(of).collect::<BTreeSet<_>>(), partitions);
        assert_eq!(of(3), of(3));
        assert_eq!(partition_of(b"a", &BTreeSet::new()), None);
    }
}

//! The text of an API key: `hw_<id>_<secret><checksum>`.
//!
//! Id and secret are base 32 without letters that look alike. The secret has 160 random bits,
//! so it is stored as one plain BLAKE3 hash: nothing can be guessed from it. The checksum (35
//! bits of CRC-32C) tells a mistyped key, and scanners a real one, without asking anybody.

use std::fmt;

use subtle::ConstantTimeEq;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const ID_LEN: usize = 12;
const SECRET_LEN: usize = 32;
const CHECKSUM_LEN: usize = 7;
const HASH_CONTEXT: &str = "headwater 2026 api key hash v1";

/// A key as its owner knows it. Shown once, never stored, never logged.
#[derive(Clone)]
pub struct KeyText(String);

/// The hash of a key, as stored.
#[derive(Clone, Copy)]
pub struct KeyHash([u8; 32]);

impl KeyText {
    /// Makes a fresh key.
    ///
    /// # Errors
    /// The system has no randomness to give.
    pub fn fresh() -> Result<Self, getrandom::Error> {
        let mut random = [0_u8; ID_LEN + SECRET_LEN];
        getrandom::fill(&mut random)?;
        let letters: String = random.iter().map(|byte| letter(u32::from(*byte))).collect();
        let (id, secret) = letters.split_at(ID_LEN);
        let body = format!("hw_{id}_{secret}");
        let checksum = checksum(&body);
        Ok(Self(body + &checksum))
    }

    /// Reads a key; `None` when the form or the checksum does not hold.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (id, tail) = text.strip_prefix("hw_")?.split_once('_')?;
        let is_formed = id.len() == ID_LEN && tail.len() == SECRET_LEN + CHECKSUM_LEN;
        let is_plain = |c: u8| ALPHABET.contains(&c);
        if !is_formed || !id.bytes().chain(tail.bytes()).all(is_plain) {
            return None;
        }
        let (body, stated) = text.split_at_checked(text.len() - CHECKSUM_LEN)?;
        (checksum(body) == stated).then(|| Self(text.to_owned()))
    }

    /// Returns the public part by which the key is found.
    #[must_use]
    pub fn id(&self) -> &str {
        self.0.get(3..3 + ID_LEN).unwrap_or_default()
    }

    /// Returns the hash that is stored.
    #[must_use]
    pub fn hash(&self) -> KeyHash {
        KeyHash(blake3::derive_key(HASH_CONTEXT, self.0.as_bytes()))
    }

    /// Returns the whole key, to be shown once.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl KeyHash {
    /// Reads a stored hash; `None` when it is not 64 hexadecimal digits.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        blake3::Hash::from_hex(text).ok().map(|hash| Self(*hash.as_bytes()))
    }

    /// Returns the form that is stored.
    #[must_use]
    pub fn to_hex(self) -> String {
        blake3::Hash::from_bytes(self.0).to_hex().to_string()
    }

    /// Compares in a time that does not depend on the hashes.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Debug for KeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "hw_{}_…", self.id())
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyHash(…)")
    }
}

fn checksum(body: &str) -> String {
    let sum = crc32c::crc32c(body.as_bytes());
    (0..CHECKSUM_LEN).map(|at| letter(sum.checked_shr(5 * at as u32).unwrap_or(0))).collect()
}

fn letter(bits: u32) -> char {
    ALPHABET.get((bits & 31) as usize).copied().map_or('0', char::from)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_key_reads_back_and_hides_its_secret() {
        let key = KeyText::fresh().unwrap();
        let again = KeyText::parse(key.reveal()).unwrap();
        assert_eq!(again.id(), key.id());
        assert!(again.hash().matches(&key.hash()));
        let hex = KeyHash::from_hex(&key.hash().to_hex()).unwrap();
        assert!(hex.matches(&key.hash()));
        assert_eq!(format!("{key:?}"), format!("hw_{}_…", key.id()));
    }

    #[test]
    fn two_keys_differ_in_id_and_hash() {
        let (one, two) = (KeyText::fresh().unwrap(), KeyText::fresh().unwrap());
        assert_ne!(one.id(), two.id());
        assert!(!one.hash().matches(&two.hash()));
    }

    proptest! {
        #[test]
        fn a_changed_character_is_noticed(at in 0_usize..55, new in "[0-9a-z_]") {
            let key = KeyText::fresh().unwrap();
            let mut text = key.reveal().to_owned();
            prop_assume!(text[at..=at] != *new);
            text.replace_range(at..=at, &new);
            prop_assert!(KeyText::parse(&text).is_none());
        }

        #[test]
        fn no_text_makes_the_reader_fail(text in "\\PC*") {
            prop_assert!(KeyText::parse(&text).is_none());
        }
    }
}

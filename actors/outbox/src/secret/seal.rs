//! Secrets as they lie in the log and in backups: encrypted, bound to the place they belong to.

use std::fmt;
use std::str::FromStr;

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::base64;

const KEY_LEN: usize = 32;
const NONCE_LEN: usize = 24;
const VERSION: &str = "v1";

/// Says why nothing could be sealed or opened; never with any of what is sealed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Another key sealed it. The operator acts.
    #[error(
        "sealed with another key (id {id}; this one is {own}): set outbox.key to the key it was \
         sealed with"
    )]
    OtherKey {
        /// The id of the key that sealed it.
        id: String,
        /// The id of the key that should have opened it.
        own: String,
    },
    /// This key sealed it, but not these bytes, or not for this place. The operator acts.
    #[error("what is sealed is damaged or was moved here from elsewhere: set the secret anew")]
    Damaged,
    /// A later program sealed it. The operator acts.
    #[error("sealed in a form that this program does not know: run the newer program")]
    Unknown,
}

/// Says why a text is no key; never with any of its characters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealKeyError {
    /// Is not base64. The operator acts.
    #[error("outbox.key is not base64: give it the base64 of 32 random bytes")]
    Base64,
    /// Has a wrong length. The operator acts.
    #[error("outbox.key has {len} bytes behind its base64: give it the base64 of 32 random bytes")]
    Length {
        /// How many bytes it has.
        len: usize,
    },
    /// The machine gave no random bytes. The operator acts.
    #[error("the machine gives no random bytes: {problem}")]
    Random {
        /// What the machine says.
        problem: String,
    },
}

/// The key that secrets are sealed with: 32 bytes, as text their base64.
#[derive(Clone)]
pub struct SealKey {
    bytes: [u8; KEY_LEN],
    id: String,
}

/// Something sealed, as text: `v1.<id of the key>.<base64 of nonce and ciphertext>`.
///
/// XChaCha20-Poly1305, with a nonce made of what is sealed. Showing it gives nothing away but
/// the length, and whether two of one place are the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct Sealed(String);

impl SealKey {
    /// Makes a new key from the machine's random bytes.
    ///
    /// # Errors
    /// [`SealKeyError::Random`] when the machine gives none.
    pub fn generate() -> Result<Self, SealKeyError> {
        let mut bytes = [0; KEY_LEN];
        let random = getrandom::fill(&mut bytes);
        random.map_err(|error| SealKeyError::Random { problem: error.to_string() })?;
        Ok(Self::new(bytes))
    }

    /// Takes 32 bytes as the key.
    #[must_use]
    pub fn new(bytes: [u8; KEY_LEN]) -> Self {
        let digest = Sha256::digest(bytes);
        let id = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        Self { bytes, id }
    }

    /// Returns what the key is called: the first 8 hex digits of its SHA-256, which tell keys
    /// apart and give nothing away.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the key as text, for the file that keeps it.
    #[must_use]
    pub fn reveal(&self) -> String {
        base64::encode(&self.bytes)
    }

    /// Seals a text for a place, which `place` names: it opens there alone, so that nobody who
    /// may write rows can put one endpoint's secret at another.
    ///
    /// # Errors
    /// [`SealError::Damaged`] of a text that no memory holds.
    pub fn seal(&self, plain: &str, place: &str) -> Result<Sealed, SealError> {
        // Made of what is sealed, so that the same text is sealed the same way at one place: a
        // command that is sent again stays the same. Different texts have different nonces.
        let made = derive(&self.bytes, &[b"nonce", place.as_bytes(), plain.as_bytes()]);
        let nonce: [u8; NONCE_LEN] = made.first_chunk().copied().ok_or(SealError::Damaged)?;
        let payload = Payload { msg: plain.as_bytes(), aad: place.as_bytes() };
        let sealed = self.cipher().encrypt(&XNonce::from(nonce), payload);
        // Only texts of 256 GiB are refused.
        let sealed = sealed.map_err(|_| SealError::Damaged)?;
        let bytes = [nonce.as_slice(), &sealed].concat();
        Ok(Sealed(format!("{VERSION}.{}.{}", self.id, base64::encode(&bytes))))
    }

    /// Opens what was sealed for the place.
    ///
    /// # Errors
    /// [`SealError`] when another key sealed it, and when it is damaged or belongs elsewhere.
    pub fn open(&self, sealed: &Sealed, place: &str) -> Result<String, SealError> {
        let bytes = self.own_bytes(&sealed.0)?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_LEN>().ok_or(SealError::Damaged)?;
        let payload = Payload { msg: sealed, aad: place.as_bytes() };
        let plain = self.cipher().decrypt(&XNonce::from(*nonce), payload);
        String::from_utf8(plain.map_err(|_| SealError::Damaged)?).map_err(|_| SealError::Damaged)
    }

    /// Returns the bytes behind the text if this key sealed them.
    fn own_bytes(&self, text: &str) -> Result<Vec<u8>, SealError> {
        let (version, rest) = text.split_once('.').ok_or(SealError::Damaged)?;
        if version != VERSION {
            return Err(SealError::Unknown);
        }
        let (id, base64) = rest.split_once('.').ok_or(SealError::Damaged)?;
        if id != self.id {
            return Err(SealError::OtherKey { id: id.to_owned(), own: self.id.clone() });
        }
        base64::decode(base64).ok_or(SealError::Damaged)
    }

    /// Returns 32 bytes that only this key gives for a purpose, always the same.
    #[must_use]
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        derive(&self.bytes, &[b"derive", purpose.as_bytes()])
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&self.bytes.into())
    }
}

impl Sealed {
    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SealKey {
    type Err = SealKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = base64::decode(text.trim()).ok_or(SealKeyError::Base64)?;
        let len = bytes.len();
        let bytes = bytes.try_into().map_err(|_| SealKeyError::Length { len })?;
        Ok(Self::new(bytes))
    }
}

/// Returns what HMAC-SHA256 makes of some parts, each with its length before it.
fn derive(key: &[u8; KEY_LEN], parts: &[&[u8]]) -> [u8; 32] {
    // HMAC pads a short key with zeros itself.
    let mut padded = [0; 64];
    padded.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    let mut keyed = Hmac::<Sha256>::new(&padded.into());
    for part in parts {
        keyed.update(&(part.len() as u64).to_be_bytes());
        keyed.update(part);
    }
    keyed.finalize().into_bytes().into()
}

impl PartialEq for SealKey {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealKey").field("id", &self.id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key() -> SealKey {
        SealKey::new([7; KEY_LEN])
    }

    #[test]
    fn what_is_sealed_opens_with_its_key_at_its_place_alone() {
        let sealed = key().seal("whsec_x", "endpoint/1").unwrap();
        assert_eq!(key().open(&sealed, "endpoint/1").unwrap(), "whsec_x");
        assert_eq!(key().open(&sealed, "endpoint/2"), Err(SealError::Damaged));
        assert!(sealed.as_str().starts_with(&format!("v1.{}.", key().id())));
    }

    #[test]
    fn another_key_is_told_from_damage() {
        let sealed = key().seal("x", "").unwrap();
        let other = SealKey::generate().unwrap();
        let refused = other.open(&sealed, "").unwrap_err().to_string();
        assert!(refused.contains(key().id()) && refused.contains(other.id()), "{refused}");
        assert!(refused.contains("set outbox.key to the key it was sealed with"));
        for damaged in ["", "v1", "v1.", &format!("v1.{}.", key().id())] {
            assert_eq!(key().open(&Sealed(damaged.into()), ""), Err(SealError::Damaged));
        }
        let newer = Sealed("v2.x.y".into());
        assert_eq!(key().open(&newer, ""), Err(SealError::Unknown));
    }

    #[test]
    fn one_text_is_sealed_one_way_at_one_place_and_by_one_key() {
        assert_eq!(key().seal("x", "a"), key().seal("x", "a"));
        let sealed = key().seal("x", "a");
        for other in
            [key().seal("y", "a"), key().seal("x", "b"), SealKey::new([9; 32]).seal("x", "a")]
        {
            assert_ne!(sealed, other);
        }
    }

    #[test]
    fn a_key_reads_back_from_its_text_and_wrong_ones_say_what_is_wrong() {
        let key = SealKey::generate().unwrap();
        let again: SealKey = format!(" {}\n", key.reveal()).parse().unwrap();
        assert_eq!(again.bytes, key.bytes);
        assert_eq!("AAAA".parse::<SealKey>().unwrap_err(), SealKeyError::Length { len: 3 });
        assert_eq!("?".parse::<SealKey>().unwrap_err(), SealKeyError::Base64);
    }

    #[test]
    fn a_key_is_not_shown() {
        let key = key();
        let shown = format!("{key:?}");
        assert!(shown.contains(key.id()) && !shown.contains(&key.reveal()), "{shown}");
    }

    proptest! {
        #[test]
        fn every_text_opens_as_it_was_sealed(plain: String, place: String) {
            let sealed = key().seal(&plain, &place).unwrap();
            prop_assert_eq!(key().open(&sealed, &place).unwrap(), plain);
        }

        #[test]
        fn every_flipped_bit_is_found(plain: String, flip: prop::sample::Index, bit in 0..8_u8) {
            let sealed = key().seal(&plain, "p").unwrap();
            let mut bytes = key().own_bytes(&sealed.0).unwrap();
            let at = flip.index(bytes.len());
            bytes[at] ^= 1 << bit;
            let bad = Sealed(format!("v1.{}.{}", key().id(), base64::encode(&bytes)));
            prop_assert_eq!(key().open(&bad, "p"), Err(SealError::Damaged));
        }
    }
}

//! What deliveries are signed with: the secrets of the Standard Webhooks specification 1.0.0.
//!
//! A secret is parsed once, when it is set, and then signs without failing.

mod base64;
mod echo;
mod key_file;
mod mask;
mod seal;

use std::fmt;
use std::str::FromStr;

use ed25519_dalek::{Signer, SigningKey};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use utoipa::ToSchema;

pub use key_file::KeyFileError;
pub use mask::Mask;
pub use seal::{SealError, SealKey, SealKeyError, Sealed};

const SYMMETRIC_PREFIX: &str = "whsec_";
const PRIVATE_PREFIX: &str = "whsk_";
const PUBLIC_PREFIX: &str = "whpk_";
/// How long a generated symmetric secret is, in bytes: as long as what HMAC-SHA256 gives.
const GENERATED_LEN: usize = 32;
const SEED_LEN: usize = 32;
const PAIR_LEN: usize = 64;

/// How deliveries are signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SecretKind {
    /// HMAC-SHA256 with a secret that the receiver has too; signatures begin with `v1,`.
    #[default]
    Symmetric,
    /// ed25519: the receiver has the public key alone; signatures begin with `v1a,`.
    Ed25519,
}

/// Says why a signing secret was refused, never with any of its characters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Begins with no known prefix. The caller acts.
    #[error("the secret begins with neither whsec_ (symmetric) nor whsk_ (ed25519): put it there")]
    Prefix,
    /// Is the key of the receiver. The caller acts.
    #[error("the secret is a public key (whpk_): give the private one (whsk_), which signs")]
    Public,
    /// Is not base64. The caller acts.
    #[error(
        "the secret is not base64 after its prefix: allowed are A-Z a-z 0-9 + / and = at the end"
    )]
    Base64,
    /// Has a wrong length. The caller acts.
    #[error("the secret has {len} bytes behind its base64: {expected}")]
    Length {
        /// How many bytes it has.
        len: usize,
        /// How many it should have, in words.
        expected: &'static str,
    },
    /// Has a public half that is not its private half's. The caller acts.
    #[error("the secret's last 32 bytes are not the public key of its first 32: copy it again")]
    Mismatch,
    /// The machine gave no random bytes. The operator acts.
    #[error("the machine gives no random bytes: {problem}")]
    Random {
        /// What the machine says.
        problem: String,
    },
}

/// A secret that signs deliveries; shown in full by [`SigningSecret::reveal`] alone.
///
/// Written `whsec_` and the base64 of 24 to 64 bytes, or `whsk_` and the base64 of an ed25519
/// key: 64 bytes (private and public half) or 32 (the private half). Padding may be left out.
#[derive(Clone)]
pub struct SigningSecret(Key);

#[derive(Clone)]
enum Key {
    /// With the state that the key alone decides, so that no signature works it out again.
    Symmetric {
        bytes: Vec<u8>,
        keyed: Box<Hmac<Sha256>>,
    },
    Ed25519(Box<SigningKey>),
}

impl SigningSecret {
    /// The fewest bytes of a symmetric secret.
    pub const SYMMETRIC_LEN_MIN: usize = 24;
    /// The most bytes of a symmetric secret.
    pub const SYMMETRIC_LEN_MAX: usize = 64;

    /// Makes a new secret from the machine's random bytes.
    ///
    /// # Errors
    /// [`SecretError::Random`] when the machine gives none.
    pub fn generate(kind: SecretKind) -> Result<Self, SecretError> {
        match kind {
            SecretKind::Symmetric => Self::symmetric(random::<GENERATED_LEN>()?.to_vec()),
            SecretKind::Ed25519 => Ok(Self::ed25519(SigningKey::from_bytes(&random()?))),
        }
    }

    /// Makes a secret of 32 bytes, the same of the same bytes.
    ///
    /// # Errors
    /// None that can happen: 32 bytes make a secret of either kind.
    pub fn of_seed(kind: SecretKind, seed: [u8; SEED_LEN]) -> Result<Self, SecretError> {
        match kind {
            SecretKind::Symmetric => Self::symmetric(seed.to_vec()),
            SecretKind::Ed25519 => Ok(Self::ed25519(SigningKey::from_bytes(&seed))),
        }
    }

    /// Returns how it signs.
    #[must_use]
    pub const fn kind(&self) -> SecretKind {
        match self.0 {
            Key::Symmetric { .. } => SecretKind::Symmetric,
            Key::Ed25519(_) => SecretKind::Ed25519,
        }
    }

    /// Returns the secret as text: for the one answer that shows it, and for sealing.
    #[must_use]
    pub fn reveal(&self) -> String {
        match &self.0 {
            Key::Symmetric { bytes, .. } => format!("{SYMMETRIC_PREFIX}{}", base64::encode(bytes)),
            Key::Ed25519(key) => {
                format!("{PRIVATE_PREFIX}{}", base64::encode(&key.to_keypair_bytes()))
            }
        }
    }

    /// Returns the key that receivers verify with, `whpk_…`; `None` of a symmetric secret, which
    /// has none.
    #[must_use]
    pub fn public_key(&self) -> Option<String> {
        match &self.0 {
            Key::Symmetric { .. } => None,
            Key::Ed25519(key) => {
                let public = key.verifying_key();
                Some(format!("{PUBLIC_PREFIX}{}", base64::encode(public.as_bytes())))
            }
        }
    }

    /// Signs one attempt: `v1,<base64>` or `v1a,<base64>` over `id.timestamp.body`.
    ///
    /// `id` is the `webhook-id` and must hold no `.`, or one message could pass for another;
    /// ids of events hold none. `timestamp_s` is the `webhook-timestamp`: when the attempt
    /// starts, in seconds since 1970.
    #[must_use]
    pub fn sign(&self, id: &str, timestamp_s: i64, body: &[u8]) -> String {
        let head = format!("{id}.{timestamp_s}.");
        match &self.0 {
            Key::Symmetric { keyed, .. } => {
                let mac = Hmac::clone(keyed).chain_update(head).chain_update(body);
                format!("v1,{}", base64::encode(&mac.finalize().into_bytes()))
            }
            Key::Ed25519(key) => {
                let signature = key.sign(&[head.as_bytes(), body].concat());
                format!("v1a,{}", base64::encode(&signature.to_bytes()))
            }
        }
    }

    fn symmetric(bytes: Vec<u8>) -> Result<Self, SecretError> {
        let (len, expected) = (bytes.len(), "a symmetric one (whsec_) has 24 to 64");
        if !(Self::SYMMETRIC_LEN_MIN..=Self::SYMMETRIC_LEN_MAX).contains(&len) {
            return Err(SecretError::Length { len, expected });
        }
        // HMAC takes keys of every length, so this does not fail.
        let keyed = Hmac::new_from_slice(&bytes).map_err(|_| SecretError::Length { len, expected });
        Ok(Self(Key::Symmetric { keyed: Box::new(keyed?), bytes }))
    }

    fn ed25519(key: SigningKey) -> Self {
        Self(Key::Ed25519(Box::new(key)))
    }

    fn private(bytes: &[u8]) -> Result<Self, SecretError> {
        if let Ok(seed) = <&[u8; SEED_LEN]>::try_from(bytes) {
            return Ok(Self::ed25519(SigningKey::from_bytes(seed)));
        }
        let expected = "an ed25519 one (whsk_) has 64 (private and public half) or 32";
        let pair = <&[u8; PAIR_LEN]>::try_from(bytes)
            .map_err(|_| SecretError::Length { len: bytes.len(), expected })?;
        let key = SigningKey::from_keypair_bytes(pair).map_err(|_| SecretError::Mismatch)?;
        Ok(Self::ed25519(key))
    }
}

/// Returns the `webhook-signature` of one attempt: one signature of each secret, the current one
/// first, so that receivers verify with the new or the previous secret during a rotation.
///
/// Empty without secrets. `id` and `timestamp_s` as [`SigningSecret::sign`] has them.
#[must_use]
pub fn signature_header(
    secrets: &[&SigningSecret],
    id: &str,
    timestamp_s: i64,
    body: &[u8],
) -> String {
    let signatures = secrets.iter().map(|secret| secret.sign(id, timestamp_s, body));
    signatures.collect::<Vec<_>>().join(" ")
}

impl FromStr for SigningSecret {
    type Err = SecretError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let decoded = |base64: &str| base64::decode(base64).ok_or(SecretError::Base64);
        if let Some(base64) = text.strip_prefix(SYMMETRIC_PREFIX) {
            return Self::symmetric(decoded(base64)?);
        }
        if let Some(base64) = text.strip_prefix(PRIVATE_PREFIX) {
            return Self::private(&decoded(base64)?);
        }
        let is_public = text.starts_with(PUBLIC_PREFIX);
        Err(if is_public { SecretError::Public } else { SecretError::Prefix })
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningSecret").field("kind", &self.kind()).finish_non_exhaustive()
    }
}

fn random<const LEN: usize>() -> Result<[u8; LEN], SecretError> {
    let mut bytes = [0; LEN];
    getrandom::fill(&mut bytes)
        .map_err(|error| SecretError::Random { problem: error.to_string() })?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;

//! Signing secrets: what is read, what is refused, what is signed.

use ed25519_dalek::{Signature, Verifier};
use proptest::prelude::*;

use super::*;

/// Known answers, worked out with another implementation (see `tests/oracle`).
const SYMMETRIC: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const TIMESTAMP_S: i64 = 1_614_265_330;
const BODY: &[u8] = br#"{"test": 2432232314}"#;

fn whsec(len: usize) -> String {
    format!("whsec_{}", base64::encode(&vec![7; len]))
}

fn refused(text: &str) -> SecretError {
    text.parse::<SigningSecret>().unwrap_err()
}

#[test]
fn a_symmetric_signature_is_that_of_the_official_libraries() {
    let secret: SigningSecret = SYMMETRIC.parse().unwrap();
    let signed = secret.sign(ID, TIMESTAMP_S, BODY);
    assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

#[test]
fn an_ed25519_signature_is_verified_by_the_public_key_alone() {
    let secret = SigningSecret::generate(SecretKind::Ed25519).unwrap();
    let public = base64::decode(secret.public_key().unwrap().strip_prefix("whpk_").unwrap());
    let public = <[u8; 32]>::try_from(public.unwrap()).unwrap();
    let public = ed25519_dalek::VerifyingKey::from_bytes(&public).unwrap();
    let signed = secret.sign("a", 5, b"body");
    let signature = base64::decode(signed.strip_prefix("v1a,").unwrap()).unwrap();
    let signature = Signature::from_slice(&signature).unwrap();
    assert!(public.verify(b"a.5.body", &signature).is_ok());
    assert!(public.verify(b"a.6.body", &signature).is_err());
}

#[test]
fn a_generated_secret_reads_back_from_its_text() {
    for kind in [SecretKind::Symmetric, SecretKind::Ed25519] {
        let secret = SigningSecret::generate(kind).unwrap();
        let again: SigningSecret = secret.reveal().parse().unwrap();
        assert_eq!((again.kind(), again.reveal()), (kind, secret.reveal()));
        assert_eq!(again.public_key(), secret.public_key());
        assert_eq!(again.sign("a", 1, b"b"), secret.sign("a", 1, b"b"));
        assert_ne!(SigningSecret::generate(kind).unwrap().reveal(), secret.reveal());
    }
}

#[test]
fn a_private_key_is_read_with_its_public_half_and_without() {
    let secret = SigningSecret::generate(SecretKind::Ed25519).unwrap();
    let pair = base64::decode(secret.reveal().strip_prefix("whsk_").unwrap()).unwrap();
    let seed = format!("whsk_{}", base64::encode(&pair[..32]));
    assert_eq!(seed.parse::<SigningSecret>().unwrap().reveal(), secret.reveal());
    let mut torn = pair;
    torn[40] ^= 1;
    assert_eq!(refused(&format!("whsk_{}", base64::encode(&torn))), SecretError::Mismatch);
}

#[test]
fn padding_may_be_left_out() {
    let padded = whsec(25);
    assert!(padded.ends_with('='));
    let bare: SigningSecret = padded.trim_end_matches('=').parse().unwrap();
    assert_eq!(bare.reveal(), padded);
}

#[test]
fn a_secret_wrong_in_length_says_which_length_is_right() {
    for len in [24, 64] {
        assert!(whsec(len).parse::<SigningSecret>().is_ok(), "{len}");
    }
    for len in [0, 23, 65] {
        let said = refused(&whsec(len)).to_string();
        assert!(said.contains(&format!("{len} bytes")) && said.contains("24 to 64"), "{said}");
    }
    for len in [0, 31, 33, 63, 65] {
        let said = refused(&format!("whsk_{}", base64::encode(&vec![7; len]))).to_string();
        assert!(said.contains(&format!("{len} bytes")) && said.contains("or 32"), "{said}");
    }
}

#[test]
fn a_secret_wrong_in_prefix_or_base64_says_so_and_shows_nothing() {
    assert_eq!(refused("hunter2"), SecretError::Prefix);
    assert_eq!(refused("whpk_AAAA"), SecretError::Public);
    for text in ["whsec_hunter-2", "whsk_hunter 2", "whsec_hunter2_"] {
        assert_eq!(refused(text), SecretError::Base64);
    }
    let said = [refused("hunter2"), refused("whsec_hunter-2")].map(|error| error.to_string());
    assert!(!said.concat().contains("hunter"), "{said:?}");
}

#[test]
fn a_secret_is_not_shown() {
    for kind in [SecretKind::Symmetric, SecretKind::Ed25519] {
        let secret = SigningSecret::generate(kind).unwrap();
        assert_eq!(format!("{secret:?}"), format!("SigningSecret {{ kind: {kind:?}, .. }}"));
    }
}

#[test]
fn during_a_rotation_both_secrets_sign_the_current_one_first() {
    let current = SigningSecret::generate(SecretKind::Ed25519).unwrap();
    let previous = SigningSecret::generate(SecretKind::Symmetric).unwrap();
    let header = signature_header(&[&current, &previous], "a", 1, b"b");
    let (first, second) = header.split_once(' ').unwrap();
    assert_eq!((first, second), (&*current.sign("a", 1, b"b"), &*previous.sign("a", 1, b"b")));
    assert_eq!(signature_header(&[], "a", 1, b"b"), "");
}

proptest! {
    #[test]
    fn whatever_is_changed_changes_the_signature(
        key in prop::collection::vec(any::<u8>(), 24..=64),
        (id, at, body) in ("[a-z0-9-]{1,40}", any::<i64>(), prop::collection::vec(any::<u8>(), 1..200)),
        flip: prop::sample::Index,
        bit in 0..8_u8,
    ) {
        let seed = format!("whsk_{}", base64::encode(&key[..24].repeat(2)[..32]));
        for text in [format!("whsec_{}", base64::encode(&key)), seed] {
            let secret: SigningSecret = text.parse().unwrap();
            let signed = secret.sign(&id, at, &body);
            let mut other = body.clone();
            other[flip.index(body.len())] ^= 1 << bit;
            prop_assert_ne!(&secret.sign(&id, at, &other), &signed);
            prop_assert_ne!(&secret.sign(&id, at.wrapping_add(1), &body), &signed);
            prop_assert_ne!(&secret.sign(&format!("{id}x"), at, &body), &signed);
        }
    }
}

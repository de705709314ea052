//! Signatures, verified by the libraries that receivers use.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use headwater::clock::{Clock, SystemClock};
use headwater_outbox::secret::{SecretKind, SigningSecret, signature_header};
use serde_json::{Value, json};

use super::oracle::Oracle;

const ID: &str = "0190b8a0-0000-7000-8000-000000000001";
const BODIES: [&str; 3] = ["{}", "{\"a\": \"é😀\\n\", \"n\": 1.10}", "[1.0,  2]"];
const MISSING: &str = "No matching signature found";

fn secret(kind: SecretKind) -> SigningSecret {
    SigningSecret::generate(kind).unwrap()
}

/// A delivery signed by some secrets, as the receiver that has `known` gets it.
fn delivery(signing: &[&SigningSecret], known: &str, (signed, sent): (&str, &str)) -> Value {
    let timestamp_s = SystemClock.now().as_second();
    let headers = json!({
        "webhook-id": ID,
        "webhook-timestamp": timestamp_s.to_string(),
        "webhook-signature": signature_header(signing, ID, timestamp_s, signed.as_bytes()),
    });
    let body = STANDARD.encode(sent);
    json!({ "kind": "signature", "secret": known, "headers": headers, "body": body })
}

/// Deliveries with what the receiver must make of them.
fn symmetric_cases() -> Vec<(Value, &'static str)> {
    let kinds = [SecretKind::Symmetric, SecretKind::Symmetric, SecretKind::Ed25519];
    let [current, previous, private] = kinds.map(secret);
    let shortest: SigningSecret = format!("whsec_{}", STANDARD.encode([7; 24])).parse().unwrap();
    let longest: SigningSecret = format!("whsec_{}", STANDARD.encode([7; 64])).parse().unwrap();
    let mut cases = Vec::new();
    for body in BODIES {
        let same = (body, body);
        for one in [&current, &shortest, &longest] {
            cases.push((delivery(&[one], &one.reveal(), same), "verified"));
        }
        for known in [&current, &previous] {
            let signing = [&private, &current, &previous];
            cases.push((delivery(&signing, &known.reveal(), same), "verified"));
        }
        cases.push((delivery(&[&current], &previous.reveal(), same), MISSING));
        cases.push((delivery(&[&current], &current.reveal(), (body, "{ }")), MISSING));
    }
    cases
}

fn asymmetric_cases() -> Vec<(Value, &'static str)> {
    let [current, previous] = [SecretKind::Ed25519; 2].map(secret);
    let public = current.public_key().unwrap();
    let mut cases = Vec::new();
    for body in BODIES {
        let same = (body, body);
        cases.push((delivery(&[&current], &public, same), "verified"));
        cases.push((delivery(&[&previous, &current], &public, same), "verified"));
        cases.push((delivery(&[&previous], &public, same), MISSING));
        cases.push((delivery(&[&current], &public, (body, "{ }")), MISSING));
    }
    cases
}

fn assert_judged(oracle: Oracle, cases: Vec<(Value, &'static str)>) {
    let (cases, expected): (Vec<Value>, Vec<&str>) = cases.into_iter().unzip();
    if let Some(said) = oracle.ask(&json!(cases)) {
        assert_eq!(said, json!(expected));
    }
}

#[test]
fn symmetric_signatures_are_verified_by_the_library_of_pypi() {
    assert_judged(Oracle::Python, symmetric_cases());
}

#[test]
fn symmetric_signatures_are_verified_by_the_library_of_npm() {
    assert_judged(Oracle::Node, symmetric_cases());
}

#[test]
fn ed25519_signatures_are_verified_by_another_implementation() {
    assert_judged(Oracle::Node, asymmetric_cases());
}

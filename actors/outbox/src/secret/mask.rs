//! Hides known secrets in what others say: a receiver that echoes its request, or a server that
//! names a password in an error.

use std::sync::Arc;

use super::base64;
use super::echo::{Echo, echo};

/// What stands where a secret was.
const MASK: &[u8] = b"[secret]";
/// What stands for the rest when looking for secrets took too long.
const UNSEARCHED: &[u8] = b"[not shown: too long to search for secrets]";
/// Shorter values are not looked for: they would be found in every text.
const LEN_MIN: usize = 4;
/// Shorter parts of a value are not looked for by themselves.
const PART_LEN_MIN: usize = 6;
/// How many comparisons one text may cost.
const STEPS_MAX: usize = 4 << 20;

/// The secrets of an endpoint, in the forms in which a text may hold them; cheap to clone.
///
/// Found are a secret as it is (in either case), percent-encoded, escaped for JSON or HTML, in
/// base64 (of either alphabet, also inside of something longer) and in hexadecimal, its parts
/// between spaces, `,;=:` and quotes of at least 6 bytes, the beginning of it where a text ends,
/// and what the base64 of a `Basic` authorization holds. Values of less than 4 bytes are not
/// looked for.
#[derive(Clone, Default)]
pub struct Mask(Arc<[Vec<u8>]>);

impl Mask {
    /// Knows these secrets.
    #[must_use]
    pub fn of<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let mut needles = Vec::new();
        for secret in secrets {
            add_value(&mut needles, secret.trim().as_bytes());
        }
        // The longest first, or a part of a secret hides where the whole begins.
        needles.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        needles.dedup();
        Self(needles.into())
    }

    /// Returns a text with every secret replaced, up to `len_max` bytes of it.
    #[must_use]
    pub fn hide(&self, text: &[u8], len_max: usize) -> Vec<u8> {
        let (mut out, mut at, mut steps) = (Vec::new(), 0, STEPS_MAX);
        while let Some(rest) = text.get(at..).filter(|_| out.len() < len_max) {
            let Some(first) = rest.first() else { break };
            match self.found(rest, &mut steps) {
                _ if steps == 0 => {
                    out.extend(UNSEARCHED);
                    break;
                }
                Some(len) => {
                    out.extend(MASK);
                    at += len;
                }
                None => {
                    out.push(*first);
                    at += 1;
                }
            }
        }
        out.truncate(len_max);
        out
    }

    /// Returns how many bytes at the beginning of a text are a secret.
    fn found(&self, text: &[u8], steps: &mut usize) -> Option<usize> {
        self.0.iter().find_map(|needle| match echo(text, needle, steps) {
            Echo::Whole { len } => Some(len),
            Echo::CutOff { matched } if matched >= LEN_MIN => Some(text.len()),
            Echo::CutOff { .. } | Echo::None => None,
        })
    }
}

impl std::fmt::Debug for Mask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mask").field("forms", &self.0.len()).finish()
    }
}

/// Adds a value, its parts, and what its parts hold as base64.
fn add_value(needles: &mut Vec<Vec<u8>>, value: &[u8]) {
    if value.len() < LEN_MIN {
        return;
    }
    add_forms(needles, value);
    for part in value.split(|byte| b" \t,;=:\"'".contains(byte)) {
        if part.len() >= PART_LEN_MIN && part.len() < value.len() {
            add_forms(needles, part);
        }
    }
    // As in `Basic dXNlcjpwYXNzd29yZA==` and `whsec_…`.
    let inner = value.rsplit(|byte| b" _".contains(byte)).next().unwrap_or_default();
    let decoded = std::str::from_utf8(inner).ok().and_then(base64::decode);
    let Some(decoded) = decoded.filter(|decoded| decoded.len() >= PART_LEN_MIN) else { return };
    if inner.len() < value.len() {
        add_forms(needles, inner);
        add_forms(needles, &decoded);
        if let Some((_, password)) = std::str::from_utf8(&decoded).ok().and_then(split_user)
            && password.len() >= LEN_MIN
        {
            add_forms(needles, password.as_bytes());
        }
    }
}

fn split_user(text: &str) -> Option<(&str, &str)> {
    text.split_once(':')
}

/// Adds one text as it is, in hexadecimal, and in base64 as it looks in each of the three places
/// that it may have in something longer.
fn add_forms(needles: &mut Vec<Vec<u8>>, text: &[u8]) {
    needles.push(text.to_vec());
    needles.push(text.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect());
    for before in 0..3 {
        let encoded = base64::encode(&[&vec![0; before], text].concat());
        let (from, to) = ((before * 8).div_ceil(6), (before + text.len()) * 8 / 6);
        let own = encoded.as_bytes().get(from..to).unwrap_or_default();
        if own.len() >= LEN_MIN {
            needles.push(own.to_vec());
            let other = |byte: &u8| match byte {
                b'+' => b'-',
                b'/' => b'_',
                byte => *byte,
            };
            needles.push(own.iter().map(other).collect());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "se/s+am \"open\" 4711?";

    fn hidden(text: &str) -> String {
        let out = Mask::of([SECRET, "Basic dXNlcjpwYXNzd29yZA=="]).hide(text.as_bytes(), 1_024);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_secret_is_hidden_in_each_form() {
        for form in [
            SECRET.to_owned(),
            SECRET.to_uppercase(),
            "se%2Fs%2bam%20%22open%22%204711%3F".to_owned(),
            "se%2Fs%2Bam+%22open%22+4711%3F".to_owned(),
            "se\\/s+am \\\"open\\\" 4711?".to_owned(),
            "se/s\\u002bam \\u0022open\\u0022 4711?".to_owned(),
            "se/s+am &quot;open&#34; 4711&#x3f;".to_owned(),
            "dXNlcjpwYXNzd29yZA".to_owned(),
            "user:password".to_owned(),
            "password".to_owned(),
        ] {
            let said = hidden(&format!("a {form} b"));
            assert!(said.starts_with("a [secret]"), "{form}: {said}");
            assert!(!said.contains("47") && !said.contains("pen"), "{form}: {said}");
        }
    }

    #[test]
    fn a_secret_is_hidden_in_base64_wherever_it_lies() {
        for before in ["", "a", "ab", "abc"] {
            let text = base64::encode(format!("{before}{SECRET}xyz").as_bytes());
            for text in [text.clone(), text.replace('+', "-").replace('/', "_")] {
                let said = hidden(&text);
                assert!(said.contains("[secret]") && said.len() < 8 + 16, "{text}: {said}");
            }
        }
    }

    #[test]
    fn a_secret_that_a_text_breaks_off_is_hidden_too() {
        assert_eq!(hidden("said: se/s+am \"op"), "said: [secret]");
        let text = format!("{}{SECRET}", "a".repeat(1_020));
        assert_eq!(hidden(&text), format!("{}[sec", "a".repeat(1_020)));
    }

    #[test]
    fn other_text_stays_and_short_values_are_not_looked_for() {
        assert_eq!(hidden("100 % &amp; \\u00e9 %41"), "100 % &amp; \\u00e9 %41");
        assert_eq!(Mask::of(["1"]).hide(b"101", 10), b"101");
    }

    #[test]
    fn a_text_made_to_be_searched_slowly_is_given_up() {
        let nearly = format!("{}b", "a".repeat(4_000));
        let secrets: Vec<String> = (0..32).map(|n| format!("{nearly}{n}")).collect();
        let mask = Mask::of(secrets.iter().map(String::as_str));
        let said = mask.hide(&[b'a'; 16 << 10], 1_024);
        assert!(said.len() <= 1_024 && said.ends_with(UNSEARCHED), "{}", said.len());
    }
}

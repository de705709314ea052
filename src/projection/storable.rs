//! Rows in a form that every engine can hold.
//!
//! JSON may hold the character NUL and halves of surrogate pairs as escapes. PostgreSQL's operators
//! refuse a whole document for one of them, so a row with an index could be written on one engine
//! and not on the other. Both engines therefore store these few behind a mark, and readers get
//! back what was written.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::value::RawValue;

/// Stands before the four digits of a character that is not stored as it is, and before itself.
/// It is a noncharacter of Unicode, meant for such use inside a program.
const MARK: char = '\u{FDD0}';

/// The most bytes of a row's key, and of the JSON of a field with an index: on PostgreSQL an entry
/// of an index has 2,704 at most, and holds both and the tenant.
pub(crate) const INDEXED_BYTES_MAX: usize = 1_024;

/// Makes the stored form of a row's JSON.
pub(super) fn json_to_stored(json: String) -> String {
    if !json.contains("\\u") && !json.contains(MARK) {
        return json;
    }
    let mut stored = String::with_capacity(json.len() + 16);
    let mut rest = json.as_str();
    while let Some(at) = rest.find(['\\', MARK]) {
        let (before, from) = rest.split_at(at);
        stored.push_str(before);
        rest = match from.strip_prefix(MARK) {
            Some(behind) => {
                stored.extend([MARK, MARK]);
                behind
            }
            None => escape_to_stored(from, &mut stored),
        };
    }
    stored.push_str(rest);
    stored
}

/// Writes the escape with which a text begins, and returns what is behind it.
fn escape_to_stored<'t>(from: &'t str, stored: &mut String) -> &'t str {
    let (unit, len) = match (unit(from), from.get(6..).and_then(unit)) {
        (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => (None, 12),
        (Some(unit @ (0 | 0xD800..=0xDFFF)), _) => (Some(unit), 6),
        (Some(_), _) => (None, 6),
        // The character behind a backslash is one of ASCII.
        (None, _) => (None, 2),
    };
    let (escape, behind) = from.split_at_checked(len).unwrap_or((from, ""));
    match unit {
        Some(unit) => stored.push_str(&format!("{MARK}{unit:04x}")),
        None => stored.push_str(escape),
    }
    behind
}

/// Reads `\uXXXX` at the beginning of a text.
fn unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    u16::from_str_radix(digits, 16).ok()
}

/// Makes a row's JSON of its stored form.
pub(super) fn json_of_stored(stored: String) -> String {
    of_stored(stored, |digits, json| {
        json.push_str("\\u");
        json.push_str(digits);
    })
}

/// Makes the stored form of a text that is compared: a key, or the value of a filter.
pub(super) fn text_to_stored(text: &str) -> Cow<'_, str> {
    match text.contains(['\0', MARK]) {
        false => Cow::Borrowed(text),
        true => {
            let stored = text.replace(MARK, "\u{FDD0}\u{FDD0}");
            Cow::Owned(stored.replace('\0', "\u{FDD0}0000"))
        }
    }
}

/// Makes a text of its stored form.
pub(super) fn text_of_stored(stored: String) -> String {
    of_stored(stored, |digits, text| {
        let c = u32::from_str_radix(digits, 16).ok().and_then(char::from_u32);
        text.extend(c);
    })
}

fn of_stored(stored: String, write: impl Fn(&str, &mut String)) -> String {
    if !stored.contains(MARK) {
        return stored;
    }
    let mut whole = String::with_capacity(stored.len());
    let mut rest = stored.as_str();
    while let Some((before, behind)) = rest.split_once(MARK) {
        whole.push_str(before);
        let digits = behind.get(..4).filter(|own| own.bytes().all(|c| c.is_ascii_hexdigit()));
        rest = match (behind.strip_prefix(MARK), digits) {
            (Some(behind), _) => {
                whole.push(MARK);
                behind
            }
            (None, Some(digits)) => {
                write(digits, &mut whole);
                behind.get(4..).unwrap_or_default()
            }
            // A row of an earlier version, which had no marks.
            (None, None) => {
                whole.push(MARK);
                behind
            }
        };
    }
    whole.push_str(rest);
    whole
}

/// Says which field with an index is too large to be in it.
pub(super) fn oversized(json: &str, indexes: &[&str]) -> Option<String> {
    if json.len() <= INDEXED_BYTES_MAX || indexes.is_empty() {
        return None;
    }
    let fields: HashMap<Cow<'_, str>, &RawValue> = serde_json::from_str(json).ok()?;
    let len = |field: &str| fields.get(field).map_or(0, |value| value.get().len());
    let field = indexes.iter().find(|field| len(field) > INDEXED_BYTES_MAX)?;
    Some(format!(
        "field {field} of a row has {} bytes: with an index it may have {INDEXED_BYTES_MAX}",
        len(field)
    ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_an_engine_cannot_hold_is_stored_behind_a_mark_and_read_back() {
        for json in [
            r#"{"a":"x\u0000y"}"#,
            r#"{"a":"\ud800","b":"\udc00\ud800x"}"#,
            r#"{"a":"\\u0000\\\u0000"}"#,
            "{\"a\":\"\u{FDD0}\u{FDD0}0000\"}",
        ] {
            let stored = json_to_stored(json.to_owned());
            assert!(!stored.replace("\\\\", "").contains("\\u"), "{stored}");
            assert_eq!(json_of_stored(stored), json);
        }
        for json in [r#"{"a":"\ud83d\ude00\u001f\n"}"#, r#"{"a":"\\u0000"}"#, "{}"] {
            assert_eq!(json_to_stored(json.to_owned()), json);
        }
        assert_eq!(text_of_stored(text_to_stored("a\0\u{FDD0}b").into_owned()), "a\0\u{FDD0}b");
    }

    #[test]
    fn a_field_that_is_too_large_for_its_index_is_named() {
        let json = format!(r#"{{"a":"{}","b":"{}"}}"#, "x".repeat(900), "y".repeat(1_100));
        assert_eq!(oversized(&json, &["a"]), None);
        assert!(oversized(&json, &["a", "b"]).unwrap().contains("field b of a row has 1102 bytes"));
        assert_eq!(oversized(&json, &[]), None);
    }

    proptest! {
        #[test]
        fn every_row_and_key_reads_back(text in any::<String>(), odd in "[\0\u{FDD0}0-9a-f\\\\u\"]*") {
            for text in [text, odd] {
                let json = serde_json::to_string(&text).unwrap();
                prop_assert_eq!(json_of_stored(json_to_stored(json.clone())), json);
                prop_assert_eq!(text_of_stored(text_to_stored(&text).into_owned()), text);
            }
        }
    }
}

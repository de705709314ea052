//! JSON looked at as text, in one pass: how deep it nests, that no key stands twice in an object,
//! and that every text is one that all engines can hold.

use std::borrow::Cow;
use std::collections::HashSet;

use super::{JsonFault, push};

/// What a text is held to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// How many arrays and objects may lie in one another.
    pub depth_max: usize,
    /// The field whose values are data of others: kept byte for byte and read by nobody here, so
    /// they may be any JSON. `None` when there is none.
    pub data: Option<&'static str>,
}

/// So many keys of an object are compared one by one; more are looked up.
const FEW: usize = 16;

/// Checks a text; what is no JSON passes as far as that goes, since the parser refuses it.
pub(crate) fn check(text: &str, rules: Rules) -> Result<(), JsonFault> {
    let mut walk = Walk { text, rules, levels: Vec::new(), keys: Vec::new() };
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'{' => walk.enter(true)?,
            b'[' => walk.enter(false)?,
            b'}' | b']' => walk.leave(),
            b',' => walk.next(),
            b':' => walk.begin_value(),
            b'"' => {
                let (end, is_escaped) = end_of_text(bytes, at + 1);
                walk.text(at..end, is_escaped)?;
                at = end;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    Ok(())
}

/// An array or an object that was entered and not left.
struct Level {
    is_object: bool,
    is_key_next: bool,
    /// Whether it belongs to data.
    is_data: bool,
    /// Where its keys begin in the list of all.
    first_key: usize,
    /// Which item of an array it is at.
    index: usize,
    /// Its keys, once they are many.
    seen: Option<HashSet<String>>,
}

impl Level {
    fn is_new(&mut self, earlier: &[Cow<'_, str>], key: &str) -> bool {
        if let Some(seen) = &mut self.seen {
            return seen.insert(key.to_owned());
        }
        if earlier.len() < FEW {
            return !earlier.iter().any(|own| own == key);
        }
        let mut seen: HashSet<_> = earlier.iter().map(|own| own.to_string()).collect();
        let is_new = seen.insert(key.to_owned());
        self.seen = Some(seen);
        is_new
    }
}

struct Walk<'t> {
    text: &'t str,
    rules: Rules,
    levels: Vec<Level>,
    keys: Vec<Cow<'t, str>>,
}

/// Returns where the text that begins at `at` ends, behind its quote, and whether it has escapes.
fn end_of_text(bytes: &[u8], mut at: usize) -> (usize, bool) {
    let mut is_escaped = false;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return (at + 1, is_escaped),
            b'\\' => {
                is_escaped = true;
                at += 2;
            }
            _ => at += 1,
        }
    }
    (bytes.len(), is_escaped)
}

impl<'t> Walk<'t> {
    fn enter(&mut self, is_object: bool) -> Result<(), JsonFault> {
        let depth_max = self.rules.depth_max;
        if self.levels.len() >= depth_max {
            return Err(JsonFault::whole(format!("JSON nests deeper than {depth_max} levels")));
        }
        let (is_data, first_key) = (self.is_data(), self.keys.len());
        let (is_key_next, index, seen) = (is_object, 0, None);
        self.levels.push(Level { is_object, is_key_next, is_data, first_key, index, seen });
        Ok(())
    }

    /// Returns whether a value that begins here is data or a part of it.
    fn is_data(&self) -> bool {
        let Some(level) = self.levels.last() else { return false };
        let key = self.keys.get(level.first_key..).and_then(<[_]>::last);
        level.is_data
            || (level.is_object
                && self.rules.data.is_some()
                && key.map(|key| &**key) == self.rules.data)
    }

    fn leave(&mut self) {
        if let Some(level) = self.levels.pop() {
            self.keys.truncate(level.first_key);
        }
    }

    fn next(&mut self) {
        if let Some(level) = self.levels.last_mut() {
            level.index += 1;
            level.is_key_next = level.is_object;
        }
    }

    fn begin_value(&mut self) {
        if let Some(level) = self.levels.last_mut() {
            level.is_key_next = false;
        }
    }

    fn text(&mut self, place: std::ops::Range<usize>, is_escaped: bool) -> Result<(), JsonFault> {
        let quoted = self.text.get(place).unwrap_or_default();
        let is_key = self.levels.last().is_some_and(|level| level.is_key_next);
        if is_key {
            self.key(quoted, is_escaped)?;
        }
        let is_free = if is_key { self.is_in_data() } else { self.is_data() };
        match (is_escaped && !is_free).then(|| not_storable(quoted)).flatten() {
            Some(problem) => {
                Err(JsonFault { pointer: self.pointer(), problem: problem.to_owned() })
            }
            None => Ok(()),
        }
    }

    /// Returns whether the object or array that the walk is in belongs to data.
    fn is_in_data(&self) -> bool {
        self.levels.last().is_some_and(|level| level.is_data)
    }

    fn key(&mut self, quoted: &'t str, is_escaped: bool) -> Result<(), JsonFault> {
        let bare = quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        let mut key = Cow::Borrowed(bare.unwrap_or_default());
        if is_escaped {
            // A key that is no text is refused by the parser.
            key = serde_json::from_str::<String>(quoted).map_or(key, Cow::Owned);
        }
        let is_new = self.levels.last_mut().is_none_or(|level| {
            if level.is_data {
                return true;
            }
            let earlier = self.keys.get(level.first_key..).unwrap_or_default();
            level.is_new(earlier, &key)
        });
        self.keys.push(key);
        if is_new { Ok(()) } else { Err(self.twice()) }
    }

    fn twice(&self) -> JsonFault {
        let problem = "stands twice in its object: send it once".to_owned();
        JsonFault { pointer: self.pointer(), problem }
    }

    /// Writes where the walk is.
    fn pointer(&self) -> String {
        let mut pointer = String::new();
        for (at, level) in self.levels.iter().enumerate() {
            let end = self.levels.get(at + 1).map_or(self.keys.len(), |next| next.first_key);
            match (level.is_object, self.keys.get(level.first_key..end)) {
                (true, Some([.., key])) => push(&mut pointer, key),
                (true, _) => {}
                (false, _) => push(&mut pointer, &level.index.to_string()),
            }
        }
        pointer
    }
}

/// Says what of the escapes of a text no engine of them all can hold.
fn not_storable(quoted: &str) -> Option<&'static str> {
    let mut escapes = Escapes { bytes: quoted.as_bytes(), at: 0 };
    while let Some((_, unit)) = escapes.next() {
        match unit {
            0 => return Some("holds the character U+0000 (NUL): leave it out"),
            0xD800..=0xDBFF if escapes.takes_low() => {}
            0xD800..=0xDFFF => {
                return Some("holds one half of a surrogate pair, which is no character");
            }
            _ => {}
        }
    }
    None
}

/// The escapes `\uXXXX` of a text, each with its place.
struct Escapes<'t> {
    bytes: &'t [u8],
    at: usize,
}

impl Escapes<'_> {
    fn next(&mut self) -> Option<(usize, u16)> {
        loop {
            let at = self.at;
            match (self.bytes.get(at)?, self.bytes.get(at + 1)) {
                (b'\\', Some(b'u')) => {
                    self.at = at + 6;
                    let digits = self.bytes.get(at + 2..at + 6)?;
                    let digits = std::str::from_utf8(digits).ok()?;
                    return u16::from_str_radix(digits, 16).ok().map(|unit| (at, unit));
                }
                (b'\\', _) => self.at = at + 2,
                _ => self.at = at + 1,
            }
        }
    }

    /// Takes the second half of a pair, if it stands right here.
    fn takes_low(&mut self) -> bool {
        let here = self.at;
        match self.next() {
            Some((at, 0xDC00..=0xDFFF)) if at == here => true,
            _ => {
                self.at = here;
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    const RULES: Rules = Rules { depth_max: 64, data: None };

    fn told(text: &str) -> String {
        check(text, RULES).unwrap_err().to_string()
    }

    #[test]
    fn brackets_in_texts_do_not_count_as_depth() {
        let rules = Rules { depth_max: 1, ..RULES };
        assert!(check(r#"{"a":"[[[[\"[[[["}"#, rules).is_ok());
        assert!(check("[[1]]", rules).is_err());
        assert!(check("[1],[2]", rules).is_ok());
    }

    #[test]
    fn a_key_that_stands_twice_is_named_however_it_is_written() {
        assert_eq!(told(r#"{"a":1,"a":2}"#), "/a: stands twice in its object: send it once");
        assert!(told(r#"{"x":[{"b":{}},{"b":1,"\u0062":2}]}"#).starts_with("/x/1/b: "));
        assert!(check(r#"{"a":{"a":{"a":"a"}},"b":[{"a":1},{"a":2}]}"#, RULES).is_ok());
        let many: Vec<String> = (0..100).map(|n| format!("\"k{n}\":{n}")).collect();
        assert!(check(&format!("{{{}}}", many.join(",")), RULES).is_ok());
        assert!(told(&format!("{{{},\"k7\":0}}", many.join(","))).starts_with("/k7: "));
    }

    #[test]
    fn a_text_that_not_every_engine_can_hold_is_named() {
        assert!(told(r#"{"a":["x","y\u0000"]}"#).starts_with("/a/1: holds the character U+0000"));
        assert!(told(r#"{"a":{"b\u0000":1}}"#).contains("U+0000"));
        for half in [r"\ud800", r"\udc00", r"\ud800\ud800", r"\ud800 \udc00", r"\udc00\ud800"] {
            assert!(told(&format!("\"{half}\"")).contains("surrogate"), "{half}");
        }
        for fine in [r#""\\u0000""#, r#""\ud83d\ude00""#, r#""\n\t\u001f""#, r#""\u0100""#] {
            assert!(check(fine, RULES).is_ok(), "{fine}");
        }
    }

    #[test]
    fn data_may_be_any_json_and_what_is_beside_it_may_not() {
        let rules = Rules { data: Some("data"), ..RULES };
        for fine in [
            r#"{"events":[{"data":{"a":1,"a":2,"b":["\u0000","\ud800"],"\u0000":0}}]}"#,
            r#"{"data":"\u0000","type":"x"}"#,
            r#"{"data":[{"data":{"a":1,"a":1}}],"type":"x"}"#,
        ] {
            assert_eq!(check(fine, rules), Ok(()), "{fine}");
        }
        for bad in [
            r#"{"events":[{"data":{},"type":"\u0000"}]}"#,
            r#"{"data":{},"data":{}}"#,
            r#"{"data":{"a":1},"type":"x","type":"y"}"#,
            r#"["data","\u0000"]"#,
        ] {
            assert!(check(bad, rules).is_err(), "{bad}");
        }
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<i64>().prop_map(Value::from),
            "\\PC{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 64, 20, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
                prop::collection::btree_map("\\PC{0,3}", inner, 0..20)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_a_program_writes_passes(value in json()) {
            prop_assert_eq!(check(&value.to_string(), RULES), Ok(()));
        }

        #[test]
        fn no_text_makes_it_fail_to_end(text in "[\\[\\]{}:,\"\\\\u0-9a-f ]*") {
            let _ = check(&text, RULES);
        }

        #[test]
        fn depth_is_refused_exactly_beyond_the_bound(depth in 1_usize..200, max in 1_usize..200) {
            let body = format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
            let rules = Rules { depth_max: max, ..RULES };
            prop_assert_eq!(check(&body, rules).is_ok(), depth <= max);
        }
    }
}

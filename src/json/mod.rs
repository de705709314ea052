//! JSON from outside, read by one rule: an object is an object, a key stands once, texts are such
//! that every engine can hold them, and faults are told in words that are not Rust's.
//!
//! [`check`] looks at the text alone and so at what has no type, such as the data of raw events;
//! [`read`] makes a value of it.

mod strict;
mod text;
mod words;

use std::fmt;

use serde::Deserialize;
use serde_path_to_error::Segment;

pub(crate) use text::{Rules, check};

use strict::Strict;

/// Where JSON does not fit, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct JsonFault {
    /// JSON pointer (RFC 6901) to the place; empty for the whole.
    pub pointer: String,
    /// What is wrong with it, in words.
    pub problem: String,
}

/// Reads a value.
///
/// An array is refused where an object is wanted (`serde` takes the fields in their order), a
/// name of several may not be written as an object, and nothing may follow the value. A body
/// without any byte counts as `{}` where all fields may be left out.
pub(crate) fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, JsonFault> {
    if !body.iter().all(u8::is_ascii_whitespace) {
        return read_value(body);
    }
    read_value(b"{}").map_err(|_| JsonFault::whole("body is empty: send a JSON object"))
}

fn read_value<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, JsonFault> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(Strict(&mut json)).map_err(|error| {
        let pointer = pointer(error.path());
        JsonFault { pointer, problem: words::problem(error.inner()) }
    })?;
    json.end().map_err(|error| JsonFault::whole(words::problem(&error)))?;
    Ok(value)
}

impl JsonFault {
    /// Makes the fault of the whole text.
    pub(crate) fn whole(problem: impl Into<String>) -> Self {
        Self { pointer: String::new(), problem: problem.into() }
    }
}

impl fmt::Display for JsonFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pointer.as_str() {
            "" => f.write_str(&self.problem),
            pointer => write!(f, "{pointer}: {}", self.problem),
        }
    }
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => push(&mut pointer, &index.to_string()),
            Segment::Map { key } => push(&mut pointer, key),
            Segment::Enum { variant } => push(&mut pointer, variant),
            Segment::Unknown => {}
        }
    }
    pointer
}

/// Adds a step to a pointer.
fn push(pointer: &mut String, step: &str) {
    pointer.push('/');
    pointer.push_str(&step.replace('~', "~0").replace('/', "~1"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Part {
        #[serde(rename = "n")]
        _n: u8,
    }

    #[derive(Debug, Deserialize)]
    #[serde(tag = "kind", rename_all = "snake_case")]
    enum Place {
        Near {
            #[serde(rename = "steps")]
            _steps: u8,
        },
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Word {
        Read,
        Write {
            #[serde(rename = "much")]
            _much: bool,
        },
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Whole {
        #[serde(rename = "parts")]
        _parts: Vec<Part>,
        #[serde(rename = "place")]
        _place: Option<Place>,
        #[serde(rename = "words")]
        _words: Vec<Word>,
        #[serde(rename = "a.b/c")]
        _odd: Option<u8>,
    }

    #[derive(Debug, Deserialize)]
    struct Nothing;

    fn told(body: &str) -> String {
        read::<Whole>(body.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn a_wrong_field_is_named_by_its_pointer() {
        let own = r#"{"parts":[{"n":1},{"n":"x"}]}"#;
        assert_eq!(
            told(own),
            r#"/parts/1/n: is string "x", expected a whole number from 0 to 255"#
        );
        let odd = read::<Whole>(br#"{"a.b/c":-1}"#).unwrap_err();
        assert_eq!(odd.pointer, "/a.b~1c");
    }

    #[test]
    fn an_array_is_no_object_at_any_depth() {
        for (body, pointer) in [
            ("[[], null, [], null]", ""),
            (r#"{"parts":[[1]]}"#, "/parts/0"),
            (r#"{"place":["near",1]}"#, "/place"),
            (r#"{"words":[{"write":[true]}]}"#, "/words/0/write"),
        ] {
            let fault = read::<Whole>(body.as_bytes()).unwrap_err();
            assert_eq!(fault.pointer, pointer, "{body}");
            assert_eq!(fault.problem, "is an array, expected an object", "{body}");
        }
        assert!(read::<Whole>(br#"{"place":{"kind":"near","steps":1}}"#).is_ok());
        assert!(read::<Whole>(br#"{"words":["read",{"write":{"much":true}}]}"#).is_ok());
    }

    #[test]
    fn a_name_is_written_as_a_text_and_in_no_other_way() {
        for body in [r#"{"words":[{"read":null}]}"#, r#"{"words":[0]}"#, r#"{"words":[null]}"#] {
            assert!(read::<Whole>(body.as_bytes()).is_err(), "{body}");
        }
        assert!(read::<Whole>(br#"{"place":{"kind":0,"steps":1}}"#).is_err());
        assert_eq!(told(r#"{"words":["reed"]}"#).split(':').next(), Some("/words/0"));
    }

    #[test]
    fn a_body_without_a_byte_is_an_empty_object_where_that_will_do() {
        assert!(read::<Whole>(b"").is_ok());
        assert!(read::<Whole>(b" \r\n").is_ok());
        let fault = read::<Part>(b"").unwrap_err();
        assert_eq!(fault.to_string(), "body is empty: send a JSON object");
        assert!(read::<Nothing>(b"").is_ok() && read::<Nothing>(b"{}").is_ok());
        assert!(read::<Nothing>(b"null").is_ok() && read::<Nothing>(b"[]").is_err());
    }

    #[test]
    fn what_is_no_json_is_said_with_its_place() {
        assert_eq!(told("{"), "JSON ends too early (line 1, column 1)");
        assert_eq!(told("{} x"), "text stands behind the JSON value (line 1, column 4)");
        assert_eq!(told("x"), "is not JSON: expected value (line 1, column 1)");
    }
}

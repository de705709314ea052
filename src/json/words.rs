//! What the parser says, in words that a client knows: its own are those of a Rust program.

/// Says what is wrong; of what is no JSON at all also where.
pub(super) fn problem(error: &serde_json::Error) -> String {
    let (line, column) = (error.line(), error.column());
    let said = error.to_string();
    let place = format!(" at line {line} column {column}");
    let said = said.strip_suffix(&place).unwrap_or(&said);
    match error.is_data() {
        true => of_value(said),
        false => format!("{} (line {line}, column {column})", of_text(said)),
    }
}

fn of_text(said: &str) -> String {
    match said {
        _ if said.starts_with("EOF while parsing") => "JSON ends too early".to_owned(),
        "trailing characters" => "text stands behind the JSON value".to_owned(),
        _ => format!("is not JSON: {said}"),
    }
}

/// Words that fit a value which is not of the kind that is wanted.
fn of_value(said: &str) -> String {
    let kinds = ["invalid type: ", "invalid value: "];
    let found = kinds.iter().find_map(|kind| said.strip_prefix(kind)?.rsplit_once(", expected "));
    if let Some((found, wanted)) = found {
        return format!("is {}, expected {}", kind(found), kind(wanted));
    }
    let length = said.strip_prefix("invalid length ").and_then(|own| own.split_once(", expected "));
    if let Some((length, wanted)) = length {
        return format!("has {length} items, expected {}", kind(wanted));
    }
    match said.strip_prefix("unknown variant ") {
        Some(rest) => format!("unknown value {rest}"),
        None => said.to_owned(),
    }
}

/// Calls the kinds of Rust and `serde` by the names of JSON.
fn kind(name: &str) -> String {
    let plain = match name {
        "i8" => "a whole number from -128 to 127",
        "i16" => "a whole number from -32768 to 32767",
        "i32" => "a whole number from -2147483648 to 2147483647",
        "i64" => "a whole number of at most 64 bits",
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" | "usize" => "a whole number, 0 or more",
        "a nonzero u8" => "a whole number from 1 to 255",
        "a nonzero u16" => "a whole number from 1 to 65535",
        "a nonzero u32" => "a whole number from 1 to 4294967295",
        "a nonzero u64" | "a nonzero usize" => "a whole number, 1 or more",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        "unit" | "unit value" => "null",
        "map" | "a map" => "an object",
        "sequence" | "a sequence" => "an array",
        "struct variant" => "an object",
        _ => return of_type(name),
    };
    plain.to_owned()
}

fn of_type(name: &str) -> String {
    let objects = ["struct ", "internally tagged enum ", "adjacently tagged enum "];
    if objects.iter().any(|kind| name.starts_with(kind)) {
        return "an object".to_owned();
    }
    if ["enum ", "variant identifier"].iter().any(|kind| name.starts_with(kind)) {
        return "one of its names".to_owned();
    }
    if name.starts_with("tuple ") || name.starts_with("a tuple ") {
        return "an array of another length".to_owned();
    }
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Inner {
        #[serde(rename = "x")]
        _x: u32,
    }

    #[derive(Debug, Deserialize)]
    enum Choice {
        One,
    }

    fn told<T: std::fmt::Debug + for<'a> Deserialize<'a>>(body: &str) -> String {
        problem(&serde_json::from_str::<T>(body).unwrap_err())
    }

    #[test]
    fn no_word_of_rust_is_said() {
        let told = [
            told::<Inner>("1"),
            told::<Inner>("{}"),
            told::<Inner>(r#"{"x":-1}"#),
            told::<Inner>(r#"{"x":1.5}"#),
            told::<Vec<u8>>("{}"),
            told::<Vec<u8>>("[300]"),
            told::<BTreeMap<String, bool>>(r#"{"a":1}"#),
            told::<BTreeMap<String, f64>>(r#"{"a":[]}"#),
            told::<Choice>(r#""Two""#),
            told::<(u8, u8)>("[1]"),
            told::<std::num::NonZeroU16>("0"),
            told::<()>("1"),
            told::<String>("null"),
        ];
        assert_eq!(
            told,
            [
                "is integer `1`, expected an object",
                "missing field `x`",
                "is integer `-1`, expected a whole number from 0 to 4294967295",
                "is floating point `1.5`, expected a whole number from 0 to 4294967295",
                "is an object, expected an array",
                "is integer `300`, expected a whole number from 0 to 255",
                "is integer `1`, expected true or false",
                "is an array, expected a number",
                "unknown value `Two`, expected `One`",
                "has 1 items, expected an array of another length",
                "is integer `0`, expected a whole number from 1 to 65535",
                "is integer `1`, expected null",
                "is null, expected a string",
            ]
        );
    }

    #[test]
    fn the_place_of_broken_json_is_said_once() {
        assert_eq!(told::<Inner>("{\"x\":"), "JSON ends too early (line 1, column 5)");
        assert_eq!(told::<u8>("1 2"), "text stands behind the JSON value (line 1, column 3)");
    }
}

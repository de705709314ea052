//! Keeps a record on one line and a terminal where it is.

use std::fmt::Write;

/// The most bytes of one value in a record; the rest is cut, and said to be.
pub const VALUE_LEN_MAX: usize = 4_096;

/// Appends `text` with control characters as `\n`, `\t`, `\r` or `\u{…}`.
pub fn push_plain(out: &mut String, text: &str) {
    for c in text.chars() {
        if c.is_control() || is_line_break(c) {
            out.extend(c.escape_default())
        } else {
            out.push(c)
        }
    }
}

/// Appends `text` as a JSON text, with every control character escaped.
///
/// Serializers escape those below 0x20 only; terminals obey others as well.
pub fn push_json(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c.is_control() || is_line_break(c) => {
                // Writing to a string cannot fail, and every such character is below 0x10000.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Cuts `text` to [`VALUE_LEN_MAX`] bytes at a character's boundary.
pub fn cut(mut text: String) -> String {
    if text.len() > VALUE_LEN_MAX {
        let full = text.len();
        text.truncate(text.floor_char_boundary(VALUE_LEN_MAX));
        let _ = write!(text, "… ({full} bytes)");
    }
    text
}

fn is_line_break(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn escaped_json_reads_back_and_holds_no_control_character(text in "\\PC*|(?s).*") {
            let mut out = String::new();
            push_json(&mut out, &text);
            prop_assert!(!out.chars().any(char::is_control));
            prop_assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text);
        }
    }

    #[test]
    fn plain_text_keeps_to_its_line() {
        let mut out = String::new();
        push_plain(&mut out, "a\nb\u{1b}[31mc\u{9b}é\u{2028}");
        assert_eq!(out, "a\\nb\\u{1b}[31mc\\u{9b}é\\u{2028}");
    }

    #[test]
    fn a_long_value_is_cut_and_says_so() {
        let long = cut("é".repeat(VALUE_LEN_MAX));
        assert!(long.ends_with("… (8192 bytes)") && long.len() < VALUE_LEN_MAX + 32);
    }
}

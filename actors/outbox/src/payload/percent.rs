//! Percent-encoding, as URIs and the headers of CloudEvents want it.

/// Encodes what is not unreserved in a URI (RFC 3986, section 2.3).
pub(super) fn for_uri(text: &str) -> String {
    encode(text, |byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
}

/// Encodes what must not stand in a header of a CloudEvent: space, double quote, percent and
/// everything outside of U+0021 to U+007E (CloudEvents 1.0.2, HTTP binding, section 3.1.3.2).
pub(super) fn for_header(text: &str) -> String {
    encode(text, |byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'%')
}

fn encode(text: &str, is_kept: impl Fn(u8) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match is_kept(byte) {
            true => out.push(char::from(byte)),
            false => out.extend(['%', hex(byte >> 4), hex(byte & 15)]),
        }
    }
    out
}

fn hex(digit: u8) -> char {
    char::from_digit(u32::from(digit), 16).unwrap_or('0').to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_encoded_as_the_binding_shows_it() {
        assert_eq!(for_header("Euro € 😀"), "Euro%20%E2%82%AC%20%F0%9F%98%80");
        assert_eq!(for_header("100% \"a\"/b~\u{7f}\n"), "100%25%20%22a%22/b~%7F%0A");
    }

    #[test]
    fn a_part_of_a_uri_keeps_only_what_is_unreserved() {
        assert_eq!(for_uri("a-Z_0.~/é"), "a-Z_0.~%2F%C3%A9");
    }
}

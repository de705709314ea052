//! Addresses in links, so that every text reads back as it was.

/// Writes a part of a path so that it reads back as it is.
#[must_use]
pub fn path_part(text: &str) -> String {
    let mut part = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                part.push(char::from(byte));
            }
            _ => part.push_str(&format!("%{byte:02X}")),
        }
    }
    part
}

/// Adds those parameters to a path that are not empty.
#[must_use]
pub fn with_query(path: &str, parameters: &[(&str, &str)]) -> String {
    let given = parameters.iter().filter(|(_, value)| !value.is_empty());
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(given);
    match query.finish() {
        query if query.is_empty() => path.to_owned(),
        query => format!("{path}?{query}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_part_holds_only_what_addresses_may_hold() {
        assert_eq!(path_part("C5 36/é"), "C5%2036%2F%C3%A9");
    }

    #[test]
    fn a_query_has_what_is_given_and_nothing_else() {
        assert_eq!(with_query("/ui", &[("a", ""), ("b", "x&y=1")]), "/ui?b=x%26y%3D1");
        assert_eq!(with_query("/ui", &[("a", "")]), "/ui");
    }
}

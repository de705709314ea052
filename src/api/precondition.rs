//! `If-Match`, `If-None-Match` and `ETag`: the revision of a stream as a validator.

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH};

use super::Problem;
use crate::event::Revision;
use crate::store::Expected;

/// Reads what a write expects of its stream; `None` when the headers say nothing.
pub(super) fn expected(headers: &HeaderMap) -> Result<Option<Expected>, Problem> {
    let if_match = one(headers, IF_MATCH)?;
    let if_none_match = one(headers, IF_NONE_MATCH)?;
    match (if_match, if_none_match) {
        (None, None) => Ok(None),
        (Some("*"), None) => Ok(Some(Expected::Exists)),
        (Some(tag), None) => match revision(tag) {
            Some(revision) => Ok(Some(Expected::At(revision))),
            None => Err(refused("if-match", "is not * or a revision in quotes, like \"7\"")),
        },
        (None, Some("*")) => Ok(Some(Expected::NoStream)),
        (None, Some(_)) => Err(refused("if-none-match", "is not *: a write allows nothing else")),
        (Some(_), Some(_)) => Err(refused("if-none-match", "excludes if-match: send one")),
    }
}

/// Reads at which revision a command is to be decided; `None` when the headers say nothing.
pub(super) fn revision_of(headers: &HeaderMap) -> Result<Option<Revision>, Problem> {
    match expected(headers)? {
        None | Some(Expected::Any) => Ok(None),
        Some(Expected::NoStream) => Ok(Some(Revision::ZERO)),
        Some(Expected::At(revision)) => Ok(Some(revision)),
        Some(Expected::Exists) => {
            Err(refused("if-match", "must be a revision in quotes for a command"))
        }
    }
}

/// Returns whether the client has this revision already.
pub(super) fn is_known(headers: &HeaderMap, current: Revision) -> bool {
    // For reading, tags are compared weakly (RFC 9110, section 13.1.2).
    let is_same = |tag: &str| {
        let tag = tag.trim();
        tag == "*" || revision(tag.strip_prefix("W/").unwrap_or(tag)) == Some(current)
    };
    let mut known = headers.get_all(IF_NONE_MATCH).filter_map(|value| value.to_str().ok());
    known.any(|tags| tags.split(',').any(is_same))
}

/// Makes the `ETag` of a revision.
pub(super) fn etag(revision: Revision) -> HeaderValue {
    HeaderValue::from_str(&format!("\"{revision}\""))
        .unwrap_or_else(|_| HeaderValue::from_static("\"\""))
}

fn revision(tag: &str) -> Option<Revision> {
    let digits = tag.strip_prefix('"')?.strip_suffix('"')?;
    digits.bytes().all(|digit| digit.is_ascii_digit()).then(|| digits.parse().ok())?
}

fn one(headers: &HeaderMap, name: HeaderName) -> Result<Option<&str>, Problem> {
    let mut values = headers.get_all(&name);
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(refused(name.as_str(), "is given twice"));
    }
    let text = value.to_str().map_err(|_| refused(name.as_str(), "is not plain text"))?;
    Ok(Some(text.trim()))
}

fn refused(name: &str, detail: &str) -> Problem {
    Problem::field(format!("header:{name}"), detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: HeaderName, value: &str) -> Result<Option<Expected>, Problem> {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_str(value).unwrap());
        expected(&headers)
    }

    #[test]
    fn validators_say_what_a_write_expects() {
        assert_eq!(read(IF_MATCH, "\"7\"").unwrap(), Some(Expected::At(Revision::new(7))));
        assert_eq!(read(IF_MATCH, "*").unwrap(), Some(Expected::Exists));
        assert_eq!(read(IF_NONE_MATCH, "*").unwrap(), Some(Expected::NoStream));
        assert_eq!(expected(&HeaderMap::new()).unwrap(), None);
    }

    #[test]
    fn a_command_is_decided_at_a_revision_and_not_at_any() {
        let read = |name: HeaderName, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_str(value).unwrap());
            revision_of(&headers)
        };
        assert_eq!(read(IF_MATCH, "\"7\"").unwrap(), Some(Revision::new(7)));
        assert_eq!(read(IF_NONE_MATCH, "*").unwrap(), Some(Revision::ZERO));
        assert!(read(IF_MATCH, "*").unwrap_err().to_string().contains("revision in quotes"));
        assert_eq!(revision_of(&HeaderMap::new()).unwrap(), None);
    }

    #[test]
    fn a_reader_knows_a_revision_by_any_tag_of_it() {
        let knows = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(IF_NONE_MATCH, HeaderValue::from_str(value).unwrap());
            is_known(&headers, Revision::new(7))
        };
        assert!(["\"7\"", "W/\"7\"", "\"6\", W/\"7\"", "*"].into_iter().all(knows));
        assert!(!["\"8\"", "7", "", "\"+7\""].into_iter().any(knows));
    }

    #[test]
    fn a_validator_out_of_form_is_refused_not_ignored() {
        for bad in ["7", "W/\"7\"", "\"x\"", "\"7\", \"8\"", ""] {
            assert!(read(IF_MATCH, bad).is_err(), "{bad}");
        }
        assert!(read(IF_NONE_MATCH, "\"7\"").is_err());
    }
}

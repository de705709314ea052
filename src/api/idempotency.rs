//! `Idempotency-Key`: the client's name for one intent, so that it can be sent again.

use actix_web::http::header::HeaderMap;

use super::Problem;

/// The most bytes of a key.
const KEY_LEN_MAX: usize = 128;

/// Reads the key; `None` when the client gave none.
pub(super) fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut values = headers.get_all("idempotency-key");
    let value = match (values.next(), values.next()) {
        (None, _) => return Ok(None),
        (Some(value), None) => value.as_bytes(),
        (Some(_), Some(_)) => return Err(refused("is given twice")),
    };
    if !(1..=KEY_LEN_MAX).contains(&value.len()) {
        return Err(refused("must have 1 to 128 characters"));
    }
    if !value.iter().all(u8::is_ascii_graphic) {
        return Err(refused("must be visible ASCII characters without spaces"));
    }
    Ok(Some(String::from_utf8_lossy(value).into_owned()))
}

fn refused(detail: &str) -> Problem {
    Problem::field("header:idempotency-key", detail)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    fn read(value: &str) -> Result<Option<String>, Problem> {
        let mut headers = HeaderMap::new();
        let name = HeaderName::from_static("idempotency-key");
        headers.insert(name, HeaderValue::from_str(value).unwrap());
        key(&headers)
    }

    #[test]
    fn a_key_is_short_and_plain_or_refused() {
        assert_eq!(read("order-7/2").unwrap().as_deref(), Some("order-7/2"));
        assert!(read("").is_err());
        assert!(read("a b").is_err());
        assert!(read(&"x".repeat(129)).is_err());
        assert_eq!(key(&HeaderMap::new()).unwrap(), None);
    }
}

//! The border: what a request may hold in its address, whatever it asks for.
//!
//! Every part of a path and every parameter is percent-encoded UTF-8 without NUL. So no two
//! addresses mean one thing (the web framework reads broken bytes as U+FFFD), and nothing gets to
//! an engine that cannot hold it: PostgreSQL stores no NUL. Bodies are held to the same by
//! [`json::check`](crate::json::check).

use actix_web::http::Uri;
use percent_encoding::percent_decode_str;

use super::Problem;

/// Checks path and query string of a request.
pub(super) fn check(uri: &Uri) -> Result<(), Problem> {
    for part in uri.path().split('/') {
        check_text(part).map_err(|problem| Problem::field("path", problem))?;
    }
    check_pairs("query", uri.query().unwrap_or_default())
}

/// Checks the fields of a form, which are written as those of a query string.
pub(super) fn check_form(body: &[u8]) -> Result<&str, Problem> {
    let refused = |problem| Problem::field("form", problem);
    let text = std::str::from_utf8(body).map_err(|_| refused("is not UTF-8"))?;
    check_pairs("form", text)?;
    Ok(text)
}

fn check_pairs(what: &str, pairs: &str) -> Result<(), Problem> {
    for pair in pairs.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        check_text(name).map_err(|problem| Problem::field(what, problem))?;
        check_text(value).map_err(|problem| Problem::field(format!("{what}:{name}"), problem))?;
    }
    Ok(())
}

/// Checks one part that is percent-encoded.
fn check_text(encoded: &str) -> Result<(), &'static str> {
    if !encoded.contains(['%', '\0']) && encoded.is_ascii() {
        return Ok(());
    }
    let mut rest = encoded;
    while let Some((_, after)) = rest.split_once('%') {
        let digits = after.get(..2).unwrap_or_default();
        if digits.len() != 2 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err("has a % without two hexadecimal digits behind it: write %25 for %");
        }
        rest = after;
    }
    match percent_decode_str(encoded).decode_utf8() {
        Err(_) => Err("is not UTF-8 once it is percent-decoded"),
        Ok(text) if text.contains('\0') => Err("holds the character U+0000 (NUL): leave it out"),
        Ok(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(uri: &str) -> String {
        let uri: Uri = uri.parse().unwrap();
        check(&uri).err().map_or_else(String::new, |problem| problem.detail().to_owned())
    }

    #[test]
    fn a_form_is_held_to_the_same() {
        for bad in [&b"a=%ff"[..], b"a=\xff", b"a%00=b", b"a=1&b=%00", b"a=%zz"] {
            assert!(check_form(bad).is_err(), "{bad:?}");
        }
        assert!(check_form("a=é&b=c+d%0A".as_bytes()).is_ok());
    }

    #[test]
    fn an_address_is_percent_encoded_utf_8_without_nul() {
        for bad in ["/a%ff", "/%fe/b", "/%C3", "/%ed%a0%80", "/x?y=%ff"] {
            assert!(told(bad).contains("is not UTF-8"), "{bad}");
        }
        for bad in ["/a%00b", "/x?y=a%00", "/x?y%00=1"] {
            assert!(told(bad).contains("NUL"), "{bad}");
        }
        for bad in ["/a%", "/a%4", "/a%zz", "/a%+1", "/x?y=100%"] {
            assert!(told(bad).contains("hexadecimal"), "{bad}");
        }
        for good in ["/", "/a%20b/%C3%A9?y=%EF%BF%BD&z", "/%2525?a+b=c%0A", "/v1/a;b=c,d"] {
            assert_eq!(told(good), "", "{good}");
        }
    }
}

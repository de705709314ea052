//! Methods: which ones an address takes, and what is replied to another one.
//!
//! `HEAD` is answered wherever `GET` is, and `OPTIONS` everywhere. What plugins register is found
//! in the OpenAPI document, so that they need not say it twice.

use actix_web::http::Method;
use actix_web::http::header::{ALLOW, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::Value;

use super::{Problem, ProblemKind};

/// The methods of every documented address.
#[derive(Default)]
pub(super) struct Methods(Vec<(Vec<String>, Vec<String>)>);

impl Methods {
    /// Reads them from an OpenAPI document.
    pub fn of(document: &Value) -> Self {
        let paths = document.get("paths").and_then(Value::as_object);
        let addresses = paths.into_iter().flatten().map(|(path, item)| {
            let methods = item.as_object().into_iter().flatten().map(|(name, _)| name);
            let methods = methods.map(|name| name.to_ascii_uppercase());
            (path.split('/').map(str::to_owned).collect(), methods.collect())
        });
        Self(addresses.collect())
    }

    /// Returns the methods of an address; `None` when there is no such address.
    pub fn of_path(&self, path: &str) -> Option<Vec<&str>> {
        let parts: Vec<&str> = path.split('/').collect();
        let fits = |own: &[String]| {
            let is_same = |(own, part): (&String, &&str)| {
                (own.starts_with('{') && !part.is_empty()) || own == part
            };
            own.len() == parts.len() && own.iter().zip(&parts).all(is_same)
        };
        let found = self.0.iter().filter(|(own, _)| fits(own));
        let best =
            found.min_by_key(|(own, _)| own.iter().filter(|part| part.starts_with('{')).count());
        best.map(|(_, methods)| methods.iter().map(String::as_str).collect())
    }
}

/// Replies to a method that an address does not take.
pub(super) fn refuse(request: &HttpRequest, methods: &[&str]) -> Result<HttpResponse, Problem> {
    let allow = allow(methods);
    if request.method() == Method::OPTIONS {
        let mut reply = HttpResponse::NoContent().finish();
        if let Ok(value) = HeaderValue::from_str(&allow) {
            reply.headers_mut().insert(ALLOW, value);
        }
        return Ok(reply);
    }
    let detail = format!("this address takes {allow}");
    Err(Problem::new(ProblemKind::MethodNotAllowed, detail).allowing(allow))
}

/// Lists methods as `Allow` has them, with those that follow from others.
fn allow(methods: &[&str]) -> String {
    let mut listed: Vec<&str> = methods.to_vec();
    if listed.contains(&"GET") {
        listed.push("HEAD");
    }
    listed.push("OPTIONS");
    listed.sort_unstable();
    listed.dedup();
    listed.join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fixed_parts_of_an_address_win_over_variables() {
        let methods = Methods::of(&json!({ "paths": {
            "/v1/a/{id}": { "get": {}, "put": {} },
            "/v1/a/b": { "delete": {} },
        }}));
        assert_eq!(methods.of_path("/v1/a/b"), Some(vec!["DELETE"]));
        assert_eq!(methods.of_path("/v1/a/c"), Some(vec!["GET", "PUT"]));
        assert_eq!(methods.of_path("/v1/a/"), None);
        assert_eq!(methods.of_path("/v1/a/b/c"), None);
        assert_eq!(allow(&["GET", "PUT"]), "GET, HEAD, OPTIONS, PUT");
    }
}

//! Hostile requests to every address of an OpenAPI document, so that new addresses are tried too.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use super::given::fail;

/// A request that no address should take for more than a bad one.
#[derive(Clone, Debug)]
pub struct Attack {
    /// The method.
    pub method: String,
    /// The address with its query string.
    pub target: String,
    /// Headers besides those that every request has.
    pub header: Option<(&'static str, &'static str)>,
    /// The body, as JSON.
    pub body: Option<String>,
}

/// Parts of a path and values of parameters, percent-encoded.
const PARTS: [&str; 16] = [
    "a%00b",
    "%ff",
    "%fe",
    "%C0%80",
    "%ED%A0%80",
    "%",
    "%2",
    "%zz",
    "a%0Ab",
    "a%7F",
    "a%20%2B%3B",
    "%EF%BF%BF",
    "%F0%9F%98%80",
    "%2E%2E",
    "%252e",
    "-1",
];

/// Values in JSON.
const VALUES: [&str; 12] = [
    r#""a\u0000b""#,
    r#""\ud800""#,
    "1e400",
    "-1",
    "99999999999999999999",
    "1.5",
    "null",
    "true",
    "[]",
    r#"["a",["admin"],null]"#,
    "{}",
    r#"{"a":{"b\u0000":1}}"#,
];

const HEADERS: [(&str, &str); 8] = [
    ("if-match", "*"),
    ("if-match", "\"99999999999999999999\""),
    ("if-none-match", "W/\"1\", *"),
    ("idempotency-key", "\u{e9}"),
    ("last-event-id", "99999999999999999999"),
    ("last-event-id", "-1"),
    ("accept", "nothing/at-all"),
    ("content-type", "application/json; charset=latin1"),
];

/// Makes the attacks on every address.
#[must_use]
pub fn attacks(document: &Value) -> Vec<Attack> {
    let mut attacks = Vec::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in item.as_object().into_iter().flatten() {
            let plain = Attack {
                method: method.to_ascii_uppercase(),
                target: fill(path, "1"),
                header: None,
                body: operation.get("requestBody").map(|_| "{}".to_owned()),
            };
            on_address(path, operation, &plain, &mut attacks);
            on_head(&plain, &mut attacks);
            if let Some(body) = operation.get("requestBody") {
                on_body(document, body, &plain, &mut attacks);
            }
        }
    }
    attacks
}

/// Sends an attack and returns the status of the reply; 0 when there was none in time.
///
/// # Panics
/// If the server cannot be reached.
#[must_use]
pub fn status(server: SocketAddr, key: &str, attack: &Attack) -> u16 {
    let mut stream = TcpStream::connect(server).unwrap_or_else(|error| fail(&error.to_string()));
    let _ = stream.set_read_timeout(Some(Duration::from_secs(60)));
    let mut request = format!(
        "{} {} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {key}\r\n",
        attack.method, attack.target
    );
    if let Some((name, value)) = attack.header {
        request += &format!("{name}: {value}\r\n");
    }
    if let Some(body) = &attack.body {
        if attack.header.is_none_or(|(name, _)| name != "content-type") {
            request += "content-type: application/json\r\n";
        }
        request += &format!("content-length: {}\r\n", body.len());
    }
    request += &format!("\r\n{}", attack.body.as_deref().unwrap_or_default());
    // The server may refuse and close before it has read the whole.
    let _ = stream.write_all(request.as_bytes());
    let mut head = [0; 12];
    match stream.read_exact(&mut head) {
        Ok(()) => std::str::from_utf8(&head[9..]).ok().and_then(|text| text.parse().ok()),
        Err(_) => None,
    }
    .unwrap_or(0)
}

fn fill(path: &str, value: &str) -> String {
    let part = |part: &str| if part.starts_with('{') { value.to_owned() } else { part.to_owned() };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

fn on_address(path: &str, operation: &Value, plain: &Attack, attacks: &mut Vec<Attack>) {
    let long = "x".repeat(3_000);
    let values = || PARTS.into_iter().chain([long.as_str()]);
    for at in 0..path.matches('{').count() {
        for value in values() {
            let mut number = 0;
            let part = |part: &str| match part.starts_with('{') {
                true => {
                    number += 1;
                    if number == at + 1 { value.to_owned() } else { "1".to_owned() }
                }
                false => part.to_owned(),
            };
            let target = path.split('/').map(part).collect::<Vec<_>>().join("/");
            attacks.push(Attack { target, ..plain.clone() });
        }
    }
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let queried = parameters.filter(|own| own["in"] == "query");
    let names = queried.filter_map(|own| own["name"].as_str()).chain(["unknown"]);
    for name in names {
        for value in values().chain(["99999999999999999999", "1e400", ""]) {
            let target = format!("{}?{name}={value}", plain.target);
            attacks.push(Attack { target, ..plain.clone() });
        }
        let target = format!("{}?{name}=1&{name}=2", plain.target);
        attacks.push(Attack { target, ..plain.clone() });
    }
}

fn on_head(plain: &Attack, attacks: &mut Vec<Attack>) {
    for header in HEADERS {
        attacks.push(Attack { header: Some(header), ..plain.clone() });
    }
    for method in ["HEAD", "OPTIONS", "PATCH", "TRACE"] {
        attacks.push(Attack { method: method.to_owned(), body: None, ..plain.clone() });
    }
}

fn on_body(document: &Value, body: &Value, plain: &Attack, attacks: &mut Vec<Attack>) {
    let schema = body.pointer("/content/application~1json/schema").unwrap_or(&Value::Null);
    let fields = fields(document, schema);
    let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
    let mut bodies: Vec<String> = VALUES.map(str::to_owned).to_vec();
    bodies
        .extend(["", "{", "{} x", r#"{"a":1,"a":2}"#, r#"{"a":1,"\u0061":2}"#].map(str::to_owned));
    bodies.extend([deep, "\"\u{1}\"".to_owned()]);
    for field in fields {
        bodies.extend(VALUES.iter().map(|value| format!("{{{field:?}:{value}}}")));
        bodies.push(format!("{{{field:?}:1,{field:?}:1}}"));
        bodies.push(format!("{{{field:?}:{:?}}}", "x".repeat(5_000)));
    }
    attacks.extend(bodies.into_iter().map(|body| Attack { body: Some(body), ..plain.clone() }));
}

/// Returns the names of the fields of a schema, through one reference.
fn fields(document: &Value, schema: &Value) -> Vec<String> {
    let place = schema["$ref"].as_str().and_then(|place| place.strip_prefix('#'));
    let schema = place.and_then(|place| document.pointer(place)).unwrap_or(schema);
    let fields = schema["properties"].as_object().into_iter().flatten();
    fields.map(|(name, _)| name.clone()).collect()
}

//! A client that checks every reply against the OpenAPI document.

use serde_json::{Value, json};

/// A request that is being put together.
pub struct Request<'a> {
    agent: &'a ureq::Agent,
    document: &'a Value,
    url: String,
    builder: ureq::http::request::Builder,
    body: String,
}

/// A reply that is as the document says.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: ureq::http::HeaderMap,
    pub text: String,
    pub body: Value,
}

impl<'a> Request<'a> {
    pub fn new(agent: &'a ureq::Agent, document: &'a Value, method: &str, url: &str) -> Self {
        let builder = ureq::http::Request::builder().method(method).uri(url);
        Self { agent, document, url: url.to_owned(), builder, body: String::new() }
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        // A later value replaces an earlier one, so that tests can change the key.
        if let Some(headers) = self.builder.headers_mut() {
            let name: ureq::http::HeaderName = name.parse().unwrap();
            headers.insert(name, value.parse().unwrap());
        }
        self
    }

    pub fn key(self, key: &str) -> Self {
        self.header("authorization", &format!("Bearer {key}"))
    }

    pub fn json(mut self, body: &str) -> Self {
        self.body = body.to_owned();
        self.header("content-type", "application/json")
    }

    /// Sends it and checks nothing: a reply without a body fits no document.
    pub fn send_unread(self) -> Reply {
        let request = self.builder.body(self.body).unwrap();
        let mut response = self.agent.run(request).unwrap();
        let text = response.body_mut().read_to_string().unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Reply { status, headers, text, body: Value::Null }
    }

    /// Sends it and checks status, media type and body of the reply.
    pub fn send(self) -> Reply {
        let method = self.builder.method_ref().unwrap().as_str().to_ascii_lowercase();
        let request = self.builder.body(self.body).unwrap();
        let mut response = self.agent.run(request).unwrap();
        let text = response.body_mut().read_to_string().unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let reply = Reply { status, headers, text, body };
        let path = self.url.splitn(4, '/').nth(3).unwrap_or_default();
        reply.check(self.document, &method, path.split('?').next().unwrap_or_default());
        reply
    }
}

impl Reply {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Returns the place of the first field that is at fault.
    pub fn pointer(&self) -> &str {
        self.body["errors"][0]["pointer"].as_str().unwrap_or("none")
    }

    /// Returns the last part of the problem's type.
    pub fn problem(&self) -> &str {
        let kind = self.body["type"].as_str().unwrap_or_default();
        kind.strip_prefix("urn:headwater:problem:").unwrap_or_default()
    }

    fn check(&self, document: &Value, method: &str, path: &str) {
        assert!(!self.header("x-correlation-id").is_empty(), "{self:?}");
        assert_eq!(self.header("x-content-type-options"), "nosniff", "{self:?}");
        let media = self.header("content-type").split(';').next().unwrap_or_default();
        if self.status >= 400 {
            assert_eq!(media, "application/problem+json", "{self:?}");
            assert_fits(
                document,
                &json!({"$ref": "#/components/schemas/ProblemDocument"}),
                &self.body,
            );
            assert_eq!(self.body["status"], self.status);
            assert_eq!(self.body["correlation_id"], self.header("x-correlation-id"));
        }
        let Some(operation) = operation(document, method, &format!("/{path}")) else { return };
        let mut response = &operation["responses"][self.status.to_string()];
        if let Some(shared) = response["$ref"].as_str() {
            response = document.pointer(&shared[1..]).unwrap();
        }
        assert!(response.is_object(), "{method} {path}: {} is not documented", self.status);
        match &response["content"] {
            Value::Null => assert_eq!(self.text, ""),
            content => {
                let own = content.get(media).unwrap_or_else(|| panic!("{media} not documented"));
                if media.ends_with("json") {
                    assert_fits(document, &own["schema"], &self.body);
                }
            }
        }
    }
}

/// Finds the operation: fixed parts of an address win over parameters.
fn operation<'a>(document: &'a Value, method: &str, path: &str) -> Option<&'a Value> {
    let parts: Vec<&str> = path.split('/').collect();
    let fits = |template: &str| {
        let own: Vec<&str> = template.split('/').collect();
        let is_same = |(own, part): (&&str, &&str)| own.starts_with('{') || own == part;
        own.len() == parts.len() && own.iter().zip(&parts).all(is_same)
    };
    let paths = document["paths"].as_object().unwrap();
    let found = paths.iter().filter(|(template, _)| fits(template));
    let best = found.min_by_key(|(template, _)| template.matches('{').count());
    best.and_then(|(_, item)| item.get(method))
}

fn assert_fits(document: &Value, schema: &Value, value: &Value) {
    let mut whole = schema.clone();
    whole["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    whole["components"] = document["components"].clone();
    let validator = jsonschema::validator_for(&whole).unwrap();
    let faults: Vec<String> = validator.iter_errors(value).map(|error| error.to_string()).collect();
    assert!(faults.is_empty(), "{value} is not as documented: {faults:?}");
}

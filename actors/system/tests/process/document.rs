//! The OpenAPI document of the whole program, as it is checked in.

use std::fs;

use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{PrettyFormatter, Serializer};

use super::harness::{Folder, Server};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../schema/openapi/v1.json");

#[test]
fn the_checked_in_openapi_document_is_that_of_the_program() {
    let folder = Folder::new();
    let server = Server::start(&folder, &[]);
    let document = server.client.get("/v1/openapi.json");
    server.stop();
    for path in ["/v1/endpoints/{id}/redrive", "/v1/product/{id}/add", "/v1/events"] {
        assert!(document["paths"].get(path).is_some(), "{path} is missing");
    }
    let made = laid_out(&document);
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        fs::write(FILE, &made).unwrap();
    }
    let stored = fs::read_to_string(FILE).unwrap_or_default();
    assert!(stored == made, "schema/openapi/v1.json has drifted: run `make openapi`");
}

/// One space a level, because the file has many and the repository takes none that is large.
fn laid_out(document: &Value) -> String {
    let mut out = Vec::new();
    let layout = PrettyFormatter::with_indent(b" ");
    document.serialize(&mut Serializer::with_formatter(&mut out, layout)).unwrap();
    String::from_utf8(out).unwrap() + "\n"
}

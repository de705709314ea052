//! The OpenAPI document and its page.

use headwater::api::ProblemKind;
use serde_json::{Value, json};

use crate::server::Server;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/schema/openapi/v1.json");

/// The file is the document of the program, which its own tests compare and write anew: the
/// framework's part lies in it unchanged.
#[test]
fn the_framework_lies_in_the_checked_in_openapi_document_as_the_code_has_it() {
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        return;
    }
    let (made, stored) = (headwater::api::openapi(&[]), std::fs::read(FILE).unwrap());
    let stored: Value = serde_json::from_slice(&stored).unwrap();
    for part in ["/info", "/paths", "/components/schemas", "/components/securitySchemes"] {
        for (name, own) in made.pointer(part).and_then(Value::as_object).unwrap() {
            let kept = stored.pointer(part).and_then(|all| all.get(name));
            assert!(kept == Some(own), "{part}: {name} has drifted: run `make openapi`");
        }
    }
}

#[test]
fn the_served_document_has_the_commands_of_the_system() {
    let server = Server::start();
    let document = server.ask_anonymously("GET", "/v1/openapi.json").send().body;
    let pay = &document["paths"]["/v1/till/{id}/pay"]["post"];
    assert_eq!(document["openapi"], "3.1.0");
    let schema = &pay["requestBody"]["content"]["application/json"]["schema"];
    assert_eq!(schema["required"], json!(["amount"]));
}

#[test]
fn every_reference_of_the_document_leads_somewhere() {
    let server = Server::start();
    let document = server.document.as_ref();
    let mut waiting = vec![document];
    while let Some(value) = waiting.pop() {
        if let Some(target) = value.get("$ref").and_then(Value::as_str) {
            assert!(document.pointer(&target[1..]).is_some(), "{target}");
        }
        match value {
            Value::Object(fields) => waiting.extend(fields.values()),
            Value::Array(items) => waiting.extend(items),
            _ => {}
        }
    }
}

#[test]
fn the_page_and_its_files_come_from_this_server() {
    let server = Server::start();
    let get = |path: &str| server.ask_anonymously("GET", path).send();
    assert_eq!(get("/v1/docs").header("location"), "/v1/docs/");
    let page = get("/v1/docs/");
    assert!(page.text.contains("swagger-ui") && !page.text.contains("https://"));
    assert!(get("/v1/docs/swagger-initializer.js").text.contains("/v1/openapi.json"));
    assert_eq!(get("/v1/docs/swagger-ui-bundle.js").status, 200);
    assert_eq!(get("/v1/docs/nothing.js").status, 404);
}

#[test]
fn health_answers_without_a_key_and_tells_more_with_one() {
    let server = Server::start();
    for path in ["/v1/health/live", "/v1/health/ready"] {
        let reply = server.ask_anonymously("GET", path).send();
        assert_eq!(reply.body, json!({"status":"pass"}));
    }
    assert_eq!(server.get("/v1/health").send().body["panics"], 0);
    server.api.as_ref().unwrap().drain();
    assert_eq!(server.ask_anonymously("GET", "/v1/health/ready").send().status, 503);
    assert_eq!(server.ask_anonymously("GET", "/v1/health/live").send().status, 200);
}

#[test]
fn the_reference_page_lists_every_problem() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reference/http.md");
    let page = std::fs::read_to_string(page).unwrap();
    for kind in ProblemKind::ALL {
        let name = kind.uri().rsplit(':').next().unwrap();
        let row = format!("| {} | `{name}` |", kind.status().as_u16());
        assert!(page.contains(&row), "{row}");
    }
}

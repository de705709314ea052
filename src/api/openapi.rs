//! The OpenAPI 3.1 document, made from the code of the handlers.

use serde_json::{Map, Value, json};
use utoipa::OpenApi;

use super::problem::{FieldError, ProblemDocument};
use super::route::{self, document};
use super::{PluginRoutes, ProblemKind};
use crate::runtime::{CommandInfo, System};

/// Every address but those of single commands, which a system adds.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Headwater",
        version = "1",
        description = "One log upstream; everything else flows from it.",
        license(name = "MIT OR Apache-2.0"),
    ),
    paths(
        route::command::send,
        route::append::append_all,
        route::append::append,
        route::stream::list,
        route::stream::read,
        route::stream::metadata,
        route::event::read,
        route::subscribe::subscribe,
        route::read_model::page,
        route::read_model::one,
        route::node::list,
        route::projection::list,
        route::projection::pause,
        route::projection::resume,
        route::projection::rebuild,
        route::key::create,
        route::key::list,
        route::key::revoke,
        route::health::live,
        route::health::ready,
        route::health::detail,
        route::metric::metrics,
        route::docs::openapi,
        route::docs::docs,
    ),
    components(schemas(
        ProblemDocument,
        FieldError,
        document::EventDocument,
        document::MetadataDocument,
    )),
    tags(
        (name = "commands", description = "Ask aggregates to decide"),
        (name = "streams", description = "Raw events of one stream or several"),
        (name = "events", description = "The tenant's part of the log"),
        (name = "read models", description = "What projections made of the log"),
        (name = "nodes", description = "Who shares the work"),
        (name = "projections", description = "Watch and operate projections"),
        (name = "keys", description = "Manage the tenant's keys"),
        (name = "health", description = "Whether the server is well"),
        (name = "documentation", description = "This document"),
    ),
)]
struct Document;

/// Problems that addresses of any kind may reply with.
const SHARED_PROBLEMS: [ProblemKind; 10] = [
    ProblemKind::Invalid,
    ProblemKind::Unauthenticated,
    ProblemKind::Forbidden,
    ProblemKind::NotAcceptable,
    ProblemKind::BodyTimeout,
    ProblemKind::TooLarge,
    ProblemKind::UnsupportedMedia,
    ProblemKind::RateLimited,
    ProblemKind::Internal,
    ProblemKind::Unavailable,
];

/// Makes the document, with an address for each of the commands.
#[must_use]
pub fn openapi(commands: &[CommandInfo]) -> Value {
    complete(Document::openapi(), commands)
}

/// Makes the document of a system, with the addresses of its plugins.
pub(super) fn openapi_of(system: &System) -> Value {
    let routes = system.routes::<PluginRoutes>();
    let parts = routes.iter().filter_map(|routes| routes.document());
    let whole = parts.fold(Document::openapi(), |whole, part| whole.merge_from(part.clone()));
    complete(whole, &system.commands())
}

fn complete(document: utoipa::openapi::OpenApi, commands: &[CommandInfo]) -> Value {
    let mut document = serde_json::to_value(document).unwrap_or_default();
    add_security(&mut document);
    add_commands(&mut document, commands);
    add_shared_problems(&mut document);
    let paths = document.get_mut("paths").and_then(Value::as_object_mut);
    for (path, item) in paths.into_iter().flatten() {
        for (_, operation) in item.as_object_mut().into_iter().flatten() {
            add_problems(path, operation);
        }
    }
    document
}

fn add_security(document: &mut Value) {
    let key = json!({
        "type": "http",
        "scheme": "bearer",
        "description": "An API key, hw_<id>_<secret>; its tenant is the tenant of the request",
    });
    put(document, &["components", "securitySchemes", "key"], key);
}

/// Gives every command an address of its own, with its schema, beside the general one.
fn add_commands(document: &mut Value, commands: &[CommandInfo]) {
    let general = document.pointer("/paths/~1v1~1{category}~1{id}~1{command}").cloned();
    let Some(general) = general else { return };
    for info in commands {
        let mut item = general.clone();
        let (category, command) = (&info.category, &info.command);
        let name = format!("{category}.{command}");
        put(&mut item, &["post", "operationId"], json!(name));
        put(&mut item, &["post", "summary"], json!(format!("Sends {command} to one {category}.")));
        put(&mut item, &["post", "tags"], json!([category]));
        let parameters = item.pointer_mut("/post/parameters").and_then(Value::as_array_mut);
        if let Some(parameters) = parameters {
            let fixed = [json!("category"), json!("command")];
            parameters.retain(|own| own.get("name").is_none_or(|name| !fixed.contains(name)));
        }
        // Names of schemas are the developer's, so two categories may have the same.
        let own = |name: &str| format!("{category}.{name}");
        let schema = refer(json!(info.schema), &own);
        let content = json!({ "application/json": { "schema": schema } });
        put(&mut item, &["post", "requestBody"], json!({ "required": true, "content": content }));
        put(document, &["paths", &format!("/v1/{category}/{{id}}/{command}")], item);
        for (name, schema) in &info.referenced {
            let schema = refer(json!(schema), &own);
            put(document, &["components", "schemas", &own(name)], schema);
        }
    }
}

/// Lets every reference in a schema lead to another name.
fn refer(schema: Value, rename: &impl Fn(&str) -> String) -> Value {
    const PLACE: &str = "#/components/schemas/";
    match schema {
        Value::Object(fields) => {
            let fields = fields.into_iter().map(|(name, value)| match value {
                Value::String(text) if name == "$ref" => {
                    let target = text.strip_prefix(PLACE).unwrap_or(&text);
                    (name, Value::String(format!("{PLACE}{}", rename(target))))
                }
                value => (name, refer(value, rename)),
            });
            Value::Object(fields.collect())
        }
        Value::Array(items) => items.into_iter().map(|item| refer(item, rename)).collect(),
        plain => plain,
    }
}

/// Adds the problems that every address of its kind may reply with, and the content of its own.
fn add_problems(path: &str, operation: &mut Value) {
    let is_open = operation.get("security").is_none();
    let has_body = operation.get("requestBody").is_some();
    let general: &[(bool, ProblemKind)] = &[
        (true, ProblemKind::Invalid),
        (!is_open, ProblemKind::Unauthenticated),
        (!is_open, ProblemKind::Forbidden),
        (!is_open, ProblemKind::NotAcceptable),
        (has_body, ProblemKind::BodyTimeout),
        (has_body, ProblemKind::TooLarge),
        (has_body, ProblemKind::UnsupportedMedia),
        (!is_open, ProblemKind::RateLimited),
        (path != "/v1/health/live", ProblemKind::Internal),
        (path != "/v1/health/live", ProblemKind::Unavailable),
    ];
    let responses = operation.get_mut("responses").and_then(Value::as_object_mut);
    let Some(responses) = responses else { return };
    let own = responses.iter_mut().filter(|(status, _)| status.as_str() >= "400");
    own.for_each(|(_, response)| put(response, &["content"], problem_content()));
    for (_, kind) in general.iter().filter(|(applies, _)| *applies) {
        let shared = json!({ "$ref": format!("#/components/responses/{kind:?}") });
        responses.entry(kind.status().as_str()).or_insert(shared);
    }
}

/// Describes each problem once that many addresses may reply with.
fn add_shared_problems(document: &mut Value) {
    for kind in SHARED_PROBLEMS {
        let response = json!({ "description": kind.title(), "content": problem_content() });
        put(document, &["components", "responses", &format!("{kind:?}")], response);
    }
}

fn problem_content() -> Value {
    json!({
        "application/problem+json": { "schema": { "$ref": "#/components/schemas/ProblemDocument" } }
    })
}

/// Puts a value at a place, making the objects on the way.
fn put(target: &mut Value, path: &[&str], value: Value) {
    let Some((last, way)) = path.split_last() else { return };
    let mut at = target;
    for step in way {
        let Value::Object(fields) = at else { return };
        at = fields.entry(*step).or_insert_with(|| Value::Object(Map::new()));
    }
    if let Value::Object(fields) = at {
        fields.insert((*last).to_owned(), value);
    }
}

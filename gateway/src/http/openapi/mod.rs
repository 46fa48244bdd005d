//! `/openapi.json`: the API's description (OpenAPI 3.1), made from what the kinds say of themselves, so that it is complete by
//! construction. What must not come in: anything that the handlers do not do.

mod operations;
mod schemas;

use std::sync::LazyLock;

use axum::body::Bytes;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use mosaic_core::Kind;
use serde_json::{Map, Value, json};

use super::problem::CODES;

/// Where the schemas are.
const SCHEMAS: &str = "#/components/schemas/";

const ABOUT: &str = "A self-hosted gateway for tasks, notes, conversations with agents, and the users and teams they belong to. \
    Every request to /api/v1 carries a bearer token. Lists come in pages: pass next_cursor as cursor to go on, until it is null. \
    A record's ETag is its revision in quotes; send it as If-Match to change or remove the record only if nobody else did meanwhile. \
    What fails is answered with a problem document (RFC 9457), whose request_id is also in the gateway's log. \
    A client may send an x-request-id of its own. \
    A method that is not listed for a path is answered with 405, and a path that is not here with 404.";

/// The description.
pub(super) static DOCUMENT: LazyLock<Value> = LazyLock::new(document);

/// `GET /openapi.json`
pub(super) async fn openapi() -> Response {
    static TEXT: LazyLock<Bytes> = LazyLock::new(|| DOCUMENT.to_string().into());
    ([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], TEXT.clone()).into_response()
}

fn document() -> Value {
    let mut paths = Map::new();
    for kind in Kind::ALL {
        paths.insert(super::paths::collection(*kind), operations::collection(*kind));
        paths.insert(super::paths::record(*kind), operations::record(*kind));
        if kind.is_searched() {
            paths.insert(super::paths::embedding(*kind), operations::embedding(*kind));
        }
    }
    paths.extend(operations::turns());
    paths.extend(operations::others());
    let tags: Vec<_> = Kind::ALL
        .iter()
        .map(|kind| json!({ "name": kind.plural() }))
        .chain(["search", "transfer", "gateway"].map(|name| json!({ "name": name })))
        .collect();
    json!({
        "openapi": "3.1.0",
        "info": { "title": "Mosaic", "version": env!("CARGO_PKG_VERSION"), "description": ABOUT },
        "servers": [{ "url": "/" }],
        "security": [{ "bearer": [] }],
        "tags": tags,
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": { "type": "http", "scheme": "bearer", "description": "A token from `mosaic token create`." },
            },
            "headers": {
                "ETag": { "description": "The record's revision, in quotes.", "schema": { "type": "string" } },
                "Location": { "description": "The record's path.", "schema": { "type": "string" } },
                "Retry-After": { "description": "When to try again, in seconds.", "schema": { "type": "integer" } },
            },
            "responses": problems(),
            "schemas": schemas::all(),
        },
    })
}

/// A response for each status that a problem may have.
fn problems() -> Value {
    let mut responses = Map::new();
    for code in CODES {
        let status = code.status.as_u16();
        let titles: Vec<_> =
            CODES.iter().filter(|other| other.status == code.status).map(|other| format!("{} ({})", other.title, other.name)).collect();
        let mut response = json!({
            "description": titles.join("; "),
            "content": { "application/problem+json": { "schema": { "$ref": format!("{SCHEMAS}Problem") } } },
        });
        if matches!(status, 429 | 503) {
            response["headers"] = json!({ "Retry-After": { "$ref": "#/components/headers/Retry-After" } });
        }
        responses.insert(operations::problem_name(status), response);
    }
    Value::Object(responses)
}

#[cfg(test)]
mod tests;

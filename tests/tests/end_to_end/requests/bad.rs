//! Requests that cannot be carried out: each gets the right status, a problem that names the thing and the cure, and nothing is half done.

use hyper::Method;
use serde_json::json;

use super::{content, text};
use crate::harness::{JSON, shared};

/// The bound of a body, as the config has it by default.
const BODY_LIMIT: usize = 4 << 20;

/// What is no JSON object in UTF-8, and what the problem names.
const MALFORMED: &[(&[u8], &str)] = &[
    (b"", "JSON"),
    (b"{", "JSON"),
    (b"{\"title\": \"t\",}", "JSON"),
    (b"[]", "object"),
    (b"\"title\"", "object"),
    (b"null", "object"),
    (b"{\"title\": \"t\"} {}", "JSON"),
    (b"{\"title\": \"\xff\xfe\"}", "UTF-8"),
    (b"{\"title\": \"\\ud800\"}", "JSON"),
];

/// What is no task, and what the problem names.
const AGAINST_THE_RULES: &[(&str, &str)] = &[
    (r#"{}"#, "title"),
    (r#"{"title": 5}"#, "title"),
    (r#"{"title": null}"#, "title"),
    (r#"{"title": ""}"#, "title"),
    (r#"{"title": "t", "colour": "red"}"#, "colour"),
    (r#"{"title": "a\u0000b"}"#, "NUL"),
    (r#"{"title": "t", "body": "a\u0000b"}"#, "NUL"),
    (r#"{"title": "t", "tags": ["\u0000"]}"#, "NUL"),
    (r#"{"title": "t", "priority": 9}"#, "priority"),
    (r#"{"title": "t", "priority": "high"}"#, "priority"),
    (r#"{"title": "t", "status": "later"}"#, "status"),
    (r#"{"title": "t", "due_at": "tomorrow"}"#, "due_at"),
    (r#"{"title": "t", "tags": ["a", "a"]}"#, "tag"),
    (r#"{"title": "t", "id": "7"}"#, "id"),
    (r#"{"title": "t", "kind": "note"}"#, "kind"),
    (r#"{"title": "t", "revision": 7}"#, "revision"),
    (r#"{"title": "t", "created_at": "2020-01-01T00:00:00Z"}"#, "created_at"),
    (r#"{"title": "t", "team_id": "99999999-0000-4000-8000-000000000000"}"#, "team that does not exist"),
    (r#"{"title": "t", "assignee_id": "99999999-0000-4000-8000-000000000000"}"#, "assignee_id"),
];

#[tokio::test]
async fn bodies_that_cannot_be_taken() {
    let gateway = shared().await;
    let ann = gateway.person("bad-bodies").await.client;
    ann.create("notes", json!({ "title": "present" })).await;
    let before = content(&ann).await;
    for (body, names) in MALFORMED {
        println!("{}", String::from_utf8_lossy(body));
        ann.request(Method::POST, "/api/v1/tasks", JSON, *body).await.refusal(400, "invalid_request", names);
    }
    for (body, names) in AGAINST_THE_RULES {
        println!("{body}");
        ann.request(Method::POST, "/api/v1/tasks", JSON, *body).await.refusal(422, "invalid", names);
    }
    let deep = "[".repeat(100_000);
    ann.request(Method::POST, "/api/v1/tasks", JSON, deep).await.refusal(400, "invalid_request", "JSON");
    let long = json!({ "title": "x".repeat(501) });
    ann.post("/api/v1/tasks", &long).await.refusal(422, "invalid", "title");
    assert_eq!(content(&ann).await, before);
}

#[tokio::test]
async fn changes_that_cannot_be_made() {
    let gateway = shared().await;
    let ann = gateway.person("bad-changes").await.client;
    let task = ann.create("tasks", json!({ "title": "present" })).await;
    let path = format!("/api/v1/tasks/{}", text(&task, "id"));
    let before = content(&ann).await;
    for (patch, names) in [
        (json!({ "colour": "red" }), "colour"),
        (json!({ "title": null }), "title"),
        (json!({ "title": "" }), "title"),
        (json!({ "title": "a\0b" }), "NUL"),
        (json!({ "priority": 5 }), "priority"),
        (json!({ "revision": 7 }), "revision"),
        (json!({ "created_at": "2020-01-01T00:00:00Z" }), "created_at"),
        (json!({ "id": "99999999-0000-4000-8000-000000000000" }), "id"),
        (json!({ "kind": "note" }), "kind"),
        (json!({ "title": "good", "status": "bad" }), "status"),
        (json!({ "assignee_id": "99999999-0000-4000-8000-000000000000" }), "assignee_id"),
    ] {
        ann.patch(&path, &patch).await.refusal(422, "invalid", names);
    }
    ann.patch(&path, &json!([])).await.refusal(400, "invalid_request", "object");
    assert_eq!(content(&ann).await, before);
}

#[tokio::test]
async fn a_body_over_the_limit() {
    let ann = shared().await.person("bad-large").await.client;
    let before = content(&ann).await;
    let large = json!({ "title": "t", "body": "x".repeat(BODY_LIMIT) });
    let answer = ann.post("/api/v1/notes", &large).await;
    answer.refusal(413, "body_too_large", &BODY_LIMIT.to_string());
    // Within the limit of a request, over that of a note.
    let long = json!({ "title": "t", "body": "x".repeat(mosaic_core::model::BODY_BYTES + 1) });
    ann.post("/api/v1/notes", &long).await.refusal(422, "invalid", "body");
    assert_eq!(content(&ann).await, before);
    let largest = json!({ "title": "t", "body": "\u{1}".repeat(100_000) });
    assert_eq!(ann.create("notes", largest.clone()).await["body"], largest["body"]);
}

#[tokio::test]
async fn paths_methods_and_media_types_there_are_none_of() {
    let gateway = shared().await;
    let ann = gateway.person("bad-paths").await.client;
    for path in ["/api", "/api/v1", "/api/v1/chores", "/api/v2/tasks", "/api/v1/tasks/x/y", "/api/v1/task", "/../etc/passwd"] {
        ann.get(path).await.problem(404, "not_found");
    }
    ann.get("/api/v1/tasks/7").await.refusal(404, "not_found", "UUID");
    ann.post("/api/v1/tasks?dry_run=true", &json!({ "title": "t" })).await.refusal(400, "invalid_request", "dry_run");
    let answer = ann.request(Method::PUT, "/api/v1/tasks", JSON, "{}").await;
    answer.problem(405, "method_not_allowed");
    assert!(answer.header("allow").contains("POST"), "{:?}", answer.headers);
    let answer = ann.request(Method::POST, "/api/v1/tasks", &[("content-type", "text/plain")], "title=t").await;
    answer.refusal(415, "unsupported_media_type", "application/json");
}

#[tokio::test]
async fn heads_over_the_limit() {
    let ann = shared().await.person("bad-heads").await.client;
    let large = "x".repeat(20 << 10);
    let answer = ann.request(Method::GET, "/api/v1/tasks", &[("x-large", &large)], "").await;
    answer.refusal(431, "headers_too_large", "16384");
    ann.get(&format!("/api/v1/tasks?status={large}")).await.refusal(414, "uri_too_long", "8192");
    // Far beyond the limit the connection may end before all of it is sent.
    let huge = "x".repeat(1 << 20);
    let answer = ann.try_request(Method::GET, "/api/v1/tasks", &[("x-huge", &huge)], "").await;
    assert!(answer.is_err() || answer.is_ok_and(|answer| answer.status == 431));
    ann.get("/api/v1/tasks").await.expect(200);
}

#[tokio::test]
async fn names_that_are_taken() {
    let gateway = shared().await;
    let admin = gateway.admin();
    let ann = gateway.person("bad-taken").await;
    let team = admin.create("teams", json!({ "slug": "bad.taken", "name": "Team" })).await;
    let membership = json!({ "team_id": team["id"], "user_id": ann.id });
    admin.create("memberships", membership.clone()).await;
    admin.post("/api/v1/users", &json!({ "login": "bad-taken", "name": "n" })).await.refusal(409, "conflict", "login");
    admin.post("/api/v1/teams", &json!({ "slug": "bad.taken", "name": "n" })).await.refusal(409, "conflict", "slug");
    admin.post("/api/v1/memberships", &membership).await.problem(409, "conflict");
}

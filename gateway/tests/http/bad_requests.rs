//! Requests that cannot be taken: each has its status, and a document that names the thing and the cure; nothing is done.

use axum::body::Body;
use mosaic_gateway::config::Limits;
use serde_json::{Value, json};

use crate::world::{World, bearer};

async fn nothing_was_done(world: &World) {
    assert_eq!(world.get(&world.ada, "/api/v1/tasks").await.body["items"], json!([]));
}

#[tokio::test]
async fn a_body_that_is_no_record() {
    let world = World::new().await;
    let cases: &[(&[u8], u16, &str, &[&str])] = &[
        (b"", 400, "invalid_request", &["not JSON", "line=1"]),
        (b"{ \"title\": \"a\",\n \"body\" }", 400, "invalid_request", &["not JSON", "line=2", "column=9"]),
        (b"[]", 400, "invalid_request", &["not a JSON object"]),
        (b"\"title\"", 400, "invalid_request", &["not a JSON object"]),
        (b"{ \"title\": \"a\xff\" }", 400, "invalid_request", &["not UTF-8", "byte=14"]),
        (br#"{ "title": "a", "colour": "red" }"#, 422, "invalid", &["colour"]),
        (br#"{ "title": 5 }"#, 422, "invalid", &["field=title"]),
        (br#"{ "title": "a", "tags": ["x", 7] }"#, 422, "invalid", &["field=tags[1]"]),
        (br#"{ }"#, 422, "invalid", &["title"]),
        (br#"{ "title": "" }"#, 422, "invalid", &["field=title"]),
        (br#"{ "title": "a\u0000b" }"#, 422, "invalid", &["NUL", "field=title"]),
        (br#"{ "title": "a", "priority": 9 }"#, 422, "invalid", &["field=priority"]),
        (br#"{ "title": "a", "id": "7" }"#, 422, "invalid", &["field=id"]),
        (br#"{ "title": "a", "kind": "note" }"#, 422, "invalid", &["field=kind"]),
        (br#"{ "title": "a", "revision": 3 }"#, 422, "invalid", &["field=revision", "leave it out"]),
        (br#"{ "title": "a", "created_at": "2026-01-01T00:00:00Z" }"#, 422, "invalid", &["field=created_at"]),
        (br#"{ "title": "a", "team_id": "00000000-0000-0000-0000-0000000000ff" }"#, 0, "", &[]),
    ];
    for (body, status, code, said) in cases {
        let headers = [("authorization", &*bearer(&world.ada)), ("content-type", "application/json")];
        let answer = world.ask("POST", "/api/v1/tasks", &headers, body.to_vec()).await;
        if *status == 0 {
            assert!(answer.status.is_client_error(), "{}", answer.text);
        } else {
            answer.is_problem(*status, code, said);
        }
    }
    nothing_was_done(&world).await;
}

#[tokio::test]
async fn a_patch_that_cannot_be_taken() {
    let world = World::new().await;
    let task = world.post(&world.ada, "/api/v1/tasks", json!({ "title": "Sweep" })).await.is(201);
    let path = format!("/api/v1/tasks/{}", task.id());
    for (patch, said) in [
        (json!({ "colour": "red" }), "colour"),
        (json!({ "title": null }), "title"),
        (json!({ "id": "00000000-0000-0000-0000-0000000000ff" }), "field=id"),
        (json!({ "kind": "note" }), "field=kind"),
        (json!({ "revision": 7 }), "field=revision"),
        (json!({ "status": "later" }), "field=status"),
        (json!({ "assignee_id": world.eve.id }), ""),
    ] {
        world.patch(&world.ada, &path, patch).await.is_problem(422, "invalid", &[said]);
    }
    assert_eq!(world.get(&world.ada, &path).await.body, task.body);
}

#[tokio::test]
async fn a_body_of_another_type() {
    let world = World::new().await;
    for content_type in [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("application/merge-patch+json")] {
        let authorization = bearer(&world.ada);
        let mut headers = vec![("authorization", &*authorization)];
        headers.extend(content_type.map(|ty| ("content-type", ty)));
        let answer = world.ask("POST", "/api/v1/tasks", &headers, r#"{ "title": "a" }"#).await;
        answer.is_problem(415, "unsupported_media_type", &["Content-Type: application/json"]);
    }
    let headers = [("authorization", &*bearer(&world.ada)), ("content-type", "Application/JSON; charset=utf-8")];
    nothing_was_done(&world).await;
    world.ask("POST", "/api/v1/tasks", &headers, r#"{ "title": "a" }"#).await.is(201);
}

#[tokio::test]
async fn a_body_over_the_limit() {
    let world = World::with(Limits { body_bytes: 1024, ..Limits::default() }).await;
    let headers = [("authorization", &*bearer(&world.ada)), ("content-type", "application/json")];
    let body = |length: usize| json!({ "title": "a", "body": "x".repeat(length - 23) }).to_string();
    assert_eq!(body(1025).len(), 1025);
    let streamed = |length| {
        let pieces: Vec<_> = body(length).into_bytes().chunks(100).map(|piece| Ok::<_, std::io::Error>(piece.to_vec())).collect();
        Body::from_stream(futures::stream::iter(pieces))
    };
    for body in [Body::from(body(1025)), streamed(1025), streamed(50_000)] {
        let answer = world.ask("POST", "/api/v1/tasks", &headers, body).await;
        answer.is_problem(413, "body_too_large", &["1024 bytes"]);
        assert_eq!(answer.body["limit"], 1024);
    }
    nothing_was_done(&world).await;
    world.ask("POST", "/api/v1/tasks", &headers, streamed(1024)).await.is(201);
}

#[tokio::test]
async fn a_body_of_more_values_than_a_record_has() {
    let world = World::new().await;
    let task = world.post(&world.ada, "/api/v1/tasks", json!({ "title": "Sweep" })).await.is(201);
    let path = format!("/api/v1/tasks/{}", task.id());
    let many = |count| json!({ "title": "a", "tags": vec![0; count] });
    for count in [4096, 2_000_000] {
        let said = ["more than 4096 JSON values", "the fields of one record"];
        world.post(&world.ada, "/api/v1/tasks", many(count)).await.is_problem(400, "invalid_request", &said);
        world.patch(&world.ada, &path, many(count)).await.is_problem(400, "invalid_request", &said);
    }
    // Up to there it is the record that says what is wrong; and a text may hold anything.
    world.post(&world.ada, "/api/v1/tasks", many(4000)).await.is_problem(422, "invalid", &["field=tags[0]"]);
    let text = "[{,".repeat(500_000);
    world.post(&world.ada, "/api/v1/tasks", json!({ "title": "a", "body": text })).await.is(201);
}

#[tokio::test]
async fn the_largest_body_field_fits_into_the_limit() {
    let world = World::new().await;
    let note = json!({ "title": "a", "body": "x".repeat(2 << 20) });
    let made = world.post(&world.ada, "/api/v1/notes", note).await.is(201);
    assert_eq!(world.get(&world.ada, &format!("/api/v1/notes/{}", made.id())).await.body["body"].as_str().unwrap().len(), 2 << 20);
    world.post(&world.ada, "/api/v1/notes", json!({ "title": "a", "body": "x".repeat((2 << 20) + 1) })).await.is_problem(
        422,
        "invalid",
        &["field=body"],
    );
}

#[tokio::test]
async fn a_path_or_a_method_that_is_not_there() {
    let world = World::new().await;
    for path in ["/nowhere", "/api/v1/chores", "/api/v1/tasks/", "/api/v1", "/api/v2/tasks"] {
        world.get(&world.ada, path).await.is_problem(404, "not_found", &["/docs"]);
    }
    world.get(&world.ada, "/api/v1/tasks/7").await.is_problem(404, "not_found", &["UUID"]);
    for (method, path, allow) in [
        ("PUT", "/api/v1/tasks", "GET,HEAD,POST"),
        ("POST", "/api/v1/tasks/7", "GET,HEAD,PATCH,DELETE"),
        ("DELETE", "/livez", "GET,HEAD"),
        ("GET", "/api/v1/import", "POST"),
    ] {
        let answer = world.ask(method, path, &[("authorization", &bearer(&world.ada))], "").await;
        answer.is_problem(405, "method_not_allowed", &["Allow"]);
        assert_eq!(answer.headers["allow"], allow, "{method} {path}");
    }
}

#[tokio::test]
async fn a_head_that_is_too_large() {
    let world = World::new().await;
    let long = "x".repeat(17 << 10);
    world.ask("GET", "/livez", &[("x-large", &long)], "").await.is_problem(431, "headers_too_large", &["16384 bytes"]);
    let many: Vec<_> = (0..101).map(|i| format!("x-{i}")).collect();
    let many: Vec<_> = many.iter().map(|name| (name.as_str(), "1")).collect();
    world.ask("GET", "/livez", &many, "").await.is_problem(431, "headers_too_large", &["100"]);
    world.ask("GET", &format!("/livez?{long}"), &[], "").await.is_problem(414, "uri_too_long", &["8192 bytes"]);
}

#[tokio::test]
async fn parameters_where_there_are_none() {
    let world = World::new().await;
    world.post(&world.ada, "/api/v1/tasks?dry_run=1", json!({ "title": "a" })).await.is_problem(
        400,
        "invalid_request",
        &["parameter=dry_run"],
    );
    nothing_was_done(&world).await;
    world.get(&world.root, "/api/v1/export?tokens=yes").await.is_problem(400, "invalid_request", &["tokens=true"]);
    let answer = world.get(&world.ada, "/api/v1/tasks/00000000-0000-0000-0000-0000000000ff?fields=title").await;
    answer.is_problem(400, "invalid_request", &["use view"]);
    assert_eq!(answer.body["request_id"].as_str().map(str::is_empty), Some(false));
    assert_eq!(answer.body.get("revision"), None::<&Value>);
}

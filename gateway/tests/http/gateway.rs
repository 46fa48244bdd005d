//! What is about the gateway itself: how it is, what it bears, how it is described.

use std::time::Duration;

use axum::body::Body;
use futures::stream;
use mosaic_gateway::config::Limits;
use serde_json::json;

use crate::world::{World, bearer};

/// A body that is never sent.
fn stalled() -> Body {
    Body::from_stream(stream::pending::<Result<Vec<u8>, std::io::Error>>())
}

#[tokio::test]
async fn it_says_whether_it_lives_and_is_ready() {
    let world = World::closed(Limits::default()).await;
    assert_eq!(world.get(&world.ada, "/livez").await.is(200).body, json!({ "status": "live" }));
    let starting = world.get(&world.ada, "/readyz").await;
    starting.is_problem(503, "unavailable", &["starting"]);
    assert_eq!((&starting.body["not_ready"], starting.header("retry-after")), (&json!(["gateway"]), "1"));
    world.get(&world.ada, "/api/v1/tasks").await.is_problem(503, "unavailable", &["starting"]);

    world.app.open(&world.backend).await.unwrap();
    assert_eq!(world.get(&world.ada, "/readyz").await.is(200).body, json!({ "status": "ready" }));
    world.get(&world.ada, "/api/v1/tasks").await.is(200);

    world.backend.storage.close().await.unwrap();
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let gone = world.get(&world.ada, "/readyz").await;
    gone.is_problem(503, "unavailable", &["the storage does not answer"]);
    assert_eq!(gone.body["not_ready"], json!(["storage"]));
    let failed = world.get(&world.eve, "/api/v1/tasks").await;
    failed.is_problem(503, "unavailable", &[]);
    assert_eq!(failed.headers["retry-after"], "1");

    world.stopping.cancel();
    world.get(&world.ada, "/readyz").await.is_problem(503, "unavailable", &["stopping"]);
    world.get(&world.ada, "/livez").await.is(200);
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_ended() {
    let world = World::with(Limits { request_seconds: 1, ..Limits::default() }).await;
    let headers = [("authorization", &*bearer(&world.ada)), ("content-type", "application/json")];
    world.ask("POST", "/api/v1/tasks", &headers, stalled()).await.is_problem(504, "timeout", &["1 s", "look before trying again"]);
}

#[tokio::test]
async fn past_what_it_bears_it_says_so_at_once_and_recovers() {
    let world = World::with(Limits { requests: 1, ..Limits::default() }).await;
    let headers = [("authorization", &*bearer(&world.ada)), ("content-type", "application/json")];
    let slow = world.ask("POST", "/api/v1/tasks", &headers, stalled());
    let others = async {
        tokio::task::yield_now().await;
        let refused = world.get(&world.ada, "/api/v1/tasks").await;
        refused.is_problem(503, "overloaded", &["try again"]);
        assert_eq!(refused.headers["retry-after"], "1");
        for path in ["/livez", "/readyz", "/metrics"] {
            world.get(&world.ada, path).await.is(200);
        }
    };
    tokio::select! {
        biased;
        answer = slow => panic!("{answer:?}"),
        () = others => {}
    }
    world.get(&world.ada, "/api/v1/tasks").await.is(200);
}

#[tokio::test]
async fn one_person_does_not_take_all_places_of_those_who_follow_turns() {
    let world = World::with(Limits { requests: 4, ..Limits::default() }).await;
    let session = async |person| {
        let made = world.post(person, "/api/v1/sessions", json!({ "title": "Plans", "agent": "assistant" })).await.is(201);
        format!("/api/v1/sessions/{}", made.id())
    };
    let (of_ada, of_bob) = (session(&world.ada).await, session(&world.bob).await);
    let headers = [("authorization", &*bearer(&world.ada)), ("content-type", "application/json")];
    let messages = format!("{of_ada}/messages");
    let slow = world.ask("POST", &messages, &headers, stalled());
    let others = async {
        tokio::task::yield_now().await;
        for path in [format!("{of_ada}/events"), format!("{of_bob}/events")] {
            let refused = world.get(&world.ada, &path).await;
            refused.is_problem(503, "overloaded", &["as many turns as one person may"]);
            assert_eq!(refused.headers["retry-after"], "1");
        }
        world.get(&world.bob, &format!("{of_bob}/events")).await.is(200);
        world.get(&world.ada, &of_ada).await.is(200);
    };
    tokio::select! {
        biased;
        answer = slow => panic!("{answer:?}"),
        () = others => {}
    }
    // Whoever went away has given up the place.
    world.get(&world.ada, &format!("{of_ada}/events")).await.is(200);
}

#[tokio::test]
async fn a_request_has_an_id_the_clients_where_it_gives_a_modest_one() {
    let world = World::new().await;
    let id = async |given: &str| {
        world.ask("GET", "/livez", &[("x-request-id", given)], "").await.headers["x-request-id"].to_str().unwrap().to_owned()
    };
    assert_eq!(id("deploy-7_a.b").await, "deploy-7_a.b");
    let made = id("").await;
    assert!(!made.is_empty());
    for bad in ["a b", "a\"b", &"x".repeat(65)] {
        assert_ne!(id(bad).await, *bad);
    }
    assert_ne!(id("").await, made);
}

#[tokio::test]
async fn metrics_are_by_route_and_hold_no_ids() {
    let world = World::new().await;
    let made = world.post(&world.ada, "/api/v1/tasks", json!({ "title": "a" })).await.is(201);
    world.get(&world.ada, &format!("/api/v1/tasks/{}", made.id())).await.is(200);
    world.get(&world.ada, "/nowhere/else").await;
    world.ask("BREW", "/livez", &[], "").await;
    let metrics = world.ask("GET", "/metrics", &[], "").await.is(200);
    assert_eq!(metrics.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    for line in [
        "mosaic_http_requests_total{method=\"GET\",route=\"/api/v1/tasks/{id}\",status=\"200\"}",
        "mosaic_http_requests_total{method=\"GET\",route=\"none\",status=\"404\"}",
        "mosaic_http_requests_total{method=\"other\",route=\"/livez\",status=\"405\"}",
        "mosaic_http_request_duration_seconds_bucket{method=\"POST\",route=\"/api/v1/tasks\",le=\"0.005\"}",
        "mosaic_http_requests_in_flight 0",
        "process_resident_memory_bytes",
    ] {
        assert!(metrics.text.contains(line), "{line} is not in\n{}", metrics.text);
    }
    assert!(!metrics.text.contains(&made.id()) && !metrics.text.contains("nowhere"));
}

#[tokio::test]
async fn it_describes_all_that_it_serves_and_serves_all_that_it_describes() {
    let world = World::new().await;
    let description = world.ask("GET", "/openapi.json", &[], "").await.is(200).body;
    assert_eq!(description["openapi"], "3.1.0");
    for (path, item) in description["paths"].as_object().unwrap() {
        let concrete = path
            .replace("{file}", "app.js")
            .replace("{id}", "00000000-0000-0000-0000-0000000000ff")
            .replace("{message_id}", "00000000-0000-0000-0000-0000000000ff");
        let described: Vec<_> = item.as_object().unwrap().keys().map(|key| key.to_ascii_uppercase()).collect();
        for method in ["GET", "POST", "PATCH", "DELETE", "PUT"] {
            let answer = world.ask(method, &concrete, &[("authorization", &bearer(&world.root))], "").await;
            assert_eq!(answer.status != 405, described.contains(&method.to_owned()), "{method} {path}: {}", answer.text);
        }
    }
}

#[tokio::test]
async fn the_page_to_read_asks_nobody_else_for_anything() {
    let world = World::new().await;
    let page = world.ask("GET", "/docs", &[], "").await.is(200);
    assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    assert!(page.text.contains("/api/v1/tasks/{id}") && page.text.contains("id=\"invalid_cursor\""));
    for outside in ["<script", "src=", "https://", "<link"] {
        assert!(!page.text.contains(outside), "{outside}");
    }
}

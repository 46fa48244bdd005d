//! Import and export as streams.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use axum::http::Request;
use futures::{StreamExt, stream};
use mosaic_core::TokenScope;
use mosaic_gateway::secret::TokenSecret;
use serde_json::json;
use tower::ServiceExt;

use crate::world::{Answer, Person, World, bearer};

async fn import(world: &World, person: &Person, body: impl Into<Body>) -> Answer {
    world.ask("POST", "/api/v1/import", &[("authorization", &bearer(person))], body).await
}

fn note(number: u32, owner: &Person) -> String {
    let note = json!({
        "kind": "note", "id": format!("00000000-0000-0000-0001-{number:012}"), "owner_id": owner.id,
        "title": format!("Note {number}"), "body": "x".repeat(1000), "created_at": "2019-03-25T00:00:00Z",
    });
    format!("{note}\n")
}

#[tokio::test]
async fn what_is_exported_can_be_imported_elsewhere() {
    let world = World::new().await;
    let notes: String = (0..3000).map(|number| note(number, &world.ada)).collect();
    let pieces: Vec<_> = notes.into_bytes().chunks(7777).map(|piece| Ok::<_, io::Error>(piece.to_vec())).collect();
    let report = import(&world, &world.root, Body::from_stream(stream::iter(pieces))).await.is(200);
    assert_eq!(report.body["total"], json!({ "added": 3000, "unchanged": 0, "refused": 0 }));

    let exported = world.get(&world.root, "/api/v1/export").await.is(200);
    assert_eq!(exported.headers["content-type"], "application/jsonl");
    assert!(!exported.text.contains("\"kind\":\"token\""));
    let elsewhere = World::new().await;
    let report = import(&elsewhere, &elsewhere.root, exported.text.clone()).await.is(200);
    assert_eq!((&report.body["kinds"]["note"]["added"], &report.body["total"]["refused"]), (&json!(3000), &json!(0)), "{}", report.text);
    assert_eq!(elsewhere.get(&elsewhere.root, "/api/v1/export").await.text, exported.text);
    assert!(world.get(&world.root, "/api/v1/export?tokens=true").await.is(200).text.contains("\"hash\":\""));
}

#[tokio::test]
async fn a_line_that_cannot_be_taken_is_reported_and_the_rest_goes_in() {
    let world = World::new().await;
    let lines = format!("{}{{\"kind\":\"note\"\n{}", note(1, &world.ada), note(2, &world.ada));
    let report = import(&world, &world.root, lines).await.is(200);
    assert_eq!(report.body["total"], json!({ "added": 2, "unchanged": 0, "refused": 1 }));
    assert_eq!(report.body["refusals"][0]["line"], 2);
    import(&world, &world.root, "").await.is(200);
}

#[tokio::test]
async fn an_import_that_breaks_off_keeps_its_whole_batches() {
    let world = World::new().await;
    let broken = stream::iter([Ok(note(1, &world.ada).into_bytes()), Err(io::Error::other("cable cut"))]);
    let answer = import(&world, &world.root, Body::from_stream(broken)).await;
    answer.is_problem(503, "unavailable", &["import it again"]);
    assert_eq!((&answer.body["line"], &answer.body["report"]["total"]["added"]), (&json!(1), &json!(1)));
    import(&world, &world.root, b"\x1f\x8b\x08garbage".to_vec()).await.is_problem(400, "invalid_request", &["gzip", "import it again"]);
    assert_eq!(import(&world, &world.root, note(1, &world.ada)).await.is(200).body["total"]["refused"], 0);
}

#[tokio::test]
async fn an_import_that_breaks_off_says_how_far_it_came_and_is_read_to_its_end() {
    let world = World::new().await;
    let taken = Arc::new(AtomicUsize::new(0));
    let (backend, counter, line) = (world.backend.storage.clone(), taken.clone(), note(1, &world.ada));
    // The storage goes away when the fifth batch is read: two may be under way then. More follows than is read ahead.
    let pieces = stream::unfold(0, move |number| {
        let (backend, counter, line) = (backend.clone(), counter.clone(), line.clone());
        async move {
            if number == 4_500 {
                backend.close().await.unwrap();
            }
            counter.store(number, Ordering::SeqCst);
            let line = line.replace("000000000001", &format!("{number:012}"));
            (number < 20_000).then_some((Ok::<_, io::Error>(line), number + 1))
        }
    });
    let answer = import(&world, &world.root, Body::from_stream(pieces)).await;
    answer.is_problem(503, "unavailable", &["import it again"]);
    let report = &answer.body["report"];
    let lines = &report["lines"];
    assert!([2_000, 3_000, 4_000].iter().any(|batches| lines == batches), "{report}");
    assert_eq!((&answer.body["line"], &report["total"]["added"]), (lines, lines));
    assert_eq!(taken.load(Ordering::SeqCst), 20_000, "the client has sent everything, and so sees the answer");
}

#[tokio::test]
async fn they_take_an_operator() {
    let world = World::new().await;
    import(&world, &world.ada, note(1, &world.ada)).await.is_problem(403, "forbidden", &["scope operator"]);
    world.get(&world.ada, "/api/v1/export").await.is_problem(403, "forbidden", &["scope operator"]);
    world.get(&world.root, "/api/v1/notes/00000000-0000-0000-0001-000000000001?view=all").await.is_problem(404, "not_found", &[]);
}

#[tokio::test]
async fn an_operator_cannot_make_themselves_an_administrator() {
    let world = World::new().await;
    let operator = world.token(&world.root, &[TokenScope::Operator], None).await;
    let secret = TokenSecret::generate().unwrap();
    let id = "00000000-0000-0000-0002-000000000001";
    let (created_at, all) = ("2026-01-01T00:00:00Z", ["read", "write", "agent", "admin", "operator"]);
    let user = json!({ "kind": "user", "id": id, "login": "mole", "name": "Mole", "role": "admin", "created_at": created_at });
    let token = json!({
        "kind": "token", "id": "00000000-0000-0000-0002-000000000002", "user_id": world.root.id, "name": "hole", "scopes": all,
        "hash": secret.hash().to_hex(), "created_at": created_at,
    });
    let lines = format!("{user}\n{token}\n{}", note(1, &world.ada));
    let report = import(&world, &operator, lines.clone()).await.is(200).body;
    assert_eq!(report["total"], json!({ "added": 1, "unchanged": 0, "refused": 2 }));
    for (refusal, line) in report["refusals"].as_array().unwrap().iter().zip([1, 2]) {
        assert_eq!(refusal["line"], line);
        assert!(refusal["reason"].as_str().unwrap().contains("scopes operator and admin"), "{refusal}");
    }
    let mole = Person { secret: secret.expose().to_owned(), ..world.root.clone() };
    world.get(&mole, "/api/v1/users").await.is_problem(401, "unauthorized", &[]);
    world.get(&world.root, &format!("/api/v1/users/{id}")).await.is_problem(404, "not_found", &[]);

    // Whoever manages accounts anyway may import them.
    assert_eq!(import(&world, &world.root, lines).await.is(200).body["total"], json!({ "added": 2, "unchanged": 1, "refused": 0 }));
    world.get(&mole, "/api/v1/users").await.is(200);
}

#[tokio::test]
async fn an_export_that_fails_on_the_way_breaks_off() {
    let world = World::new().await;
    let notes: String = (0..3000).map(|number| note(number, &world.ada)).collect();
    import(&world, &world.root, notes).await.is(200);
    let request = Request::get("/api/v1/export").header("authorization", bearer(&world.root)).body(Body::empty()).unwrap();
    let mut body = world.router.clone().oneshot(request).await.unwrap().into_body().into_data_stream();
    body.next().await.unwrap().unwrap();
    world.backend.storage.close().await.unwrap();
    let mut rest = Vec::new();
    while let Some(piece) = body.next().await {
        rest.push(piece.is_ok());
    }
    assert_eq!(rest.pop(), Some(false), "the end is an error, so that nobody takes it for whole");
}

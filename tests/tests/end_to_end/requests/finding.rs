//! Conversations, and finding what was said and written: by words, by a vector, and by both; also after a kill.

use hyper::Method;
use serde_json::{Value, json};

use super::text;
use crate::harness::{Client, Gateway, JSON, shared};

async fn search(client: &Client, wanted: Value) -> (Vec<String>, Value) {
    let found = client.post("/api/v1/search", &wanted).await.expect(200).json();
    (found["items"].as_array().unwrap().iter().map(|hit| text(hit, "id")).collect(), found["used"].clone())
}

async fn embed(client: &Client, path: &str, components: Value) {
    let body = json!({ "model": "tiny", "components": components }).to_string();
    client.request(Method::PUT, &format!("{path}/embedding"), JSON, body).await.expect(204);
}

#[tokio::test]
async fn what_was_said_is_kept_found_and_near() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin();
    let session = text(&admin.create("sessions", json!({ "title": "On airships", "agent": "assistant" })).await, "id");
    let messages = format!("sessions/{session}/messages");
    for (seq, content) in [(1, "How are they moored?"), (2, "To a mast, by the nose."), (3, "And what of the wind?")] {
        let role = if seq == 2 { "assistant" } else { "user" };
        let message = admin.create(&messages, json!({ "role": role, "content": content })).await;
        assert_eq!(message["seq"], seq);
        embed(&admin, &format!("/api/v1/{messages}/{}", text(&message, "id")), json!([1, seq])).await;
    }
    let note = text(&admin.create("notes", json!({ "title": "Masts", "body": "A mast of steel." })).await, "id");
    embed(&admin, &format!("/api/v1/notes/{note}"), json!([1, 0])).await;

    gateway.kill().await;
    let gateway = Gateway::start_in(&gateway.place).await;
    let admin = gateway.admin();
    let said = admin.get(&format!("/api/v1/{messages}")).await.expect(200).items();
    assert_eq!(said.iter().map(|message| message["seq"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 2, 3]);
    let answer = text(&said[1], "id");

    let hit = admin.get("/api/v1/search?q=nose").await.expect(200).json()["items"][0].clone();
    assert_eq!(
        (text(&hit, "kind"), text(&hit, "session_id"), text(&hit, "title")),
        ("message".into(), session.clone(), "On airships".into())
    );
    let (found, used) = search(&admin, json!({ "vector": { "model": "tiny", "components": [1, 0] } })).await;
    assert_eq!((found.len(), &found[0], used), (4, &note, json!(["vector"])));
    let (found, used) =
        search(&admin, json!({ "q": "mast", "vector": { "model": "tiny", "components": [1, 2] }, "kind": ["message"] })).await;
    assert_eq!((&found[0], used), (&answer, json!(["words", "vector"])));

    // What goes takes along what was said, what is found and what is near.
    admin.delete(&format!("/api/v1/sessions/{session}")).await.expect(204);
    assert_eq!(search(&admin, json!({ "q": "mast" })).await.0, std::slice::from_ref(&note));
    assert_eq!(search(&admin, json!({ "vector": { "model": "tiny", "components": [1, 2] } })).await.0, [note]);
    gateway.stop().await;
}

#[tokio::test]
async fn odd_searches_are_answered_or_refused() {
    let gateway = shared().await;
    let ann = gateway.person("finding-odd").await;
    let note = json!({ "title": "原地更新", "body": "🚀 launched; a \"quoted\" word & an <operator>" });
    let id = text(&ann.client.create("notes", note).await, "id");
    for (q, finds) in [("a", true), ("更", true), ("🚀", true), ("\"quoted\" & !('operator' | word:*)", true), ("zeppelin", false)] {
        let (found, _) = search(&ann.client, json!({ "q": q })).await;
        assert_eq!(found == [id.clone()], finds, "{q}: {found:?}");
    }
    let many = "word ".repeat(10_000);
    ann.client.post("/api/v1/search", &json!({ "q": many })).await.problem(400, "invalid_request");
}

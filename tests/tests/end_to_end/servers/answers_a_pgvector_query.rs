//! A query goes to pgvector and is answered: by an index, once there is enough for one, and to each what they may see.

use std::time::Duration;

use hyper::Method;
use serde_json::{Value, json};

use super::Stack;
use crate::harness::{Client, Gateway, JSON, eventually};

/// A direction of its own for each number.
fn vector(number: usize) -> [f64; 3] {
    let angle = number as f64 / 10_000.0;
    [angle.cos(), angle.sin(), 0.5]
}

async fn nearest(client: &Client, number: usize) -> Vec<Value> {
    let search = json!({ "vector": { "model": "test", "components": vector(number) }, "limit": 3 });
    client.post("/api/v1/search", &search).await.expect(200).items().iter().map(|hit| hit["title"].clone()).collect()
}

#[tokio::test]
async fn a_pgvector_query_answers() {
    let stack = Stack::new().await;
    let gateway = Gateway::start_in(&stack.place()).await;
    let (ada, eve) = (gateway.person("ada").await, gateway.person("eve").await);
    for (number, person) in [(10, &ada), (20, &ada), (30, &eve)] {
        let note = person.client.create("notes", json!({ "title": format!("note {number}") })).await;
        let path = format!("/api/v1/notes/{}/embedding", note["id"].as_str().unwrap());
        let embedding = json!({ "model": "test", "components": vector(number) });
        person.client.request(Method::PUT, &path, JSON, embedding.to_string()).await.expect(204);
    }
    assert_eq!(nearest(&ada.client, 19).await, ["note 20", "note 10"]);
    assert_eq!(nearest(&eve.client, 10).await, ["note 30"]);

    // Enough for an index, put there by the database itself: notes of Eve's that look the other way.
    let many = "INSERT INTO notes (id, owner_id, title, body, tags, created_at, updated_at, revision) \
        SELECT gen_random_uuid(), owner_id, 'copy', body, tags, created_at, updated_at, revision \
        FROM notes, generate_series(1, 6000) WHERE title = 'note 30'; \
        INSERT INTO note_embeddings (id, model, revision, change, vector, direction, directed) \
        SELECT notes.id, model, 1, change, '\\x0000000000000000000080bf', '[0,0,-1]', change FROM notes, note_embeddings \
        WHERE notes.title = 'copy' AND note_embeddings.id = (SELECT id FROM notes WHERE title = 'note 30'); \
        UPDATE embedding_models SET at_most = 10000";
    stack.database.execute(many).await;
    eventually("there is an index", Duration::from_secs(60), || async {
        gateway.log().contains("the vector index is in use").then_some(())
    })
    .await;
    assert_eq!(nearest(&ada.client, 19).await, ["note 20", "note 10"], "who sees little still finds all of it");
    assert_eq!(nearest(&eve.client, 10).await[0], "note 30");
    gateway.stop().await;
}

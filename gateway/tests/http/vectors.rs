//! Embeddings given by clients, and searches that go by them.

use mosaic_gateway::config::Limits;
use serde_json::{Value, json};

use crate::world::{Person, World};

const MODEL: &str = "BAAI/bge-small";

impl World {
    /// A note with an embedding.
    async fn embedded(&self, person: &Person, title: &str, components: &[f32]) -> String {
        let id = self.post(person, "/api/v1/notes", json!({ "title": title, "body": format!("All about {title}.") })).await.is(201).id();
        let path = format!("/api/v1/notes/{id}/embedding");
        self.put(person, &path, json!({ "model": MODEL, "components": components })).await.is(204);
        id
    }

    async fn search(&self, person: &Person, wanted: Value) -> (Vec<String>, Value) {
        let found = self.post(person, "/api/v1/search", wanted).await.is(200);
        let ids = found.body["items"].as_array().unwrap().iter().map(|hit| hit["id"].as_str().unwrap().to_owned()).collect();
        (ids, found.body["used"].clone())
    }
}

#[tokio::test]
async fn a_search_goes_by_words_by_a_vector_or_by_both() {
    let world = World::new().await;
    let ada = &world.ada;
    let moored = world.embedded(ada, "mooring", &[1.0, 0.0]).await;
    let sails = world.embedded(ada, "sails", &[0.9, 0.1]).await;
    let engines = world.embedded(ada, "engines", &[0.0, 1.0]).await;
    let vector = json!({ "model": MODEL, "components": [1, 0] });

    let (found, used) = world.search(ada, json!({ "q": "sails" })).await;
    assert_eq!((found, used), (vec![sails.clone()], json!(["words"])));
    let (found, used) = world.search(ada, json!({ "vector": vector })).await;
    assert_eq!((found, used), (vec![moored.clone(), sails.clone(), engines.clone()], json!(["vector"])));
    // The second of one ranking and the first of the other is before the first of one alone.
    let (found, used) = world.search(ada, json!({ "q": "sails", "vector": vector, "limit": 2 })).await;
    assert_eq!((found, used), (vec![sails.clone(), moored.clone()], json!(["words", "vector"])));
    let (found, _) = world.search(ada, json!({ "vector": vector, "kind": ["task", "message"] })).await;
    assert!(found.is_empty());
    let (found, _) = world.search(ada, json!({ "vector": vector, "space_id": ada.id, "limit": 1 })).await;
    assert_eq!(found, [moored]);
    let answer = world.get(ada, "/api/v1/search?q=sails").await.is(200);
    assert_eq!(answer.body["used"], json!(["words"]));

    // A hit by the vector alone is shown by its beginning.
    let answer = world.post(ada, "/api/v1/search", json!({ "q": "sails", "vector": vector, "limit": 3 })).await.is(200);
    assert_eq!(answer.body["items"][2]["excerpt"], json!([{ "text": "All about engines." }]));
}

#[tokio::test]
async fn a_vector_finds_only_what_the_caller_may_see() {
    let world = World::new().await;
    let mine = world.embedded(&world.ada, "mine", &[1.0, 0.0]).await;
    let vector = json!({ "vector": { "model": MODEL, "components": [1, 0] } });
    assert_eq!(world.search(&world.ada, vector.clone()).await.0, std::slice::from_ref(&mine));
    assert!(world.search(&world.bob, vector.clone()).await.0.is_empty());
    assert!(world.search(&world.root, vector.clone()).await.0.is_empty());
    let all = world.post(&world.root, "/api/v1/search?view=all", vector.clone()).await.is(200);
    assert_eq!(all.body["items"][0]["id"], mine);

    // What is not seen is not there to be embedded either.
    let path = format!("/api/v1/notes/{mine}/embedding");
    let other = json!({ "model": MODEL, "components": [0, 1] });
    world.put(&world.bob, &path, other).await.is_problem(404, "not_found", &["note"]);
    world.delete(&world.bob, &path).await.is_problem(404, "not_found", &["note"]);
    world.delete(&world.ada, &path).await.is(204);
    world.delete(&world.ada, &path).await.is_problem(404, "not_found", &["no embedding"]);
    assert!(world.search(&world.ada, vector).await.0.is_empty());
}

#[tokio::test]
async fn messages_are_embedded_below_their_session() {
    let world = World::new().await;
    let session = world.post(&world.ada, "/api/v1/sessions", json!({ "title": "On airships", "agent": "assistant" })).await.is(201).id();
    let messages = format!("/api/v1/sessions/{session}/messages");
    let message = world.post(&world.ada, &messages, json!({ "role": "user", "content": "How are they moored?" })).await.is(201).id();
    let given = json!({ "model": MODEL, "components": [1, 0] });
    let elsewhere = format!("/api/v1/sessions/{}/messages/{message}/embedding", world.team);
    world.put(&world.ada, &elsewhere, given.clone()).await.is_problem(404, "not_found", &["message"]);
    world.put(&world.ada, &format!("{messages}/{message}/embedding"), given.clone()).await.is(204);
    let found = world.post(&world.ada, "/api/v1/search", json!({ "vector": given })).await.is(200);
    let hit = &found.body["items"][0];
    assert_eq!((&hit["id"], &hit["session_id"], &hit["title"]), (&json!(message), &json!(session), &json!("On airships")));
}

#[tokio::test]
async fn a_vector_that_cannot_be_taken_is_refused() {
    let world = World::new().await;
    let id = world.embedded(&world.ada, "mine", &[1.0, 0.0]).await;
    let path = format!("/api/v1/notes/{id}/embedding");
    for (body, status, code, said) in [
        (json!({ "model": MODEL, "components": [1, 2, 3] }), 422, "invalid", "dimensions"),
        (json!({ "model": MODEL, "components": [] }), 422, "invalid", "dimensions"),
        (json!({ "model": "other", "components": [] }), 422, "invalid", "components"),
        (json!({ "model": "other", "components": [1e39] }), 422, "invalid", "finite"),
        (json!({ "model": "other", "components": vec![1; 4_001] }), 422, "invalid", "4000"),
        (json!({ "model": "", "components": [1] }), 422, "invalid", "model"),
        (json!({ "model": "mosaic:tiny", "components": [1] }), 422, "invalid", "mosaic:"),
        (json!({ "components": [1] }), 400, "invalid_request", "model"),
        (json!({ "model": "other", "components": ["x"] }), 400, "invalid_request", "components[0]"),
        (json!({ "model": "other", "components": [1], "more": 1 }), 400, "invalid_request", "more"),
    ] {
        world.put(&world.ada, &path, body).await.is_problem(status, code, &[said]);
    }
    let early = json!({ "model": "other", "components": [1], "revision": 2 });
    world.put(&world.ada, &path, early).await.is_problem(422, "invalid", &["not at this revision yet"]);
    for (body, status, said) in [
        (json!({}), 400, "for what"),
        (json!({ "q": "" }), 400, "no word"),
        (json!({ "vector": { "model": MODEL, "components": [1, 2, 3] } }), 422, "dimensions"),
        (json!({ "vector": { "model": MODEL, "components": [1e39, 0] } }), 400, "finite"),
        (json!({ "vector": { "model": MODEL } }), 400, "components"),
        (json!({ "q": "mine", "by": "meaning" }), 400, "by"),
        (json!({ "q": "mine", "by": "words", "vector": { "model": MODEL, "components": [1, 0] } }), 400, "by words alone"),
        (json!({ "by": "words" }), 400, "for what"),
        (json!({ "vector": { "model": MODEL, "components": [1, 0] }, "kind": ["user"] }), 400, "not searched"),
        (json!({ "vector": { "model": MODEL, "components": [1, 0] }, "limit": 101 }), 400, "1 to 100"),
        (json!({ "vector": { "model": MODEL, "components": [1, 0] }, "space_id": "x" }), 400, "space_id"),
    ] {
        let code = if status == 400 { "invalid_request" } else { "invalid" };
        world.post(&world.ada, "/api/v1/search", body).await.is_problem(status, code, &[said]);
    }
    // A model that nobody used has no neighbours.
    assert!(world.search(&world.ada, json!({ "vector": { "model": "unused", "components": [1] } })).await.0.is_empty());
    // The largest vector fits into a body.
    let most = json!({ "model": "large", "components": vec![0.123_456_78; 4_000], "revision": 1 });
    world.put(&world.ada, &path, most).await.is(204);
}

#[tokio::test]
async fn a_tier_without_vectors_says_so_and_searches_by_words() {
    let mut world = World::closed(Limits::default()).await;
    world.backend.vectors = None;
    world.app.open(&world.backend).await.unwrap();
    let id = world.post(&world.ada, "/api/v1/notes", json!({ "title": "sails" })).await.is(201).id();
    let given = json!({ "model": MODEL, "components": [1, 0] });
    let path = format!("/api/v1/notes/{id}/embedding");
    world.put(&world.ada, &path, given.clone()).await.is_problem(501, "unsupported", &["no vectors"]);
    world.delete(&world.ada, &path).await.is_problem(501, "unsupported", &["no vectors"]);
    world.post(&world.ada, "/api/v1/search", json!({ "vector": given })).await.is_problem(501, "unsupported", &["no vectors"]);
    assert_eq!(world.search(&world.ada, json!({ "q": "sails" })).await.0, [id]);
}

//! Embeddings of the gateway's own making, with a model server on a real socket: what is written is found by what it means, whatever the
//! server does.

mod changes;
mod failures;
mod finding;
mod secrets;

use serde_json::{Value, json};

use crate::harness::{Client, Gateway, ModelServer, PATIENCE, Place, eventually};

/// A place whose config names the model, with more fields in its section.
fn place(model: &ModelServer, fields: Value) -> Place {
    let place = Place::new();
    configure(&place, model, "tiny", fields);
    place
}

/// Writes the config.
fn configure(place: &Place, model: &ModelServer, name: &str, fields: Value) {
    let mut section = json!({ "base_url": model.base_url(), "model": name });
    section.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    place.write("mosaic.config.json", json!({ "models": { "embedding": section } }).to_string());
}

/// A field that is a text.
#[track_caller]
fn text(record: &Value, field: &str) -> String {
    record[field].as_str().unwrap_or_else(|| panic!("no {field}: {record}")).to_owned()
}

/// A new note; its id.
async fn note(client: &Client, title: &str, body: &str) -> String {
    text(&client.create("notes", json!({ "title": title, "body": body })).await, "id")
}

/// Searches; the ids of the hits, and what the search went by.
async fn search(client: &Client, wanted: Value) -> (Vec<String>, Value) {
    let found = client.post("/api/v1/search", &wanted).await.expect(200).json();
    (found["items"].as_array().unwrap().iter().map(|hit| text(hit, "id")).collect(), found["used"].clone())
}

/// Waits until a record is the nearest to a text.
async fn is_nearest(client: &Client, q: &str, id: &str) {
    eventually(&format!("{id} is nearest to {q:?}"), PATIENCE, || async {
        let (found, used) = search(client, json!({ "q": q })).await;
        (used == json!(["words", "vector"]) && found.first().is_some_and(|first| first == id)).then_some(())
    })
    .await;
}

/// Waits until nothing is left to be embedded.
async fn up_to_date(gateway: &Gateway) {
    eventually("everything is embedded", PATIENCE, || async {
        let metrics = gateway.anonymous().get("/metrics").await.text();
        metrics.contains("\nmosaic_embeddings_up_to_date 1\n").then_some(())
    })
    .await;
}

/// How many lines of the log hold this.
fn logged(gateway: &Gateway, part: &str) -> usize {
    gateway.log().lines().filter(|line| line.contains(part)).count()
}

//! Agent sessions, with a chat model on a real socket that says what a test tells it to: what a person sees of a turn, what is stored of it, and
//! that whatever happens in the middle of one, its transcript tells the truth.

mod bounds;

use serde_json::{Value, json};

use crate::harness::{ChatServer, Client, Place};

/// A place on tier local whose config names the model, with more fields in its section.
fn place(model: &ChatServer, fields: Value) -> Place {
    let place = Place::new();
    configure(&place, model, fields);
    place
}

/// Writes the config.
fn configure(place: &Place, model: &ChatServer, fields: Value) {
    let mut section = model.section();
    section.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    place.write("mosaic.config.json", json!({ "models": { "chat": section } }).to_string());
}

/// A new session; its id.
async fn session(client: &Client) -> String {
    let session = client.create("sessions", json!({ "title": "Plans", "agent": "assistant" })).await;
    session["id"].as_str().unwrap().to_owned()
}

/// Says something in a session and waits for the end of the turn; answers it.
async fn say(client: &Client, session: &str, content: &str) -> Value {
    client.post(&format!("/api/v1/sessions/{session}/messages"), &json!({ "content": content })).await.expect(201).json()
}

//! The HTTP API as a client sees it. Most of these share one gateway, each with users of its own.

mod access;
mod bad;
mod finding;
mod health;
mod kinds;
mod limits;
mod lists;

use serde_json::Value;

use crate::harness::Client;

/// All content that a client sees: the same before and after what must change nothing.
async fn content(client: &Client) -> Vec<Value> {
    let mut all = Vec::new();
    for plural in ["tasks", "notes"] {
        all.extend(client.get(&format!("/api/v1/{plural}?limit=200")).await.expect(200).items());
    }
    all
}

/// A field that is a text.
#[track_caller]
fn text(record: &Value, field: &str) -> String {
    record[field].as_str().unwrap_or_else(|| panic!("no {field}: {record}")).to_owned()
}

//! Valkey goes, and comes back: killed, and frozen. The gateway does without it, and nobody who asks for something notices.

use std::time::{Duration, Instant};

use hyper::Method;
use mosaic_tests::services::OwnValkey;
use serde_json::json;

use super::watch::State;
use super::{RECOVERY, Subject};
use crate::harness::{Client, JSON};
use crate::servers::{Stack, federated};

/// Gives a new note this vector.
async fn embed(client: &Client, title: &str, components: [f64; 3]) {
    let note = client.create("notes", json!({ "title": title })).await;
    let path = format!("/api/v1/notes/{}/embedding", note["id"].as_str().unwrap());
    let embedding = json!({ "model": "test", "components": components });
    client.request(Method::PUT, &path, JSON, embedding.to_string()).await.expect(204);
}

async fn nearest(client: &Client, components: [f64; 3]) -> Vec<String> {
    let search = json!({ "vector": { "model": "test", "components": components }, "limit": 2 });
    let hits = client.post("/api/v1/search", &search).await.expect(200).items();
    hits.iter().map(|hit| hit["title"].as_str().unwrap().to_owned()).collect()
}

/// Everything works without the cache.
async fn without_cache(subject: &Subject, ada: &Client) {
    let took = subject.says(State::WithoutCache).await;
    assert!(took < RECOVERY, "{took:?}");
    let away = Instant::now();
    assert!(!subject.watch.cache_up().await);

    // Someone who was never here before, and a search by a vector that was not there either.
    let eve = subject.gateway.person(&format!("eve-{}", subject.load.acknowledged())).await.client;
    embed(&eve, "south", [0.0, -1.0, 0.0]).await;
    assert_eq!(nearest(&eve, [0.1, 0.9, 0.0]).await, ["south"]);
    assert_eq!(nearest(ada, [0.1, 0.9, 0.0]).await, ["north", "east"]);

    tokio::time::sleep(Duration::from_secs(1)).await;
    let said = subject.watch.since(away);
    assert!(!said.is_empty() && said.iter().all(|state| *state == State::WithoutCache), "{said:?}");
}

async fn back(subject: &Subject) {
    let returned = Instant::now();
    subject.recovers(returned).await;
    assert!(subject.watch.cache_up().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_and_frozen_under_load() {
    let (stack, valkey) = tokio::join!(Stack::new(), OwnValkey::start());
    let subject = Subject::start("federated", &federated(&stack.database.url(), &valkey.url())).await;
    let ada = subject.gateway.person("ada").await.client;
    embed(&ada, "north", [0.0, 1.0, 0.0]).await;
    embed(&ada, "east", [1.0, 0.0, 0.0]).await;
    assert!(subject.watch.cache_up().await);

    valkey.kill().await;
    without_cache(&subject, &ada).await;
    valkey.restart().await;
    back(&subject).await;

    valkey.freeze().await;
    without_cache(&subject, &ada).await;
    valkey.thaw().await;
    back(&subject).await;

    assert_eq!((subject.load.reads.failures(), subject.load.writes.failures()), (0, 0), "nothing needs the cache");
    subject.end().await;
}

//! The key reaches the server, and nothing else; and a section that cannot be used ends a start with one clear line.

use serde_json::json;

use super::{configure, is_nearest, note, place};
use crate::harness::{Gateway, ModelServer, Mood, PATIENCE, Place, eventually};

const KEY: &str = "sk-very-secret-4711";

#[tokio::test]
async fn the_key_is_shown_to_the_server_alone() {
    let model = ModelServer::start().await;
    let place = place(&model, json!({ "api_key_file": "secrets/key" })).with_env("MOSAIC_LOG__FILTER", "trace");
    std::fs::create_dir(place.path("secrets")).unwrap();
    place.write("secrets/key", format!("{KEY}\n"));
    let gateway = Gateway::start_in(&place).await;
    let airships = note(&gateway.admin(), "Airships", "").await;
    is_nearest(&gateway.admin(), "zeppelin", &airships).await;
    assert_eq!(model.asked()[0].headers["authorization"], format!("Bearer {KEY}"));

    // A server that repeats it is not quoted with it.
    model.becomes(Mood::Answers(401, &[], json!({ "error": { "message": format!("the key {KEY} is wrong") } }).to_string()));
    note(&gateway.admin(), "Bread", "").await;
    eventually("it is said", PATIENCE, || async { gateway.log().contains("the key [hidden] is wrong").then_some(()) }).await;
    let shown = place.run(&["config", "show"]).await.exit(0);
    for text in [gateway.log(), shown.text(), shown.stderr, gateway.anonymous().get("/metrics").await.text()] {
        assert!(!text.contains(KEY), "the key is shown");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn the_environment_gives_a_key() {
    let model = ModelServer::start().await;
    let gateway = Gateway::start_in(&place(&model, json!({})).with_env("MOSAIC_MODELS__EMBEDDING__API_KEY", KEY)).await;
    note(&gateway.admin(), "Airships", "").await;
    eventually("it is asked", PATIENCE, || async { (!model.asked().is_empty()).then_some(()) }).await;
    assert_eq!(model.asked()[0].headers["authorization"], format!("Bearer {KEY}"));
    let shown = gateway.place.run(&["config", "show"]).await.exit(0).text();
    assert!(!shown.contains(KEY) && shown.contains(r#""api_key": "[hidden]""#), "{shown}");
}

#[tokio::test]
async fn a_section_that_cannot_be_used_is_named() {
    let model = ModelServer::start().await;
    let place = Place::new();
    for (fields, names) in [
        (json!({ "base_url": "host/v1" }), &["models.embedding.base_url"][..]),
        (json!({ "base_url": format!("http://ada:{KEY}@host/v1") }), &["models.embedding.base_url"]),
        (json!({ "model": "" }), &["models.embedding.model"]),
        (json!({ "dimensions": 5000 }), &["models.embedding.dimensions", "4000"]),
        (json!({ "api_key": KEY, "api_key_file": "key" }), &["api_key", "api_key_file"]),
        (json!({ "api_key_file": "absent/key" }), &["models.embedding.api_key_file", "absent/key"]),
        (json!({ "api_key": 12345 }), &["models.embedding.api_key"]),
        (json!({ "modle": "x" }), &["modle"]),
    ] {
        configure(&place, &model, "tiny", fields);
        for command in [&["config", "check"][..], &["serve"]] {
            let outcome = place.run(command).await.fails_with(&[&["mosaic.config.json"], names].concat());
            assert!(!outcome.stderr.contains(KEY) && !outcome.stderr.contains("12345"), "{}", outcome.stderr);
        }
    }
    assert!(!place.data_dir().exists(), "nothing was begun");
}

//! Another model in the config: everything is embedded anew, what the one before made goes, what clients gave stays, and no vectors of
//! different sorts are compared.

use hyper::Method;
use serde_json::{Value, json};

use super::{configure, is_nearest, note, place, search, up_to_date};
use crate::harness::{Client, Gateway, JSON, ModelServer, PATIENCE, eventually};

async fn give(client: &Client, id: &str, model: &str, components: Value) -> crate::harness::Answer {
    let body = json!({ "model": model, "components": components }).to_string();
    client.request(Method::PUT, &format!("/api/v1/notes/{id}/embedding"), JSON, body).await
}

/// The name under which the embeddings were kept that a gateway removed last, by its log.
async fn removed(gateway: &Gateway) -> String {
    eventually("the old ones are removed", PATIENCE, || async {
        let log = gateway.log();
        let line = log.lines().rfind(|line| line.contains("no longer configured are removed"))?;
        let name = line.split_once("model=")?.1.split_whitespace().next()?;
        Some(name.trim_matches('"').to_owned())
    })
    .await
}

#[tokio::test]
async fn another_model_embeds_anew_and_what_clients_gave_stays() {
    let model = ModelServer::start().await;
    let place = place(&model, json!({}));
    let gateway = Gateway::start_in(&place).await;
    let admin = gateway.admin();
    let airships = note(&admin, "Airships", "").await;
    note(&admin, "Bread", "").await;
    // A client's own model may be called as the gateway's is, and have other dimensions.
    give(&admin, &airships, "tiny", json!([1, 0])).await.expect(204);
    give(&admin, &airships, "mosaic:tiny", json!([1, 0])).await.problem(422, "invalid");
    is_nearest(&admin, "zeppelin", &airships).await;
    up_to_date(&gateway).await;
    gateway.stop().await;

    // The same model with other dimensions is another one, and so is one of another name.
    for (name, fields, dimensions) in [("tiny", json!({ "dimensions": 128 }), 128), ("other", json!({}), 256)] {
        configure(&place, &model, name, fields);
        let gateway = Gateway::start_in(&place).await;
        let admin = gateway.admin();
        is_nearest(&admin, "zeppelin", &airships).await;
        let old = removed(&gateway).await;
        assert!(old.starts_with("mosaic:tiny:"), "{old}");
        up_to_date(&gateway).await;
        for components in [vec![1.0; 256], vec![1.0; 128]] {
            let near = search(&admin, json!({ "vector": { "model": old, "components": components } })).await.0;
            assert!(near.is_empty(), "{near:?}");
        }
        assert_eq!(search(&admin, json!({ "vector": { "model": "tiny", "components": [1, 0] } })).await.0, std::slice::from_ref(&airships));
        assert!(model.asked().iter().any(|asked| asked.model == name), "{dimensions}");
        gateway.stop().await;
    }
}

#[tokio::test]
async fn a_name_that_the_server_does_not_know_costs_nothing_that_is_there() {
    let model = ModelServer::start().await;
    let place = place(&model, json!({}));
    let gateway = Gateway::start_in(&place).await;
    let airships = note(&gateway.admin(), "Airships", "").await;
    is_nearest(&gateway.admin(), "zeppelin", &airships).await;
    gateway.stop().await;
    let sent = model.asked().len();

    configure(&place, &model, "tinny", json!({}));
    model.becomes(crate::harness::Mood::Answers(404, &[], json!({ "error": { "message": "model \"tinny\" not found" } }).to_string()));
    let gateway = Gateway::start_in(&place).await;
    eventually("it is said", PATIENCE, || async { gateway.log().contains("not found").then_some(()) }).await;
    gateway.stop().await;

    configure(&place, &model, "tiny", json!({}));
    model.becomes(crate::harness::Mood::Well);
    let before = model.asked().len();
    assert!(before > sent);
    let gateway = Gateway::start_in(&place).await;
    is_nearest(&gateway.admin(), "blimp", &airships).await;
    up_to_date(&gateway).await;
    assert!(model.asked().iter().skip(before).all(|asked| asked.texts == ["blimp"]), "nothing is embedded anew");
    gateway.stop().await;
}

#[tokio::test]
async fn another_model_behind_the_same_name_is_not_mixed_in() {
    let model = ModelServer::start().await;
    let gateway = Gateway::start_in(&place(&model, json!({}))).await;
    let admin = gateway.admin();
    let airships = note(&admin, "Airships", "").await;
    is_nearest(&admin, "zeppelin", &airships).await;
    model.becomes(crate::harness::Mood::Dimensions(3));
    let bread = note(&admin, "Bread", "").await;
    eventually("it is said", PATIENCE, || async { gateway.log().contains("models.embedding.dimensions").then_some(()) }).await;
    assert_eq!(search(&admin, json!({ "q": "blimp" })).await, (vec![], json!(["words"])), "its vectors are of no use");
    assert_eq!(search(&admin, json!({ "q": "bread" })).await, (vec![bread.clone()], json!(["words"])));
    model.becomes(crate::harness::Mood::Well);
    is_nearest(&admin, "bread", &bread).await;
    is_nearest(&admin, "zeppelin", &airships).await;
}

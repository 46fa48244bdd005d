//! The gateway boots in tier federated, on an empty database and on one that it has been on, and says so.

use serde_json::json;

use super::Stack;
use crate::harness::Gateway;

#[tokio::test]
async fn the_gateway_boots_in_tier_federated() {
    let stack = Stack::new().await;
    let place = stack.place();
    let gateway = Gateway::start_in(&place).await;
    let nobody = gateway.anonymous();
    assert_eq!(nobody.get("/readyz").await.expect(200).json(), json!({ "status": "ready" }));
    assert!(nobody.get("/metrics").await.text().contains("mosaic_cache_up 1"));
    let note = gateway.admin().create("notes", json!({ "title": "kept" })).await;
    gateway.stop().await;

    let gateway = Gateway::start_in(&place).await;
    let path = format!("/api/v1/notes/{}", note["id"].as_str().unwrap());
    assert_eq!(gateway.admin().get(&path).await.expect(200).json()["title"], "kept");
    assert!(gateway.log().contains("tier=\"federated\""), "{}", gateway.log());
    gateway.stop().await;
}

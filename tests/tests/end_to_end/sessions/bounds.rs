//! What a turn may take.

use serde_json::json;

use super::{place, say, session};
use crate::harness::{ChatServer, Gateway, Reply};

#[tokio::test]
async fn a_model_that_calls_tools_for_ever_is_limited() {
    let model = ChatServer::start().await;
    model.on("again and again", |_| Reply::call("task_list", &json!({ "limit": 1 })));
    let gateway = Gateway::start_in(&place(&model, json!({ "max_rounds": 3 }))).await;
    let ada = gateway.person("ada").await.client;
    let session = session(&ada).await;
    let turn = say(&ada, &session, "Look again and again.").await;
    assert_eq!((&turn["finish"], turn["items"].as_array().unwrap().len()), (&json!("limited"), 1 + 3 * 2 + 1));
    assert!(turn["error"].as_str().unwrap().contains("3 rounds"), "{turn}");
    assert_eq!(model.asked().len(), 3);
    let turn = say(&ada, &session, "Thanks anyway.").await;
    assert_eq!((&turn["finish"], &turn["items"][1]["content"]), (&json!("answered"), &json!("You said: Thanks anyway.")));
    gateway.stop().await;
}

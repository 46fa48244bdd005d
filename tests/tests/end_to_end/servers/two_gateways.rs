//! Two gateways on one stack: what one writes, the other reads; and of many that start at once on an empty database, all come up, with
//! one first administrator among them.

use serde_json::json;

use super::Stack;
use crate::harness::Gateway;

#[tokio::test]
async fn what_one_writes_the_other_reads() {
    let stack = Stack::new().await;
    let first = Gateway::start_in(&stack.place()).await;
    let second = Gateway::start_in(&stack.place()).await;
    let there = second.anonymous().with_token(first.admin().token());
    let note = first.admin().create("notes", json!({ "title": "through the first" })).await;
    let path = format!("/api/v1/notes/{}", note["id"].as_str().unwrap());
    assert_eq!(there.get(&path).await.expect(200).json(), note);
    let changed = there.patch(&path, &json!({ "title": "through the second" })).await.expect(200).json();
    assert_eq!(first.admin().get(&path).await.expect(200).json(), changed);

    // A token that one removes is none at the other in the very next request, though it was cached there.
    let ada = first.person("ada").await;
    let ada_there = second.anonymous().with_token(ada.client.token());
    ada_there.get("/api/v1/notes").await.expect(200);
    let tokens = first.admin().get(&format!("/api/v1/tokens?user_id={}", ada.id)).await.items();
    first.admin().delete(&format!("/api/v1/tokens/{}", tokens[0]["id"].as_str().unwrap())).await.expect(204);
    ada_there.get("/api/v1/notes").await.problem(401, "unauthorized");
    first.stop().await;
    second.stop().await;
}

#[tokio::test]
async fn both_start_at_once_on_an_empty_database() {
    for round in 0..20 {
        let stack = Stack::new().await;
        let (first, second) = (stack.place(), stack.place());
        let (first, second) = tokio::join!(Gateway::start_in(&first), Gateway::start_in(&second));
        let tokens = [&first, &second].map(|gateway| gateway.place.path("mosaic-admin.token").exists());
        assert_eq!(tokens.iter().filter(|made| **made).count(), 1, "round {round}: one makes the administrator");
        let admin = if tokens[0] { first.admin() } else { second.admin() };
        assert_eq!(admin.get("/api/v1/users").await.items().len(), 1, "round {round}");
        first.stop().await;
        second.stop().await;
    }
}

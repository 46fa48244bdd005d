//! The way of a record of every kind: made, read, listed, changed, removed; and what revisions are for.

use hyper::Method;
use serde_json::{Value, json};

use super::text;
use crate::harness::{Client, JSON, shared};

/// Leads a record through its life. `patch` is a change, `fields` what it is made from.
async fn check(client: &Client, plural: &str, fields: Value, patch: Value) {
    let made = client.post(&format!("/api/v1/{plural}"), &fields).await.expect(201);
    let record = made.json();
    let path = format!("/api/v1/{plural}/{}", text(&record, "id"));
    assert_eq!(made.header("location"), path);
    assert_eq!(made.header("etag"), "\"1\"");
    assert_eq!(record["revision"], 1);
    assert_eq!(record["kind"], plural.strip_suffix('s').unwrap());
    assert_eq!(record["created_at"], record["updated_at"]);
    for (name, value) in fields.as_object().unwrap() {
        assert_eq!(&record[name], value, "{name} of {record}");
    }

    let read = client.get(&path).await.expect(200);
    let shown = without(&record, "secret");
    assert_eq!((read.json(), read.header("etag")), (shown.clone(), "\"1\"".to_owned()));
    let known = client.request(Method::GET, &path, &[("if-none-match", "\"1\"")], "").await.expect(304);
    assert!(known.body.is_empty());

    let changed = client.patch(&path, &patch).await.expect(200);
    assert_eq!(changed.header("etag"), "\"2\"");
    let mut expected = shown;
    for (name, value) in patch.as_object().unwrap() {
        expected[name] = value.clone();
    }
    expected["revision"] = 2.into();
    expected["updated_at"] = changed.json()["updated_at"].clone();
    assert_eq!(changed.json(), expected);
    assert_eq!(client.get(&path).await.expect(200).json(), expected);
    let listed = client.get(&format!("/api/v1/{plural}?order=-created_at&limit=200")).await.expect(200).items();
    assert!(listed.contains(&expected), "{path} is not in the list");

    // The same change again changes nothing.
    assert_eq!(client.patch(&path, &patch).await.expect(200).header("etag"), "\"2\"");

    assert!(client.delete(&path).await.expect(204).body.is_empty());
    client.get(&path).await.refusal(404, "not_found", text(&record, "id").as_str());
    client.delete(&path).await.problem(404, "not_found");
}

fn without(record: &Value, field: &str) -> Value {
    let mut record = record.clone();
    record.as_object_mut().unwrap().shift_remove(field);
    record
}

#[tokio::test]
async fn a_task() {
    let gateway = shared().await;
    let ann = gateway.person("kinds-task").await;
    let task = json!({
        "title": "Plan the move", "body": "# Move\n\nÜber \u{1f600}", "status": "blocked", "priority": 1, "tags": ["home", "später"],
        "due_at": "2031-05-06T07:08:09.000001Z", "assignee_id": ann.id,
    });
    check(&ann.client, "tasks", task, json!({ "status": "done", "tags": [] })).await;
    let defaults = ann.client.create("tasks", json!({ "title": "bare" })).await;
    assert_eq!((&defaults["status"], &defaults["priority"], &defaults["tags"]), (&json!("open"), &json!(0), &json!([])));
    assert_eq!(defaults["owner_id"], ann.id);
}

#[tokio::test]
async fn a_note() {
    let gateway = shared().await;
    let ann = gateway.person("kinds-note").await;
    check(&ann.client, "notes", json!({ "title": "n", "body": "b", "tags": ["x"] }), json!({ "body": "x".repeat(1_000_000) })).await;
}

#[tokio::test]
async fn a_user() {
    let user = json!({ "login": "kinds-user", "name": "K. User", "email": "k@example.org" });
    check(&shared().await.admin(), "users", user, json!({ "name": "Kim", "role": "admin" })).await;
}

#[tokio::test]
async fn a_team() {
    check(&shared().await.admin(), "teams", json!({ "slug": "kinds.team", "name": "Team" }), json!({ "name": "The team" })).await;
}

#[tokio::test]
async fn a_membership() {
    let gateway = shared().await;
    let ann = gateway.person("kinds-member").await;
    let team = gateway.admin().create("teams", json!({ "slug": "kinds.members", "name": "Team" })).await;
    let membership = json!({ "team_id": team["id"], "user_id": ann.id, "role": "member" });
    check(&gateway.admin(), "memberships", membership, json!({ "role": "owner" })).await;
}

#[tokio::test]
async fn a_token() {
    let gateway = shared().await;
    let ann = gateway.person("kinds-token").await;
    let token = json!({ "user_id": ann.id, "name": "laptop", "scopes": ["read"], "expires_at": "2099-01-01T00:00:00Z" });
    check(&gateway.admin(), "tokens", token, json!({ "name": "phone" })).await;
}

#[tokio::test]
async fn the_same_record_again_is_no_error_and_other_content_is() {
    let gateway = shared().await;
    let ann = gateway.person("kinds-again").await.client;
    let id = "0b0b0b0b-0000-4000-8000-000000000001";
    let task = json!({ "id": id, "title": "once" });
    let made = ann.post("/api/v1/tasks", &task).await.expect(201).json();
    assert_eq!(ann.post("/api/v1/tasks", &task).await.expect(200).json(), made);
    ann.post("/api/v1/tasks", &json!({ "id": id, "title": "twice" })).await.refusal(409, "conflict", id);
    assert_eq!(ann.get(&format!("/api/v1/tasks/{id}")).await.expect(200).json(), made);
    // Another user learns nothing about whose it is.
    let bob = gateway.person("kinds-again-bob").await.client;
    let answer = bob.post("/api/v1/tasks", &task).await;
    assert!(!answer.text().contains("once"), "{}", answer.text());
    answer.problem(409, "conflict");
}

#[tokio::test]
async fn a_stale_revision_changes_nothing() {
    let ann = shared().await.person("kinds-stale").await.client;
    let path = path_of(&ann.create("notes", json!({ "title": "first" })).await);
    let update = |etag: &'static str, title: &str| {
        let (ann, path, patch) = (ann.clone(), path.clone(), json!({ "title": title }).to_string());
        async move { ann.request(Method::PATCH, &path, &[JSON[0], ("if-match", etag)], patch).await }
    };
    assert_eq!(update("\"1\"", "second").await.expect(200).header("etag"), "\"2\"");
    let present = ann.get(&path).await.expect(200).json();

    update("\"1\"", "lost").await.refusal(412, "stale", "revision=2");
    update("\"99\"", "lost").await.refusal(412, "stale", "revision=2");
    update("nonsense", "lost").await.refusal(400, "invalid_request", "if-match");
    let stale = ann.request(Method::DELETE, &path, &[("if-match", "\"1\"")], "").await;
    stale.refusal(412, "stale", "revision=2");
    assert_eq!(ann.get(&path).await.expect(200).json(), present);

    update("*", "third").await.expect(200);
    ann.request(Method::DELETE, &path, &[("if-match", "\"3\"")], "").await.expect(204);
}

#[tokio::test]
async fn of_many_updates_at_one_revision_one_wins() {
    let ann = shared().await.person("kinds-race").await.client;
    let path = path_of(&ann.create("notes", json!({ "title": "before" })).await);
    let racers = (0..8).map(|n| {
        let (ann, path) = (ann.clone(), path.clone());
        async move {
            ann.request(Method::PATCH, &path, &[JSON[0], ("if-match", "\"1\"")], json!({ "title": n.to_string() }).to_string()).await.status
        }
    });
    let mut statuses = futures::future::join_all(racers).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412, 412, 412, 412, 412, 412, 412]);
    assert_eq!(ann.get(&path).await.expect(200).json()["revision"], 2);
}

#[tokio::test]
async fn whoever_still_holds_something_is_not_removed() {
    let gateway = shared().await;
    let ann = gateway.person("kinds-holder").await;
    ann.client.create("tasks", json!({ "title": "t" })).await;
    ann.client.create("notes", json!({ "title": "n" })).await;
    let path = format!("/api/v1/users/{}", ann.id);
    let answer = gateway.admin().delete(&path).await;
    answer.refusal(409, "conflict", "tasks=1, notes=1");
    ann.client.get(&path).await.expect(200);
}

fn path_of(record: &Value) -> String {
    format!("/api/v1/{}s/{}", text(record, "kind"), text(record, "id"))
}

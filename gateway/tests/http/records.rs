//! One record at a time: made, read, changed, removed.

use mosaic_core::{Kind, TokenScope};
use serde_json::json;

use crate::world::{World, bearer};

#[tokio::test]
async fn a_record_is_made_once_and_found_where_it_says() {
    let world = World::new().await;
    let made = world.post(&world.ada, "/api/v1/tasks", json!({ "title": "Sweep" })).await.is(201);
    let path = made.headers["location"].to_str().unwrap().to_owned();
    assert_eq!(path, format!("/api/v1/tasks/{}", made.id()));
    assert_eq!(made.headers["etag"], "\"1\"");
    assert_eq!(made.body["owner_id"], world.ada.id.to_string());
    assert_eq!((&made.body["kind"], &made.body["status"], &made.body["revision"]), (&json!("task"), &json!("open"), &json!(1)));

    let read = world.get(&world.ada, &path).await.is(200);
    assert_eq!((read.body, &read.headers["etag"]), (made.body, &made.headers["etag"]));
}

#[tokio::test]
async fn the_same_record_again_is_no_error_and_another_one_is() {
    let world = World::new().await;
    let task = json!({ "id": "81aaefa3-8789-5f1f-9c8a-633eba2eae02", "title": "Sweep" });
    let first = world.post(&world.ada, "/api/v1/tasks", task.clone()).await.is(201);
    let again = world.post(&world.ada, "/api/v1/tasks", task.clone()).await.is(200);
    assert_eq!((&again.body, &again.headers["location"]), (&first.body, &first.headers["location"]));

    let mut other = task;
    other["title"] = "Mop".into();
    world.post(&world.ada, "/api/v1/tasks", other.clone()).await.is_problem(409, "conflict", &[]);
    // To whoever may not see the record, it is taken all the same; nothing of it is shown.
    let taken = world.post(&world.eve, "/api/v1/tasks", other).await;
    taken.is_problem(409, "conflict", &[]);
    assert!(!taken.text.contains("Sweep"));
    assert_eq!(world.get(&world.ada, "/api/v1/tasks/81aaefa3-8789-5f1f-9c8a-633eba2eae02").await.body, first.body);
}

#[tokio::test]
async fn a_change_is_a_merge_patch_guarded_by_the_etag() {
    let world = World::new().await;
    let task = world.post(&world.ada, "/api/v1/tasks", json!({ "title": "Sweep", "tags": ["a"], "due_at": "2026-04-01T00:00:00Z" })).await;
    let path = format!("/api/v1/tasks/{}", task.id());
    let changed = world.patch(&world.ada, &path, json!({ "status": "done", "due_at": null })).await.is(200);
    assert_eq!((&changed.body["status"], &changed.body["title"], changed.header("etag")), (&json!("done"), &json!("Sweep"), "\"2\""));
    assert!(changed.body.get("due_at").is_none());
    assert_ne!(changed.body["updated_at"], changed.body["created_at"]);
    assert_eq!(world.patch(&world.ada, &path, json!({ "status": "done" })).await.is(200).headers["etag"], "\"2\"", "nothing to change");

    let guarded = async |tag: &str, method: &str| {
        let headers = [("authorization", &*bearer(&world.ada)), ("content-type", "application/json"), ("if-match", tag)];
        world.ask(method, &path, &headers, r#"{ "title": "Mop" }"#).await
    };
    for tag in ["\"1\"", "\"1\", \"7\"", "W/\"2\"", "\"abc\""] {
        for method in ["PATCH", "DELETE"] {
            let stale = guarded(tag, method).await;
            stale.is_problem(412, "stale", &["read it again"]);
            assert_eq!((&stale.body["revision"], stale.header("etag")), (&json!(2), "\"2\""), "{tag}");
        }
    }
    guarded("2", "PATCH").await.is_problem(400, "invalid_request", &["if-match"]);
    assert_eq!(guarded("\"2\"", "PATCH").await.is(200).headers["etag"], "\"3\"");
    assert_eq!(guarded("\"1\", \"3\"", "PATCH").await.is(200).headers["etag"], "\"3\"");
    guarded("*", "DELETE").await.is(204);
    guarded("*", "DELETE").await.is_problem(404, "not_found", &[]);
    world.get(&world.ada, &path).await.is_problem(404, "not_found", &["no task"]);
}

#[tokio::test]
async fn a_client_that_has_the_record_is_not_sent_it_again() {
    let world = World::new().await;
    let path = format!("/api/v1/tasks/{}", world.post(&world.ada, "/api/v1/tasks", json!({ "title": "Sweep" })).await.id());
    let known = async |tag: &str| world.ask("GET", &path, &[("authorization", &bearer(&world.ada)), ("if-none-match", tag)], "").await;
    for tag in ["\"1\"", "W/\"1\"", "*", "\"0\", \"1\""] {
        let answer = known(tag).await.is(304);
        assert_eq!((answer.text.as_str(), answer.header("etag")), ("", "\"1\""), "{tag}");
    }
    known("\"2\"").await.is(200);
    let head = world.ask("HEAD", &path, &[("authorization", &bearer(&world.ada))], "").await.is(200);
    assert_eq!((head.text.as_str(), head.header("etag")), ("", "\"1\""));
}

#[tokio::test]
async fn what_may_not_be_seen_is_not_there() {
    let world = World::new().await;
    let team = json!({ "title": "Ours", "team_id": world.team });
    let ours = format!("/api/v1/tasks/{}", world.post(&world.ada, "/api/v1/tasks", team).await.is(201).id());
    let mine = format!("/api/v1/tasks/{}", world.post(&world.ada, "/api/v1/tasks", json!({ "title": "Mine" })).await.is(201).id());
    world.get(&world.bob, &ours).await.is(200);
    for (person, path) in [(&world.bob, &mine), (&world.eve, &ours), (&world.root, &ours)] {
        let absent = world.get(person, "/api/v1/tasks/00000000-0000-0000-0000-0000000000ff").await;
        for hidden in
            [world.get(person, path).await, world.patch(person, path, json!({ "title": "x" })).await, world.delete(person, path).await]
        {
            hidden.is_problem(404, "not_found", &[]);
            assert_eq!(hidden.body["title"], absent.body["title"]);
        }
    }
    world.get(&world.root, &format!("{mine}?view=all")).await.is(200);
    world.get(&world.ada, &format!("{mine}?view=all")).await.is_problem(403, "forbidden", &["operator"]);
    world.patch(&world.root, &format!("{mine}?view=all"), json!({})).await.is_problem(400, "invalid_request", &["parameter=view"]);
}

#[tokio::test]
async fn a_change_of_nothing_takes_the_same_rights() {
    let world = World::new().await;
    let memberships = world.get(&world.ada, "/api/v1/memberships").await.is(200).body["items"].clone();
    let places = memberships.as_array().unwrap().iter().map(|place| format!("/api/v1/memberships/{}", place["id"].as_str().unwrap()));
    let paths = [format!("/api/v1/users/{}", world.ada.id), format!("/api/v1/teams/{}", world.team)];
    for path in paths.into_iter().chain(places) {
        world.patch(&world.bob, &path, json!({})).await.is_problem(403, "forbidden", &["only a"]);
        let before = world.get(&world.ada, &path).await.is(200);
        let unchanged = world.patch(&world.ada, &path, json!({})).await.is(200);
        assert_eq!((&unchanged.body, unchanged.header("etag")), (&before.body, "\"1\""), "{path}");
        world.patch(&world.eve, &path, json!({})).await.is_problem(404, "not_found", &[]);
    }
    let task = json!({ "title": "Ours", "team_id": world.team });
    let task = format!("/api/v1/tasks/{}", world.post(&world.ada, "/api/v1/tasks", task).await.is(201).id());
    world.patch(&world.bob, &task, json!({ "title": "Ours" })).await.is(200);
    let writer = world.token(&world.ada, &[TokenScope::Write], None).await;
    for patch in [json!({}), json!({ "title": "Mine" })] {
        world.patch(&writer, &task, patch).await.is_problem(403, "forbidden", &["scope=read"]);
    }
    world.delete(&writer, &task).await.is(204);
    let accounts = world.token(&world.root, &[TokenScope::Admin], None).await;
    world.patch(&accounts, &format!("/api/v1/teams/{}", world.team), json!({ "name": "Crew" })).await.is(200);
}

#[tokio::test]
async fn every_kind_is_served() {
    let world = World::new().await;
    for kind in Kind::ALL.iter().filter(|kind| kind.parent().is_none()) {
        let list = world.get(&world.root, &format!("/api/v1/{}?view=all", kind.plural())).await.is(200);
        for item in list.body["items"].as_array().unwrap() {
            assert_eq!(item["kind"], kind.singular());
            assert!(item.get("hash").is_none());
        }
    }
}

#[tokio::test]
async fn a_dropped_request_leaves_the_gateway_as_it_was() {
    let world = World::new().await;
    let path = format!("/api/v1/users/{}", world.eve.id);
    for name in 0..200 {
        let (person, body) = (&world.root, json!({ "name": format!("Eve {name}") }));
        let _ = tokio::time::timeout(std::time::Duration::from_micros(name), world.patch(person, &path, body)).await;
    }
    world.tasks.close();
    world.tasks.wait().await;
    world.get(&world.eve, &path).await.is(200);
    world.patch(&world.root, &path, json!({ "name": "Eve" })).await.is(200);
}

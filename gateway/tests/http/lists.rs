//! Lists: filters, order, pages.

use serde_json::{Value, json};

use crate::world::{Person, World};

async fn titles(world: &World, person: &Person, path: &str) -> Vec<String> {
    let list = world.get(person, path).await.is(200);
    list.body["items"].as_array().unwrap().iter().map(|item| item["title"].as_str().unwrap().to_owned()).collect()
}

async fn with_tasks() -> World {
    let world = World::new().await;
    for (title, status) in [("a", "open"), ("b", "done"), ("c", "open"), ("d", "open"), ("e", "done")] {
        world.post(&world.ada, "/api/v1/tasks", json!({ "title": title, "status": status })).await.is(201);
    }
    world.post(&world.bob, "/api/v1/tasks", json!({ "title": "f" })).await.is(201);
    world.post(&world.bob, "/api/v1/tasks", json!({ "title": "g", "team_id": world.team })).await.is(201);
    world
}

#[tokio::test]
async fn a_list_holds_what_the_caller_may_see() {
    let world = with_tasks().await;
    assert_eq!(titles(&world, &world.ada, "/api/v1/tasks").await, ["a", "b", "c", "d", "e", "g"]);
    assert_eq!(titles(&world, &world.bob, "/api/v1/tasks?order=-created_at").await, ["g", "f"]);
    assert_eq!(titles(&world, &world.ada, "/api/v1/tasks?status=done").await, ["b", "e"]);
    assert_eq!(titles(&world, &world.ada, &format!("/api/v1/tasks?space_id={}", world.team)).await, ["g"]);
    assert!(titles(&world, &world.root, "/api/v1/tasks").await.is_empty(), "an administrator sees their own");
    assert_eq!(titles(&world, &world.root, "/api/v1/tasks?view=all").await.len(), 7);
    world.get(&world.ada, "/api/v1/tasks?view=all").await.is_problem(403, "forbidden", &["operator"]);
}

#[tokio::test]
async fn pages_follow_one_another_without_gap_or_overlap() {
    let world = with_tasks().await;
    for path in ["/api/v1/tasks?limit=2", "/api/v1/tasks?limit=1&order=-updated_at", "/api/v1/tasks?limit=2&status=open"] {
        let all = titles(&world, &world.ada, &path.replace("limit=2", "limit=200").replace("limit=1", "limit=200")).await;
        let (mut found, mut next) = (Vec::new(), path.to_owned());
        loop {
            let page = world.get(&world.ada, &next).await.is(200);
            found.extend(page.body["items"].as_array().unwrap().iter().map(|item| item["title"].as_str().unwrap().to_owned()));
            match &page.body["next_cursor"] {
                Value::String(cursor) => next = format!("{path}&cursor={cursor}"),
                _ => break,
            }
        }
        assert_eq!(found, all, "{path}");
    }
}

#[tokio::test]
async fn a_cursor_of_another_list_or_of_nobody_is_refused() {
    let world = with_tasks().await;
    let page = world.get(&world.ada, "/api/v1/tasks?limit=1&status=open").await.is(200);
    let cursor = page.body["next_cursor"].as_str().unwrap();
    let path = format!("/api/v1/tasks?status=open&cursor={cursor}");
    assert_eq!(titles(&world, &world.ada, &path).await, ["c", "d", "g"], "the limit may change");
    let (head, last) = cursor.split_at(cursor.len() - 1);
    let tampered = format!("{head}{}", if last == "A" { "B" } else { "A" });
    for path in [
        format!("/api/v1/tasks?cursor={cursor}"),
        format!("/api/v1/tasks?status=done&cursor={cursor}"),
        format!("/api/v1/tasks?status=open&order=-created_at&cursor={cursor}"),
        format!("/api/v1/notes?cursor={cursor}"),
        format!("/api/v1/tasks?status=open&cursor={tampered}"),
        "/api/v1/tasks?cursor=".to_owned(),
        "/api/v1/tasks?cursor=AAAA".to_owned(),
        "/api/v1/tasks?cursor=%00".to_owned(),
    ] {
        world.get(&world.ada, &path).await.is_problem(400, "invalid_cursor", &["next_cursor"]);
    }
    // The position is no secret, and no way around the scope either.
    assert!(titles(&world, &world.eve, &path).await.is_empty());
}

#[tokio::test]
async fn a_parameter_that_is_unknown_repeated_or_wrong_is_refused() {
    let world = World::new().await;
    for (query, said) in [
        ("colour=red", "use space_id, status, assignee_id, order, limit, cursor, view"),
        ("status=open&status=done", "status"),
        ("order=title", "use one of created_at, updated_at"),
        ("order=--created_at", "order="),
        ("limit=0", "limit is 1 to 200"),
        ("limit=201", "limit is 1 to 200"),
        ("limit=ten", "limit is 1 to 200"),
        ("space_id=7", "not a UUID"),
        ("status=%ff", "UTF-8"),
        ("status=done,open", "open, in_progress"),
        ("view=some", "view=all"),
    ] {
        world.get(&world.ada, &format!("/api/v1/tasks?{query}")).await.is_problem(400, "invalid_request", &[said]);
    }
    world.get(&world.ada, "/api/v1/users?login=a%00b").await.is_problem(400, "invalid_request", &["NUL"]);
    world.get(&world.ada, "/api/v1/sessions?status=done").await.is_problem(400, "invalid_request", &["open, closed"]);
}

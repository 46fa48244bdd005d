//! Sessions, their messages, and searches over all content.

use serde_json::json;

use crate::world::World;

async fn session(world: &World) -> String {
    let made =
        world.post(&world.ada, "/api/v1/sessions", json!({ "title": "First steps", "agent": "assistant", "team_id": world.team })).await;
    format!("/api/v1/sessions/{}", made.is(201).id())
}

#[tokio::test]
async fn messages_are_below_their_session() {
    let world = World::new().await;
    let session = session(&world).await;
    let messages = format!("{session}/messages");
    let made = world.post(&world.ada, &messages, json!({ "role": "user", "content": "Hello" })).await.is(201);
    assert_eq!((made.body["seq"].as_u64(), made.header("location")), (Some(1), format!("{messages}/{}", made.id()).as_str()));
    world.post(&world.ada, &messages, json!({ "role": "assistant", "content": "Good day" })).await.is(201);

    let listed = world.get(&world.bob, &format!("{messages}?order=-seq&limit=1")).await.is(200);
    assert_eq!(listed.body["items"][0]["content"], "Good day");
    let next = format!("{messages}?order=-seq&limit=1&cursor={}", listed.body["next_cursor"].as_str().unwrap());
    assert_eq!(world.get(&world.bob, &next).await.is(200).body["items"][0]["content"], "Hello");
    let one = format!("{messages}/{}", made.id());
    assert_eq!(world.get(&world.bob, &one).await.is(200).body, made.body);

    // Of another session, it is not there.
    let other = world.post(&world.ada, "/api/v1/sessions", json!({ "title": "Other", "agent": "assistant" })).await.is(201).id();
    world.get(&world.ada, &format!("/api/v1/sessions/{other}/messages/{}", made.id())).await.is_problem(404, "not_found", &[]);
    let elsewhere = json!({ "role": "user", "content": "Hello", "session_id": other });
    world.post(&world.ada, &messages, elsewhere).await.is_problem(422, "invalid", &["session_id"]);
    // What is not known to whom asks is not told apart from what is not there.
    for path in [messages.clone(), one.clone(), format!("{}/messages", session.replace(&session[18..], "nonsense"))] {
        world.get(&world.eve, &path).await.is_problem(404, "not_found", &[]);
    }
    world.post(&world.eve, &messages, json!({ "role": "user", "content": "Hello" })).await.is_problem(404, "not_found", &[]);
}

#[tokio::test]
async fn messages_are_added_by_the_owner_and_never_changed() {
    let world = World::new().await;
    let session = session(&world).await;
    let messages = format!("{session}/messages");
    world.post(&world.bob, &messages, json!({ "role": "user", "content": "Mine" })).await.is_problem(403, "forbidden", &["owner"]);
    let placed = json!({ "role": "user", "content": "First", "seq": 1 });
    world.post(&world.ada, &messages, placed).await.is_problem(422, "invalid", &["seq"]);
    let made = world.post(&world.ada, &messages, json!({ "role": "user", "content": "Said" })).await.is(201);
    let one = format!("{messages}/{}", made.id());
    world.patch(&world.ada, &one, json!({ "content": "Unsaid" })).await.is(405);
    world.delete(&world.ada, &one).await.is(405);
    world.patch(&world.ada, &session, json!({ "status": "closed" })).await.is(200);
    world.post(&world.ada, &messages, json!({ "role": "user", "content": "Late" })).await.is_problem(409, "conflict", &["closed"]);
    world.delete(&world.ada, &session).await.is(204);
    world.get(&world.ada, &one).await.is_problem(404, "not_found", &[]);
}

#[tokio::test]
async fn a_search_finds_what_the_caller_may_see() {
    let world = World::new().await;
    let note = json!({ "title": "Zeppelin", "body": "How airships are *moored*", "team_id": world.team });
    let id = world.post(&world.ada, "/api/v1/notes", note).await.is(201).id();
    for (person, path, count) in [
        (&world.bob, "q=mooring+zeppelins", 1),
        (&world.bob, "q=zeppelin&kind=task", 0),
        (&world.bob, "q=zeppelin&kind=note,message&limit=1", 1),
        (&world.eve, "q=zeppelin", 0),
        (&world.root, "q=zeppelin", 0),
        (&world.root, "q=zeppelin&view=all", 1),
    ] {
        let found = world.get(person, &format!("/api/v1/search?{path}")).await.is(200);
        assert_eq!(found.body["items"].as_array().unwrap().len(), count, "{path}: {}", found.text);
    }
    let found = world.get(&world.bob, "/api/v1/search?q=moored").await.is(200);
    let hit = &found.body["items"][0];
    assert_eq!((&hit["kind"], &hit["id"], &hit["title"]), (&json!("note"), &json!(id), &json!("Zeppelin")));
    assert_eq!(hit["excerpt"], json!([{ "text": "How airships are *" }, { "text": "moored", "found": true }, { "text": "*" }]));
}

#[tokio::test]
async fn a_search_that_cannot_be_done_is_refused() {
    let world = World::new().await;
    let many = format!("q={}", "word+".repeat(500));
    let different = format!("q={}", (0..40).map(|n| format!("w{n}+")).collect::<String>());
    for (query, said) in [
        ("", "for what"),
        ("q=", "no word"),
        ("q=%26%7C%21%22", "no word"),
        (many.as_str(), "too long"),
        (different.as_str(), "too many words"),
        ("q=a&kind=user", "not searched"),
        ("q=a&kind=nonsense", "no such kind"),
        ("q=a&space_id=nonsense", "UUID"),
        ("q=a&limit=0", "1 to 100"),
        ("q=a&limit=101", "1 to 100"),
        ("q=a&order=x", "order"),
    ] {
        world.get(&world.ada, &format!("/api/v1/search?{query}")).await.is_problem(400, "invalid_request", &[said]);
    }
}

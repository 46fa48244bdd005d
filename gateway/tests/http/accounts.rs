//! Users and tokens: what a change of them does to those who are signed in, and what a token may hand on.

use mosaic_core::TokenScope;
use serde_json::{Value, json};

use crate::world::{Person, World};

fn with_secret(person: &Person, answer: &serde_json::Value) -> Person {
    Person { secret: answer["secret"].as_str().unwrap().to_owned(), ..person.clone() }
}

#[tokio::test]
async fn a_tokens_secret_is_shown_once_and_works_at_once() {
    let world = World::new().await;
    let made = world.post(&world.ada, "/api/v1/tokens", json!({ "name": "laptop", "scopes": ["read"] })).await.is(201);
    assert_eq!((&made.body["kind"], &made.body["user_id"]), (&json!("token"), &json!(world.ada.id)));
    assert!(made.body["secret"].as_str().unwrap().starts_with("mosaic_"));
    assert!(made.body.get("hash").is_none());
    let path = made.headers["location"].to_str().unwrap();
    let read = world.get(&world.ada, path).await.is(200);
    assert!(read.body.get("secret").is_none() && read.body.get("hash").is_none());
    world.get(&with_secret(&world.ada, &made.body), "/api/v1/tasks").await.is(200);

    let same_id = json!({ "id": made.body["id"], "name": "laptop", "scopes": ["read"] });
    world.post(&world.ada, "/api/v1/tokens", same_id).await.is_problem(409, "conflict", &["leave the id out"]);
    let with_hash = json!({ "name": "a", "scopes": ["read"], "hash": "00".repeat(32) });
    world.post(&world.ada, "/api/v1/tokens", with_hash).await.is_problem(422, "invalid", &["field=hash"]);
}

#[tokio::test]
async fn a_revoked_token_stops_working_with_the_answer() {
    let world = World::new().await;
    let laptop = world.token(&world.ada, &[TokenScope::Read], None).await;
    world.get(&laptop, "/api/v1/tasks").await.is(200);
    world.delete(&world.ada, &format!("/api/v1/tokens/{}", laptop.token_id)).await.is(204);
    world.get(&laptop, "/api/v1/tasks").await.is_problem(401, "unauthorized", &["revoked"]);
}

#[tokio::test]
async fn a_change_of_a_token_is_felt_by_the_next_request() {
    let world = World::new().await;
    let laptop = world.token(&world.ada, &[TokenScope::Read, TokenScope::Write], None).await;
    world.post(&laptop, "/api/v1/tasks", json!({ "title": "a" })).await.is(201);
    world.patch(&world.ada, &format!("/api/v1/tokens/{}", laptop.token_id), json!({ "scopes": ["read"] })).await.is(200);
    world.post(&laptop, "/api/v1/tasks", json!({ "title": "b" })).await.is_problem(403, "forbidden", &["scope write"]);
}

#[tokio::test]
async fn a_change_of_a_user_is_felt_by_the_next_request() {
    let world = World::new().await;
    let kim = world.post(&world.root, "/api/v1/users", json!({ "login": "kim", "name": "Kim", "role": "admin" })).await.is(201);
    let path = kim.headers["location"].to_str().unwrap();
    let all = json!({ "name": "kim", "scopes": ["read", "write", "agent", "admin", "operator"], "user_id": kim.body["id"] });
    let issued = world.post(&world.root, "/api/v1/tokens", all).await.is(201);
    let kim = with_secret(&world.root, &issued.body);
    world.get(&kim, "/api/v1/tasks?view=all").await.is(200);
    world.patch(&world.root, path, json!({ "role": "member" })).await.is(200);
    world.get(&kim, "/api/v1/tasks?view=all").await.is_problem(403, "forbidden", &["role is admin"]);
    world.delete(&world.root, path).await.is(204);
    world.get(&kim, "/api/v1/tasks").await.is_problem(401, "unauthorized", &["revoked"]);
}

#[tokio::test]
async fn nobody_gives_what_they_do_not_have() {
    let world = World::new().await;
    let grant = async |person: &Person, scopes: &[&str], user: &Person| {
        world.post(person, "/api/v1/tokens", json!({ "name": "new", "scopes": scopes, "user_id": user.id })).await
    };
    grant(&world.ada, &["read", "operator"], &world.ada).await.is_problem(403, "forbidden", &["scope=operator"]);
    let lesser = world.token(&world.ada, &[TokenScope::Read, TokenScope::Write], None).await;
    grant(&lesser, &["agent"], &world.ada).await.is_problem(403, "forbidden", &["scope=agent"]);
    grant(&world.root, &["admin"], &world.ada).await.is_problem(422, "invalid", &["role is admin", "scope=admin"]);
    grant(&world.root, &["everything"], &world.ada).await.is_problem(422, "invalid", &["scopes"]);
    grant(&world.root, &["read"], &world.ada).await.is(201);
    let own = grant(&world.ada, &["read"], &world.ada).await.is(201);
    let path = own.headers["location"].to_str().unwrap();
    world.patch(&world.ada, path, json!({ "scopes": ["read", "admin"] })).await.is_problem(403, "forbidden", &["scope=admin"]);
    world.patch(&world.root, path, json!({ "scopes": ["admin"] })).await.is_problem(422, "invalid", &["scope=admin"]);

    // For others, and for one's own role, it takes an administrator.
    assert!(grant(&world.ada, &["read"], &world.bob).await.status.is_client_error());
    let me = format!("/api/v1/users/{}", world.ada.id);
    world.patch(&world.ada, &me, json!({ "role": "admin" })).await.is_problem(403, "forbidden", &[]);
    world.patch(&world.ada, &me, json!({ "name": "Ada L." })).await.is(200);
    let refused = world.post(&world.ada, "/api/v1/users", json!({ "login": "lee", "name": "Lee" })).await;
    refused.is_problem(403, "forbidden", &["token of scope admin"]);
}

#[tokio::test]
async fn a_token_that_expires_makes_nothing_that_outlives_it() {
    let world = World::new().await;
    let (end, later) = ("2026-04-01T00:00:00Z", "2026-04-01T00:00:00.000001Z");
    let brief = world.token(&world.ada, &[TokenScope::Read, TokenScope::Write], Some(end.parse().unwrap())).await;
    let said = ["field=expires_at", "latest=2026-04-01T00:00:00Z", "set expires_at to"];
    let make = async |person: &Person, expires_at: Value| {
        let token = json!({ "name": "new", "scopes": ["read"], "expires_at": expires_at });
        world.post(person, "/api/v1/tokens", token).await
    };
    for expires_at in [json!(null), json!(later)] {
        make(&brief, expires_at).await.is_problem(403, "forbidden", &said);
    }
    world.post(&brief, "/api/v1/tokens", json!({ "name": "new", "scopes": ["read"] })).await.is_problem(403, "forbidden", &said);
    make(&brief, json!("soon")).await.is_problem(422, "invalid", &["expires_at"]);
    let made = make(&brief, json!(end)).await.is(201);

    let (itself, made) = (format!("/api/v1/tokens/{}", brief.token_id), format!("/api/v1/tokens/{}", made.id()));
    for path in [&itself, &made] {
        for expires_at in [json!(null), json!(later)] {
            world.patch(&brief, path, json!({ "expires_at": expires_at })).await.is_problem(403, "forbidden", &said);
        }
        world.patch(&brief, path, json!({ "expires_at": end, "name": "brief" })).await.is(200);
    }
    // One that outlives it may lose scopes, and gains none.
    let lasting = world.token(&world.ada, &[TokenScope::Read], None).await;
    let path = format!("/api/v1/tokens/{}", lasting.token_id);
    world.patch(&brief, &path, json!({ "scopes": ["read", "write"] })).await.is_problem(403, "forbidden", &said);
    world.patch(&brief, &path, json!({ "scopes": ["read", "write"], "expires_at": "2026-03-31T00:00:00Z" })).await.is(200);
    world.patch(&brief, &path, json!({ "scopes": ["read"] })).await.is(200);

    make(&world.ada, json!(null)).await.is(201);
    let admin = world.token(&world.root, TokenScope::ALL, Some(end.parse().unwrap())).await;
    make(&admin, json!(null)).await.is(201);
    world.patch(&admin, &itself, json!({ "expires_at": null })).await.is(200);
}

#[tokio::test]
async fn a_token_lengthens_no_life_of_scopes_that_it_lacks() {
    let world = World::new().await;
    let (end, later) = ("2026-04-01T00:00:00Z", "2026-05-01T00:00:00Z");
    let path = |token: &Person| format!("/api/v1/tokens/{}", token.token_id);
    let admin = world.token(&world.root, &[TokenScope::Admin, TokenScope::Read], None).await;
    let operator = world.token(&world.root, &[TokenScope::Operator], Some(end.parse().unwrap())).await;
    let plain = world.token(&world.ada, &[TokenScope::Read, TokenScope::Write], None).await;
    let agent = world.token(&world.ada, &[TokenScope::Read, TokenScope::Agent], Some(end.parse().unwrap())).await;
    for (caller, token, lacking) in [(&admin, &operator, "scope=operator"), (&plain, &agent, "scope=agent")] {
        for expires_at in [json!(null), json!(later)] {
            let refused = world.patch(caller, &path(token), json!({ "expires_at": expires_at })).await;
            refused.is_problem(403, "forbidden", &["a token gives only scopes that it has itself", lacking]);
        }
        // It may be ended sooner, and called otherwise; and what has those scopes no more lives on.
        world.patch(caller, &path(token), json!({ "expires_at": "2026-03-15T00:00:00Z", "name": "brief" })).await.is(200);
        world.patch(caller, &path(token), json!({ "expires_at": later, "scopes": ["read"] })).await.is(200);
    }
    // One that has expired does not come back either.
    let late = world.token(&world.root, &[TokenScope::Operator], Some("2026-03-01T12:00:30Z".parse().unwrap())).await;
    world.clock.advance(60);
    world.get(&late, "/api/v1/export").await.is_problem(401, "unauthorized", &["expired"]);
    world.patch(&admin, &path(&late), json!({ "expires_at": null })).await.is_problem(403, "forbidden", &["scope=operator"]);
    world.get(&late, "/api/v1/export").await.is_problem(401, "unauthorized", &["expired"]);
    world.patch(&world.root, &path(&late), json!({ "expires_at": later })).await.is(200);
}

#[tokio::test]
async fn a_user_with_records_is_not_removed() {
    let world = World::new().await;
    world.post(&world.eve, "/api/v1/tasks", json!({ "title": "a" })).await.is(201);
    let path = format!("/api/v1/users/{}", world.eve.id);
    world.delete(&world.root, &path).await.is_problem(409, "conflict", &["1"]);
    world.get(&world.eve, "/api/v1/tasks").await.is(200);
}

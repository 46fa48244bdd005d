//! Who may come in, and with what.

use mosaic_core::{Clock, Kind, Record, Scope, TokenScope};
use mosaic_gateway::secret::TokenSecret;
use serde_json::json;

use crate::world::{Person, World, bearer};

#[tokio::test]
async fn each_way_not_to_be_signed_in_says_which_it_is() {
    let world = World::new().await;
    let expired = world.token(&world.ada, &[TokenScope::Read], Some("2026-03-01T11:59:59Z".parse().unwrap())).await;
    let basic = format!("Basic {}", world.ada.secret);
    type Case<'c> = (&'c [(&'c str, &'c str)], &'c str, &'c str);
    let cases: &[Case<'_>] = &[
        (&[], "brings no token", "Bearer realm=\"mosaic\""),
        (&[("authorization", "")], "holds no bearer token", "Bearer realm=\"mosaic\", error=\"invalid_request\""),
        (&[("authorization", "Bearer ")], "holds no bearer token", "Bearer realm=\"mosaic\", error=\"invalid_request\""),
        (&[("authorization", "Bearer a b")], "holds no bearer token", "Bearer realm=\"mosaic\", error=\"invalid_request\""),
        (&[("authorization", &basic)], "holds no bearer token", "Bearer realm=\"mosaic\", error=\"invalid_request\""),
        (
            &[("authorization", &bearer(&world.ada)), ("authorization", "Bearer x")],
            "holds no bearer token",
            "Bearer realm=\"mosaic\", error=\"invalid_request\"",
        ),
        (&[("authorization", "Bearer mosaic_nobody")], "not known, or was revoked", "Bearer realm=\"mosaic\", error=\"invalid_token\""),
        (&[("authorization", &bearer(&expired))], "expired at 2026-03-01T11:59:59Z", "Bearer realm=\"mosaic\", error=\"invalid_token\""),
    ];
    for (headers, said, challenge) in cases {
        let answer = world.ask("GET", "/api/v1/tasks", headers, "").await;
        answer.is_problem(401, "unauthorized", &[said, "mosaic token create"]);
        assert_eq!(answer.headers["www-authenticate"], challenge);
    }
    let lower = format!("bearer {}", world.ada.secret);
    world.ask("GET", "/api/v1/tasks", &[("authorization", &lower)], "").await.is(200);
}

#[tokio::test]
async fn a_token_ceases_to_work_when_its_time_is_up_also_while_it_is_cached() {
    let world = World::new().await;
    let soon = world.token(&world.ada, &[TokenScope::Read], Some(world.clock.now().plus_seconds(10))).await;
    world.get(&soon, "/api/v1/tasks").await.is(200);
    world.clock.advance(9);
    world.get(&soon, "/api/v1/tasks").await.is(200);
    world.clock.advance(1);
    world.get(&soon, "/api/v1/tasks").await.is_problem(401, "unauthorized", &["expired"]);
}

#[tokio::test]
async fn a_token_does_what_its_scopes_say() {
    let world = World::new().await;
    let reader = world.token(&world.ada, &[TokenScope::Read], None).await;
    let writer = world.token(&world.ada, &[TokenScope::Write], None).await;
    world.get(&reader, "/api/v1/tasks").await.is(200);
    world.post(&reader, "/api/v1/tasks", json!({ "title": "a" })).await.is_problem(403, "forbidden", &["scope write"]);
    let made = world.post(&writer, "/api/v1/tasks", json!({ "title": "a" })).await.is(201);
    world.get(&writer, "/api/v1/tasks").await.is_problem(403, "forbidden", &["scope read"]);
    world.patch(&reader, &format!("/api/v1/tasks/{}", made.id()), json!({ "title": "b" })).await.is_problem(
        403,
        "forbidden",
        &["scope write"],
    );
    world.delete(&reader, &format!("/api/v1/tasks/{}", made.id())).await.is_problem(403, "forbidden", &["scope write"]);

    let accounts = world.token(&world.root, &[TokenScope::Admin], None).await;
    world.get(&accounts, "/api/v1/users").await.is(200);
    world.post(&accounts, "/api/v1/users", json!({ "login": "kim", "name": "Kim" })).await.is(201);
    world.get(&accounts, "/api/v1/tasks").await.is_problem(403, "forbidden", &["scope read"]);
    world.get(&accounts, "/api/v1/tasks?view=all").await.is_problem(403, "forbidden", &["scope operator"]);
    world.get(&accounts, "/api/v1/export").await.is_problem(403, "forbidden", &["scope operator"]);

    // Without the role, the scopes count for nothing.
    let pretender = world.token(&world.ada, TokenScope::ALL, None).await;
    world.post(&pretender, "/api/v1/users", json!({ "login": "lee", "name": "Lee" })).await.is_problem(
        403,
        "forbidden",
        &["role is admin"],
    );
    world.get(&pretender, "/api/v1/tasks?view=all").await.is_problem(403, "forbidden", &["role is admin"]);
    world.ask("POST", "/api/v1/import", &[("authorization", &bearer(&pretender))], "").await.is_problem(
        403,
        "forbidden",
        &["role is admin"],
    );
}

#[tokio::test]
async fn what_is_shaped_like_no_token_is_not_looked_for() {
    let world = World::new().await;
    for secret in ["mosaic_short", "guess", &world.ada.secret[1..], &format!("{}A", world.ada.secret), &world.ada.secret.replace('_', ".")]
    {
        let answer = world.ask("GET", "/api/v1/tasks", &[("authorization", &format!("Bearer {secret}"))], "").await;
        answer.is_problem(401, "unauthorized", &["not known"]);
    }
    assert_eq!(world.storage.lookups(), 0);
    let other = Person { secret: TokenSecret::generate().unwrap().expose().to_owned(), ..world.ada.clone() };
    world.get(&other, "/api/v1/tasks").await.is_problem(401, "unauthorized", &["not known"]);
    assert_eq!(world.storage.lookups(), 1);
}

#[tokio::test]
async fn guessing_is_slowed_down_before_it_reaches_the_storage() {
    let world = World::new().await;
    let guess = async || {
        let person = Person { secret: TokenSecret::generate().unwrap().expose().to_owned(), ..world.eve.clone() };
        world.get(&person, "/api/v1/tasks").await
    };
    world.get(&world.ada, "/api/v1/tasks").await.is(200);
    for _ in 0..30 {
        guess().await.is_problem(401, "unauthorized", &[]);
    }
    assert_eq!(world.storage.lookups(), 31);
    for _ in 0..50 {
        let slowed = guess().await;
        slowed.is_problem(429, "too_many_requests", &["one that worked within the last hour still does"]);
        assert_eq!(slowed.headers["retry-after"], "60");
    }
    assert_eq!(world.storage.lookups(), 1, "the one by which there were too many");
    world.ask("GET", "/api/v1/tasks", &[("authorization", "Bearer guess")], "").await.is_problem(429, "too_many_requests", &[]);
    world.ask("GET", "/api/v1/tasks", &[], "").await.is_problem(401, "unauthorized", &["brings no token"]);

    // Whoever worked from there goes on, also when what is cached has grown old; whoever comes new waits.
    world.get(&world.ada, "/api/v1/tasks").await.is(200);
    assert_eq!(world.storage.lookups(), 0);
    world.clock.advance(31);
    world.get(&world.ada, "/api/v1/tasks").await.is(200);
    world.get(&world.bob, "/api/v1/tasks").await.is_problem(429, "too_many_requests", &[]);
    assert_eq!(world.storage.lookups(), 1);
    world.delete(&world.ada, &format!("/api/v1/tokens/{}", world.ada.token_id)).await.is(204);
    world.get(&world.ada, "/api/v1/tasks").await.is_problem(429, "too_many_requests", &[]);
    world.get(&world.ada, "/api/v1/tasks").await.is_problem(429, "too_many_requests", &[]);
    assert_eq!(world.storage.lookups(), 1, "a token that is gone is known as one only once");
    world.clock.advance(61);
    world.get(&world.bob, "/api/v1/tasks").await.is(200);
}

#[tokio::test]
async fn behind_a_trusted_proxy_each_client_is_counted_by_itself() {
    let world = World::new().await;
    let ask = async |secret: &str, client: &str| {
        let headers = [("authorization", &*format!("Bearer {secret}")), ("x-forwarded-for", client)];
        world.ask("GET", "/api/v1/tasks", &headers, "").await
    };
    for _ in 0..31 {
        // What the guesser writes before what the proxy adds is nobody's word.
        ask(TokenSecret::generate().unwrap().expose(), "198.51.100.1, 203.0.113.66").await;
    }
    ask(world.ada.secret.as_str(), "203.0.113.66").await.is_problem(429, "too_many_requests", &[]);
    ask(world.ada.secret.as_str(), "198.51.100.1").await.is(200);
}

#[tokio::test]
async fn the_last_use_is_noted_once_a_minute() {
    let world = World::new().await;
    let last_use = async |person: &Person| match world.backend.storage.get(Scope::System, Kind::Token, person.token_id).await.unwrap() {
        Some(Record::Token(token)) => (token.last_used_at, token.revision),
        other => panic!("{other:?}"),
    };
    assert_eq!(last_use(&world.ada).await.0, None);
    world.get(&world.ada, "/api/v1/tasks").await.is(200);
    world.tasks.close();
    world.tasks.wait().await;
    let (first, revision) = last_use(&world.ada).await;
    assert!(first.is_some_and(|at| at <= world.clock.now()));
    assert_eq!(revision, 1, "it is no change of the record");
    world.clock.advance(30);
    world.get(&world.ada, "/api/v1/tasks").await.is(200);
    world.tasks.wait().await;
    assert_eq!(last_use(&world.ada).await.0, first);
}

#[tokio::test]
async fn of_requests_that_come_at_once_one_notes_the_use() {
    let world = World::new().await;
    let at_once = async || {
        futures::future::join_all((0..20).map(|_| world.get(&world.ada, "/api/v1/tasks"))).await;
        world.tasks.close();
        world.tasks.wait().await;
        (world.storage.lookups(), world.storage.touches())
    };
    assert_eq!(at_once().await, (20, 1));
    world.clock.advance(61);
    assert_eq!(at_once().await, (20, 1), "and one a minute later");
}

#[tokio::test]
async fn after_a_change_principals_are_soon_cached_again() {
    let world = World::new().await;
    let eve = async || {
        world.get(&world.eve, "/api/v1/tasks").await.is(200);
        world.storage.lookups()
    };
    assert_eq!((eve().await, eve().await), (1, 0));
    let token = format!("/api/v1/tokens/{}", world.eve.token_id);
    for path in [format!("/api/v1/users/{}", world.eve.id), token] {
        world.patch(&world.root, &path, json!({ "name": path })).await.is(200);
        world.storage.lookups();
        assert_eq!((eve().await, eve().await), (1, 1), "a sign-in might have begun before the change");
        world.clock.advance(3);
        assert_eq!((eve().await, eve().await), (1, 0), "{path}");
    }
}

#[tokio::test]
async fn any_token_is_told_whom_it_acts_for() {
    let world = World::new().await;
    for scopes in [&[TokenScope::Agent][..], &[TokenScope::Operator], &[TokenScope::Read, TokenScope::Admin]] {
        let person = world.token(&world.ada, scopes, None).await;
        let me = world.get(&person, "/api/v1/me").await.is(200).body;
        assert_eq!((&me["user"]["login"], &me["token"]["id"]), (&json!("ada"), &json!(person.token_id)));
        assert!(me["token"].get("hash").is_none());
    }
    world.get(&world.ada, "/api/v1/me?view=all").await.is_problem(400, "invalid_request", &["view"]);
}

//! Who may do what: tokens that are wrong, expired or revoked, scopes, and what users see of each other.

use std::time::Duration;

use hyper::Method;
use serde_json::json;

use super::text;
use crate::harness::{Gateway, PATIENCE, Place, eventually, shared};

#[tokio::test]
async fn without_a_valid_token_there_is_nothing() {
    let gateway = shared().await;
    let nobody = gateway.anonymous();
    let wrong = nobody.with_token("mosaic_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    for (client, path) in [(&nobody, "/api/v1/tasks"), (&wrong, "/api/v1/tasks"), (&wrong, "/api/v1/export"), (&nobody, "/api/v1/users")] {
        let answer = client.get(path).await;
        answer.problem(401, "unauthorized");
        assert!(answer.header("www-authenticate").starts_with("Bearer"), "{path}");
        assert!(!answer.text().contains("mosaic_AAAA"), "{}", answer.text());
    }
    for header in ["Bearer", "Bearer ", "Basic YWRtaW46YWRtaW4=", "mosaic_x", "Bearer a b"] {
        nobody.request(Method::GET, "/api/v1/tasks", &[("authorization", header)], "").await.problem(401, "unauthorized");
    }
    nobody.post("/api/v1/tasks", &json!({ "title": "t" })).await.problem(401, "unauthorized");
}

#[tokio::test]
async fn guessing_is_slowed_and_stops_nobody_else() {
    let gateway = Gateway::start().await;
    gateway.admin().get("/api/v1/tasks").await.expect(200);
    let ann = gateway.person("ann").await.client;
    let mut statuses = Vec::new();
    for n in 0..40 {
        let guess = gateway.anonymous().with_token(format!("mosaic_guess{n}"));
        statuses.push(guess.get("/api/v1/tasks").await.status);
    }
    assert_eq!((statuses[0], statuses[39]), (401, 429), "{statuses:?}");
    for guess in ["mosaic_guess", "mosaic_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
        let answer = gateway.anonymous().with_token(guess).get("/api/v1/tasks").await;
        answer.refusal(429, "too_many_requests", "sign-ins");
        assert!(answer.header("retry-after").parse::<u32>().unwrap() > 0);
    }
    // A token that has worked does so still; one that nobody has seen here has to wait.
    gateway.admin().get("/api/v1/tasks").await.expect(200);
    ann.get("/api/v1/tasks").await.problem(429, "too_many_requests");
}

#[tokio::test]
async fn an_expired_token_is_refused() {
    let gateway = shared().await;
    let ann = gateway.person("access-expired").await;
    let mut token = json!({ "user_id": ann.id, "name": "old", "scopes": ["read"], "expires_at": "2020-01-01T00:00:00Z" });
    gateway.admin().post("/api/v1/tokens", &token).await.refusal(422, "invalid", "expired already");
    token["expires_at"] = "2099-01-01T00:00:00Z".into();
    let token = gateway.admin().create("tokens", token).await;
    let path = format!("/api/v1/tokens/{}", text(&token, "id"));
    gateway.admin().patch(&path, &json!({ "expires_at": "2020-01-01T00:00:00Z" })).await.expect(200);
    let client = gateway.anonymous().with_token(text(&token, "secret"));
    let problem = client.get("/api/v1/tasks").await.problem(401, "unauthorized");
    assert!(problem["detail"].as_str().unwrap().contains("expired"), "{problem}");
}

#[tokio::test]
async fn a_revoked_token_is_refused_from_then_on() {
    let gateway = shared().await;
    let ann = gateway.person("access-revoked").await;
    let token = json!({ "user_id": ann.id, "name": "lost", "scopes": ["read"] });
    let token = gateway.admin().create("tokens", token).await;
    let client = gateway.anonymous().with_token(text(&token, "secret"));
    client.get("/api/v1/tasks").await.expect(200);
    gateway.admin().delete(&format!("/api/v1/tokens/{}", text(&token, "id"))).await.expect(204);
    client.get("/api/v1/tasks").await.problem(401, "unauthorized");
    // So is every token of a user who is removed.
    ann.client.get("/api/v1/tasks").await.expect(200);
    gateway.admin().delete(&format!("/api/v1/users/{}", ann.id)).await.expect(204);
    ann.client.get("/api/v1/tasks").await.problem(401, "unauthorized");
}

#[tokio::test]
async fn a_token_does_what_its_scopes_say() {
    let gateway = shared().await;
    let ann = gateway.person("access-scopes").await;
    let reader = gateway.token(&ann.id, &["read"]).await;
    reader.get("/api/v1/tasks").await.expect(200);
    reader.post("/api/v1/tasks", &json!({ "title": "t" })).await.refusal(403, "forbidden", "write");
    let writer = gateway.token(&ann.id, &["write"]).await;
    writer.get("/api/v1/tasks").await.refusal(403, "forbidden", "read");
    // The scopes for administrators take a user who is one, when the token is made and whenever it is used.
    let admin = gateway.admin();
    let token = json!({ "user_id": ann.id, "name": "lofty", "scopes": ["operator"] });
    admin.post("/api/v1/tokens", &token).await.refusal(422, "invalid", "admin");
    let path = format!("/api/v1/users/{}", ann.id);
    admin.patch(&path, &json!({ "role": "admin" })).await.expect(200);
    let lofty = gateway.token(&ann.id, &["read", "write", "admin", "operator"]).await;
    lofty.get("/api/v1/tasks?view=all&limit=1").await.expect(200);
    admin.patch(&path, &json!({ "role": "member" })).await.expect(200);
    lofty.post("/api/v1/users", &json!({ "login": "access-made", "name": "n" })).await.problem(403, "forbidden");
    lofty.get("/api/v1/tasks?view=all").await.problem(403, "forbidden");
    lofty.get("/api/v1/export").await.problem(403, "forbidden");
    lofty.post("/api/v1/import", &json!({})).await.problem(403, "forbidden");
    // Nobody makes themselves an administrator, or a token that may do more than theirs.
    ann.client.patch(&path, &json!({ "role": "admin" })).await.problem(403, "forbidden");
    ann.client.patch(&path, &json!({ "name": "Ann" })).await.expect(200);
    let lesser = gateway.token(&ann.id, &["read", "write"]).await;
    lesser.post("/api/v1/tokens", &json!({ "name": "more", "scopes": ["agent"] })).await.refusal(403, "forbidden", "agent");
}

#[tokio::test]
async fn users_see_their_own_spaces_and_their_teams() {
    let gateway = shared().await;
    let (ann, bob) = (gateway.person("access-ann").await, gateway.person("access-bob").await);
    let admin = gateway.admin();
    let secret = ann.client.create("notes", json!({ "title": "diary" })).await;
    let path = format!("/api/v1/notes/{}", text(&secret, "id"));

    // What may not be seen is as if it were not there, whatever is tried.
    for stranger in [&bob.client, &admin] {
        let absent = stranger.get("/api/v1/notes/99999999-0000-4000-8000-000000000000").await.problem(404, "not_found");
        let hidden = stranger.get(&path).await.problem(404, "not_found");
        assert_eq!((&hidden["title"], &hidden["hint"]), (&absent["title"], &absent["hint"]));
        stranger.patch(&path, &json!({ "title": "mine" })).await.problem(404, "not_found");
        stranger.delete(&path).await.problem(404, "not_found");
        assert!(stranger.get("/api/v1/notes?limit=200").await.expect(200).items().iter().all(|note| note["id"] != secret["id"]));
    }
    bob.client.get(&format!("/api/v1/users/{}", ann.id)).await.problem(404, "not_found");

    // An operator asks by name, and that is logged.
    assert_eq!(admin.get(&format!("{path}?view=all")).await.expect(200).json(), secret);
    // Others make notes here too.
    assert!(admin.get("/api/v1/notes?view=all&limit=200&order=-created_at").await.expect(200).items().contains(&secret));
    eventually("reading all content is logged", PATIENCE, || async { gateway.log().contains("views all").then_some(()) }).await;
    ann.client.get(&format!("{path}?view=all")).await.problem(403, "forbidden");

    // A team's content is its members', from the moment they join to the moment they leave.
    let team = admin.create("teams", json!({ "slug": "access.team", "name": "Team" })).await;
    let joined = |user: &str| json!({ "team_id": team["id"], "user_id": user });
    bob.client.post("/api/v1/memberships", &joined(&bob.id)).await.refusal(422, "invalid", "team that does not exist");
    admin.create("memberships", joined(&ann.id)).await;
    let shared = ann.client.create("tasks", json!({ "title": "ours", "team_id": team["id"] })).await;
    let path = format!("/api/v1/tasks/{}", text(&shared, "id"));
    bob.client.get(&path).await.problem(404, "not_found");
    let place = admin.create("memberships", joined(&bob.id)).await;
    assert_eq!(bob.client.get(&path).await.expect(200).json(), shared);
    let of_ann = format!("/api/v1/users/{}", ann.id);
    bob.client.get(&of_ann).await.expect(200);
    bob.client.patch(&of_ann, &json!({})).await.problem(403, "forbidden");
    assert_eq!(ann.client.patch(&of_ann, &json!({})).await.expect(200).json()["revision"], 1);
    assert_eq!(bob.client.patch(&path, &json!({ "status": "done" })).await.expect(200).json()["revision"], 2);
    bob.client.delete(&path).await.problem(403, "forbidden");
    ann.client.patch(&path, &json!({ "assignee_id": bob.id })).await.expect(200);
    admin.delete(&format!("/api/v1/memberships/{}", text(&place, "id"))).await.expect(204);
    bob.client.get(&path).await.problem(404, "not_found");
    // Who cannot read a task can no longer be the one to do it.
    assert!(ann.client.get(&path).await.expect(200).json().get("assignee_id").is_none());
    ann.client.patch(&path, &json!({ "assignee_id": bob.id })).await.refusal(422, "invalid", "assignee_id");
}

#[tokio::test]
async fn a_token_remembers_its_last_use_and_hides_its_secret() {
    let gateway = shared().await;
    let ann = gateway.person("access-used").await;
    let token = ann.client.create("tokens", json!({ "name": "own", "scopes": ["read"] })).await;
    let secret = text(&token, "secret");
    let path = format!("/api/v1/tokens/{}", text(&token, "id"));
    assert_eq!(token["user_id"], ann.id);
    assert!(token.get("hash").is_none() && secret.starts_with("mosaic_"), "{token}");
    gateway.anonymous().with_token(secret.as_str()).get("/api/v1/tasks").await.expect(200);
    let used = eventually("the last use is noted", Duration::from_secs(10), || async {
        let token = ann.client.get(&path).await.expect(200);
        assert!(!token.text().contains(&secret) && !token.text().contains("hash"), "{}", token.text());
        token.json().get("last_used_at").map(|_| token.json())
    })
    .await;
    assert_eq!(used["revision"], 1, "noting a use is no change");
    assert!(!gateway.log().contains(&secret), "no secret in the log");
    assert!(!gateway.log().contains(gateway.admin().token()), "no secret in the log");
}

#[tokio::test]
async fn what_is_done_by_powers_is_logged_whatever_the_filter_says() {
    let place = Place::new().with_env("MOSAIC_LOG__FILTER", "off,mosaic_audit=off");
    let gateway = Gateway::start_in(&place).await;
    let admin = gateway.admin();
    // An account and a token of it.
    let ann = gateway.person("ann").await;
    let team = admin.create("teams", json!({ "slug": "mill", "name": "Mill" })).await;
    let membership = admin.create("memberships", json!({ "team_id": team["id"], "user_id": ann.id, "role": "owner" })).await;
    let token = admin.create("tokens", json!({ "name": "for ann", "scopes": ["read"], "user_id": ann.id })).await;
    admin.patch(&format!("/api/v1/tokens/{}", text(&token, "id")), &json!({ "scopes": ["read", "write"] })).await.expect(200);
    admin.patch(&format!("/api/v1/users/{}", ann.id), &json!({ "role": "admin" })).await.expect(200);
    admin.delete(&format!("/api/v1/memberships/{}", text(&membership, "id"))).await.expect(204);
    // What somebody may without powers is none of it.
    ann.client.patch(&format!("/api/v1/users/{}", ann.id), &json!({ "name": "Ann" })).await.expect(200);
    admin.get("/api/v1/notes?view=all").await.expect(200);
    admin.get("/api/v1/export?tokens=true").await.expect(200);
    admin.request(Method::POST, "/api/v1/import", &[], "").await.expect(200);
    ann.client.create("tokens", json!({ "name": "own", "scopes": ["read"] })).await;
    for said in ["an operator views all", "an operator exports", "an operator imports", "a token was made for another user"] {
        eventually(said, PATIENCE, || async { gateway.log().contains(said).then_some(()) }).await;
    }
    let log = gateway.log();
    assert!(log.contains(&format!("owner={}", ann.id)), "{log}");
    let lines = |said: &str| log.lines().filter(|line| line.contains(said)).count();
    for (said, count) in [
        ("an administrator makes an account kind=user", 1),
        ("an administrator makes an account kind=team", 1),
        ("an administrator makes an account kind=membership", 1),
        ("an administrator changes an account kind=token", 1),
        ("an administrator changes an account kind=user", 1),
        ("an administrator removes an account kind=membership", 1),
        ("a token was made for another user", 2),
        ("an operator", 3),
    ] {
        assert_eq!(lines(said), count, "{said}:\n{log}");
    }
    assert_eq!(log.lines().count(), 11, "nothing else:\n{log}");
}

#[tokio::test]
async fn no_secret_is_logged_however_much_is() {
    let place = Place::new().with_env("MOSAIC_LOG__FILTER", "trace").with_env("MOSAIC_LOG__FORMAT", "json");
    let gateway = Gateway::start_in(&place).await;
    let admin = gateway.admin();
    let ann = gateway.person("ann").await.client;
    ann.get("/api/v1/tasks").await.expect(200);
    let wrong = gateway.anonymous().with_token("mosaic_guess");
    wrong.get("/api/v1/tasks").await.problem(401, "unauthorized");
    admin.post("/api/v1/tokens", &json!({ "name": "bad", "scopes": ["read"], "hash": "5ec2e7".repeat(8) })).await.problem(422, "invalid");
    let export = admin.get("/api/v1/export?tokens=true").await.expect(200).text();
    let hashes: Vec<String> = export
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["hash"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(hashes.len(), 2, "{export}");

    let log = gateway.log();
    assert!(log.lines().count() > 10 && log.lines().all(|line| line.starts_with('{')), "{log}");
    for secret in [admin.token(), ann.token(), wrong.token(), "5ec2e7"].into_iter().chain(hashes.iter().map(String::as_str)) {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}

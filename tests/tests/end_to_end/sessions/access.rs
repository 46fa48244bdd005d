//! Who may do what in a session: its owner, a team's member, a stranger, an agent of another program.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Notify;

use super::{World, goes_on, messages_of, say, session, transcript};
use crate::harness::{Answer, Client, Gateway, Reply, Step};
use crate::servers::{services, standalone};

/// Every request that there is for a session, and what it came to.
async fn requests(client: &Client, session: &str) -> Vec<Answer> {
    let path = format!("/api/v1/sessions/{session}");
    let messages = messages_of(session);
    let said = client.try_say(session, &json!({ "content": "Hello?" })).await.unwrap().err().expect("no turn begins");
    let followed = client.try_follow(session, None).await.unwrap().err().expect("nothing is followed");
    vec![
        client.get(&path).await,
        client.get(&messages).await,
        followed,
        said,
        client.post(&messages, &json!({ "content": "Hello?" })).await,
        client.post(&messages, &json!({ "role": "user", "content": "Hello?" })).await,
        client.post(&format!("{path}/stop"), &Value::Null).await,
        client.patch(&path, &json!({ "status": "closed" })).await,
        client.delete(&path).await,
    ]
}

#[tokio::test]
async fn another_users_session_is_not_there() {
    let world = World::new(json!({})).await;
    let ada = world.person("ada").await;
    let session = session(&ada).await;
    say(&ada, &session, "A secret of mine.").await;
    let before = transcript(&ada, &session).await;
    let path = format!("/api/v1/sessions/{session}");
    let bob = world.gateway.person("bob").await;
    let bob = world.gateway.token(&bob.id, &["read", "write", "agent"]).await;
    for stranger in [bob, world.gateway.admin()] {
        for answer in requests(&stranger, &session).await {
            answer.problem(404, "not_found");
        }
        stranger.get(&format!("{}/{}", messages_of(&session), before[0]["id"].as_str().unwrap())).await.problem(404, "not_found");
    }
    for answer in requests(&world.gateway.anonymous(), &session).await {
        answer.problem(401, "unauthorized");
    }
    assert_eq!(transcript(&ada, &session).await, before);
    assert_eq!(ada.get(&path).await.json()["status"], "open");
    goes_on(&ada, &session).await;
    world.gateway.stop().await;
}

#[tokio::test]
async fn a_member_reads_and_follows_a_teams_session_and_says_nothing_in_it() {
    let world = World::new(json!({})).await;
    let gate = Arc::new(Notify::new());
    let opens = Arc::clone(&gate);
    world
        .model
        .on("In secret", move |_| Reply::text("Between us ").then(Step::Until(Arc::clone(&opens))).then(Step::Text("alone.".into())));
    let (admin, ada, bob) = (world.gateway.admin(), world.gateway.person("ada").await, world.gateway.person("bob").await);
    let team = admin.create("teams", json!({ "slug": "mill", "name": "Mill" })).await["id"].clone();
    admin.create("memberships", json!({ "team_id": team, "user_id": ada.id, "role": "owner" })).await;
    let membership = admin.create("memberships", json!({ "team_id": team, "user_id": bob.id, "role": "member" })).await;
    let made = ada.client.create("sessions", json!({ "title": "Ours", "agent": "assistant", "team_id": team })).await;
    let session = made["id"].as_str().unwrap().to_owned();
    say(&ada.client, &session, "Hello, all.").await;

    assert_eq!(transcript(&bob.client, &session).await.len(), 2);
    bob.client.post(&messages_of(&session), &json!({ "content": "Me too." })).await.problem(403, "forbidden");
    bob.client.post(&format!("/api/v1/sessions/{session}/stop"), &Value::Null).await.problem(403, "forbidden");
    bob.client.patch(&format!("/api/v1/sessions/{session}"), &json!({ "status": "closed" })).await.problem(403, "forbidden");

    let mut of_ada = ada.client.say(&session, "In secret.").await;
    let mut of_bob = bob.client.follow(&session, Some(2)).await;
    of_ada.until("it speaks", |seen| seen.draft == "Between us ").await;
    of_bob.until("a member hears it", |seen| seen.messages.len() == 1 && seen.draft == "Between us ").await;

    // A member no more, he hears nothing more.
    admin.delete(&format!("/api/v1/memberships/{}", membership["id"].as_str().unwrap())).await.expect(204);
    tokio::time::sleep(Duration::from_secs(3)).await;
    gate.notify_one();
    assert_eq!(of_ada.all().await.said(), ["Between us alone."]);
    while let Ok(Some(_)) = of_bob.try_next().await {}
    assert_eq!((of_bob.seen.messages.len(), of_bob.seen.draft.as_str()), (1, "Between us "), "{:?}", of_bob.seen);
    bob.client.get(&messages_of(&session)).await.problem(404, "not_found");
    world.gateway.stop().await;
}

#[tokio::test]
async fn a_token_of_scope_agent_drives_sessions_of_its_user_and_nothing_else() {
    let world = World::new(json!({})).await;
    let ada = world.gateway.person("ada").await;
    let agent = world.gateway.token(&ada.id, &["agent"]).await;
    let made = agent.create("sessions", json!({ "title": "Of an agent", "agent": "another-program" })).await;
    let session = made["id"].as_str().unwrap();
    let path = format!("/api/v1/sessions/{session}");
    let messages = messages_of(session);
    let call = json!({ "id": "a", "name": "shell", "arguments": "{\"command\":\"ls\"}" });
    for message in [
        json!({ "role": "user", "content": "What is there?" }),
        json!({ "role": "assistant", "content": "", "tool_calls": [call], "finish": "tool_calls" }),
        json!({ "role": "tool", "content": "nothing", "tool_call_id": "a" }),
        json!({ "role": "assistant", "content": "Nothing.", "finish": "answered" }),
    ] {
        let added = agent.post(&messages, &message).await.expect(201).json();
        for (name, value) in message.as_object().unwrap() {
            assert_eq!(&added[name], value, "{added}");
        }
        agent.get(&format!("{messages}/{}", added["id"].as_str().unwrap())).await.expect(200);
    }
    assert_eq!(transcript(&agent, session).await.len(), 4);
    assert_eq!(agent.get("/api/v1/sessions").await.expect(200).items().len(), 1);
    let seen = agent.follow(session, Some(1)).await.all().await;
    assert_eq!((seen.messages.len(), seen.finish()), (3, Some("answered")));
    agent.post(&format!("{path}/stop"), &Value::Null).await.expect(204);
    assert!(world.model.asked().is_empty(), "nothing of this is asked of the model");

    // What it may not.
    agent.post(&messages, &json!({ "content": "Hello?" })).await.problem(403, "forbidden");
    for hidden in ["/api/v1/tasks", "/api/v1/notes"] {
        agent.get(hidden).await.problem(403, "forbidden");
        agent.post(hidden, &json!({ "title": "x" })).await.problem(403, "forbidden");
    }
    agent.post("/api/v1/search", &json!({ "q": "nothing" })).await.problem(403, "forbidden");
    agent.get("/api/v1/search?q=nothing").await.problem(403, "forbidden");
    // Nor is a person's token for it.
    let person = world.gateway.token(&ada.id, &["read", "write"]).await;
    person.post(&messages, &json!({ "role": "assistant", "content": "I said so." })).await.problem(403, "forbidden");
    let (reads, writes) = (world.gateway.token(&ada.id, &["read"]).await, world.gateway.token(&ada.id, &["write"]).await);
    for half in [reads, writes] {
        half.post(&messages, &json!({ "content": "Hello?" })).await.problem(403, "forbidden");
    }

    // A person goes on in it, and then it is closed.
    let turn = say(&person, session, "Thank you.").await;
    assert_eq!(turn["finish"], "answered");
    assert_eq!(world.model.asked()[0].messages().len(), 1 + 4 + 1, "what the agent said is told to the model");
    agent.patch(&path, &json!({ "status": "closed" })).await.expect(200);
    agent.post(&messages, &json!({ "role": "user", "content": "?" })).await.problem(409, "conflict");
    world.gateway.stop().await;
}

#[tokio::test]
async fn without_a_model_everything_else_works() {
    let place = standalone(&services().await.postgres.database().await.url());
    let gateway = Gateway::start_in(&place).await;
    let ada = gateway.person("ada").await;
    let session = session(&ada.client).await;
    let message = json!({ "content": "Is anybody there?" });
    let refused = ada.client.post(&messages_of(&session), &message).await;
    assert!(refused.problem(503, "unavailable")["hint"].as_str().unwrap().contains("models.chat"), "{}", refused.text());
    ada.client.try_say(&session, &message).await.unwrap().err().expect("no turn begins").problem(503, "unavailable");
    assert!(transcript(&ada.client, &session).await.is_empty());
    let seen = ada.client.follow(&session, None).await.all().await;
    assert_eq!((seen.messages.len(), seen.finish()), (0, None));
    let agent = gateway.token(&ada.id, &["agent"]).await;
    agent.post(&messages_of(&session), &json!({ "role": "user", "content": "I am." })).await.expect(201);
    assert_eq!(ada.client.follow(&session, None).await.all().await.messages.len(), 1);
    ada.client.create("tasks", json!({ "title": "Get a model" })).await;
    gateway.anonymous().get("/readyz").await.expect(200);
    gateway.stop().await;
}

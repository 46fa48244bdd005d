//! The same session, twice at once: one turn runs at a time, and one message runs once.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::Notify;

use super::{World, at, ending, goes_on, messages_of, session, transcript};
use crate::harness::{Client, PATIENCE, Random, Reply, Step, eventually};

/// Two messages at once, through these two clients of one person: one runs.
async fn one_of_two_runs(world: &World, here: &Client, there: &Client) {
    let gate = Arc::new(Notify::new());
    let opens = Arc::clone(&gate);
    world.model.on("Take", move |asked| Reply::text(asked.user()).then(Step::Until(Arc::clone(&opens))));
    for _ in 0..5 {
        let session = session(here).await;
        let path = messages_of(&session);
        let (left, right) = (json!({ "content": "Take the left one." }), json!({ "content": "Take the right one." }));
        let release = async {
            // The one that is refused is so while the other runs.
            eventually("one runs", PATIENCE, || async { (world.model.under_way() > 0).then_some(()) }).await;
            tokio::time::sleep(std::time::Duration::from_millis(300)).await;
            gate.notify_one();
        };
        let (first, second, ()) = tokio::join!(here.post(&path, &left), there.post(&path, &right), release);
        let (ran, refused, said) = if first.status == 201 { (first, second, &left) } else { (second, first, &right) };
        let hint = refused.problem(409, "conflict")["hint"].as_str().unwrap().to_owned();
        assert!(hint.contains("/stop"), "{hint}");
        assert_eq!(ending(&ran.expect(201).json()), ("answered", said["content"].as_str().unwrap()));
        let all = transcript(here, &session).await;
        assert_eq!((all.len(), &all[0]["content"]), (2, &said["content"]), "and nothing of the other");
        goes_on(there, &session).await;
    }
}

#[tokio::test]
async fn of_two_messages_at_once_one_runs() {
    let world = World::new(json!({})).await;
    let ada = world.person("ada").await;
    one_of_two_runs(&world, &ada, &ada).await;
    let other = world.another().await;
    one_of_two_runs(&world, &ada, &at(&other, &ada)).await;
    other.stop().await;
    world.gateway.stop().await;
}

/// What is posted is answered as one turn, however often and wherever.
#[tokio::test]
async fn the_same_message_runs_once() {
    let world = World::new(json!({})).await;
    let other = world.another().await;
    world.model.on("Make one", |asked| match asked.round() {
        0 => Reply::pieces(["I ", "make ", "it. "], std::time::Duration::from_millis(30))
            .and_call("task_create", &json!({ "title": "the one" })),
        _ => Reply::text("Made."),
    });
    let ada = world.person("ada").await;
    let there = at(&other, &ada);
    let mut random = Random::new("the same message");
    for round in 1..=5 {
        let session = session(&ada).await;
        let (path, message) = (messages_of(&session), json!({ "id": random.id(), "content": "Make one." }));
        let (a, b, c, d) = tokio::join!(ada.post(&path, &message), ada.post(&path, &message), there.post(&path, &message), async {
            ada.try_say(&session, &message).await.unwrap().unwrap().all().await
        });
        let turn = a.expect(201).json();
        assert_eq!(ending(&turn), ("answered", "Made."));
        assert_eq!([b.expect(201).json(), c.expect(201).json()], [turn.clone(), turn.clone()]);
        assert_eq!(Value::from(d.messages), turn["items"]);
        // Nor later, when others came after it.
        goes_on(&ada, &session).await;
        assert_eq!(there.post(&path, &message).await.expect(201).json(), turn);
        let tasks = ada.get("/api/v1/tasks").await.expect(200).items();
        assert_eq!((tasks.len(), world.model.asked_about("Make one").len()), (round, 2 * round));

        let otherwise = json!({ "id": message["id"], "content": "Make another." });
        ada.post(&path, &otherwise).await.problem(409, "conflict");
        let elsewhere = messages_of(&super::session(&ada).await);
        ada.post(&elsewhere, &message).await.problem(409, "conflict");
        assert_eq!(transcript(&ada, &session).await.len(), 6);
    }
    other.stop().await;
    world.gateway.stop().await;
}

#[tokio::test]
async fn nothing_is_added_to_a_session_while_a_turn_of_it_runs() {
    let world = World::new(json!({})).await;
    let other = world.another().await;
    let gate = Arc::new(Notify::new());
    let opens = Arc::clone(&gate);
    world.model.on("Wait", move |_| Reply::text("I wait. ").then(Step::Until(Arc::clone(&opens))));
    let person = world.gateway.person("ada").await;
    let ada = person.client;
    let agent = world.gateway.token(&person.id, &["agent"]).await;
    let session = session(&ada).await;
    let mut events = ada.say(&session, "Wait for it.").await;
    events.until("it waits", |seen| !seen.draft.is_empty()).await;
    let message = json!({ "role": "assistant", "content": "I barge in." });
    for agent in [agent.clone(), at(&other, &agent)] {
        agent.post(&messages_of(&session), &message).await.problem(409, "conflict");
    }
    gate.notify_one();
    assert_eq!(events.all().await.messages.len(), 2);
    let added = at(&other, &agent).post(&messages_of(&session), &message).await.expect(201).json();
    assert_eq!((&added["seq"], added.get("finish")), (&json!(3), None));
    other.stop().await;
    world.gateway.stop().await;
}

//! Turns that somebody ends in the middle: by stopping them, by closing their session, or by removing it; through this gateway and another.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::Notify;

use super::{World, at, goes_on, messages_of, session, transcript};
use crate::harness::{Client, Events, PATIENCE, Reply, Step, eventually};

/// A turn that has made a task, said something, and would go on for ever.
async fn begun(world: &World, client: &Client) -> (String, Events) {
    world.model.on("Go on for ever", |asked| match asked.round() {
        0 => Reply::call("task_create", &json!({ "title": "the beginning" })),
        _ => Reply::text("And then ").then(Step::Silent),
    });
    let session = session(client).await;
    let mut events = client.say(&session, "Go on for ever.").await;
    events.until("it goes on", |seen| seen.draft == "And then ").await;
    (session, events)
}

#[tokio::test]
async fn a_turn_is_stopped_in_the_middle_through_any_gateway() {
    let world = World::new(json!({})).await;
    let other = world.another().await;
    let ada = world.person("ada").await;
    for stopper in [ada.clone(), at(&other, &ada)] {
        let (session, events) = begun(&world, &ada).await;
        let stop = format!("/api/v1/sessions/{session}/stop");
        stopper.post(&stop, &Value::Null).await.expect(204);
        // It has ended when that is answered.
        let all = transcript(&stopper, &session).await;
        assert_eq!((all.len(), &all[3]["finish"], &all[3]["content"]), (4, &json!("stopped"), &json!("And then ")));
        let seen = events.all().await;
        assert_eq!((seen.finish(), &seen.messages), (Some("stopped"), &all));
        world.at_rest().await;
        stopper.post(&stop, &Value::Null).await.expect(204);
        goes_on(&stopper, &session).await;
    }
    other.stop().await;
    world.gateway.stop().await;
}

#[tokio::test]
async fn closing_a_session_stops_its_turn_through_any_gateway() {
    let world = World::new(json!({})).await;
    let other = world.another().await;
    let ada = world.person("ada").await;
    for closer in [ada.clone(), at(&other, &ada)] {
        let (session, events) = begun(&world, &ada).await;
        let path = format!("/api/v1/sessions/{session}");
        closer.patch(&path, &json!({ "status": "closed" })).await.expect(200);
        let seen = events.all().await;
        assert_eq!((seen.finish(), seen.said()), (Some("stopped"), vec!["And then "]));
        world.at_rest().await;
        closer.post(&messages_of(&session), &json!({ "content": "Hello?" })).await.problem(409, "conflict");
        assert_eq!(transcript(&ada, &session).await, seen.messages);
        closer.patch(&path, &json!({ "status": "open" })).await.expect(200);
        goes_on(&ada, &session).await;
    }
    other.stop().await;
    world.gateway.stop().await;
}

#[tokio::test]
async fn removing_a_session_ends_its_turn_through_any_gateway() {
    let world = World::new(json!({})).await;
    let other = world.another().await;
    let ada = world.person("ada").await;
    for remover in [ada.clone(), at(&other, &ada)] {
        let (session, mut events) = begun(&world, &ada).await;
        let path = format!("/api/v1/sessions/{session}");
        remover.delete(&path).await.expect(204);
        for gone in [path.clone(), messages_of(&session), format!("{path}/events")] {
            ada.get(&gone).await.problem(404, "not_found");
        }
        world.at_rest().await;
        // What its tools did before stays done.
        let tasks = ada.get("/api/v1/tasks").await.expect(200).items();
        assert!(tasks.iter().any(|task| task["title"] == "the beginning"), "{tasks:?}");
        while let Ok(Some(_)) = events.try_next().await {}
        assert_ne!(events.seen.finish(), Some("answered"));
        assert_eq!(events.seen.messages.len(), 3, "nothing is told that was not stored");
    }
    assert!(!world.gateway.log().contains("ERROR"), "{}", world.gateway.log());
    other.stop().await;
    world.gateway.stop().await;
}

#[tokio::test]
async fn a_turn_whose_session_was_removed_does_nothing_more() {
    let world = World::new(json!({})).await;
    let gate = Arc::new(Notify::new());
    let opens = Arc::clone(&gate);
    world.model.on("Slowly", move |asked| match asked.round() {
        0 => Reply::text("Well ").then(Step::Until(Arc::clone(&opens))).and_call("task_create", &json!({ "title": "too late" })),
        _ => Reply::text("Done."),
    });
    let ada = world.person("ada").await;
    let session = session(&ada).await;
    let mut events = ada.say(&session, "Slowly now.").await;
    events.until("it begins", |seen| !seen.draft.is_empty()).await;
    ada.delete(&format!("/api/v1/sessions/{session}")).await.expect(204);
    gate.notify_one();
    world.at_rest().await;
    eventually("its stream ends", PATIENCE, || async { Some(()) }).await;
    while let Ok(Some(_)) = events.try_next().await {}
    assert!(ada.get("/api/v1/tasks").await.expect(200).items().is_empty());
    world.gateway.stop().await;
}

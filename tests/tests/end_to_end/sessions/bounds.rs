//! What a turn may take: so many rounds, so much text, so much time, and so many turns at once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::sync::Notify;

use super::{World, at, ending, goes_on, messages_of, say, session};
use crate::harness::{ChatServer, Gateway, PATIENCE, Place, Reply, Signal, Step, eventually, signal};

#[tokio::test]
async fn a_model_that_calls_tools_for_ever_is_limited() {
    let world = World::new(json!({ "max_rounds": 3 })).await;
    world.model.on("again and again", |_| Reply::call("task_list", &json!({ "limit": 1 })));
    let ada = world.person("ada").await;
    let session = session(&ada).await;
    let turn = say(&ada, &session, "Look again and again.").await;
    assert_eq!((ending(&turn), turn["items"].as_array().unwrap().len()), (("limited", ""), 1 + 3 * 2 + 1));
    assert!(turn["error"].as_str().unwrap().contains("3 rounds"), "{turn}");
    assert_eq!(world.model.asked().len(), 3);
    goes_on(&ada, &session).await;
    world.gateway.stop().await;
}

/// The server has no bound of its own, and sends 10 MB.
#[tokio::test]
async fn an_answer_that_does_not_end_is_cut_off_and_kept_up_to_there() {
    for (max_tokens, most) in [(64, 64 * 8), (8_192, 8_192 * 8), (1_000_000, 2 << 20)] {
        let world = World::new(json!({ "max_tokens": max_tokens })).await;
        let piece = "0123456789abcdef".repeat(1 << 10);
        let count = (10 << 20) / piece.len();
        world.model.on("Talk", move |_| Reply::Streams(vec![Step::Text(piece.clone()); count]));
        let ada = world.person("ada").await;
        let session = session(&ada).await;
        let begun = Instant::now();
        let seen = ada.say(&session, "Talk to me.").await.all().await;
        println!("{max_tokens} tokens: after {:?}", begun.elapsed());
        assert_eq!(seen.finish(), Some("limited"));
        let said = seen.said()[0];
        assert!(said.len() <= most && said.len() >= most / 2 && "0123456789abcdef".repeat(most / 16).starts_with(said), "{}", said.len());
        assert!(seen.end.as_ref().unwrap()["error"].as_str().unwrap().contains(&format!("{max_tokens} tokens")), "{:?}", seen.end);
        world.at_rest().await;
        // It is told to the model in part, or not at all.
        goes_on(&ada, &session).await;
        world.gateway.stop().await;
    }
}

#[tokio::test]
async fn a_turn_that_takes_too_long_is_ended() {
    let world = World::new(json!({ "turn_seconds": 5 })).await;
    let drops = || vec![[Step::Text("drop ".into()), Step::Pause(Duration::from_millis(200))]; 1_000].concat();
    world.model.on("Drip", move |_| Reply::Streams(drops()));
    let ada = world.person("ada").await;
    let session = session(&ada).await;
    let begun = Instant::now();
    let turn = say(&ada, &session, "Drip.").await;
    println!("ended after {:?}", begun.elapsed());
    assert!(turn["error"].as_str().unwrap().contains("5 s"), "{turn}");
    let (finish, said) = ending(&turn);
    assert!(finish == "limited" && said.starts_with("drop drop "), "{turn}");
    world.at_rest().await;
    goes_on(&ada, &session).await;
    world.gateway.stop().await;
}

#[tokio::test]
async fn more_turns_than_a_gateway_bears_are_refused() {
    let world = World::new(json!({ "turns": 2 })).await;
    let gate = Arc::new(Notify::new());
    let opens = Arc::clone(&gate);
    world.model.on("Wait", move |_| Reply::text("I wait. ").then(Step::Until(Arc::clone(&opens))));
    let ada = world.person("ada").await;
    let mut under_way = Vec::new();
    for _ in 0..2 {
        let mut events = ada.say(&session(&ada).await, "Wait.").await;
        events.until("it waits", |seen| !seen.draft.is_empty()).await;
        under_way.push(events);
    }
    let third = session(&ada).await;
    let refused = ada.post(&messages_of(&third), &json!({ "content": "Hello?" })).await;
    refused.problem(503, "overloaded");
    assert!(refused.header("retry-after").parse::<u32>().is_ok_and(|seconds| seconds > 0));
    for events in under_way {
        gate.notify_one();
        assert_eq!(events.all().await.finish(), Some("answered"));
    }
    goes_on(&ada, &third).await;
    world.gateway.stop().await;
}

/// Waits until so many follow turns at a gateway.
async fn followers(gateway: &Gateway, count: usize) {
    let line = format!("\nmosaic_http_followers {count}\n");
    eventually("they follow", PATIENCE, || async { gateway.anonymous().get("/metrics").await.text().contains(&line).then_some(()) }).await;
}

#[tokio::test]
async fn whoever_follows_keeps_out_others_that_do_and_nothing_else() {
    let (model, place) = (ChatServer::start().await, Place::new());
    place.write("mosaic.config.json", json!({ "models": { "chat": model.section() }, "limits": { "requests": 2 } }).to_string());
    let gateway = Gateway::start_in(&place).await;
    let gate = Arc::new(Notify::new());
    let opens = Arc::clone(&gate);
    model.on("Wait", move |_| Reply::text("I wait. ").then(Step::Until(Arc::clone(&opens))));
    // One person has one place of the two.
    let mut under_way = Vec::new();
    for login in ["ada", "ben"] {
        let person = gateway.person(login).await.client;
        let session = session(&person).await;
        let mut events = person.say(&session, "Wait.").await;
        events.until("it waits", |seen| !seen.draft.is_empty()).await;
        under_way.push(events);
    }
    let cleo = gateway.person("cleo").await.client;
    let session = session(&cleo).await;
    cleo.get(&format!("/api/v1/sessions/{session}/events")).await.problem(503, "overloaded");
    for _ in 0..5 {
        cleo.get(&messages_of(&session)).await.expect(200);
        cleo.create("notes", json!({ "title": "meanwhile" })).await;
    }
    for events in under_way {
        gate.notify_one();
        assert_eq!(events.all().await.finish(), Some("answered"));
    }
    followers(&gateway, 0).await;
    cleo.follow(&session, None).await.all().await;
    gateway.stop().await;
}

/// The turn is another gateway's, so that it is not over when this one stops.
#[tokio::test]
async fn half_a_turn_is_not_answered_as_a_whole_one() {
    let world = World::new(json!({})).await;
    let other = world.another().await;
    let gate = Arc::new(Notify::new());
    let opens = Arc::clone(&gate);
    world.model.on("Wait", move |_| Reply::text("I wait. ").then(Step::Until(Arc::clone(&opens))));
    let ada = world.person("ada").await;
    let session = session(&ada).await;
    let message = json!({ "id": "11111111-2222-4333-8444-555555555555", "content": "Wait." });
    let mut here = ada.try_say(&session, &message).await.unwrap().unwrap();
    here.until("it waits", |seen| !seen.draft.is_empty()).await;
    let (there, path) = (at(&other, &ada), messages_of(&session));
    let (answer, ()) = tokio::join!(there.post(&path, &message), async {
        followers(&other, 1).await;
        signal(other.pid(), Signal::TERM);
    });
    let hint = answer.problem(503, "unavailable")["hint"].as_str().unwrap().to_owned();
    assert!(hint.contains("events"), "{hint}");
    assert_eq!(other.ended().await, Some(0), "{}", other.log());
    gate.notify_one();
    assert_eq!(here.all().await.finish(), Some("answered"));
    assert_eq!(ending(&ada.post(&path, &message).await.expect(201).json()).0, "answered");
    world.gateway.stop().await;
}

//! What a turn may take: so many rounds, so much text, so much time, and so many turns at once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::sync::Notify;

use super::{World, ending, goes_on, messages_of, say, session};
use crate::harness::{Reply, Step};

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

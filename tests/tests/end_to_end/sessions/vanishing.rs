//! Clients that go away in the middle of a turn: it goes on without them, and whoever comes back misses nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use hyper::Method;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::{MAKE_TASKS, TASKS, World, at, ending, made_what_it_says, makes_tasks, messages_of, saw_the_truth, say, session, transcript};
use crate::harness::{Client, JSON, Random, Reply, Seen, Step};

const CLIENTS: u64 = 50;
const AT_ONCE: usize = 6;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_turn_goes_on_when_its_client_goes_away_and_is_there_when_it_comes_back() {
    let mut random = Random::new("vanishing");
    let world = World::new(json!({})).await;
    makes_tasks(&world.model);
    let ada = world.person("ada").await;
    let first = session(&ada).await;
    let begun = Instant::now();
    assert_eq!(say(&ada, &first, &format!("{MAKE_TASKS} typical")).await["finish"], "answered");
    let typical = begun.elapsed();
    println!("a turn takes {typical:?}");

    let clients = (0..CLIENTS).map(|n| vanishes(ada.clone(), n, random.up_to(typical * 3 / 2), Random::seeded(random.next())));
    let cut_off: Vec<bool> = futures::stream::iter(clients).buffer_unordered(AT_ONCE).collect().await;
    let cut_off = cut_off.into_iter().filter(|cut_off| *cut_off).count();
    println!("{cut_off} of {CLIENTS} went away in the middle");
    assert!(cut_off > 10, "too few to prove anything: {cut_off}");
    world.gateway.stop().await;
}

/// Says something, goes away after this time, comes back and has the whole; answers whether it was in the middle.
async fn vanishes(client: Client, n: u64, patience: Duration, mut random: Random) -> bool {
    let (session, id, prefix) = (session(&client).await, random.id(), format!("client {n}"));
    let message = json!({ "id": id, "content": format!("{MAKE_TASKS} {prefix}") });
    let mut seen = Seen::default();
    let was_there_to_the_end = if n.is_multiple_of(3) {
        let path = messages_of(&session);
        let whole = client.try_request(Method::POST, &path, JSON, message.to_string());
        timeout(patience, whole).await.is_ok()
    } else {
        let watch = async {
            let mut events = client.try_say(&session, &message).await.unwrap().unwrap();
            while events.next().await.is_some() {
                seen = events.seen.clone();
            }
        };
        timeout(patience, watch).await.is_ok()
    };
    // Who does not know whether it was heard says it again: the same message is no second one.
    if seen.messages.is_empty() || n.is_multiple_of(2) {
        let turn = client.post(&messages_of(&session), &message).await.expect(201).json();
        assert_eq!(ending(&turn), ("answered", "That is all of them, and now I say so."));
    } else {
        let rest = client.follow(&session, seen.after).await.all().await;
        saw_the_truth(&seen, &[&seen.messages[..], &rest.messages].concat());
        assert_eq!(seen.messages.len() + rest.messages.len(), 1 + 2 * (TASKS - 1) + 1 + 1, "it misses nothing");
    }
    let transcript = transcript(&client, &session).await;
    saw_the_truth(&seen, &transcript);
    assert_eq!(made_what_it_says(&client, &transcript, &prefix).await, TASKS);
    !was_there_to_the_end
}

#[tokio::test]
async fn whoever_comes_back_in_the_middle_sees_the_text_so_far_and_the_rest() {
    let world = World::new(json!({})).await;
    let gate = Arc::new(Notify::new());
    let opens = Arc::clone(&gate);
    world.model.on("Tell me", move |_| {
        Reply::text("Once upon a time ").then(Step::Until(Arc::clone(&opens))).then(Step::Text("it ended.".into()))
    });
    let ada = world.person("ada").await;
    let session = session(&ada).await;
    let mut events = ada.say(&session, "Tell me a tale.").await;
    let seen = events.until("the first half", |seen| seen.draft == "Once upon a time ").await.after;
    drop(events);

    let mut back = ada.follow(&session, seen).await;
    // Its screen still shows what it saw of the text.
    back.seen.draft = "Once upon".to_owned();
    back.until("the text so far, in place of that", |seen| seen.draft == "Once upon a time ").await;
    let mut beside = ada.follow(&session, None).await;
    beside.until("all so far", |seen| seen.messages.len() == 1 && seen.draft == "Once upon a time ").await;
    assert_eq!(world.model.asked().len(), 1, "it is the same draft");
    gate.notify_one();
    for (events, messages) in [(back, 1), (beside, 2)] {
        let seen = events.all().await;
        assert_eq!((seen.finish(), seen.said(), seen.messages.len()), (Some("answered"), vec!["Once upon a time it ended."], messages));
    }
    world.gateway.stop().await;
}

#[tokio::test]
async fn a_turn_is_followed_through_another_gateway_without_its_pieces() {
    let world = World::new(json!({})).await;
    let other = world.another().await;
    let gate = Arc::new(Notify::new());
    let opens = Arc::clone(&gate);
    world.model.on("What is there", move |asked| match asked.round() {
        0 => Reply::text("I look. ").and_call("note_list", &json!({})),
        _ => Reply::text("Nothing ").then(Step::Until(Arc::clone(&opens))).then(Step::Text("at all.".into())),
    });
    let ada = world.person("ada").await;
    let session = session(&ada).await;
    let mut here = ada.say(&session, "What is there to do?").await;
    let mut there = at(&other, &ada).follow(&session, None).await;
    here.until("the text so far", |seen| seen.draft == "Nothing ").await;
    there.until("what is stored", |seen| seen.messages.len() == 3).await;
    assert_eq!(there.seen.draft, "");
    gate.notify_one();
    let (here, there) = (here.all().await, there.all().await);
    assert_eq!((here.messages, &here.end), (there.messages, &there.end));
    assert_eq!(there.pieces, 0);
    let nothing: Vec<Value> = at(&other, &ada).follow(&session, there.after).await.all().await.messages;
    assert!(nothing.is_empty());
    other.stop().await;
    world.gateway.stop().await;
}

#[tokio::test]
async fn a_stream_that_has_nothing_to_tell_says_so() {
    let world = World::new(json!({})).await;
    let other = world.another().await;
    world.model.on("Sleep", |_| Reply::text("Good ").then(Step::Pause(Duration::from_secs(16))).then(Step::Text("morning.".into())));
    let ada = world.person("ada").await;
    let session = session(&ada).await;
    let here = ada.say(&session, "Sleep over it.").await;
    let there = at(&other, &ada).follow(&session, None).await;
    let (here, there) = tokio::join!(here.all(), there.all());
    for seen in [here, there] {
        assert_eq!((seen.finish(), seen.said(), seen.comments), (Some("answered"), vec!["Good morning."], 1));
    }
    other.stop().await;
    world.gateway.stop().await;
}

//! `kill -9` of the gateway, at random moments of turns: what is stored tells what was done, each thing once, and says plainly that a turn was
//! interrupted; and a stop that is asked for.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::sync::Notify;

use super::{MAKE_TASKS, TASKS, World, at, configure, goes_on, made_what_it_says, makes_tasks, saw_the_truth, say, session, transcript};
use crate::harness::{ChatServer, Client, Gateway, PATIENCE, Place, Random, Reply, Seen, Signal, Step, eventually, signal};
use crate::servers::{services, standalone};

/// How often the gateway is killed, while so many turns are under way, each a little further than the other.
const KILLS: usize = 7;
const TURNS: usize = 3;
/// How long the claim of a turn holds that is not renewed.
const CLAIM: Duration = Duration::from_secs(12);

/// A turn whose gateway was killed, and what its client had seen.
struct Cut {
    session: String,
    prefix: String,
    seen: Seen,
}

/// Begins turns, one behind the other, and kills the gateway in the middle of them.
async fn kill_amid_turns(gateway: Gateway, client: &Client, typical: Duration, random: &mut Random, round: usize) -> Vec<Cut> {
    let mut sessions = Vec::new();
    for _ in 0..TURNS {
        sessions.push(session(client).await);
    }
    let turns = sessions.into_iter().enumerate().map(|(n, session)| {
        let (client, prefix, wait) = (client.clone(), format!("kill {round}.{n}"), random.up_to(typical / 2));
        async move {
            tokio::time::sleep(wait).await;
            let mut seen = Seen::default();
            if let Ok(Ok(mut events)) = client.try_say(&session, &json!({ "content": format!("{MAKE_TASKS} {prefix}") })).await {
                while let Ok(Some(_)) = events.try_next().await {}
                seen = events.seen.clone();
            }
            Cut { session, prefix, seen }
        }
    });
    let turns = futures::future::join_all(turns);
    let life = typical / 4 + random.up_to(typical);
    let kill = async {
        tokio::time::sleep(life).await;
        gateway.kill().await;
    };
    tokio::join!(turns, kill).0
}

/// What holds of a turn afterwards; answers how it ended.
async fn verify(client: &Client, cut: &Cut) -> String {
    let Cut { session, prefix, seen } = cut;
    let rest = client.follow(session, Some(seen.after.unwrap_or_default())).await.all().await;
    let transcript = transcript(client, session).await;
    saw_the_truth(seen, &transcript);
    assert_eq!([&seen.messages[..], &rest.messages].concat(), transcript, "who resumes has all of it");
    let made = made_what_it_says(client, &transcript, prefix).await;
    let Some(last) = transcript.last() else { return "never begun".to_owned() };
    match last["finish"].as_str() {
        Some("answered") => assert_eq!(made, TASKS),
        Some("interrupted") => assert!(last["error"].as_str().is_some_and(|error| error.contains("went away")), "{last}"),
        _ => panic!("a turn ends neither well nor plainly: {last}"),
    }
    goes_on(client, session).await;
    last["finish"].as_str().unwrap().to_owned()
}

fn count(ends: &[String]) {
    let of = |end: &str| ends.iter().filter(|this| *this == end).count();
    println!("{} interrupted, {} answered, {} never begun", of("interrupted"), of("answered"), of("never begun"));
    assert!(of("interrupted") >= KILLS, "too few to prove anything");
}

/// How long a turn takes that nothing happens to.
async fn typical(client: &Client) -> Duration {
    let session = session(client).await;
    let begun = Instant::now();
    assert_eq!(say(client, &session, &format!("{MAKE_TASKS} typical")).await["finish"], "answered");
    begun.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_interrupts_turns_on_tier_local_and_that_is_said_at_once() {
    let mut random = Random::new("kills, local");
    let (model, place) = (ChatServer::start().await, Place::new());
    makes_tasks(&model);
    configure(&place, &model, &json!({}));
    let mut gateway = Gateway::start_in(&place).await;
    let ada = gateway.person("ada").await.client;
    let typical = typical(&ada).await;
    let mut ends = Vec::new();
    for round in 0..KILLS {
        let cuts = kill_amid_turns(gateway, &ada, typical, &mut random, round).await;
        gateway = Gateway::start_in(&place).await;
        for cut in cuts {
            let begun = Instant::now();
            ends.push(verify(&ada, &cut).await);
            assert!(begun.elapsed() < CLAIM, "nobody else can have it, so nothing is waited for");
        }
    }
    count(&ends);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_interrupts_turns_on_tier_standalone_and_another_gateway_says_so() {
    let mut random = Random::new("kills, standalone");
    let (model, database) = (ChatServer::start().await, services().await.postgres.database().await);
    makes_tasks(&model);
    let place = || {
        let place = standalone(&database.url());
        configure(&place, &model, &json!({}));
        place
    };
    // One stays, and hears of turns that are none of its own.
    let other = Gateway::start_in(&place()).await;
    let there = other.person("ada").await.client;
    let typical = typical(&there).await;
    let mut cuts = Vec::new();
    for round in 0..KILLS {
        let gateway = Gateway::start_in(&place()).await;
        let here = at(&gateway, &there);
        cuts.extend(kill_amid_turns(gateway, &here, typical, &mut random, round).await);
    }
    let mut ends = Vec::new();
    for cut in &cuts {
        ends.push(verify(&there, cut).await);
    }
    count(&ends);
    other.stop().await;
}

#[tokio::test]
async fn a_gateway_that_is_stopped_ends_its_turns_in_time() {
    for tier in ["local", "standalone"] {
        let model = ChatServer::start().await;
        let place = if tier == "local" { Place::new() } else { standalone(&services().await.postgres.database().await.url()) };
        configure(&place, &model, &json!({}));
        let gateway = Gateway::start_in(&place).await;
        let ada = gateway.person("ada").await.client;
        let gate = Arc::new(Notify::new());
        let opens = Arc::clone(&gate);
        let before = || Reply::text("I think ");
        model.on("Hurry", move |_| before().then(Step::Until(Arc::clone(&opens))).then(Step::Text("so.".into())));
        model.on("Think for ever", move |_| before().then(Step::Silent));
        let (long, short) = (session(&ada).await, session(&ada).await);
        let mut long_events = ada.say(&long, "Think for ever.").await;
        let mut short_events = ada.say(&short, "Hurry up.").await;
        long_events.until("it thinks", |seen| !seen.draft.is_empty()).await;
        short_events.until("it thinks", |seen| !seen.draft.is_empty()).await;

        let begun = Instant::now();
        signal(gateway.pid(), Signal::TERM);
        eventually("no new connection is taken", PATIENCE, || async { tokio::net::TcpStream::connect(place.address()).await.err() }).await;
        gate.notify_one();
        let (long_seen, short_seen) = tokio::join!(long_events.all(), short_events.all());
        assert_eq!((short_seen.finish(), short_seen.said()), (Some("answered"), vec!["I think so."]), "what comes to its end in time does");
        assert_eq!((long_seen.finish(), long_seen.said()), (Some("interrupted"), vec!["I think "]), "what does not is cut off");
        assert_eq!(gateway.ended().await, Some(0), "{}", gateway.log());
        let took = begun.elapsed();
        println!("{tier}: stopped in {took:?}");
        assert!(took < Duration::from_secs(10), "no more than the time to drain: {took:?}");

        let gateway = Gateway::start_in(&place).await;
        for (session, seen) in [(&long, long_seen), (&short, short_seen)] {
            assert_eq!(transcript(&ada, session).await, seen.messages);
            goes_on(&ada, session).await;
        }
        gateway.stop().await;
    }
}

#[tokio::test]
async fn a_gateway_that_was_frozen_for_too_long_writes_nothing_more_of_its_turn() {
    let world = World::new(json!({})).await;
    let other = world.another().await;
    let gate = Arc::new(Notify::new());
    let opens = Arc::clone(&gate);
    world.model.on("Make it", move |asked| match asked.round() {
        0 => Reply::text("I ").then(Step::Until(Arc::clone(&opens))).and_call("task_create", &json!({ "title": "made by the frozen one" })),
        _ => Reply::text("Made."),
    });
    let ada = world.person("ada").await;
    let there = at(&other, &ada);
    let session = session(&ada).await;
    let mut events = ada.say(&session, "Make it.").await;
    events.until("it begins", |seen| !seen.draft.is_empty()).await;
    signal(world.gateway.pid(), Signal::STOP);
    let seen = there.follow(&session, None).await.all().await;
    assert_eq!((seen.finish(), seen.messages.len()), (Some("interrupted"), 2));
    goes_on(&there, &session).await;
    signal(world.gateway.pid(), Signal::CONT);
    gate.notify_one();
    // Whoever follows it there is told the truth too.
    while let Ok(Some(_)) = events.try_next().await {}
    assert!(events.seen.finish().is_none_or(|finish| finish == "interrupted"), "{:?}", events.seen);
    assert_eq!(there.get("/api/v1/tasks").await.expect(200).items(), Vec::<serde_json::Value>::new());
    assert_eq!(transcript(&ada, &session).await.len(), 4);
    goes_on(&ada, &session).await;
    other.stop().await;
    world.gateway.stop().await;
}

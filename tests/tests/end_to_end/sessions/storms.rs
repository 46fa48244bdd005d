//! A storage that goes away under turns, again and again: what was stored is what was done, each thing once, and what is said again is said once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::Method;
use serde_json::{Value, json};

use super::{MAKE_TASKS, TASKS, World, configure, goes_on, made_what_it_says, makes_tasks, messages_of, session, transcript};
use crate::harness::{ChatServer, Client, Gateway, JSON, PATIENCE, Place, Random, Signal, eventually, signal};

const TURNS: usize = 12;

/// Says it again until it is answered, as a client does that does not know what became of it.
async fn insists(client: &Client, session: &str, prefix: &str, id: &str) -> Value {
    let (path, message) = (messages_of(session), json!({ "id": id, "content": format!("{MAKE_TASKS} {prefix}") }));
    let answer = eventually("it is answered", PATIENCE, || async {
        let answer = client.try_request(Method::POST, &path, JSON, message.to_string()).await.ok()?;
        assert!(answer.status == 201 || answer.status >= 500, "{}: {} {}", answer.request, answer.status, answer.text());
        (answer.status == 201).then_some(answer)
    });
    answer.await.json()
}

/// What holds of a turn afterwards; answers how it ended.
async fn verify(client: &Client, session: &str, prefix: &str, turn: &Value) -> String {
    let transcript = transcript(client, session).await;
    assert_eq!(turn["items"].as_array().unwrap(), &transcript);
    let made = made_what_it_says(client, &transcript, prefix).await;
    let finish = turn["finish"].as_str().unwrap();
    match finish {
        "answered" => assert_eq!(made, TASKS),
        "failed" | "interrupted" => assert!(turn["error"].is_string()),
        _ => panic!("a turn ends neither well nor plainly: {turn}"),
    }
    goes_on(client, session).await;
    finish.to_owned()
}

fn count(ends: &[String]) {
    let of = |end: &str| ends.iter().filter(|this| *this == end).count();
    println!("{} answered, {} failed, {} interrupted", of("answered"), of("failed"), of("interrupted"));
    assert!(of("answered") >= ends.len() / 2, "it bears what passes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn turns_bear_a_server_that_breaks_every_connection() {
    let mut random = Random::new("a storm");
    let world = World::new(json!({})).await;
    makes_tasks(&world.model);
    let ada = world.person("ada").await;
    let mut sessions = Vec::new();
    for n in 0..TURNS {
        sessions.push((session(&ada).await, format!("storm {n}"), random.id()));
    }
    let is_over = AtomicBool::new(false);
    let storm = async {
        let mut gusts = 0;
        while !is_over.load(Ordering::Relaxed) {
            let others = "datname = current_database() AND pid <> pg_backend_pid()";
            world.database.execute(&format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")).await;
            gusts += 1;
            tokio::time::sleep(random.up_to(Duration::from_millis(60))).await;
        }
        gusts
    };
    let turns = async {
        let turns = sessions.iter().map(|(session, prefix, id)| insists(&ada, session, prefix, id));
        let turns = futures::future::join_all(turns).await;
        is_over.store(true, Ordering::Relaxed);
        turns
    };
    let (gusts, turns) = tokio::join!(storm, turns);
    println!("{gusts} times every connection broke");
    let mut ends = Vec::new();
    for ((session, prefix, _), turn) in sessions.iter().zip(&turns) {
        ends.push(verify(&ada, session, prefix, turn).await);
    }
    count(&ends);
    world.gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn turns_bear_an_engine_that_is_killed() {
    let mut random = Random::new("an engine");
    let (model, place) = (ChatServer::start().await, Place::new());
    makes_tasks(&model);
    configure(&place, &model, &json!({}));
    let gateway = Gateway::start_in(&place).await;
    let ada = gateway.person("ada").await.client;
    let mut ends = Vec::new();
    for round in 0..3 {
        let mut sessions = Vec::new();
        for n in 0..TURNS / 4 {
            sessions.push((session(&ada).await, format!("engine {round}.{n}"), random.id()));
        }
        let engine = gateway.engine().await;
        let kill = async {
            tokio::time::sleep(random.up_to(Duration::from_millis(200))).await;
            signal(engine, Signal::KILL);
        };
        let turns = futures::future::join_all(sessions.iter().map(|(session, prefix, id)| insists(&ada, session, prefix, id)));
        let turns = tokio::join!(turns, kill).0;
        for ((session, prefix, _), turn) in sessions.iter().zip(&turns) {
            ends.push(verify(&ada, session, prefix, turn).await);
        }
    }
    count(&ends);
    gateway.stop().await;
}

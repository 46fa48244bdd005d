//! `kill -9`, of the gateway and of its engine, at random moments during writes: whatever was acknowledged is there
//! afterwards, and nobody has to help.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hyper::Method;
use serde_json::json;

use crate::harness::{Client, Gateway, JSON, PATIENCE, Place, Random, Signal, eventually, signal};

const ROUNDS: usize = 20;
const WRITERS: u64 = 4;

/// How long a writer waits after a failure.
const PAUSE: Duration = Duration::from_millis(20);

/// What a note's body may be, as far as its only writer can tell: one value after an acknowledged write, more after
/// one whose outcome is unknown. `None` is a note that is not there.
type Possible = BTreeMap<String, Vec<Option<String>>>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_writes_survive_kill_9_of_the_gateway_and_of_the_engine() {
    let mut random = Random::new("crash");
    let mut gateway = Gateway::start().await;
    let place = gateway.place.clone();
    let client = gateway.admin();
    let mut all = Possible::new();
    let mut acknowledged = 0;
    for round in 1..=ROUNDS {
        let stop = Arc::new(AtomicBool::new(false));
        let writers: Vec<_> =
            (0..WRITERS).map(|_| tokio::spawn(write_until(stop.clone(), client.clone(), Random::seeded(random.next())))).collect();
        tokio::time::sleep(Duration::from_millis(20) + random.up_to(Duration::from_millis(500))).await;

        let begun = Instant::now();
        let victim = if round % 2 == 1 {
            gateway.kill().await;
            gateway = Gateway::start_in(&place).await;
            "gateway"
        } else {
            let engine = gateway.engine().await;
            signal(engine, Signal::KILL);
            eventually("the engine is replaced", PATIENCE, || async { (gateway.engine().await != engine).then_some(()) }).await;
            gateway.ready().await;
            "engine"
        };
        eventually("a write is taken again", PATIENCE, || async {
            let answer = client.try_request(Method::POST, "/api/v1/notes", JSON, json!({ "title": "after" }).to_string()).await;
            answer.ok().filter(|answer| answer.status == 201)
        })
        .await;
        let back = begun.elapsed();

        stop.store(true, Ordering::Relaxed);
        let mut touched = Possible::new();
        for writer in writers {
            let (notes, count) = writer.await.unwrap();
            touched.extend(notes);
            acknowledged += count;
        }
        println!("round {round}: {victim} killed, writing again after {back:?}; {} notes", touched.len());
        verify(&client, &mut touched).await;
        all.extend(touched);
    }
    verify(&client, &mut all).await;
    println!("{acknowledged} writes acknowledged, none lost");
    assert!(acknowledged > 100, "too few writes to prove anything: {acknowledged}");
}

/// Makes, changes and removes notes of its own until told to stop; answers what they must be and how many writes were acknowledged.
async fn write_until(stop: Arc<AtomicBool>, client: Client, mut random: Random) -> (Possible, usize) {
    let mut notes = Possible::new();
    let mut count = 0;
    // Notes whose state is certain, so that an answer other than success is a fault.
    let mut certain: Vec<String> = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let chosen = usize::try_from(random.below(certain.len() as u64 + 1)).unwrap();
        let body = format!("{} {}", random.next(), "x".repeat(usize::try_from(random.below(2_000)).unwrap()));
        let (id, wanted, answer) = if chosen == certain.len() {
            let id = random.id();
            let note = json!({ "id": id, "title": "a note", "body": body });
            let answer = client.try_request(Method::POST, "/api/v1/notes", JSON, note.to_string()).await;
            if matches!(&answer, Err(error) if error.kind() == io::ErrorKind::ConnectionRefused) {
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            notes.insert(id.clone(), vec![None]);
            certain.push(id.clone());
            (id, Some(body), answer)
        } else {
            let id = certain[chosen].clone();
            let path = format!("/api/v1/notes/{id}");
            if random.below(4) == 0 {
                (id, None, client.try_request(Method::DELETE, &path, &[], "").await)
            } else {
                let patch = json!({ "body": body });
                (id, Some(body), client.try_request(Method::PATCH, &path, JSON, patch.to_string()).await)
            }
        };
        let removed = wanted.is_none();
        let possible = notes.get_mut(&id).unwrap();
        match answer {
            Ok(answer) if (200..300).contains(&answer.status) => {
                *possible = vec![wanted];
                count += 1;
                if removed {
                    certain.retain(|known| *known != id);
                }
            }
            Ok(answer) if answer.status < 500 => panic!("{}: {} {}", answer.request, answer.status, answer.text()),
            // Nobody was there to take it.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => tokio::time::sleep(PAUSE).await,
            unknown => {
                if let Ok(answer) = unknown {
                    answer.problem(answer.status, answer.json()["code"].as_str().unwrap());
                }
                possible.push(wanted);
                certain.retain(|known| *known != id);
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    (notes, count)
}

/// Every note is in one of the states it may be in; from then on in that one.
async fn verify(client: &Client, notes: &mut Possible) {
    for (id, possible) in notes {
        let answer = client.get(&format!("/api/v1/notes/{id}")).await;
        let found = match answer.status {
            404 => None,
            _ => Some(answer.expect(200).json()["body"].as_str().unwrap().to_owned()),
        };
        assert!(possible.contains(&found), "note {id} is {:.60?}, and may only be {:.60?}", found, possible);
        *possible = vec![found];
    }
}

#[tokio::test]
async fn a_first_start_that_was_cut_off_repairs_itself() {
    let mut random = Random::new("first start");
    let typical = Gateway::spawn(&Place::new()).ready().await;
    println!("a first start takes {typical:?}");
    for _ in 0..2 {
        let place = Place::new();
        for _ in 0..2 {
            let gateway = Gateway::spawn(&place);
            tokio::time::sleep(random.up_to(typical)).await;
            gateway.kill().await;
        }
        let gateway = Gateway::start_in(&place).await;
        gateway.admin().create("notes", json!({ "title": "works" })).await;
    }
}

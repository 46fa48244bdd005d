//! Clients that go away in the middle of a request: the gateway goes on serving, no connection to the engine is lost for good.

use std::time::{Duration, Instant};

use futures::StreamExt;
use hyper::Method;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::harness::{Client, Gateway, JSON, Random};

const REQUESTS: usize = 1_000;
const AT_ONCE: usize = 16;

/// What is asked for.
#[derive(Clone, Copy)]
enum Sort {
    List,
    Create,
    Export,
    HalfSent,
}

const SORTS: [Sort; 4] = [Sort::List, Sort::Create, Sort::Export, Sort::HalfSent];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_cancelled_requests_leave_the_gateway_serving() {
    let mut random = Random::new("cancel");
    let gateway = Gateway::start().await;
    let client = gateway.admin();
    for n in 0..200 {
        client.create("tasks", json!({ "title": format!("task {n}"), "body": "x".repeat(1_000) })).await;
    }
    let pids = (gateway.pid(), gateway.engine().await);
    let before = typical_get(&client).await;

    let mut asked = 0;
    // As many of each sort: some come to their end before they are cut off, and do not count.
    for sort in SORTS {
        let requests = futures::stream::repeat_with(|| {
            asked += 1;
            cancelled(client.clone(), sort, before * 30, Random::seeded(random.next()))
        });
        let cut_off = requests.buffer_unordered(AT_ONCE).filter(|cut_off| std::future::ready(*cut_off));
        cut_off.take(REQUESTS / SORTS.len()).count().await;
    }

    let begun = Instant::now();
    client.create("tasks", json!({ "title": "after" })).await;
    let first = begun.elapsed();
    client.get("/readyz").await.expect(200);
    let after = typical_get(&client).await;
    println!("{REQUESTS} of {asked} cut off; first write after {first:?}; a get took {before:?} before and {after:?} after");
    assert_eq!((gateway.pid(), gateway.engine().await), pids, "nothing had to be replaced");

    // What was cut off happened whole or not at all.
    for note in client.get("/api/v1/notes?limit=200").await.expect(200).items() {
        assert_eq!(note["body"].as_str().unwrap().len(), 20_000, "{}", note["id"]);
    }
}

/// Asks for something and goes away after a random time; answers whether the answer was still to come.
async fn cancelled(client: Client, sort: Sort, longest: Duration, mut random: Random) -> bool {
    let patience = random.up_to(longest);
    let note = json!({ "title": "a note", "body": "y".repeat(20_000) }).to_string();
    match sort {
        Sort::List => tokio::time::timeout(patience, client.try_request(Method::GET, "/api/v1/tasks?limit=200", &[], "")).await.is_err(),
        Sort::Create => tokio::time::timeout(patience, client.try_request(Method::POST, "/api/v1/notes", JSON, note)).await.is_err(),
        Sort::Export => tokio::time::timeout(patience, client.try_request(Method::GET, "/api/v1/export", &[], "")).await.is_err(),
        Sort::HalfSent => {
            half_sent(&client, &note, random.below(note.len() as u64)).await;
            true
        }
    }
}

/// Sends a request up to somewhere in its body, and goes away.
async fn half_sent(client: &Client, note: &str, bytes: u64) {
    let head = format!(
        "POST /api/v1/notes HTTP/1.1\r\nhost: mosaic\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        client.token(),
        note.len()
    );
    let mut stream = TcpStream::connect(client.address()).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&note.as_bytes()[..usize::try_from(bytes).unwrap()]).await.unwrap();
}

/// How long the median of some reads takes.
async fn typical_get(client: &Client) -> Duration {
    let mut took = Vec::new();
    for _ in 0..51 {
        let begun = Instant::now();
        client.get("/api/v1/tasks?limit=1").await.expect(200);
        took.push(begun.elapsed());
    }
    took.sort();
    took[took.len() / 2]
}

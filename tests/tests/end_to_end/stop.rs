//! The end of a gateway: graceful on the first signal, at once on the second, and never without its engine.

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{Gateway, PATIENCE, Signal, alive, eventually, signal};

/// The engine is gone soon after its gateway.
async fn engine_gone(engine: u32) {
    eventually("the engine is gone", PATIENCE, || async { (!alive(engine)).then_some(()) }).await;
}

/// A request whose body is still to come.
async fn begin_slow_request(gateway: &Gateway, body: &str) -> TcpStream {
    let head = format!(
        "POST /api/v1/notes HTTP/1.1\r\nhost: mosaic\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        gateway.admin().token(),
        body.len()
    );
    let mut stream = TcpStream::connect(gateway.place.address()).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&body.as_bytes()[..1]).await.unwrap();
    let under_way = "\nmosaic_http_requests_in_flight 1\n";
    let metrics = || async { gateway.anonymous().get("/metrics").await.text().contains(under_way).then_some(()) };
    eventually("it is under way", PATIENCE, metrics).await;
    stream
}

#[tokio::test]
async fn the_first_signal_drains_what_is_under_way() {
    let gateway = Gateway::start().await;
    let engine = gateway.engine().await;
    let note = json!({ "id": "11111111-2222-4333-8444-555555555555", "title": "slow" }).to_string();
    let mut slow = begin_slow_request(&gateway, &note).await;

    signal(gateway.pid(), Signal::TERM);
    eventually("no new connection is taken", PATIENCE, || async { TcpStream::connect(gateway.place.address()).await.err() }).await;
    assert_eq!(gateway.exit_status(), None, "it waits for the request");

    slow.write_all(&note.as_bytes()[1..]).await.unwrap();
    let mut answer = String::new();
    slow.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    assert_eq!(gateway.ended().await, Some(0), "{}", gateway.log());
    engine_gone(engine).await;

    let again = Gateway::start_in(&gateway.place).await;
    again.admin().get("/api/v1/notes/11111111-2222-4333-8444-555555555555").await.expect(200);
}

#[tokio::test]
async fn the_second_signal_ends_it_at_once() {
    let gateway = Gateway::start().await;
    let engine = gateway.engine().await;
    let _slow = begin_slow_request(&gateway, "{}").await;

    signal(gateway.pid(), Signal::INT);
    eventually("no new connection is taken", PATIENCE, || async { TcpStream::connect(gateway.place.address()).await.err() }).await;
    assert_eq!(gateway.exit_status(), None, "it waits for the request");

    signal(gateway.pid(), Signal::INT);
    // The request that it does not wait for would never come to its end.
    assert_eq!(gateway.ended().await, Some(1), "not a graceful stop");
    engine_gone(engine).await;
    Gateway::start_in(&gateway.place).await.stop().await;
}

#[tokio::test]
async fn a_gateway_that_is_killed_takes_its_engine_with_it() {
    let gateway = Gateway::start().await;
    let engine = gateway.engine().await;
    gateway.kill().await;
    engine_gone(engine).await;
}

//! Connections that begin badly hold up nobody, and those that are under way come to their end.

use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::world::{Authority, Connection, place, start};
use crate::harness::{PATIENCE, Signal, eventually, signal};

#[tokio::test]
async fn handshakes_that_stall_hold_up_nobody() {
    let authority = Authority::new();
    let place = place(&authority);
    authority.sign().put(&place);
    let gateway = start(&place).await;
    let mut stalled = Vec::new();
    for n in 0..100 {
        let mut stream = TcpStream::connect(place.address()).await.unwrap();
        // Nothing, a beginning that has no end, what is of another protocol.
        let begun: &[u8] = [&b""[..], b"\x16\x03\x01\x02\x00\x01\x00\x01", b"\x16", b"SSH-2.0-x\r\n"][n % 4];
        stream.write_all(begun).await.unwrap();
        stalled.push(stream);
    }
    for _ in 0..3 {
        assert!(Connection::open(&place, &authority).await.get("/livez").await.starts_with("HTTP/1.1 200 OK"));
    }
    gateway.stop().await;
    drop(stalled);
}

#[tokio::test]
async fn a_request_over_tls_that_is_under_way_comes_to_its_end() {
    let authority = Authority::new();
    let place = place(&authority);
    authority.sign().put(&place);
    let gateway = start(&place).await;
    let mut idle = Connection::open(&place, &authority).await;
    assert!(idle.get("/livez").await.starts_with("HTTP/1.1 200 OK"));

    let body = json!({ "title": "slow" }).to_string();
    let mut slow = Connection::open(&place, &authority).await;
    let head = format!(
        "POST /api/v1/notes HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        gateway.admin().token(),
        body.len()
    );
    slow.send(&head).await;
    slow.send(&body[..1]).await;
    let under_way = "\nmosaic_http_requests_in_flight 1\n";
    eventually("it is under way", PATIENCE, || async {
        Connection::open(&place, &authority).await.get("/metrics").await.contains(under_way).then_some(())
    })
    .await;
    signal(gateway.pid(), Signal::TERM);
    eventually("no new connection is taken", PATIENCE, || async { TcpStream::connect(place.address()).await.err() }).await;
    assert_eq!(idle.rest().await, "", "an idle connection is ended, and told so");
    assert_eq!(gateway.exit_status(), None, "it waits for the request");
    slow.send(&body[1..]).await;
    assert!(slow.rest().await.starts_with("HTTP/1.1 201 "));
    assert_eq!(gateway.ended().await, Some(0), "{}", gateway.log());
}

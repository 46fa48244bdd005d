//! A gateway that is asked for more than it bears says so, and stays up.

use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::harness::{Gateway, PATIENCE, Place, eventually};

#[tokio::test]
async fn requests_past_the_bound_are_turned_away_at_once() {
    let place = Place::new().with_env("MOSAIC_LIMITS__REQUESTS", "2").with_env("MOSAIC_LIMITS__BODY_BYTES", "2000");
    let gateway = Gateway::start_in(&place).await;
    let client = gateway.admin();
    let mut slow = Vec::new();
    for n in 1..=2 {
        let head = format!(
            "POST /api/v1/notes HTTP/1.1\r\nhost: mosaic\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n",
            client.token()
        );
        let mut stream = TcpStream::connect(place.address()).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        slow.push(stream);
        let under_way = format!("\nmosaic_http_requests_in_flight {n}\n");
        eventually("it is under way", PATIENCE, || async { client.get("/metrics").await.text().contains(&under_way).then_some(()) }).await;
    }
    let refused = client.get("/api/v1/notes").await;
    refused.problem(503, "overloaded");
    assert!(refused.header("retry-after").parse::<u32>().unwrap() > 0);
    // What tells of its state is answered all the same.
    for path in ["/livez", "/readyz", "/metrics"] {
        client.get(path).await.expect(200);
    }
    drop(slow);
    eventually("there is room again", PATIENCE, || async { (client.get("/api/v1/notes").await.status == 200).then_some(()) }).await;

    // The bound of a body is the config's.
    let body = json!({ "title": "t", "body": "x".repeat(2000) });
    client.post("/api/v1/notes", &body).await.refusal(413, "body_too_large", "2000");
}

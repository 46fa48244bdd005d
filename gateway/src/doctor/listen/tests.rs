//! Who may be there, and what is said of them. They are small servers that answer as they are told.

use std::time::Duration;

use mosaic_core::Status;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

fn soon() -> Instant {
    Instant::now() + Duration::from_millis(500)
}

/// What is found of one that answers this to each request; `None` to answer nothing.
async fn found(answer: Option<String>) -> Check {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 1024]).await;
            match &answer {
                Some(answer) => drop(stream.write_all(answer.as_bytes()).await),
                None => std::future::pending().await,
            }
        }
    });
    look(address, Speaks::Plain, None, soon()).await
}

async fn found_http(status: &str, body: &str) -> Check {
    found(Some(format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len()))).await
}

#[tokio::test]
async fn a_gateway_says_how_it_is() {
    for (status, body, expected, message) in [
        ("200 OK", r#"{"status":"ready"}"#, Status::Green, "answers and is ready"),
        ("200 OK", r#"{"status":"ready","degraded":[]}"#, Status::Green, "answers and is ready"),
        ("200 OK", r#"{"status":"ready","degraded":["cache"]}"#, Status::Yellow, "answers and is ready, but does without: cache"),
        (
            "503 Service Unavailable",
            r#"{"status":503,"detail":"the storage does not answer","not_ready":["storage"]}"#,
            Status::Red,
            "answers and is not ready: storage (the storage does not answer)",
        ),
        (
            "503 Service Unavailable",
            r#"{"status":503,"detail":"the gateway is starting","not_ready":["gateway"]}"#,
            Status::Yellow,
            "answers and is not ready: gateway (the gateway is starting)",
        ),
    ] {
        let check = found_http(status, body).await;
        assert_eq!((check.status, check.message.as_str()), (expected, message), "{body}");
        assert_eq!(check.remediation.is_some(), expected != Status::Green, "{check:?}");
    }
}

#[tokio::test]
async fn whoever_else_is_there_is_told_from_a_gateway() {
    let endless = format!("HTTP/1.1 200 OK\r\n\r\n{}", " ".repeat(2 * ANSWER_BYTES));
    for answer in [
        "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\ncontent-length: 15\r\n\r\n{\"status\":\"up\"}",
        "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 2\r\n\r\n{}",
        "SSH-2.0-OpenSSH_9.6\r\n",
        "",
        &endless,
    ] {
        let check = found(Some(answer.to_owned())).await;
        assert_eq!((check.status, check.message.as_str()), (Status::Red, "something listens here that is no mosaic gateway"), "{answer:?}");
        let cure = check.remediation.unwrap();
        assert!(cure.contains("ss -ltnp") && cure.contains("mosaic serve --listen 127.0.0.1:"), "{cure}");
    }
    let silent = found(None).await;
    assert_eq!((silent.status, silent.message.as_str()), (Status::Red, "something listens here and does not answer"));
    assert!(silent.latency_ms >= 500 && silent.remediation.is_some(), "{silent:?}");
}

#[tokio::test]
async fn nobody_may_be_there() {
    // A port that was free a moment ago.
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let check = look(address, Speaks::Plain, None, soon()).await;
    assert_eq!((check.status, check.message.as_str(), check.target), (Status::Green, "no gateway runs here", address.to_string()));
    // TEST-NET-1 (RFC 5737) is nobody's.
    let elsewhere = look("192.0.2.1:7420".parse().unwrap(), Speaks::Plain, None, soon()).await;
    assert!(elsewhere.status == Status::Red && elsewhere.message.starts_with("this machine does not have this address"), "{elsewhere:?}");
    assert!(elsewhere.remediation.unwrap().contains("mosaic serve --listen"));
}

#[tokio::test]
async fn what_others_say_is_cut() {
    let parts = format!(r#"{{"not_ready":["{}"],"detail":"{}"}}"#, "é".repeat(TEXT_CHARS + 50), "x".repeat(TEXT_CHARS + 50));
    let message = found_http("503 Service Unavailable", &parts).await.message;
    assert!(message.chars().count() < 2 * TEXT_CHARS + 50, "{message}");
}

#[tokio::test]
async fn one_is_ready_only_when_it_says_so() {
    let asked = async |status: &str, body: &str| {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let _ = stream.read(&mut [0; 1024]).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        is_ready(address, Speaks::Plain, soon()).await
    };
    assert_eq!(asked("200 OK", r#"{"status":"ready","degraded":["cache"]}"#).await.unwrap(), ["cache"]);
    for (status, body, said) in [
        (
            "503 Service Unavailable",
            r#"{"status":503,"detail":"the gateway is starting","not_ready":["gateway"]}"#,
            "the gateway is starting",
        ),
        ("503 Service Unavailable", r#"{"status":503,"detail":"no","not_ready":["storage"]}"#, "not ready: storage (no)"),
        ("400 Bad Request", r#"{"code":"tls_required"}"#, "over TLS alone"),
        ("200 OK", "ok", "no mosaic gateway"),
    ] {
        let error = asked(status, body).await.unwrap_err();
        assert!(error.to_string().contains(said), "{error} does not say {said}");
    }
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = is_ready(nobody, Speaks::Plain, soon()).await.unwrap_err();
    assert_eq!((error.kind(), error.hint_text()), (ErrorKind::Unavailable, Some("mosaic serve")));
}

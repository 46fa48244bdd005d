//! What the front makes of handlers that fail in ways that ours should not.

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use http_body_util::BodyExt;
use mosaic_core::{CountingIds, Error, ErrorKind, SystemClock};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use super::super::app::Parts;
use super::*;
use crate::config::{Limits, TrustedProxies};
use crate::doctor::Report;
use crate::telemetry;

async fn answer(handler: axum::routing::MethodRouter) -> (StatusCode, Value) {
    let app = App::new(Parts {
        limits: Limits { requests: 1, ..Limits::default() },
        tier: "memory".into(),
        trusted_proxies: TrustedProxies::default(),
        clock: Arc::new(SystemClock),
        ids: Arc::new(CountingIds::default()),
        metrics: telemetry::metrics().unwrap(),
        tasks: TaskTracker::new(),
        stopping: CancellationToken::new(),
        model: None,
        chat: None,
        look: Arc::new(|| Box::pin(async { Report::new(None, Vec::new()) })),
    });
    let router = Router::new().route("/", handler).layer(from_fn_with_state(Arc::clone(&app), front));
    let response = router.oneshot(Request::new(Body::empty())).await.unwrap();
    assert_eq!(app.room.available_permits(), 1, "its place is given back");
    let status = response.status();
    (status, serde_json::from_slice(&response.into_body().collect().await.unwrap().to_bytes()).unwrap())
}

fn check(document: &Value, code: &str) {
    assert_eq!(document["code"], code);
    let text = document.to_string();
    assert!(!text.contains("secret") && !text.contains("10.0.0.7"), "{text}");
    assert!(document["request_id"].as_str().is_some_and(|id| !id.is_empty()));
}

#[tokio::test]
async fn a_panic_is_a_problem_and_nothing_more() {
    async fn handler() {
        panic!("a secret");
    }
    let (status, document) = answer(get(handler)).await;
    assert_eq!(status, 500);
    check(&document, "internal");
}

#[tokio::test]
async fn a_fault_of_ours_says_nothing_but_its_id() {
    for kind in [ErrorKind::Internal, ErrorKind::Corrupt, ErrorKind::Config, ErrorKind::InUse] {
        let handler = async move || {
            let error = Error::new(kind, "a secret").with("target", "10.0.0.7").hint("a secret").source(std::io::Error::other("a secret"));
            Problem::from(error)
        };
        let (status, document) = answer(get(handler)).await;
        assert_eq!(status, 500);
        check(&document, "internal");
    }
}

#[tokio::test]
async fn what_the_operator_must_mend_says_what_it_is_but_not_where() {
    for (kind, status, code) in [
        (ErrorKind::Unavailable, 503, "unavailable"),
        (ErrorKind::Full, 507, "full"),
        (ErrorKind::Timeout, 504, "timeout"),
        (ErrorKind::Unsupported, 501, "unsupported"),
    ] {
        let handler = async move || {
            Problem::from(Error::new(kind, "the storage fails").with("target", "10.0.0.7").source(std::io::Error::other("a secret")))
        };
        let (answered, document) = answer(get(handler)).await;
        assert_eq!((answered.as_u16(), document["detail"].as_str()), (status, Some("the storage fails")));
        check(&document, code);
    }
}

#[tokio::test]
async fn a_status_alone_gets_a_document() {
    for (status, code) in
        [(StatusCode::BAD_REQUEST, "invalid_request"), (StatusCode::IM_A_TEAPOT, "invalid_request"), (StatusCode::BAD_GATEWAY, "internal")]
    {
        let (answered, document) = answer(get(async move || (status, "a secret"))).await;
        assert_eq!(answered, status);
        check(&document, code);
    }
}

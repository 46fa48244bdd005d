//! Two gateways on the same data: one makes the embeddings, also of what the other wrote, and the other goes on when it stops.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::routing::post;
use axum::{Json, Router};
use mosaic_core::{Backend, CountingIds, Id, IdSource, Kind, Record, SystemClock, Timestamp, memory};
use mosaic_gateway::embedding::{Noting, Worker, WorkerParts, Written};
use mosaic_gateway::models::Embeddings;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A model server that answers the same vector to everything, and counts.
async fn server() -> (String, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let answer = move |Json(wanted): Json<Value>| async move {
        counter.fetch_add(1, Ordering::SeqCst);
        let count = wanted["input"].as_array().unwrap().len();
        let data: Vec<_> = (0..count).map(|index| json!({ "index": index, "embedding": [1, 0] })).collect();
        Json(json!({ "data": data }))
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/v1/embeddings", post(answer))).await });
    (url, asked)
}

/// A gateway, as far as it makes embeddings.
struct Gateway {
    /// What it writes through.
    storage: Noting,
    model: Arc<Embeddings>,
    asked: Arc<AtomicUsize>,
    others: watch::Sender<usize>,
    stop: CancellationToken,
    running: JoinHandle<mosaic_core::Result<()>>,
}

impl Gateway {
    async fn start(backend: &Backend, holder: u128) -> Self {
        let (base_url, asked) = server().await;
        let section = serde_json::from_value(json!({ "base_url": base_url, "model": "tiny" })).unwrap();
        let model = Arc::new(Embeddings::new(&section, Path::new("")).unwrap());
        let (written, others, stop) = (Arc::new(Written::default()), watch::Sender::new(1), CancellationToken::new());
        let worker = Worker::new(WorkerParts {
            model: Arc::clone(&model),
            storage: Arc::clone(&backend.storage),
            vectors: Arc::clone(backend.vectors.as_ref().unwrap()),
            clock: Arc::new(SystemClock),
            written: Arc::clone(&written),
            holder: Id::from_u128(holder),
            others: others.subscribe(),
        });
        let running = tokio::spawn(worker.run(stop.clone()));
        Self { storage: Noting::new(Arc::clone(&backend.storage), written), model, asked, others, stop, running }
    }

    async fn write(&self, record: Record) {
        use mosaic_core::Storage as _;
        assert!(matches!(self.storage.load(&[record], None).await.unwrap()[..], [mosaic_core::Loaded::Added]));
    }

    async fn stop(self) {
        self.stop.cancel();
        self.running.await.unwrap().unwrap();
    }
}

fn user(id: Id) -> Record {
    serde_json::from_value(
        json!({ "kind": "user", "id": id, "login": "ada", "name": "Ada", "role": "member", "created_at": "2026-01-01T00:00:00Z" }),
    )
    .unwrap()
}

fn note(id: Id, owner: Id) -> Record {
    serde_json::from_value(json!({ "kind": "note", "id": id, "owner_id": owner, "title": "note", "created_at": "2026-01-01T00:00:00Z" }))
        .unwrap()
}

/// Waits until nothing is pending for the model; answers how long that took.
async fn embedded(backend: &Backend, model: &str) -> Duration {
    let begun = std::time::Instant::now();
    while !backend.vectors.as_ref().unwrap().pending(model, None, 1).await.unwrap().is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(60), "it is not embedded");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    begun.elapsed()
}

#[tokio::test]
async fn one_of_two_gateways_embeds_what_both_write_and_the_other_goes_on() {
    let backend = memory::open();
    let ids = CountingIds::default();
    let next = || ids.next(Timestamp::MIN);
    let owner = next();
    let first = Gateway::start(&backend, 1_001).await;
    first.write(user(owner)).await;
    first.write(note(next(), owner)).await;
    embedded(&backend, first.model.name()).await;
    let second = Gateway::start(&backend, 1_002).await;
    assert_eq!(first.model.name(), second.model.name(), "wherever its server is");

    // What another writes is found by looking.
    second.write(note(next(), owner)).await;
    embedded(&backend, first.model.name()).await;
    first.write(note(next(), owner)).await;
    embedded(&backend, first.model.name()).await;
    assert_eq!(second.asked.load(Ordering::SeqCst), 0);
    assert!(first.asked.load(Ordering::SeqCst) >= 3);

    // The lease is given back at a stop.
    first.stop().await;
    let removed = next();
    second.others.send_replace(0);
    second.write(note(removed, owner)).await;
    embedded(&backend, second.model.name()).await;
    assert_eq!(second.asked.load(Ordering::SeqCst), 1);
    let own = backend.vectors.as_ref().unwrap().export(None, 10).await.unwrap();
    assert_eq!((own.len(), own[0].kind), (4, Kind::Note));
    second.stop().await;
    assert!(backend.storage.state("embedding").await.unwrap().is_none());
}

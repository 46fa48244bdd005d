//! Asks a gateway all the time how it is. What must not come in: why it is so.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hyper::Method;
use serde_json::json;
use tokio::task::JoinHandle;

use crate::harness::{Answer, Client, Gateway};

const PAUSE: Duration = Duration::from_millis(25);
/// How long an answer to `/livez` may take. It touches nothing, but the machine may be busy.
const PROMPT: Duration = Duration::from_secs(5);

/// What `/readyz` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Ready,
    /// Ready, without the cache.
    WithoutCache,
    /// Not ready: the storage is away.
    WithoutStorage,
}

impl State {
    /// Reads the answer, which is one of these three.
    fn of(answer: &Answer) -> Self {
        if answer.status == 503 {
            let problem = answer.problem(503, "unavailable");
            assert_eq!(problem["not_ready"], json!(["storage"]), "{problem}");
            assert_eq!(answer.header("retry-after"), "1");
            return Self::WithoutStorage;
        }
        assert_eq!(answer.status, 200, "{}", answer.text());
        match answer.json() {
            said if said == json!({ "status": "ready" }) => Self::Ready,
            said if said == json!({ "status": "ready", "degraded": ["cache"] }) => Self::WithoutCache,
            said => panic!("/readyz says {said}"),
        }
    }
}

struct Seen {
    begun: Instant,
    ended: Instant,
    state: State,
}

/// Asks `/livez`, which must answer at once and always, and `/readyz`.
pub(super) struct Watch {
    client: Client,
    seen: Arc<Mutex<Vec<Seen>>>,
    asking: Vec<JoinHandle<()>>,
    stop: Arc<tokio::sync::Notify>,
}

impl Watch {
    pub(super) fn start(gateway: &Gateway) -> Self {
        let client = gateway.anonymous();
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let live = ask(client.clone(), "/livez", |begun, ended, answer| {
            assert_eq!(answer.status, 200, "/livez: {}", answer.text());
            assert!(ended - begun < PROMPT, "/livez took {:?}", ended - begun);
        });
        let record = Arc::clone(&seen);
        let ready = ask(client.clone(), "/readyz", move |begun, ended, answer| {
            let state = State::of(answer);
            record.lock().unwrap_or_else(PoisonError::into_inner).push(Seen { begun, ended, state });
        });
        let stop = Arc::new(tokio::sync::Notify::new());
        let asking = [tokio::spawn(until(Arc::clone(&stop), live)), tokio::spawn(until(Arc::clone(&stop), ready))];
        Self { client, seen, asking: asking.into(), stop }
    }

    fn with<T>(&self, look: impl FnOnce(&[Seen]) -> T) -> T {
        // Whoever asks notices here, and not only at the end, that an answer was not as it must be.
        assert!(self.asking.iter().all(|asking| !asking.is_finished()), "an answer to a probe was wrong");
        look(&self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What was said last.
    pub(super) fn now(&self) -> Option<State> {
        self.with(|seen| seen.last().map(|seen| seen.state))
    }

    /// What was said to those who have asked since.
    pub(super) fn since(&self, moment: Instant) -> Vec<State> {
        self.with(|seen| seen.iter().filter(|seen| seen.begun >= moment).map(|seen| seen.state).collect())
    }

    /// When it was first ready, with all its parts, for one who asked after `moment`.
    pub(super) fn first_ready(&self, moment: Instant) -> Option<Instant> {
        self.with(|seen| seen.iter().find(|seen| seen.begun >= moment && seen.state == State::Ready).map(|seen| seen.ended))
    }

    /// When it last said that it was not.
    pub(super) fn last_not_ready(&self) -> Option<Instant> {
        self.with(|seen| seen.iter().rfind(|seen| seen.state != State::Ready).map(|seen| seen.ended))
    }

    /// What the metric `mosaic_cache_up` says.
    pub(super) async fn cache_up(&self) -> bool {
        let text = self.client.get("/metrics").await.expect(200).text();
        let value = text.lines().find_map(|line| line.strip_prefix("mosaic_cache_up "));
        match value {
            Some("1") => true,
            Some("0") => false,
            other => panic!("mosaic_cache_up {other:?}"),
        }
    }

    /// Asks no more. Fails when an answer was not as it must be.
    pub(super) async fn end(self) {
        self.stop.notify_waiters();
        for asking in self.asking {
            asking.await.unwrap();
        }
    }
}

async fn until(stop: Arc<tokio::sync::Notify>, work: impl Future<Output = ()>) {
    tokio::select! {
        () = work => {}
        () = stop.notified() => {}
    }
}

async fn ask(client: Client, path: &'static str, mut check: impl FnMut(Instant, Instant, &Answer)) {
    loop {
        let begun = Instant::now();
        let answer = client.try_request(Method::GET, path, &[], "").await.unwrap_or_else(|error| panic!("{path}: {error}"));
        check(begun, Instant::now(), &answer);
        tokio::time::sleep(PAUSE).await;
    }
}

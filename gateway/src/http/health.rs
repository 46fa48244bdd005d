//! Whether the gateway lives, and whether it can do its work. What must not come in: anything that makes an answer cost more
//! the more often it is asked for.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use mosaic_core::Storage;
use serde_json::json;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::app::App;
use super::problem::{Problem, UNAVAILABLE};

/// How long a finding stands.
const FRESH: Duration = Duration::from_secs(1);

/// How long the storage may take to answer.
const DEADLINE: Duration = Duration::from_secs(2);

/// Whether the storage answers, looked at no more often than every [`FRESH`], by one request for all.
#[derive(Default)]
pub(super) struct Pulse(Mutex<Option<(Instant, Option<&'static str>)>>);

impl Pulse {
    /// What is wrong with the storage, if something is.
    async fn trouble(&self, storage: &dyn Storage) -> Option<&'static str> {
        let mut last = self.0.lock().await;
        if let Some((at, found)) = *last
            && at.elapsed() < FRESH
        {
            return found;
        }
        let found = match timeout(DEADLINE, storage.ping()).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => {
                tracing::warn!("the storage is not ready: {error:?}");
                Some("the storage does not answer")
            }
            Err(_) => Some("the storage does not answer in time"),
        };
        *last = Some((Instant::now(), found));
        found
    }
}

/// `GET /livez`: the process runs. Touches nothing.
pub(super) async fn live() -> Json<serde_json::Value> {
    Json(json!({ "status": "live" }))
}

/// `GET /readyz`: requests would be answered, and what they would be answered without; else, which part is not ready.
pub(super) async fn ready(State(app): State<Arc<App>>) -> Response {
    let not_ready = |part: &str, detail: &'static str| {
        Problem::new(UNAVAILABLE, detail).member("not_ready", json!([part])).retry_after(1).into_response()
    };
    if app.parts.stopping.is_cancelled() {
        return not_ready("gateway", "the gateway is stopping");
    }
    let Ok(data) = app.data() else { return not_ready("gateway", "the gateway is starting") };
    match data.pulse.trouble(&*data.records.storage).await {
        Some(detail) => not_ready("storage", detail),
        None if data.cache.ping().await.is_err() => Json(json!({ "status": "ready", "degraded": ["cache"] })).into_response(),
        None => Json(json!({ "status": "ready" })).into_response(),
    }
}

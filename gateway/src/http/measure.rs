//! What is measured of each request, `/metrics` that shows it, and the access log. What must not come in: a query string or a
//! header, since they may hold secrets, and labels that a client chooses.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Method};
use axum::response::{IntoResponse, Response};
use metrics::{counter, gauge, histogram};

use super::PROBES;
use super::app::App;
use super::sign_in::SignedIn;

/// The route's label for paths that are none.
const NO_ROUTE: &str = "none";

/// A request under way. One that is dropped unfinished (its client went away) is measured and logged as such.
pub(super) struct Measured {
    start: Instant,
    method: Method,
    path: String,
    route: String,
    /// Whether a machine asks how the gateway is, which it does every few seconds: not worth a line in the log.
    probe: bool,
    finished: bool,
}

impl Measured {
    /// Begins to measure.
    pub(super) fn start(request: &Request, route: Option<&str>) -> Self {
        Self {
            start: Instant::now(),
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            route: route.unwrap_or(NO_ROUTE).to_owned(),
            probe: route.is_some_and(|route| PROBES.contains(&route)),
            finished: false,
        }
    }

    /// Measures the answer.
    pub(super) fn finish(mut self, response: &Response, request_id: &str) {
        self.finished = true;
        let status = response.status();
        let ms = self.record(status.as_str());
        let (method, path, status) = (&self.method, Printable(&self.path), status.as_u16());
        if self.probe {
            tracing::debug!(%method, %path, status, ms, request_id, "request");
        } else {
            let user = response.extensions().get::<SignedIn>().map(|SignedIn(user)| tracing::field::display(user));
            tracing::info!(%method, %path, status, ms, user, request_id, "request");
        }
    }

    fn record(&mut self, status: &str) -> f64 {
        let elapsed = self.start.elapsed();
        let method = known(&self.method);
        let route = std::mem::take(&mut self.route);
        counter!("mosaic_http_requests_total", "method" => method, "route" => route.clone(), "status" => status.to_owned()).increment(1);
        histogram!("mosaic_http_request_duration_seconds", "method" => method, "route" => route).record(elapsed);
        (elapsed.as_secs_f64() * 1e5).round() / 100.0
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        if !self.finished {
            let ms = self.record("dropped");
            tracing::info!(method = %self.method, path = %Printable(&self.path), ms, "the client went away before the answer");
        }
    }
}

/// The methods that get a label of their own: a client can make up any number of others.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::PUT => "PUT",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// A path as it may stand in a log line, cut where it is longer than any of ours.
struct Printable<'p>(&'p str);

impl std::fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.chars().take(200).try_for_each(|c| if c.is_control() { f.write_str("?") } else { std::fmt::Write::write_char(f, c) })
    }
}

/// `GET /metrics`, in Prometheus' text format. Open to all: it holds counts, and nothing of the data.
pub(super) async fn metrics(State(app): State<Arc<App>>) -> Response {
    for (name, places) in [("mosaic_http_requests_in_flight", &app.room), ("mosaic_http_followers", &app.followers)] {
        let taken = app.parts.limits.requests - places.available_permits();
        #[expect(clippy::cast_precision_loss, reason = "a number of requests is small")]
        gauge!(name).set(taken as f64);
    }
    if let Some(bytes) = resident_memory().await {
        gauge!("process_resident_memory_bytes").set(bytes);
    }
    if let Ok(data) = app.data() {
        gauge!("mosaic_cache_up").set(f64::from(data.cache.ping().await.is_ok()));
    }
    let text = app.parts.metrics.render();
    ([(CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"))], text).into_response()
}

/// What this process holds in memory, in bytes, where the system says it (Linux, proc(5)).
async fn resident_memory() -> Option<f64> {
    let status = tokio::fs::read_to_string("/proc/self/status").await.ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok().map(|kib| kib * 1024.0)
}

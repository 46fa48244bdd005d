//! What each request passes through, whatever it asks for: its id, the bounds on its head, its place among the requests under
//! way, its deadline, the net under a panic, the problem document, the headers of every answer, metrics and the access log.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_LENGTH, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use mosaic_core::Kind;
use tokio::sync::OwnedSemaphorePermit;

use super::app::App;
use super::held::held;
use super::measure::Measured;
use super::problem::{HEADERS_TOO_LARGE, INTERNAL, OVERLOADED, Problem, TIMEOUT, URI_TOO_LONG};
use super::turns::{EVENTS, STOP};
use super::{BACKUP, EXPORT, IMPORT, PROBES, paths};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// No other site's page loads what is here, not even to find out that a gateway runs on its visitor's machine.
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// The longest request id that is taken from a client.
const REQUEST_ID_BYTES: usize = 64;

/// How long a URI may be, and how long all headers may be together, in bytes; and how many headers there may be. The server
/// itself bears a little more ([`crate::serve`]), so that these are answered with a problem.
const URI_BYTES: usize = 8 << 10;
const HEADER_BYTES: usize = 16 << 10;
const HEADERS: usize = 100;

/// Passes a request on, and its answer back.
pub(super) async fn front(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let request_id = request_id(request.headers(), &app);
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let measured = Measured::start(&request, route.as_deref());
    let (answered, place) = match admit(&app, &request, route.as_deref()) {
        Ok((place, deadline)) => (answer(request, next, deadline).await, place),
        Err(problem) => (problem.into_response(), None),
    };
    let mut response = with_document(answered, &request_id);
    if let Some(place) = place {
        response = response.map(|body| held(body, place));
    }
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if let Ok(id) = HeaderValue::from_str(&request_id) {
        headers.insert(X_REQUEST_ID, id);
    }
    measured.finish(&response, &request_id);
    response
}

/// The id that a client gave, if it is a modest one; else a new one.
fn request_id(headers: &HeaderMap, app: &App) -> String {
    let modest = |id: &&str| {
        (1..=REQUEST_ID_BYTES).contains(&id.len()) && id.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.'))
    };
    match headers.get(X_REQUEST_ID).and_then(|id| id.to_str().ok()).filter(modest) {
        Some(id) => id.to_owned(),
        None => app.parts.ids.next(app.parts.clock.now()).simple().to_string(),
    }
}

/// A request's place among those under way.
type Place = OwnedSemaphorePermit;

/// Lets a request in; answers its place, unless it needs none, and how long it may take.
fn admit(app: &App, request: &Request, route: Option<&str>) -> Result<(Option<Place>, Option<Duration>), Problem> {
    if request.uri().path_and_query().map_or(0, |path| path.as_str().len()) > URI_BYTES {
        return Err(Problem::new(URI_TOO_LONG, format!("the URI is longer than {URI_BYTES} bytes")));
    }
    let headers = request.headers();
    if headers.len() > HEADERS || headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum::<usize>() > HEADER_BYTES {
        return Err(Problem::new(
            HEADERS_TOO_LARGE,
            format!("the headers are more than {HEADERS}, or longer than {HEADER_BYTES} bytes together"),
        ));
    }
    // What tells of the gateway's state must answer in particular when it has no room left.
    let follows = match route {
        Some(EVENTS) => true,
        Some(route) => *request.method() == Method::POST && route == paths::collection(Kind::Message),
        None => false,
    };
    let place = if route.is_some_and(|route| PROBES.contains(&route)) {
        None
    } else {
        let overloaded = || Problem::new(OVERLOADED, "the gateway has as many requests under way as it bears");
        // What waits for an agent, for minutes, keeps out others that do, and nothing else.
        let place = Arc::clone(if follows { &app.followers } else { &app.room }).try_acquire_owned();
        Some(place.map_err(|_| overloaded().hint("try again in a second").retry_after(1))?)
    };
    // A turn has a bound of its own.
    let takes_its_time = follows || matches!(route, Some(IMPORT | EXPORT | BACKUP | STOP));
    let deadline = (!takes_its_time).then(|| app.parts.limits.request_time());
    Ok((place, deadline))
}

async fn answer(request: Request, next: Next, deadline: Option<Duration>) -> Response {
    let work = AssertUnwindSafe(next.run(request)).catch_unwind();
    let outcome = match deadline {
        Some(deadline) => match tokio::time::timeout(deadline, work).await {
            Ok(outcome) => outcome,
            Err(_) => {
                return Problem::new(TIMEOUT, format!("the request took longer than {} s", deadline.as_secs()))
                    .hint("it may or may not have been done: look before trying again")
                    .into_response();
            }
        },
        None => work.await,
    };
    // The panic itself is in the log.
    outcome.unwrap_or_else(|_| Problem::bare(INTERNAL.status).into_response())
}

/// Gives an answer that is a failure the document that says why, also where a part of the server answered by status alone.
fn with_document(mut response: Response, request_id: &str) -> Response {
    let status = response.status();
    let problem = match response.extensions_mut().remove::<Problem>() {
        Some(problem) => problem,
        None if status.is_client_error() || status.is_server_error() => {
            let problem = Problem::bare(status);
            let mut replaced = problem.clone().into_response();
            *replaced.status_mut() = status;
            let own = std::mem::take(response.headers_mut());
            replaced
                .headers_mut()
                .extend(own.into_iter().filter_map(|(name, value)| Some((name?, value))).filter(|(name, _)| name == "allow"));
            replaced.extensions_mut().extend(std::mem::take(response.extensions_mut()));
            response = replaced;
            problem
        }
        None => return response,
    };
    report(&problem, status, request_id);
    let body = problem.document(request_id).to_string();
    response.headers_mut().insert(CONTENT_LENGTH, body.len().into());
    *response.body_mut() = Body::from(body);
    response
}

fn report(problem: &Problem, status: StatusCode, request_id: &str) {
    match problem.error() {
        Some(error) if status.is_server_error() => tracing::error!(request_id, status = status.as_u16(), "{error:?}"),
        Some(error) => tracing::debug!(request_id, status = status.as_u16(), "{error:?}"),
        None => {}
    }
}

#[cfg(test)]
mod tests;

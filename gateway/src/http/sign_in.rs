//! The door to `/api/v1`: behind it, a request has a [`Caller`]. No handler there can forget to ask.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use mosaic_core::{Id, Kind, Scope};

use super::app::{App, Data, Peer};
use super::forwarded;
use super::problem::{INTERNAL, Problem, TOO_MANY_REQUESTS, UNAUTHORIZED};
use crate::auth::{FAILURE_WINDOW, Principal, Refusal};
use crate::telemetry::AUDIT;

/// Where the hint of a request without a token points.
const HOW: &str = "send the header Authorization: Bearer TOKEN, with a token from `mosaic token create`";

/// Who is asking, and what they are asking of.
#[derive(Clone)]
pub(super) struct Caller {
    pub(super) principal: Arc<Principal>,
    pub(super) data: Arc<Data>,
}

/// Whose request it was, as an extension of the response, for the access log.
#[derive(Clone, Copy)]
pub(super) struct SignedIn(pub(super) Id);

/// Signs a request in, or answers why not.
pub(super) async fn sign_in(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let caller = match caller(&app, &parts).await {
        Ok(caller) => caller,
        Err(problem) => return problem.into_response(),
    };
    let user = caller.principal.user_id;
    parts.extensions.insert(caller);
    let mut response = next.run(Request::from_parts(parts, body)).await;
    response.extensions_mut().insert(SignedIn(user));
    response
}

async fn caller(app: &App, request: &Parts) -> Result<Caller, Problem> {
    let data = app.data()?;
    let Some(secret) = secret(&request.headers) else {
        return Err(Problem::new(UNAUTHORIZED, "the request brings no token").hint(HOW).challenge(None));
    };
    let peer = request.extensions.get::<Peer>().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |Peer(address)| address.ip());
    let client = forwarded::client(peer, &request.headers, &app.parts.trusted_proxies);
    match data.auth.sign_in(secret, client).await {
        Ok(principal) => Ok(Caller { principal: Arc::new(principal), data: Arc::clone(data) }),
        Err(refused) => Err(refusal(refused)),
    }
}

/// The bearer token of a request (RFC 6750, 2.1): `None` without the header, empty when it holds something else.
pub(super) fn secret(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next()?;
    if values.next().is_some() {
        return Some("");
    }
    let credentials = value.to_str().ok().and_then(|value| value.split_once(' '));
    let secret = credentials.and_then(|(scheme, secret)| scheme.eq_ignore_ascii_case("bearer").then(|| secret.trim()));
    Some(secret.unwrap_or_default())
}

fn refusal(refused: Refusal) -> Problem {
    match refused {
        Refusal::Failed(error) => error.into(),
        Refusal::Malformed => {
            Problem::new(UNAUTHORIZED, "the header Authorization holds no bearer token").hint(HOW).challenge(Some("invalid_request"))
        }
        Refusal::Unknown => Problem::new(UNAUTHORIZED, "the token is not known, or was revoked")
            .hint("ask an administrator for another: `mosaic token create`")
            .challenge(Some("invalid_token")),
        Refusal::Expired(end) => Problem::new(UNAUTHORIZED, format!("the token expired at {end}"))
            .hint("ask an administrator for another: `mosaic token create`")
            .challenge(Some("invalid_token")),
        Refusal::TooMany => {
            Problem::new(TOO_MANY_REQUESTS, "too many sign-ins from this address failed").retry_after(FAILURE_WINDOW.as_secs())
        }
    }
}

impl Caller {
    /// The scope for reading a kind; everything's, when the operator asks for it by name. That is logged where it shows what is others'
    /// own: content.
    pub(super) fn reading(&self, kind: Kind, view_all: bool, path: &str) -> Result<Scope, Problem> {
        if !view_all {
            return Ok(self.principal.reading(kind)?);
        }
        let scope = self.principal.reading_all()?;
        if kind.is_content() {
            tracing::info!(target: AUDIT, user = %self.principal.user_id, token = %self.principal.token_id, path, "an operator views all");
        }
        Ok(scope)
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get().cloned().ok_or_else(|| Problem::bare(INTERNAL.status))
    }
}

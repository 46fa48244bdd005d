//! Problems: what a client is told when a request fails, as `application/problem+json` (RFC 9457). A [`Problem`] becomes a
//! response without a body that carries it; [`super::front`] writes the body, since it alone knows the request's id.
//! What must not come in: an error's source, which goes to the log.

use axum::http::header::{CONTENT_TYPE, ETAG, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use mosaic_core::{Error, ErrorKind, Retry};
use serde_json::{Map, Value};
use std::sync::Arc;

/// A sort of problem, by its stable name.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Code {
    pub(super) name: &'static str,
    pub(super) status: StatusCode,
    pub(super) title: &'static str,
    /// What to do about it, unless the problem at hand says it better.
    pub(super) cure: &'static str,
}

macro_rules! codes {
    ($($CONST:ident = $name:literal $status:ident $title:literal, $cure:literal;)*) => {
        $(pub(super) const $CONST: &Code = &Code { name: $name, status: StatusCode::$status, title: $title, cure: $cure };)*

        /// Every code, for the documentation.
        pub(super) const CODES: &[&Code] = &[$($CONST,)*];
    };
}

codes! {
    INVALID_REQUEST = "invalid_request" BAD_REQUEST "The request is malformed",
        "/docs says what this path takes";
    TLS_REQUIRED = "tls_required" BAD_REQUEST "The gateway speaks TLS",
        "use the scheme https in its url";
    INVALID_CURSOR = "invalid_cursor" BAD_REQUEST "The cursor is not one of this list",
        "use next_cursor as it came, or leave it out to begin anew";
    UNAUTHORIZED = "unauthorized" UNAUTHORIZED "The request is not signed in",
        "send the header Authorization: Bearer TOKEN";
    FORBIDDEN = "forbidden" FORBIDDEN "This is not allowed",
        "ask an administrator, or whoever it belongs to";
    NOT_FOUND = "not_found" NOT_FOUND "There is no such thing, or you may not see it",
        "look at the id; what you may not see is not found either";
    METHOD_NOT_ALLOWED = "method_not_allowed" METHOD_NOT_ALLOWED "The path does not take this method",
        "the header Allow says which methods the path takes";
    CONFLICT = "conflict" CONFLICT "Another record stands in the way",
        "choose another value, or change the record that is there";
    STALE = "stale" PRECONDITION_FAILED "The record has changed",
        "read it again, and repeat the change with its present revision";
    BODY_TOO_LARGE = "body_too_large" PAYLOAD_TOO_LARGE "The body is too large",
        "send less, or raise limits.body_bytes in the gateway's config";
    URI_TOO_LONG = "uri_too_long" URI_TOO_LONG "The URI is too long",
        "send a shorter one";
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type" UNSUPPORTED_MEDIA_TYPE "The body is of another type than the path takes",
        "/docs says what this path takes";
    INVALID = "invalid" UNPROCESSABLE_ENTITY "The record breaks a rule",
        "/docs lists the fields of each kind and their bounds";
    TOO_MANY_REQUESTS = "too_many_requests" TOO_MANY_REQUESTS "Too many sign-ins failed",
        "look at the token that is sent, and wait a minute; one that worked within the last hour still does";
    HEADERS_TOO_LARGE = "headers_too_large" REQUEST_HEADER_FIELDS_TOO_LARGE "The headers are too large",
        "send fewer, or shorter ones";
    INTERNAL = "internal" INTERNAL_SERVER_ERROR "The gateway failed",
        "try again; if it stays, give this request_id to the operator";
    UNSUPPORTED = "unsupported" NOT_IMPLEMENTED "This gateway does not offer it",
        "ask the operator for another tier";
    UNAVAILABLE = "unavailable" SERVICE_UNAVAILABLE "The gateway cannot answer at the moment",
        "try again in a moment";
    OVERLOADED = "overloaded" SERVICE_UNAVAILABLE "Too many requests are under way",
        "try again in a second";
    TIMEOUT = "timeout" GATEWAY_TIMEOUT "It took too long",
        "look whether it was done before trying again";
    FULL = "full" INSUFFICIENT_STORAGE "No space is left",
        "ask the operator to free space where the gateway keeps its data";
}

/// What a client is told when a request fails.
#[derive(Debug, Clone)]
pub(super) struct Problem(Box<Parts>);

#[derive(Debug, Clone)]
struct Parts {
    code: &'static Code,
    detail: String,
    hint: Option<String>,
    members: Map<String, Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
    error: Option<Arc<Error>>,
}

impl Problem {
    /// A problem of this sort. `detail` is one line, lowercase and without a full stop, like an error's.
    pub(super) fn new(code: &'static Code, detail: impl Into<String>) -> Self {
        Self(Box::new(Parts { code, detail: detail.into(), hint: None, members: Map::new(), headers: Vec::new(), error: None }))
    }

    /// An error about the request itself rather than about a record: its syntax, its parameters.
    pub(super) fn malformed(error: Error) -> Self {
        Self::of(INVALID_REQUEST, error)
    }

    /// An error as a problem of this sort.
    pub(super) fn of(code: &'static Code, error: Error) -> Self {
        let mut problem = Self::new(code, error.to_string());
        problem.0.hint = error.hint_text().map(str::to_owned);
        problem.0.error = Some(Arc::new(error));
        problem
    }

    /// The problem of a response that says it by its status alone.
    pub(super) fn bare(status: StatusCode) -> Self {
        let code = CODES.iter().find(|code| code.status == status).copied();
        match code {
            Some(METHOD_NOT_ALLOWED) => Self::new(METHOD_NOT_ALLOWED, "the path does not take this method"),
            Some(code) if status.is_client_error() => Self::new(code, "the request cannot be taken"),
            _ if status.is_client_error() => Self::new(INVALID_REQUEST, "the request cannot be taken"),
            _ => Self::new(INTERNAL, FAULT),
        }
    }

    /// Says what to do about it.
    #[must_use]
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Adds a member of its own to the document.
    #[must_use]
    pub(super) fn member(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.0.members.insert(name.into(), value.into());
        self
    }

    /// Adds a header to the response.
    #[must_use]
    pub(super) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }

    /// Says when to try again.
    #[must_use]
    pub(super) fn retry_after(self, seconds: u64) -> Self {
        self.header(RETRY_AFTER, seconds.into())
    }

    /// Says how to sign in (RFC 6750, 3). `error` is for a request that brought a token.
    #[must_use]
    pub(super) fn challenge(self, error: Option<&'static str>) -> Self {
        let challenge = match error {
            Some("invalid_token") => HeaderValue::from_static("Bearer realm=\"mosaic\", error=\"invalid_token\""),
            Some(_) => HeaderValue::from_static("Bearer realm=\"mosaic\", error=\"invalid_request\""),
            None => HeaderValue::from_static("Bearer realm=\"mosaic\""),
        };
        self.header(WWW_AUTHENTICATE, challenge)
    }

    /// The error behind it, for the log.
    pub(super) fn error(&self) -> Option<&Error> {
        self.0.error.as_deref()
    }

    /// The document (RFC 9457).
    pub(super) fn document(self, request_id: &str) -> Value {
        let parts = *self.0;
        let mut document = Map::new();
        document.insert("type".into(), format!("/docs#{}", parts.code.name).into());
        document.insert("title".into(), parts.code.title.into());
        document.insert("status".into(), parts.code.status.as_u16().into());
        document.insert("code".into(), parts.code.name.into());
        document.insert("detail".into(), parts.detail.into());
        document.insert("hint".into(), parts.hint.unwrap_or_else(|| parts.code.cure.into()).into());
        document.extend(parts.members);
        document.insert("request_id".into(), request_id.into());
        Value::Object(document)
    }
}

/// What is said of a fault of ours.
const FAULT: &str = "the gateway met an error it did not expect; its log says more, under this request_id";

impl From<Error> for Problem {
    /// Says of an error what a client may know: all of those that are the client's to mend, the bare message of those that
    /// are the operator's, and nothing of faults of ours.
    fn from(error: Error) -> Self {
        let code = match error.kind() {
            ErrorKind::Invalid => INVALID,
            ErrorKind::NotFound => NOT_FOUND,
            ErrorKind::Forbidden => FORBIDDEN,
            ErrorKind::Conflict => CONFLICT,
            ErrorKind::Stale => return stale(error),
            ErrorKind::Full | ErrorKind::Unavailable | ErrorKind::Timeout | ErrorKind::Unsupported => return operational(error),
            _ => INTERNAL,
        };
        let mut problem = Self::of(code, error);
        if code == INTERNAL {
            problem.0.detail = FAULT.into();
            problem.0.hint = None;
        }
        problem
    }
}

fn stale(error: Error) -> Problem {
    let revision = error.get("revision").and_then(|revision| revision.parse::<u64>().ok());
    let problem = Problem::of(STALE, error);
    match revision {
        Some(revision) => problem.member("revision", revision).header(ETAG, super::etag::of(revision)),
        None => problem,
    }
}

fn operational(error: Error) -> Problem {
    let code = match error.kind() {
        ErrorKind::Full => FULL,
        ErrorKind::Unavailable => UNAVAILABLE,
        ErrorKind::Timeout => TIMEOUT,
        _ => UNSUPPORTED,
    };
    let mut problem = Problem::new(code, error.message());
    if error.retry_class() == Retry::Unknown {
        problem = problem.hint("it may or may not have been done: look before trying again");
    }
    if code == UNAVAILABLE {
        problem = problem.retry_after(1);
    }
    problem.0.error = Some(Arc::new(error));
    problem
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.0.code.status.into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        for (name, value) in &self.0.headers {
            response.headers_mut().insert(name, value.clone());
        }
        response.extensions_mut().insert(self);
        response
    }
}

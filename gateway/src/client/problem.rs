//! What goes wrong between a client and a gateway, as an error: problems that the gateway answers (RFC 9457), and requests that
//! it does not answer.

use std::error::Error as StdError;
use std::io;

use mosaic_core::{Error, ErrorKind, Retry};
use reqwest::header::LOCATION;
use reqwest::{Response, StatusCode, Url};
use serde::Deserialize;

use crate::transfer::Report;

/// How much of an answer that is no success is read, in bytes: more than an import's report takes.
const PROBLEM_BYTES: usize = 256 << 10;
/// The longest text of a gateway's problem that is shown, in characters.
const TEXT_CHARS: usize = 2_000;

/// What to do when a gateway is not who it should be.
const TRUST: &str = "give the url with the name that its certificate has; if an authority of your own signed it, name that one's \
                     certificate with --ca-file or MOSAIC_CA_FILE; a gateway without TLS has a url with http://";

/// An RFC 9457 problem, as far as it is shown.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Problem {
    title: Option<String>,
    detail: Option<String>,
    hint: Option<String>,
    request_id: Option<String>,
    report: Option<Report>,
}

/// The error in an answer that is no success, and the report of an import.
pub(super) async fn problem(mut answer: Response) -> (Error, Option<Report>) {
    let status = answer.status();
    let kind = kind_of(status);
    if status.is_redirection() {
        let to = answer.headers().get(LOCATION).and_then(|to| to.to_str().ok()).unwrap_or_default();
        return (Error::new(kind, "the gateway is elsewhere").with("location", to).hint("give that url"), None);
    }
    let mut body = Vec::new();
    while let Ok(Some(piece)) = answer.chunk().await {
        body.extend_from_slice(&piece);
        if body.len() > PROBLEM_BYTES {
            break;
        }
    }
    let problem: Problem = serde_json::from_slice(&body).unwrap_or_default();
    let error = match problem.detail.or(problem.title) {
        Some(text) => Error::new(kind, clip(&text)),
        None => Error::new(kind, format!("the gateway answered {status}")).with("url", answer.url()),
    };
    let error = match problem.request_id {
        Some(id) if status.is_server_error() => error.with("request_id", clip(&id)),
        _ => error,
    };
    let error = match problem.hint {
        Some(hint) => error.hint(clip(&hint)),
        None => error,
    };
    (error, problem.report)
}

fn kind_of(status: StatusCode) -> ErrorKind {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => ErrorKind::Forbidden,
        StatusCode::NOT_FOUND => ErrorKind::NotFound,
        StatusCode::CONFLICT => ErrorKind::Conflict,
        StatusCode::PRECONDITION_FAILED => ErrorKind::Stale,
        StatusCode::NOT_IMPLEMENTED => ErrorKind::Unsupported,
        StatusCode::GATEWAY_TIMEOUT => ErrorKind::Timeout,
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => ErrorKind::Unavailable,
        StatusCode::INSUFFICIENT_STORAGE => ErrorKind::Full,
        status if status.is_client_error() => ErrorKind::Invalid,
        _ => ErrorKind::Internal,
    }
}

/// The error of a request that had no answer, or not all of it.
pub(super) fn failed(url: &Url, error: reqwest::Error) -> Error {
    // What broke may be the body that was to be sent: then that is the error.
    let (kind, message) = if is_of_tls(&error) {
        (ErrorKind::Unavailable, "the gateway cannot be reached safely")
    } else if error.is_connect() {
        (ErrorKind::Unavailable, "no gateway answers")
    } else if error.is_timeout() {
        (ErrorKind::Timeout, "the gateway did not answer in time")
    } else {
        (ErrorKind::Unavailable, "the connection to the gateway broke")
    };
    let failure = Error::new(kind, message).with("url", url).with("reason", cause(&error));
    let failure = if is_of_tls(&error) {
        failure.hint(TRUST)
    } else if error.is_connect() {
        failure.hint("start it with `mosaic serve`, or give its url with --url")
    } else {
        // It may have come to the gateway, and only the answer not back.
        failure.retry(Retry::Unknown)
    };
    failure.source(error.without_url())
}

/// Whether an error is one of TLS, which waiting does not cure: a certificate that is not trusted, or a server that speaks without.
pub(crate) fn is_of_tls(error: &(dyn StdError + 'static)) -> bool {
    // What an error of input and output wraps is not its source; the source of that is.
    let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    error.is::<rustls::Error>() || wrapped.is_some_and(|error| is_of_tls(error)) || error.source().is_some_and(is_of_tls)
}

/// What is at the bottom of an error.
pub(crate) fn cause(error: &dyn StdError) -> String {
    let mut bottom = error;
    while let Some(error) = bottom.source() {
        bottom = error;
    }
    bottom.to_string()
}

fn clip(text: &str) -> String {
    text.chars().take(TEXT_CHARS).collect()
}

//! What goes wrong between the gateway and a model server, and whose fault it may be. What must not come in: the key that the server is
//! shown; a server that repeats it is not quoted with it.

use std::time::Duration;

use mosaic_core::{Error, ErrorKind};
use reqwest::header::RETRY_AFTER;
use reqwest::{Response, StatusCode, Url};
use serde_json::Value;

use crate::client::cause;

/// How much of an answer that is no success is read, in bytes.
const PROBLEM_BYTES: usize = 64 << 10;
/// The longest text of a server's that is quoted, in characters.
const QUOTED_CHARS: usize = 200;
/// The longest wait that a server is granted.
const LONGEST_WAIT: Duration = Duration::from_secs(600);

/// A request to a model server that did not bring what was asked for.
#[derive(Debug)]
pub struct Failure {
    /// Whose fault it may be.
    pub blame: Blame,
    /// What went wrong, for the log.
    pub error: Error,
    /// When the server wants to be asked again.
    pub retry_after: Option<Duration>,
}

/// Whose fault a failure may be, and so what helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The server's, which is away or has too much to do: waiting helps.
    Away,
    /// The config's, or that of how the server is set up: an operator helps.
    Setup,
    /// Anybody's, also that of the texts that were sent: sending others tells.
    Unclear,
}

impl Failure {
    /// A failure that nobody in particular is to blame for.
    pub(super) fn unclear(error: Error) -> Self {
        Self { blame: Blame::Unclear, error, retry_after: None }
    }

    /// Of a request without an answer, or without all of it.
    pub(super) fn unanswered(url: &Url, error: reqwest::Error) -> Self {
        let (blame, kind, message) = if error.is_connect() {
            (Blame::Away, ErrorKind::Unavailable, "the model server cannot be reached")
        } else if error.is_timeout() {
            // It may be away; or it may take too long for so much text.
            (Blame::Unclear, ErrorKind::Timeout, "the model server did not answer in time")
        } else {
            (Blame::Unclear, ErrorKind::Unavailable, "the connection to the model server broke")
        };
        let reason = cause(&error);
        let error = Error::new(kind, message).with("url", url).with("reason", reason).source(error.without_url());
        Self { blame, error, retry_after: None }
    }

    /// Of an answer that is no success. `secret` is what must not be quoted from it, `section` the config's that names the server.
    pub(super) async fn refused(mut answer: Response, secret: Option<&str>, section: &'static str) -> Self {
        let status = answer.status();
        let blame = match status.as_u16() {
            300..=399 | 401 | 403 | 404 | 405 | 407 => Blame::Setup,
            408 | 425 | 429 | 502 | 503 | 504 | 529 => Blame::Away,
            _ => Blame::Unclear,
        };
        let wait = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let mut body = Vec::new();
        while let Ok(Some(piece)) = answer.chunk().await {
            body.extend_from_slice(&piece);
            if body.len() > PROBLEM_BYTES {
                break;
            }
        }
        let error = Error::new(kind_of(status), format!("the model server answered {status}")).with("url", answer.url());
        let error = match quoted(&body, secret) {
            Some(said) => error.with("said", said),
            None => error,
        };
        let error = match status.as_u16() {
            401 | 403 => error.hint(format!("set {section}.api_key_file to a file with a key that the server takes")),
            300..=399 | 404 | 405 => error.hint(format!("check {section}.base_url and model: the server knows neither or one of them not")),
            _ => error,
        };
        Self { blame, error, retry_after: wait.map(|seconds| Duration::from_secs(seconds).min(LONGEST_WAIT)) }
    }
}

fn kind_of(status: StatusCode) -> ErrorKind {
    match status.as_u16() {
        401 | 403 => ErrorKind::Forbidden,
        404 => ErrorKind::NotFound,
        408 | 504 => ErrorKind::Timeout,
        425 | 429 | 500.. => ErrorKind::Unavailable,
        _ => ErrorKind::Invalid,
    }
}

/// What a server says of an error: OpenAI's `error.message`, Ollama's `error`, vLLM's `message`, FastAPI's `detail`.
fn quoted(body: &[u8], secret: Option<&str>) -> Option<String> {
    said(&serde_json::from_slice(body).ok()?, secret)
}

/// The same, of a body that was read.
pub(super) fn said(body: &Value, secret: Option<&str>) -> Option<String> {
    let places = [&body["error"]["message"], &body["error"], &body["message"], &body["detail"]];
    let said = places.into_iter().find_map(Value::as_str).filter(|said| !said.is_empty())?;
    let said = secret.map_or_else(|| said.to_owned(), |secret| said.replace(secret, "[hidden]"));
    Some(said.chars().take(QUOTED_CHARS).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_is_quoted_cut_and_without_the_key() {
        for (body, expected) in [
            (r#"{"error":{"message":"too long","type":"x"}}"#, Some("too long")),
            (r#"{"error":"model \"x\" not found"}"#, Some("model \"x\" not found")),
            (r#"{"object":"error","message":"no"}"#, Some("no")),
            (r#"{"detail":"no"}"#, Some("no")),
            (r#"{"detail":[{"input":"a record"}]}"#, None),
            (r#"{"error":{"message":"Incorrect API key provided: sk-1"}}"#, Some("Incorrect API key provided: [hidden]")),
            ("<html>", None),
            ("", None),
        ] {
            assert_eq!(quoted(body.as_bytes(), Some("sk-1")).as_deref(), expected, "{body}");
        }
        let long = serde_json::json!({ "error": "é".repeat(5_000) }).to_string();
        assert_eq!(quoted(long.as_bytes(), None).unwrap().chars().count(), QUOTED_CHARS);
    }
}

//! What goes wrong between the gateway and a model server, and whose fault it may be. What must not come in: the key that the server is
//! shown; a server that repeats it is not quoted with it.

#[cfg(any(test, fuzzing))]
pub(super) mod fuzzing;

use std::error::Error as StdError;
use std::fmt;
use std::time::{Duration, SystemTime};

use mosaic_core::{Clock as _, Error, ErrorKind, SystemClock};
use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};
use reqwest::{Response, Url};
use serde_json::Value;
use tokio::time::timeout;

use crate::client::{cause, is_of_tls};

/// How much of an answer that is no success is read, in bytes, and for how long: its status says the most.
const PROBLEM_BYTES: usize = 64 << 10;
const PROBLEM_TIME: Duration = Duration::from_secs(2);
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

    /// Of a request without an answer, or without all of it. `section` is the config's that names the server.
    pub(super) fn unanswered(url: &Url, error: reqwest::Error, section: &'static str) -> Self {
        let (blame, kind, message, hint) = if is_of_tls(&error) {
            let hint = format!("check {section}.base_url, and that the system's ca-certificates know who signed the server's certificate");
            (Blame::Setup, ErrorKind::Unavailable, "the model server cannot be reached safely", Some(hint))
        } else if error.is_connect() {
            let hint = format!("start it, or check {section}.base_url");
            (Blame::Away, ErrorKind::Unavailable, "the model server cannot be reached", Some(hint))
        } else if error.is_timeout() {
            // It may be away; or it may take too long for so much text.
            (Blame::Unclear, ErrorKind::Timeout, "the model server did not answer in time", None)
        } else {
            (Blame::Unclear, ErrorKind::Unavailable, "the connection to the model server broke", None)
        };
        let reason = cause(&error);
        let error = Error::new(kind, message).with("url", url).with("reason", reason).source(error.without_url());
        let error = match hint {
            Some(hint) => error.hint(hint),
            None => error,
        };
        Self { blame, error, retry_after: None }
    }

    /// Of an answer that is no success. `secret` is what must not be quoted from it, `section` the config's that names the server.
    pub(super) async fn refused(mut answer: Response, secret: Option<&str>, section: &'static str) -> Self {
        let status = answer.status();
        let retry_after = wait(answer.headers());
        let mut body = Vec::new();
        let reading = async {
            while let Ok(Some(piece)) = answer.chunk().await {
                body.extend_from_slice(&piece);
                if body.len() > PROBLEM_BYTES {
                    break;
                }
            }
        };
        let _ = timeout(PROBLEM_TIME, reading).await;
        let error = Error::new(kind_of(status.as_u16()), format!("the model server answered {status}")).with("url", answer.url());
        let error = match quoted(&body, secret) {
            Some(said) => error.with("said", said),
            None => error,
        };
        let error = match status.as_u16() {
            401 | 403 => error.hint(format!("set {section}.api_key_file to a file with a key that the server takes")),
            300..=399 | 404 | 405 => error.hint(format!("check {section}.base_url and model: the server knows neither or one of them not")),
            _ => error,
        };
        Self { blame: blame_of(status.as_u16()), error, retry_after }
    }

    /// Of an answer that began well and holds an error. Some servers tell the status there that it would have had.
    pub(super) fn told(url: &Url, body: &Value, secret: Option<&str>) -> Self {
        let error = Error::new(ErrorKind::Unavailable, "the model server failed in the middle of its answer").with("url", url);
        let error = match said(body, secret) {
            Some(said) => error.with("said", said),
            None => error,
        };
        let status = body["error"]["code"].as_u64().and_then(|code| u16::try_from(code).ok()).unwrap_or(500);
        Self { blame: blame_of(status), error, retry_after: None }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl StdError for Failure {}

/// When the server wants to be asked again (RFC 9110, 10.2.3). A point in time is taken by the server's own clock, if it tells it.
fn wait(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: HeaderName| headers.get(name)?.to_str().ok().map(str::trim);
    let value = text(RETRY_AFTER)?;
    let wait = match value.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok()?,
        Err(_) => {
            let until = httpdate::parse_http_date(value).ok()?;
            let now = text(DATE).and_then(|date| httpdate::parse_http_date(date).ok()).unwrap_or_else(now);
            until.duration_since(now).unwrap_or_default()
        }
    };
    Some(wait.min(LONGEST_WAIT))
}

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_micros(SystemClock.now().as_micros().try_into().unwrap_or(0))
}

/// Whose fault an answer with such a status may be.
fn blame_of(status: u16) -> Blame {
    match status {
        300..=399 | 401 | 403 | 404 | 405 | 407 => Blame::Setup,
        408 | 425 | 429 | 502 | 503 | 504 | 529 => Blame::Away,
        _ => Blame::Unclear,
    }
}

fn kind_of(status: u16) -> ErrorKind {
    match status {
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
fn said(body: &Value, secret: Option<&str>) -> Option<String> {
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

    #[test]
    fn a_wait_is_told_in_seconds_or_by_a_date() {
        let date = "Wed, 21 Oct 2015 07:28:00 GMT";
        for (value, seconds) in [
            ("7", Some(7.0)),
            (" 1.5 ", Some(1.5)),
            ("0", Some(0.0)),
            ("86400", Some(600.0)),
            ("Wed, 21 Oct 2015 07:28:09 GMT", Some(9.0)),
            ("Wed, 21 Oct 2015 07:27:00 GMT", Some(0.0)),
            ("-1", None),
            ("NaN", None),
            ("1e300", None),
            ("soon", None),
            ("", None),
        ] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, value.parse().unwrap()), (DATE, date.parse().unwrap())]);
            assert_eq!(wait(&headers).map(|wait| wait.as_secs_f64()), seconds, "{value}");
        }
        let in_a_minute = httpdate::fmt_http_date(now() + Duration::from_secs(60));
        let wait = wait(&HeaderMap::from_iter([(RETRY_AFTER, in_a_minute.parse().unwrap())])).unwrap();
        assert!((58..=60).contains(&wait.as_secs()), "{wait:?}");
        assert_eq!(super::wait(&HeaderMap::new()), None);
    }
}

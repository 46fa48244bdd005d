//! Import and export over HTTP: streams of JSON Lines, in both directions. Exempt from the limits on bodies and time, but not
//! from those on silence and on requests under way.

use std::io;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::Request;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use http_body_util::BodyExt;
use mosaic_core::{Error, ErrorKind, TokenScope, Tokens};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::timeout;
use tokio_util::io::StreamReader;

use super::params::Params;
use super::problem::Problem;
use super::sign_in::Caller;
use crate::telemetry::AUDIT;
use crate::transfer::{self, JSON_LINES, Powers, Report};

/// How long an import may send nothing.
const SILENCE: Duration = Duration::from_secs(60);

/// How much of an import that broke off is read on, in bytes, …
const READ_ON: u64 = 64 << 20;
/// … and for how long.
const READ_ON_TIME: Duration = Duration::from_secs(10);

/// `POST /api/v1/import`: takes over the records of the body, JSON Lines, plain or gzip, and answers a report; also when
/// some lines were refused. Without scope `admin` it takes neither tokens nor users who are admins: whoever could, would have
/// that scope by their next request.
pub(super) async fn import(caller: Caller, request: Request) -> Result<Response, Problem> {
    caller.principal.require(TokenScope::Operator)?;
    Params::read(request.uri().query(), &[]).map_err(Problem::malformed)?;
    tracing::info!(target: AUDIT, user = %caller.principal.user_id, token = %caller.principal.token_id, "an operator imports");
    let storage = caller.data.records.storage.clone();
    let mut input = StreamReader::new(Box::pin(pieces(request.into_body())));
    let mut so_far = Report::default();
    let powers = if caller.principal.may(TokenScope::Admin) { Powers::Granted } else { Powers::Withheld };
    match transfer::import(storage, powers, &mut input, |report| so_far.clone_from(report)).await {
        Ok(report) => Ok(Json(report).into_response()),
        Err(error) => {
            read_on(input).await;
            Err(broken_off(error, &so_far))
        }
    }
}

/// Says how far an import came.
fn broken_off(error: Error, report: &Report) -> Problem {
    let line = error.get("line").and_then(|line| line.parse::<u64>().ok());
    let hint = error.hint_text().map(str::to_owned);
    let problem = if error.kind() == ErrorKind::Invalid { Problem::malformed(error) } else { error.into() };
    let problem = match line {
        Some(line) => problem.member("line", line),
        None => problem,
    };
    let problem = problem.member("report", serde_json::json!(report));
    match hint {
        Some(hint) => problem.hint(hint),
        None => problem,
    }
}

/// Takes what the client is still sending, within bounds: it sees the answer only when somebody does.
async fn read_on(input: impl AsyncRead + Unpin) {
    // The answer is on its way in any case.
    let _ = timeout(READ_ON_TIME, tokio::io::copy(&mut input.take(READ_ON), &mut tokio::io::sink())).await;
}

/// `GET /api/v1/export`: all records as JSON Lines; with `tokens=true` also the tokens with their hashes. When it fails on
/// the way, the connection breaks: an answer that ends well is whole.
pub(super) async fn export(caller: Caller, request: Request) -> Result<Response, Problem> {
    caller.principal.require(TokenScope::Operator)?;
    let mut params = Params::read(request.uri().query(), &["tokens"]).map_err(Problem::malformed)?;
    let tokens = if params.take_flag("tokens", "true").map_err(Problem::malformed)? { Tokens::WithHashes } else { Tokens::Omit };
    tracing::info!(target: AUDIT, user = %caller.principal.user_id, token = %caller.principal.token_id, ?tokens, "an operator exports");
    let pieces = transfer::export(caller.data.records.storage.clone(), tokens)
        .map(|piece| piece.inspect_err(|error| tracing::error!("an export broke off: {error:?}")));
    Ok(([(CONTENT_TYPE, HeaderValue::from_static(JSON_LINES))], Body::from_stream(pieces)).into_response())
}

/// A body's data as it comes.
fn pieces(body: Body) -> impl Stream<Item = io::Result<Bytes>> + Send {
    stream::try_unfold(body, |mut body| async move {
        loop {
            let frame = match timeout(SILENCE, body.frame()).await {
                Ok(Some(frame)) => frame.map_err(io::Error::other)?,
                Ok(None) => return Ok(None),
                Err(_) => {
                    let silence = Error::new(ErrorKind::Timeout, "the sender went silent").with("seconds", SILENCE.as_secs());
                    return Err(io::Error::other(silence));
                }
            };
            if let Ok(data) = frame.into_data() {
                return Ok(Some((data, body)));
            }
        }
    })
}

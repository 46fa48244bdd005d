//! Turns over HTTP: a message is posted, its turn is followed as a stream of server-sent events or taken as one answer, and stopped. What must not
//! come in: what a turn is.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::{Stream, stream};
use mosaic_core::model::BODY_BYTES;
use mosaic_core::{Applied, Error, ErrorKind, Finish, Id, Kind, Record, Result, Scope, Session, TokenScope, refusal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::time::timeout;

use super::app::App;
use super::body::{self, JSON};
use super::following::OwnPlace;
use super::params::Params;
use super::paths;
use super::problem::{CONFLICT, INVALID_REQUEST, OVERLOADED, Problem, TIMEOUT, UNAVAILABLE};
use super::records::{located, no_params, settle_whole};
use super::sign_in::Caller;
use crate::turns::{Event, Follower, Refusal};

/// What a stream of server-sent events is sent as.
pub(super) const EVENT_STREAM: &str = "text/event-stream";

/// The paths below a session's, beside its messages.
pub(super) const EVENTS: &str = "/api/v1/sessions/{id}/events";
pub(super) const STOP: &str = "/api/v1/sessions/{id}/stop";

/// The header by which a client says what it has seen of a stream.
pub(super) const LAST_EVENT_ID: &str = "last-event-id";

/// A stream that has nothing to say says so, so that neither side takes the other for dead.
const SILENCE: Duration = Duration::from_secs(15);
const STILL_HERE: &str = ": still here\n\n";

/// What a person says: it begins a turn.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Said {
    /// Markdown, up to 2 MiB.
    #[schemars(length(max = BODY_BYTES), regex(pattern = r"^[^\u0000]*$"))]
    content: String,
    /// An id of the client's own: the same message again begins no second turn.
    #[serde(default)]
    id: Option<Id>,
}

/// A turn that is over.
#[derive(Default, Serialize)]
struct Turn {
    items: Vec<Record>,
    finish: Option<Finish>,
    error: Option<String>,
}

/// `POST /api/v1/sessions/{id}/messages`
pub(super) async fn post(State(app): State<Arc<App>>, caller: Caller, request: Request) -> Result<Response, Problem> {
    let scope = caller.principal.writing(Kind::Message)?;
    no_params(request.uri())?;
    let (parts, body) = request.into_parts();
    let session = session_of(parts.uri.path())?;
    let place = app.following.enter(caller.principal.user_id)?;
    // The answer may take its time, and what is asked may not.
    let limits = app.parts.limits;
    let read = timeout(limits.request_time(), body::object(&parts.headers, body, JSON, limits.body_bytes)).await;
    let fields = read.map_err(|_| Problem::new(TIMEOUT, format!("the body took longer than {} s", limits.request_seconds)))??;
    if fields.contains_key("role") {
        return append(&caller, scope, session, fields).await;
    }
    // Its tools read and write in the person's name.
    caller.principal.require(TokenScope::Read)?;
    caller.principal.require(TokenScope::Write)?;
    let Said { content, id } = body::fields(fields).map_err(Problem::malformed)?;
    let session = own_session(&caller, scope, session).await?;
    let follower = caller.data.turns.begin(session, id, content).await.map_err(refused)?;
    if accepts_events(&parts.headers) { Ok(streamed(follower, place)) } else { whole(follower).await }
}

async fn append(caller: &Caller, scope: Scope, session: Id, mut fields: Map<String, Value>) -> Result<Response, Problem> {
    caller.principal.require(TokenScope::Agent)?;
    caller.data.records.get(scope, Kind::Session, session).await?;
    settle_whole(&mut fields, "session_id", session)?;
    let applied = caller.data.turns.append(scope, session, fields).await.map_err(refused)?;
    let status = if matches!(applied, Applied::Created(_)) { StatusCode::CREATED } else { StatusCode::OK };
    match applied.record() {
        Some(record) => Ok(located(status, &record, &record)),
        None => Err(Error::new(ErrorKind::Internal, "a message that was made is gone").into()),
    }
}

/// `GET /api/v1/sessions/{id}/events`
pub(super) async fn events(State(app): State<Arc<App>>, caller: Caller, request: Request) -> Result<Response, Problem> {
    let scope = caller.principal.reading(Kind::Session)?;
    let mut params = Params::read(request.uri().query(), &["after"]).map_err(Problem::malformed)?;
    let session = session_of(request.uri().path())?;
    let asked = params.take("after").map(|text| place(&text)).transpose()?;
    let seen = request.headers().get(LAST_EVENT_ID).map(|value| place(value.to_str().unwrap_or_default())).transpose()?;
    let after = seen.or(asked).unwrap_or(0);
    let place = app.following.enter(caller.principal.user_id)?;
    caller.data.records.get(scope, Kind::Session, session).await?;
    Ok(streamed(caller.data.turns.follow(scope, session, after), place))
}

/// The place in a session that a client has seen last.
pub(super) fn place(text: &str) -> Result<u64, Problem> {
    text.parse::<u64>().ok().filter(|seq| i64::try_from(*seq).is_ok()).ok_or_else(|| {
        Problem::new(INVALID_REQUEST, "the place to go on from is no number").hint("send the id of the last event as Last-Event-ID")
    })
}

/// `POST /api/v1/sessions/{id}/stop`
pub(super) async fn stop(caller: Caller, request: Request) -> Result<StatusCode, Problem> {
    let scope = caller.principal.writing(Kind::Session)?;
    no_params(request.uri())?;
    let session = own_session(&caller, scope, session_of(request.uri().path())?).await?;
    caller.data.turns.stop(session.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A session of the caller's own, who alone may write to it.
async fn own_session(caller: &Caller, scope: Scope, id: Id) -> Result<Session, Problem> {
    match caller.data.records.get(scope, Kind::Session, id).await? {
        Record::Session(session) if scope.user() == Some(session.owner_id) => Ok(session),
        record => Err(refusal::forbidden("only a session's owner talks to its agent", Kind::Session, record.id()).into()),
    }
}

/// The id in the path of what is below a session.
fn session_of(path: &str) -> Result<Id, Problem> {
    paths::below(Kind::Session, path)
}

/// Whether the client wants to hear of things as they happen.
pub(super) fn accepts_events(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted
        .flat_map(|value| value.split(','))
        .any(|range| range.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(EVENT_STREAM))
}

fn refused(refused: Refusal) -> Problem {
    match refused {
        Refusal::NoModel => Problem::new(UNAVAILABLE, "this gateway has no chat model, so no agent answers")
            .hint("set models.chat in the gateway's config; agents of other programs add messages that name their role"),
        Refusal::NoRoom => Problem::new(OVERLOADED, "the gateway runs as many turns as it bears").retry_after(5),
        Refusal::Running => Problem::new(CONFLICT, "a turn of this session is running")
            .hint("wait for its end, which GET …/events tells, or stop it by POST …/stop"),
        Refusal::Failed(error) => error.into(),
    }
}

/// A turn as one answer, once it is over.
async fn whole(mut follower: Follower) -> Result<Response, Problem> {
    let mut turn = Turn::default();
    let mut is_over = false;
    while let Some(event) = follower.next().await? {
        match event {
            Event::Message(message) => turn.items.push(Arc::unwrap_or_clone(message).into()),
            Event::End(ended) => {
                is_over = true;
                (turn.finish, turn.error) = (ended.finish, ended.error);
            }
            Event::Draft(_) | Event::Piece(_) => {}
        }
    }
    if !is_over {
        let problem = Problem::new(UNAVAILABLE, "the gateway is stopping, and the turn goes on elsewhere");
        return Err(problem.hint("follow it by GET …/events, or send the same message with the same id again").retry_after(1));
    }
    Ok((StatusCode::CREATED, Json(turn)).into_response())
}

/// A stream of server-sent events (HTML, 9.2).
fn streamed(follower: Follower, place: OwnPlace) -> Response {
    let headers = [(CONTENT_TYPE, HeaderValue::from_static(EVENT_STREAM))];
    (headers, Body::from_stream(frames(follower, place))).into_response()
}

/// The place is kept as long as anything may come.
fn frames(follower: Follower, place: OwnPlace) -> impl Stream<Item = Result<Bytes>> + Send {
    stream::try_unfold((follower, place), |(mut follower, place)| async move {
        let frame = match timeout(SILENCE, follower.next()).await {
            Ok(Ok(Some(event))) => frame(event)?,
            Ok(Ok(None)) => return Ok(None),
            Ok(Err(error)) => {
                tracing::error!("a stream of events broke off: {error:?}");
                return Err(error);
            }
            Err(_) => STILL_HERE.to_owned(),
        };
        Ok(Some((Bytes::from(frame), (follower, place))))
    })
}

/// One event. JSON has no line breaks outside of texts, and none in them, so that its data is one line.
fn frame(event: Event) -> Result<String> {
    Ok(match event {
        Event::Message(message) => {
            let (seq, record) = (message.seq, Record::from(Arc::unwrap_or_clone(message)));
            let record = serde_json::to_string(&record)
                .map_err(|error| Error::new(ErrorKind::Internal, "a message cannot be written as JSON").source(error))?;
            format!("id: {seq}\nevent: message\ndata: {record}\n\n")
        }
        Event::Draft(text) => format!("event: draft\ndata: {}\n\n", json!({ "text": text })),
        Event::Piece(text) => format!("event: piece\ndata: {}\n\n", json!({ "text": text })),
        Event::End(ended) => format!("event: end\ndata: {}\n\n", json!({ "finish": ended.finish, "error": ended.error })),
    })
}

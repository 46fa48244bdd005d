//! One record at a time: making, reading, changing and removing. The same for every kind; what is special about tokens and
//! users (whose changes are felt by the next request) is in [`crate::auth`].

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, ETAG, LOCATION};
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use mosaic_core::{Applied, Error, ErrorKind, Id, Kind, Record, Scope, SessionStatus, TokenScope};
use serde::Serialize;
use serde_json::{Map, Value};

use super::app::App;
use super::body::{self, JSON, PATCH};
use super::etag::{self, Expected};
use super::list::list;
use super::params::Params;
use super::paths;
use super::problem::Problem;
use super::sign_in::Caller;
use super::turns;
use crate::auth::{Principal, check_grant, check_regrant};
use crate::telemetry::AUDIT;

/// The routes of a kind.
pub(super) fn routes(kind: Kind) -> Router<Arc<App>> {
    let all = get(move |caller: Caller, request: Request| async move { list(kind, &caller, request.uri()).await });
    let all = match kind {
        // An agent answers.
        Kind::Message => all.post(turns::post),
        _ => all.post(move |State(app): State<Arc<App>>, caller: Caller, request: Request| create(kind, app, caller, request)),
    };
    let one = get(move |caller: Caller, request: Request| read(kind, caller, request));
    let router = Router::new().route(&paths::collection(kind), all);
    if kind.parent().is_some() {
        // A part is added to its whole, stays as it is, and goes with it.
        return router.route(&paths::record(kind), one);
    }
    let one = one
        .patch(move |State(app): State<Arc<App>>, caller: Caller, request: Request| update(kind, app, caller, request))
        .delete(move |caller: Caller, request: Request| delete(kind, caller, request));
    router.route(&paths::record(kind), one)
}

async fn create(kind: Kind, app: Arc<App>, caller: Caller, request: Request) -> Result<Response, Problem> {
    let scope = caller.principal.writing(kind)?;
    no_params(request.uri())?;
    let (parts, body) = request.into_parts();
    let fields = body::object(&parts.headers, body, JSON, app.parts.limits.body_bytes).await?;
    if kind == Kind::Token {
        return create_token(&caller, scope, fields).await;
    }
    let applied = caller.data.records.create(scope, kind, fields).await.map_err(|error| explained(error, kind, scope))?;
    let is_new = matches!(applied, Applied::Created(_));
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    match applied.record() {
        Some(record) if is_new => {
            audit(&caller, scope, "makes", kind, record.id());
            Ok(located(status, &record, &record))
        }
        Some(record) => Ok(located(status, &record, &record)),
        None => Err(Error::new(ErrorKind::Internal, "a record that was made is gone").into()),
    }
}

/// A token's record, with the secret that is shown this once.
#[derive(Serialize)]
struct WithSecret<'r> {
    #[serde(flatten)]
    record: &'r Record,
    secret: &'r str,
}

async fn create_token(caller: &Caller, scope: Scope, fields: Map<String, Value>) -> Result<Response, Problem> {
    let records = &caller.data.records;
    let user = fields.get("user_id").and_then(|user| user.as_str()?.parse().ok()).unwrap_or(caller.principal.user_id);
    check_grant(&caller.principal, records, scope, user, &fields).await?;
    let (record, secret) = records.create_token(scope, fields).await.map_err(|error| explained(error, Kind::Token, scope))?;
    if user != caller.principal.user_id {
        let Principal { user_id, token_id, .. } = &*caller.principal;
        tracing::info!(target: AUDIT, user = %user_id, token = %token_id, made = %record.id(), owner = %user, "a token was made for another user");
    }
    Ok(located(StatusCode::CREATED, &record, &WithSecret { record: &record, secret: secret.expose() }))
}

async fn read(kind: Kind, caller: Caller, request: Request) -> Result<Response, Problem> {
    let mut params = Params::read(request.uri().query(), &["view"]).map_err(Problem::malformed)?;
    let view_all = params.take_flag("view", "all").map_err(Problem::malformed)?;
    let scope = caller.reading(kind, view_all, request.uri().path())?;
    let id = paths::id(kind, request.uri().path())?;
    let record = caller.data.records.get(scope, kind, id).await?;
    paths::check(&record, request.uri().path())?;
    if etag::is_known(request.headers(), &record).map_err(Problem::malformed)? {
        return Ok((StatusCode::NOT_MODIFIED, [(ETAG, etag::of(record.revision()))]).into_response());
    }
    Ok(answer(StatusCode::OK, &record, &record))
}

async fn update(kind: Kind, app: Arc<App>, caller: Caller, request: Request) -> Result<Response, Problem> {
    let scope = caller.principal.writing(kind)?;
    // The answer is the whole record, whatever the patch says of it.
    caller.principal.reading(kind)?;
    no_params(request.uri())?;
    let id = paths::id(kind, request.uri().path())?;
    let (parts, body) = request.into_parts();
    let patch = body::object(&parts.headers, body, PATCH, app.parts.limits.body_bytes).await?;
    if kind == Kind::Session && patch.keys().any(|field| !["title", "status"].contains(&field.as_str())) {
        // An agent does not say whose a session is, and who reads it.
        caller.principal.require(TokenScope::Write)?;
    }
    let revision = expected_revision(&caller, scope, kind, id, etag::expected(&parts.headers).map_err(Problem::malformed)?).await?;
    if kind == Kind::Token && ["scopes", "expires_at"].iter().any(|field| patch.contains_key(*field)) {
        let Record::Token(token) = caller.data.records.get(scope, kind, id).await? else { return Err(Error::not_found(kind, id).into()) };
        check_regrant(&caller.principal, &caller.data.records, scope, &token, &patch).await?;
    }
    let records = caller.data.records.clone();
    let change = async move { records.update(scope, kind, id, &patch, revision).await };
    let is_closed = |record: &Record| matches!(record, Record::Session(session) if session.status == SessionStatus::Closed);
    let changed = match kind {
        Kind::User | Kind::Token => caller.data.auth.changing(kind, id, change).await,
        Kind::Session => caller.data.turns.ending(id, change, is_closed).await,
        _ => change.await,
    };
    let record = changed.map_err(|error| explained(error, kind, scope))?;
    audit(&caller, scope, "changes", kind, id);
    Ok(answer(StatusCode::OK, &record, &record))
}

async fn delete(kind: Kind, caller: Caller, request: Request) -> Result<Response, Problem> {
    let scope = caller.principal.writing(kind)?;
    if kind == Kind::Session {
        // An agent adds to sessions: what was said is not its own to remove.
        caller.principal.require(TokenScope::Write)?;
    }
    no_params(request.uri())?;
    let id = paths::id(kind, request.uri().path())?;
    let revision = expected_revision(&caller, scope, kind, id, etag::expected(request.headers()).map_err(Problem::malformed)?).await?;
    let records = caller.data.records.clone();
    let change = async move { records.delete(scope, kind, id, revision).await };
    let deleted = match kind {
        Kind::User | Kind::Token => caller.data.auth.changing(kind, id, change).await,
        Kind::Session => caller.data.turns.ending(id, change, |()| true).await,
        _ => change.await,
    };
    deleted.map_err(|error| explained(error, kind, scope))?;
    audit(&caller, scope, "removes", kind, id);
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// The revision that a record must be at, by `If-Match`. Where that leaves a choice, or none, the record's present one decides.
async fn expected_revision(caller: &Caller, scope: Scope, kind: Kind, id: Id, expected: Expected) -> Result<Option<u64>, Problem> {
    let revisions = match expected {
        Expected::Any => return Ok(None),
        Expected::OneOf(revisions) => revisions,
    };
    if let [revision] = revisions[..] {
        return Ok(Some(revision));
    }
    let present = caller.data.records.get(scope, kind, id).await?.revision();
    if revisions.contains(&present) { Ok(Some(present)) } else { Err(Error::stale(kind, id, present).into()) }
}

pub(super) fn no_params(uri: &Uri) -> Result<(), Problem> {
    Params::read(uri.query(), &[]).map(drop).map_err(Problem::malformed)
}

/// Says what a new record is a part of, as its path does. The record may say it too, but not otherwise.
pub(super) fn settle_whole(fields: &mut Map<String, Value>, field: &'static str, id: Id) -> Result<(), Problem> {
    let id = Value::from(id.to_string());
    match fields.insert(field.into(), id.clone()) {
        Some(given) if given != id => Err(Error::invalid("the record says another than its path").with("field", field).into()),
        _ => Ok(()),
    }
}

/// Logs what an administrator does to accounts by that power: who joins a team reads what is in it, and who gives a role may do what it does.
fn audit(caller: &Caller, scope: Scope, done: &'static str, kind: Kind, id: Id) {
    if matches!(scope, Scope::Admin(_)) {
        let Principal { user_id, token_id, .. } = &*caller.principal;
        tracing::info!(target: AUDIT, %kind, %id, user = %user_id, token = %token_id, "an administrator {done} an account");
    }
}

/// Says how accounts are managed to whoever is not allowed to.
fn explained(error: Error, kind: Kind, scope: Scope) -> Error {
    if error.kind() == ErrorKind::Forbidden && !kind.is_content() && !scope.manages_accounts() && error.hint_text().is_none() {
        return error.hint("managing accounts takes a token of scope admin, of a user whose role is admin");
    }
    error
}

pub(super) fn located(status: StatusCode, record: &Record, body: &impl Serialize) -> Response {
    let mut response = answer(status, record, body);
    if let Ok(path) = HeaderValue::try_from(paths::of(record)) {
        response.headers_mut().insert(LOCATION, path);
    }
    response
}

fn answer(status: StatusCode, record: &Record, body: &impl Serialize) -> Response {
    let headers = [(CONTENT_TYPE, HeaderValue::from_static("application/json")), (ETAG, etag::of(record.revision()))];
    match serde_json::to_vec(body) {
        Ok(bytes) => (status, headers, Body::from(bytes)).into_response(),
        Err(error) => Problem::from(Error::new(ErrorKind::Internal, "a record cannot be written as JSON").source(error)).into_response(),
    }
}

//! Lists: the query string of a kind's list, and a page of it as JSON.

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Uri};
use axum::response::{IntoResponse, Response};
use mosaic_core::{Error, ErrorKind, Field, Kind, Query, Record, Result};
use serde::Serialize;

use super::params::Params;
use super::paths;
use super::problem::Problem;
use super::sign_in::Caller;

/// The parameters that every list takes, beside the filters of its kind.
pub(super) const PARAMS: [&str; 4] = ["order", "limit", "cursor", "view"];

/// What one item of a page takes, about, in bytes: the room that is made for it beforehand.
const ITEM_BYTES: usize = 512;

#[derive(Serialize)]
struct PageBody<'p> {
    items: &'p [Record],
    next_cursor: Option<String>,
}

/// Answers a page of a list.
pub(super) async fn list(kind: Kind, caller: &Caller, uri: &Uri) -> Result<Response, Problem> {
    let mut params = Params::read(uri.query(), &allowed(kind)).map_err(Problem::malformed)?;
    let view_all = params.take_flag("view", "all").map_err(Problem::malformed)?;
    let cursor = params.take("cursor");
    let mut query = query(kind, params).map_err(Problem::malformed)?;
    let scope = caller.reading(kind, view_all, uri.path())?;
    if let Some((whole, field, id)) = paths::whole(kind, uri.path())? {
        caller.data.records.get(scope, whole, id).await?;
        if kind == Kind::Message {
            // Whose turn was cut off, its transcript says so.
            caller.data.turns.settle(id).await?;
        }
        query = query.filter(field, &id.to_string())?;
    }
    if let Some(cursor) = cursor {
        let position = caller.data.cursors.decode(&query, &cursor)?;
        query = query.after(Some(position));
    }
    let page = caller.data.records.storage.list(scope, &query).await?;
    let next_cursor = page.next.as_ref().map(|position| caller.data.cursors.encode(&query, position));
    let mut bytes = Vec::with_capacity(64 + page.items.len() * ITEM_BYTES);
    serde_json::to_writer(&mut bytes, &PageBody { items: &page.items, next_cursor })
        .map_err(|error| Error::new(ErrorKind::Internal, "a page cannot be written as JSON").source(error))?;
    Ok(([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], Body::from(bytes)).into_response())
}

/// The names of the parameters of a kind's list.
pub(super) fn allowed(kind: Kind) -> Vec<&'static str> {
    filters(kind).map(|field| field.name).chain(PARAMS).collect()
}

/// What a list of a kind can be narrowed by, beyond what its path says.
pub(super) fn filters(kind: Kind) -> impl Iterator<Item = &'static Field> {
    kind.filters().iter().filter(move |field| kind.parent().is_none_or(|parent| parent.field != field.name))
}

pub(super) fn query(kind: Kind, mut params: Params) -> Result<Query> {
    let mut query = Query::new(kind);
    if let Some(order) = params.take("order") {
        query = query.order(&order)?;
    }
    if let Some(limit) = params.take("limit") {
        // What is no number is out of bounds, like 0.
        query = query.limit(limit.parse().unwrap_or(0))?;
    }
    params.rest().try_fold(query, |query, (name, value)| query.filter(name, value))
}

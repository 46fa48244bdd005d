//! A record's embedding: given and removed by clients that have a model of their own. What must not come in: what is near to what.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::routing::{MethodRouter, put};
use mosaic_core::vectors::{MAX_DIMENSIONS, MODEL_CHARS};
use mosaic_core::{Embedding, Error, ErrorKind, Kind, Vector};
use schemars::JsonSchema;
use serde::Deserialize;

use super::app::App;
use super::body::{self, JSON};
use super::paths;
use super::problem::Problem;
use super::records::no_params;
use super::search::MODEL_PATTERN;
use super::sign_in::Caller;
use crate::models::OURS;

/// An embedding of a record. It takes the place of an earlier one by the same model.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewEmbedding {
    /// The model's name.
    #[schemars(length(min = 1, max = MODEL_CHARS), regex(pattern = MODEL_PATTERN))]
    model: String,
    /// The components, as many as the model has dimensions.
    #[schemars(length(min = 1, max = MAX_DIMENSIONS), inner(range(min = f32::MIN, max = f32::MAX)))]
    components: Vec<f32>,
    /// The revision of the record that was embedded; the present one, unless it is given.
    #[serde(default)]
    #[schemars(range(min = 1))]
    revision: Option<u64>,
}

/// The methods of `…/{id}/embedding`.
pub(super) fn methods(kind: Kind) -> MethodRouter<Arc<App>> {
    put(move |State(app): State<Arc<App>>, caller: Caller, request: Request| give(kind, app, caller, request))
        .delete(move |caller: Caller, request: Request| remove(kind, caller, request))
}

async fn give(kind: Kind, app: Arc<App>, caller: Caller, request: Request) -> Result<StatusCode, Problem> {
    let scope = caller.principal.writing(kind)?;
    no_params(request.uri())?;
    let (parts, body) = request.into_parts();
    let path = paths::embedded(parts.uri.path());
    let id = paths::id(kind, path)?;
    let fields = body::object(&parts.headers, body, JSON, app.parts.limits.body_bytes).await?;
    let NewEmbedding { model, components, revision } = body::fields(fields).map_err(Problem::malformed)?;
    if model.starts_with(OURS) {
        return Err(Error::invalid(format!("names that begin with {OURS} are for the gateway's own embeddings"))
            .with("field", "model")
            .hint("give the model's own name")
            .into());
    }
    let vectors = caller.data.searcher.vectors()?;
    let record = caller.data.records.get(scope, kind, id).await?;
    paths::check(&record, path)?;
    let revision = revision.unwrap_or(record.revision());
    if revision > record.revision() {
        return Err(Error::invalid("the record is not at this revision yet")
            .with("field", "revision")
            .with("revision", record.revision())
            .into());
    }
    let embedding = Embedding { kind, id, revision, vector: Vector { model, components } };
    match vectors.upsert(scope, &[embedding]).await?[..] {
        [true] => Ok(StatusCode::NO_CONTENT),
        // It went meanwhile.
        _ => Err(Error::not_found(kind, id).into()),
    }
}

async fn remove(kind: Kind, caller: Caller, request: Request) -> Result<StatusCode, Problem> {
    let scope = caller.principal.writing(kind)?;
    no_params(request.uri())?;
    let path = paths::embedded(request.uri().path());
    let id = paths::id(kind, path)?;
    let vectors = caller.data.searcher.vectors()?;
    paths::check(&caller.data.records.get(scope, kind, id).await?, path)?;
    if vectors.remove(scope, kind, id).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Error::new(ErrorKind::NotFound, format!("the {kind} has no embedding")).with("id", id).into())
}

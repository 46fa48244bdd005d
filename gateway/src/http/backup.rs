//! A backup over HTTP: everything as it is at one moment, as a stream. What must not come in: what is in it.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use futures::StreamExt as _;
use mosaic_core::{Error, ErrorKind, TokenScope};

use super::app::App;
use super::problem::Problem;
use super::records::no_params;
use super::sign_in::Caller;
use crate::backup::{self, Origin, TAR};
use crate::telemetry::AUDIT;

/// `GET /api/v1/backup`: an archive of everything, tokens with their hashes and embeddings among it. When it fails on the way, the connection breaks: an
/// answer that ends well is whole.
pub(super) async fn backup(State(app): State<Arc<App>>, caller: Caller, request: Request) -> Result<Response, Problem> {
    caller.principal.require(TokenScope::Operator)?;
    no_params(request.uri())?;
    tracing::info!(target: AUDIT, user = %caller.principal.user_id, token = %caller.principal.token_id, "an operator makes a backup");
    let records = &caller.data.records;
    let now = records.clock.now();
    let snapshot = records.storage.snapshot().await?.ok_or_else(|| {
        Error::new(ErrorKind::Unsupported, "this tier cannot be backed up while a gateway runs")
            .hint("stop the gateway, then run `mosaic backup create` where its config is")
    })?;
    let origin = Origin::new(records.ids.next(now), now, &app.parts.tier);
    let pieces = backup::create(snapshot, origin).map(|piece| piece.inspect_err(|error| tracing::error!("a backup broke off: {error:?}")));
    Ok(([(CONTENT_TYPE, HeaderValue::from_static(TAR))], Body::from_stream(pieces)).into_response())
}

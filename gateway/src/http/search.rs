//! Searching: `GET /api/v1/search`. What must not come in: how records are found, and who may see them.

use axum::Json;
use axum::extract::Request;
use mosaic_core::{Error, Hit, Kind, Result, Search};
use schemars::JsonSchema;
use serde::Serialize;

use super::params::Params;
use super::problem::Problem;
use super::sign_in::Caller;

/// The parameters.
pub(super) const PARAMS: [&str; 5] = ["q", "kind", "space_id", "limit", "view"];

/// What a search found.
#[derive(Serialize, JsonSchema)]
pub(super) struct Found {
    /// The hits, the best first.
    items: Vec<Hit>,
}

/// `GET /api/v1/search`
pub(super) async fn search(caller: Caller, request: Request) -> Result<Json<Found>, Problem> {
    let mut params = Params::read(request.uri().query(), &PARAMS).map_err(Problem::malformed)?;
    let view_all = params.take_flag("view", "all").map_err(Problem::malformed)?;
    let search = read(params).map_err(Problem::malformed)?;
    // What is searched is content, and one content's scope is another's.
    let scope = caller.reading(Kind::Note, view_all, request.uri().path())?;
    Ok(Json(Found { items: caller.data.records.storage.search(scope, &search).await? }))
}

fn read(mut params: Params) -> Result<Search> {
    let text =
        params.take("q").ok_or_else(|| Error::invalid("the search does not say for what").with("parameter", "q").hint("use q=words"))?;
    let mut search = Search::new(&text).map_err(|error| error.with("parameter", "q"))?;
    if let Some(kinds) = params.take("kind") {
        let kinds = kinds.split(',').map(str::parse).collect::<Result<Vec<Kind>>>()?;
        search = search.kinds(kinds).map_err(|error| error.with("parameter", "kind"))?;
    }
    if let Some(space_id) = params.take("space_id") {
        search.space_id = Some(space_id.parse().map_err(|_| Error::invalid("not a UUID").with("parameter", "space_id"))?);
    }
    match params.take("limit") {
        // What is no number is out of bounds, like 0.
        Some(limit) => search.limit(limit.parse().unwrap_or(0)),
        None => Ok(search),
    }
}

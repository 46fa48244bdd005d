//! Searching: `GET /api/v1/search` by a text, `POST` by a text, a vector, or both. What must not come in: how records are found, and who
//! may see them.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use mosaic_core::search::{SEARCH_BYTES, SEARCH_HITS};
use mosaic_core::vectors::{MAX_DIMENSIONS, MODEL_CHARS};
use mosaic_core::{Error, Id, Kind, Result, Search, Vector};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::{Value, json};

use super::app::App;
use super::body::{self, JSON};
use super::params::Params;
use super::problem::Problem;
use super::sign_in::Caller;
use crate::search::{By, Found};

/// A model's name has no control characters.
pub(super) const MODEL_PATTERN: &str = r"^[^\u0000-\u001f\u007f-\u009f]+$";

/// The parameters of a `GET`.
pub(super) const PARAMS: [&str; 6] = ["q", "kind", "space_id", "limit", "by", "view"];

/// What to search for. There must be words, or a vector, or both.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("anyOf" = by_words_or_vector()))]
pub(super) struct Wanted {
    /// The words.
    #[serde(default)]
    #[schemars(length(max = SEARCH_BYTES))]
    q: Option<String>,
    /// A vector that is near to those of what is wanted.
    #[serde(default)]
    vector: Option<Components>,
    /// What to go by, if not by all that there is: words, so that no vector is made from them.
    #[serde(default)]
    by: Option<Only>,
    /// Only of these kinds.
    #[serde(default)]
    #[schemars(schema_with = "searched_kinds")]
    kind: Vec<Kind>,
    /// Only of this space: a team's id, or the caller's own.
    #[serde(default)]
    space_id: Option<Id>,
    /// The most hits; 20, unless it is given.
    #[serde(default)]
    #[schemars(range(min = 1, max = SEARCH_HITS))]
    limit: Option<usize>,
}

/// There are words, which alone it may be held to, or a vector.
fn by_words_or_vector() -> Value {
    json!([
        { "properties": { "q": { "type": "string" }, "vector": { "type": "null" } }, "required": ["q"] },
        { "properties": { "vector": { "type": "object" }, "by": { "type": "null" } }, "required": ["vector"] },
    ])
}

fn searched_kinds(_: &mut SchemaGenerator) -> Schema {
    let kinds: Vec<_> = Kind::searched().map(Kind::singular).collect();
    json_schema!({ "type": "array", "items": { "type": "string", "enum": kinds } })
}

/// What a search may be held to.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Only {
    /// The words of the text.
    Words,
}

/// A vector, and the model that made it.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Components {
    /// The model's name. Vectors are compared with those of the same model alone.
    #[schemars(length(min = 1, max = MODEL_CHARS), regex(pattern = MODEL_PATTERN))]
    model: String,
    /// The components, as many as the model has dimensions.
    #[schemars(length(min = 1, max = MAX_DIMENSIONS), inner(range(min = f32::MIN, max = f32::MAX)))]
    components: Vec<f32>,
}

impl From<Components> for Vector {
    fn from(Components { model, components }: Components) -> Self {
        Self { model, components }
    }
}

/// `GET /api/v1/search`
pub(super) async fn by_text(caller: Caller, request: Request) -> Result<Json<Found>, Problem> {
    let mut params = Params::read(request.uri().query(), &PARAMS).map_err(Problem::malformed)?;
    let view_all = params.take_flag("view", "all").map_err(Problem::malformed)?;
    let only_words = params.take_flag("by", "words").map_err(Problem::malformed)?;
    let text = params.take("q");
    let search = read(text.as_deref(), params).map_err(Problem::malformed)?;
    // What is searched is content, and one content's scope is another's.
    let scope = caller.reading(Kind::Note, view_all, request.uri().path())?;
    let by = text.as_deref().filter(|_| !only_words).map_or(By::Words, By::Text);
    Ok(Json(caller.data.searcher.search(scope, &search, by).await?))
}

/// `POST /api/v1/search`
pub(super) async fn by_any(State(app): State<Arc<App>>, caller: Caller, request: Request) -> Result<Json<Found>, Problem> {
    let mut params = Params::read(request.uri().query(), &["view"]).map_err(Problem::malformed)?;
    let view_all = params.take_flag("view", "all").map_err(Problem::malformed)?;
    let scope = caller.reading(Kind::Note, view_all, request.uri().path())?;
    let (parts, body) = request.into_parts();
    let fields = body::object(&parts.headers, body, JSON, app.parts.limits.body_bytes).await?;
    let wanted: Wanted = body::fields(fields).map_err(Problem::malformed)?;
    let vector = wanted.vector.map(Vector::from);
    let mut search = build(wanted.q.as_deref(), vector.is_some(), wanted.kind).map_err(Problem::malformed)?;
    search.space_id = wanted.space_id;
    if let Some(limit) = wanted.limit {
        search = search.limit(limit).map_err(Problem::malformed)?;
    }
    if let Some(vector) = &vector {
        vector.check(None).map_err(Problem::malformed)?;
    }
    let by = match (&vector, &wanted.q, wanted.by) {
        (Some(_), _, Some(Only::Words)) => {
            let error = Error::invalid("the search is by words alone, and has a vector").with("field", "by");
            return Err(Problem::malformed(error.hint("leave out by, or the vector")));
        }
        (Some(vector), ..) => By::Vector(vector),
        (None, Some(text), None) => By::Text(text),
        (None, ..) => By::Words,
    };
    Ok(Json(caller.data.searcher.search(scope, &search, by).await?))
}

fn build(text: Option<&str>, by_vector: bool, kinds: Vec<Kind>) -> Result<Search> {
    let search = match text {
        Some(text) => Search::new(text).map_err(|error| error.with("field", "q"))?,
        None if by_vector => Search::wordless(),
        None => return Err(Error::invalid("the search does not say for what").hint("give words as q, or a vector, or both")),
    };
    search.kinds(kinds).map_err(|error| error.with("field", "kind"))
}

pub(super) fn read(text: Option<&str>, mut params: Params) -> Result<Search> {
    let text = text.ok_or_else(|| Error::invalid("the search does not say for what").with("parameter", "q").hint("use q=words"))?;
    let mut search = Search::new(text).map_err(|error| error.with("parameter", "q"))?;
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

//! The statements that compare. Each lets through only what the scope sees, as the database stands. Directions are of half precision,
//! so more of the nearest are taken than are wanted, and ranked by their vectors.

use mosaic_core::vectors::{cosine_distance, dot};
use mosaic_core::{Error, ErrorKind, Id, Kind, Nearby, Neighbour, Result, Scope, Vector, with_kind};
use pgvector::HalfVector;
use sqlx::{PgConnection, Row as _};

use super::direction;
use crate::error::from_sqlx;
use crate::statement::Statement;
use crate::table::Table;
use crate::vectors::bytes;
use crate::vectors::refresh::tables;

/// A scope that sees fewer records than this is compared with all of them: it takes no longer than a walk through an index, and
/// that walk would find few of them.
pub(super) const MUCH: i64 = 5_000;

/// So many more of the nearest are taken than are wanted, by directions that differ from the vectors' own: where nothing may be missed …
const SPARE: usize = 50;
/// … and where an index is walked, which may miss some in any case: each costs the reading of its vector.
const SPARE_OF_WALK: usize = 10;
/// No more than so many are taken, however close together they are …
const MOST: usize = 4_096;
/// … nor more than so many bytes of their vectors, beside those that are wanted: 16 MiB.
const MOST_BYTES: usize = 16 << 20;
/// Two directions of half precision have a product that is off by no more: 2^-11 for each of them, and what sums add.
const PRECISION: f32 = 0.001;

/// How an index is walked: on until enough is found, and wide (`hnsw.ef_search`, of up to 1,000). A condition of the index names its model, so
/// the plan must be made for the values at hand. The first statement loads the library, before which its settings are unknown.
const WALK: &str = "BEGIN READ ONLY; SELECT '[1]'::vector; SET LOCAL hnsw.iterative_scan = strict_order; SET LOCAL hnsw.ef_search = 200; \
    SET LOCAL plan_cache_mode = force_custom_plan; SET LOCAL enable_sort = off";

/// What is asked.
pub(super) struct Question<'a> {
    pub(super) scope: Scope,
    pub(super) vector: &'a Vector,
    pub(super) filter: &'a Nearby,
    k: usize,
    direction: Option<HalfVector>,
    square: f64,
    /// Where there are any of the model, and of the kinds that are asked about.
    tables: Vec<(Kind, &'static str)>,
}

/// One of the nearest, by its direction, with its vector as it is stored.
struct Candidate {
    kind: Kind,
    id: Id,
    distance: f32,
    vector: Vec<u8>,
}

impl<'a> Question<'a> {
    pub(super) fn new(scope: Scope, vector: &'a Vector, k: usize, filter: &'a Nearby, mut tables: Vec<(Kind, &'static str)>) -> Self {
        let components = &vector.components;
        tables.retain(|(kind, _)| filter.kinds.is_empty() || filter.kinds.contains(kind));
        Self { scope, vector, filter, k, direction: direction::of(components), square: dot(components, components), tables }
    }

    fn tables(&self) -> impl Iterator<Item = (Kind, &'static str)> {
        self.tables.iter().copied()
    }
}

/// How many dimensions a model has, and the tables that hold any embeddings of it; `None` when none was ever of it.
pub(super) async fn held(connection: &mut PgConnection, model: &str) -> Result<Option<(usize, Vec<(Kind, &'static str)>)>> {
    let mut statement = Statement::new("SELECT known.dimensions, ARRAY[");
    for (place, (_, table)) in tables().enumerate() {
        statement.sql(if place == 0 { "EXISTS (SELECT FROM " } else { ", EXISTS (SELECT FROM " }).sql(table);
        statement.sql(" AS held WHERE held.model = known.model)");
    }
    statement.sql("] FROM embedding_models AS known WHERE known.model = ").bind(model);
    let Some(row) = statement.row(connection).await? else { return Ok(None) };
    let dimensions = row.try_get::<i32, _>(0).map_err(from_sqlx)?.unsigned_abs() as usize;
    let used: Vec<bool> = row.try_get(1).map_err(from_sqlx)?;
    Ok(Some((dimensions, tables().zip(used).filter(|(_, used)| *used).map(|(table, _)| table).collect())))
}

/// Whether the scope sees [`MUCH`], as far as counting that far tells.
pub(super) async fn is_much(connection: &mut PgConnection, question: &Question<'_>) -> Result<bool> {
    let mut left = MUCH;
    for (kind, table) in question.tables() {
        let mut statement = Statement::of(question.scope, "SELECT count(*) FROM (SELECT FROM (")?;
        with_kind!(kind, T => visible::<T>(&mut statement, question, table));
        statement.sql(") AS seen LIMIT ").bind(left).sql(") AS counted");
        let row = statement.row(connection).await?;
        left -= row.map_or(Ok(0), |row| row.try_get::<i64, _>(0)).map_err(from_sqlx)?;
        if left <= 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The nearest of everything the scope sees, compared one by one.
pub(super) async fn by_all(connection: &mut PgConnection, question: &Question<'_>) -> Result<Vec<Neighbour>> {
    let bytes = question.vector.components.len() * size_of::<f32>();
    let most = MOST.min(MOST_BYTES / bytes).max(question.k.saturating_add(SPARE));
    let mut take = question.k.saturating_add(SPARE);
    loop {
        let mut candidates = Vec::new();
        for (kind, table) in question.tables() {
            let statement = with_kind!(kind, T => comparing_all::<T>(question, table, take))?;
            add(&mut candidates, kind, statement, connection).await?;
        }
        let (taken, last) = nearest_first(&mut candidates, take);
        if question.direction.is_none() {
            // What has no direction is as far from everything.
            candidates.truncate(question.k);
            return Ok(candidates.into_iter().map(|Candidate { kind, id, .. }| Neighbour { kind, id, distance: 1.0 }).collect());
        }
        let ranked = ranked(question, candidates).await?;
        // One that was not taken might be nearer than the last that is answered.
        let farthest = ranked.get(question.k.min(ranked.len()).saturating_sub(1)).map_or(0.0, |neighbour| neighbour.distance);
        if taken < take || last - farthest > PRECISION || take >= most {
            return Ok(first(ranked, question.k));
        }
        take = (take * 4).min(most);
    }
}

/// The nearest by the approximate indexes of these tables; `None` where they found too few, or may have left out what has no direction.
pub(super) async fn by_indexes(
    connection: &mut PgConnection,
    question: &Question<'_>,
    indexed: &[String],
) -> Result<Option<Vec<Neighbour>>> {
    let Some(direction) = &question.direction else { return Ok(None) };
    let (walked, compared): (Vec<_>, Vec<_>) = question.tables().partition(|(_, table)| indexed.iter().any(|indexed| indexed == table));
    if walked.is_empty() {
        return Ok(None);
    }
    let take = question.k.saturating_add(SPARE_OF_WALK);
    let mut candidates = Vec::new();
    // A transaction for its settings. It is begun with them and writes nothing: whoever breaks off leaves nothing that lasts.
    run(connection, WALK).await?;
    for (kind, table) in walked {
        let statement = with_kind!(kind, T => walking::<T>(question, table, direction, take))?;
        add(&mut candidates, kind, statement, connection).await?;
    }
    run(connection, "COMMIT").await?;
    // These hold little, or their index is still being made.
    for (kind, table) in compared {
        let statement = with_kind!(kind, T => comparing_all::<T>(question, table, take))?;
        add(&mut candidates, kind, statement, connection).await?;
    }
    nearest_first(&mut candidates, take);
    let ranked = ranked(question, candidates).await?;
    // What has no direction is in no index; its distance from everything is 1.
    Ok(ranked.get(question.k - 1).is_some_and(|last| last.distance < 1.0).then(|| first(ranked, question.k)))
}

async fn run(connection: &mut PgConnection, settings: &'static str) -> Result<()> {
    sqlx::raw_sql(settings).execute(connection).await.map_err(from_sqlx).map(|_| ())
}

/// The ids of what the scope sees of a kind and the filter lets through.
fn visible<T: Table>(statement: &mut Statement, question: &Question<'_>, table: &'static str) {
    let open = question.scope.opens_content();
    match question.filter.space_id {
        // Everything: that it was embedded says enough.
        None if open => {
            statement.sql("SELECT held.id FROM ").sql(table).sql(" AS held WHERE held.model = ").bind(question.vector.model.as_str());
            return;
        }
        Some(_) if open => statement.sql("SELECT kept.id FROM ").sql(T::NAME).sql(" AS kept WHERE true"),
        // The offset changes nothing, but keeps the planner from joining in any other way than space by space.
        _ => statement
            .sql("SELECT kept.id FROM (")
            .sql(T::SPACES)
            .sql(" OFFSET 0) AS mine CROSS JOIN ")
            .sql(T::NAME)
            .sql(" AS kept WHERE kept.")
            .sql(T::SPACE)
            .sql(" = mine.space_id"),
    };
    if let Some(space_id) = question.filter.space_id {
        statement.sql(" AND kept.space_id = ").bind(space_id);
    }
}

/// Compares with each that the scope sees.
fn comparing_all<T: Table>(question: &Question<'_>, table: &'static str, take: usize) -> Result<Statement> {
    let mut statement = Statement::of(question.scope, "SELECT seen.id, coalesce(near.product, 0)::float4, near.vector FROM (")?;
    visible::<T>(&mut statement, question, table);
    // The limit says no more than the key does, but keeps the planner from joining in any other way.
    statement.sql(") AS seen CROSS JOIN LATERAL (SELECT held.direction <#> ").bind(question.direction.clone());
    statement.sql("::halfvec AS product, held.vector FROM ").sql(table).sql(" AS held WHERE held.id = seen.id AND held.model = ");
    statement.bind(question.vector.model.as_str()).sql(" LIMIT 1) AS near ORDER BY coalesce(near.product, 0), seen.id LIMIT ");
    statement.bind(row_count(take));
    Ok(statement)
}

/// Walks through the index of a table, from the nearest on, past what the scope does not see.
fn walking<T: Table>(question: &Question<'_>, table: &'static str, direction: &HalfVector, take: usize) -> Result<Statement> {
    let dimensions = question.vector.components.len();
    let mut statement = Statement::of(question.scope, "SELECT held.id, ")?;
    let compare = |statement: &mut Statement| {
        statement.sql("(held.direction::halfvec(").number(dimensions).sql(")) <#> ").bind(direction.clone()).sql("::halfvec");
    };
    statement.sql("(");
    compare(&mut statement);
    statement
        .sql(")::float4, held.vector FROM ")
        .sql(table)
        .sql(" AS held JOIN ")
        .sql(T::NAME)
        .sql(" AS kept ON kept.id = held.id WHERE held.model = ");
    statement.bind(question.vector.model.as_str()).sql(" AND vector_dims(held.direction) = ").number(dimensions);
    statement.sql(" AND (").sql(T::OPEN).sql(" OR ").sql(T::SEES).sql(")");
    if let Some(space_id) = question.filter.space_id {
        statement.sql(" AND kept.space_id = ").bind(space_id);
    }
    statement.sql(" ORDER BY ");
    compare(&mut statement);
    statement.sql(" LIMIT ").bind(row_count(take));
    Ok(statement)
}

/// Adds the rows of a statement: ids, the negative products of directions, and vectors. Of a vector no more than where it is stored is read
/// until it is one of those that are answered.
async fn add(candidates: &mut Vec<Candidate>, kind: Kind, statement: Statement, connection: &mut PgConnection) -> Result<()> {
    for row in statement.rows(connection).await? {
        let product: f32 = row.try_get(1).map_err(from_sqlx)?;
        let (id, vector) = (row.try_get(0).map_err(from_sqlx)?, row.try_get(2).map_err(from_sqlx)?);
        candidates.push(Candidate { kind, id, distance: 1.0 + product, vector });
    }
    Ok(())
}

/// Keeps the nearest; answers how many there are, and how far the last is.
fn nearest_first(candidates: &mut Vec<Candidate>, take: usize) -> (usize, f32) {
    candidates.sort_by(|a, b| a.distance.total_cmp(&b.distance).then_with(|| (a.id, a.kind).cmp(&(b.id, b.kind))));
    candidates.truncate(take);
    (candidates.len(), candidates.last().map_or(0.0, |last| last.distance))
}

/// Ranks candidates by their vectors, off the runtime.
async fn ranked(question: &Question<'_>, candidates: Vec<Candidate>) -> Result<Vec<Neighbour>> {
    let (wanted, square) = (question.vector.components.clone(), question.square);
    let ranking = tokio::task::spawn_blocking(move || rank(candidates, &wanted, square));
    ranking.await.map_err(|error| Error::new(ErrorKind::Internal, "a comparison of vectors broke off").source(error))?
}

fn rank(candidates: Vec<Candidate>, wanted: &[f32], square: f64) -> Result<Vec<Neighbour>> {
    let mut ranked = Vec::with_capacity(candidates.len());
    for Candidate { kind, id, vector, .. } in candidates {
        let components = bytes::to_components(&vector)?;
        // Its model may have begun anew, with other dimensions.
        if components.len() == wanted.len() {
            let distance = cosine_distance(dot(&components, wanted), square, dot(&components, &components));
            ranked.push(Neighbour { kind, id, distance });
        }
    }
    ranked.sort_by(|a, b| a.distance.total_cmp(&b.distance).then_with(|| (a.id, a.kind).cmp(&(b.id, b.kind))));
    Ok(ranked)
}

fn first(mut ranked: Vec<Neighbour>, k: usize) -> Vec<Neighbour> {
    ranked.truncate(k);
    ranked
}

fn row_count(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

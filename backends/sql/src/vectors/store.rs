//! Embeddings in their tables: a table a kind, so that they end with their records. What must not come in: comparing.

use std::collections::{BTreeMap, HashSet};

use mosaic_core::{Embedding, Error, ErrorKind, Id, Kind, PAGE_BYTES, Result, Scope, Vector, VectorModel, with_kind};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use super::bytes;
#[cfg(feature = "pgvector")]
use super::pgvector::direction;
use super::refresh::{has_embeddings, tables};
use crate::error::{self, from_sqlx};
use crate::statement::Statement;
use crate::table::Table;

/// So many models may have embeddings: more than anybody uses at once, and few enough to look at all of them.
const MODELS: i64 = 64;

/// What an embedding takes in memory beside its components, in bytes, about: measured with 100,000 of them.
const BESIDE: i64 = 160;

/// A statement takes so many bytes of vectors, about: 4 MiB.
const RUN_BYTES: usize = 4 << 20;

/// For an index that holds no vectors in this process.
#[cfg(feature = "pgvector")]
pub(super) const NO_BOUND: u64 = u64::MAX;

/// What is stored of an embedding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Its vector.
    Plain,
    /// Its vector, and the direction that pgvector compares.
    #[cfg(feature = "pgvector")]
    Directed,
}

/// Refuses what cannot be stored, whatever is there.
pub(super) fn check(embeddings: &[Embedding]) -> Result<()> {
    embeddings.iter().try_for_each(|embedding| embedding.check(None))
}

/// Stores embeddings, in a transaction that the caller holds; answers which of them were.
pub(super) async fn upsert(
    connection: &mut PgConnection,
    scope: Scope,
    embeddings: &[Embedding],
    form: Form,
    memory: u64,
) -> Result<Vec<bool>> {
    // By the name of the model, in one order for everybody, since its row is held; of several for one record, the last.
    let mut models: BTreeMap<&str, BTreeMap<(Kind, Id), &Embedding>> = BTreeMap::new();
    for embedding in embeddings {
        models.entry(&embedding.vector.model).or_default().insert((embedding.kind, embedding.id), embedding);
    }
    let mut stored = HashSet::new();
    for (model, given) in models {
        let first = embeddings.iter().find(|embedding| embedding.vector.model == model);
        let dimensions = first.map_or(0, |first| first.vector.components.len());
        let mut change = take_numbers(connection, model, dimensions, given.len()).await?;
        let dimensions = agree(connection, model, dimensions, embeddings).await?;
        let given: Vec<_> = given.into_values().collect();
        for run in given.chunk_by(|a, b| a.kind == b.kind) {
            for run in run.chunks((RUN_BYTES / (dimensions * size_of::<f32>())).max(1)) {
                let ids = with_kind!(run[0].kind, T => insert::<T>(connection, scope, run, form, change).await)?;
                stored.extend(ids.into_iter().map(|id| (model, run[0].kind, id)));
                change += run.len() as i64;
            }
        }
        fits(connection, memory).await?;
    }
    Ok(embeddings.iter().map(|embedding| stored.contains(&(embedding.vector.model.as_str(), embedding.kind, embedding.id))).collect())
}

/// Holds the model until the end of the transaction, and takes numbers for so many changes; answers the first.
async fn take_numbers(connection: &mut PgConnection, model: &str, dimensions: usize, count: usize) -> Result<i64> {
    // Each beginning has a trillion numbers of its own.
    const BEGIN: &str = "INSERT INTO embedding_models (model, dimensions, change, at_most) \
        VALUES ($1, $2, nextval('embedding_models_begun') << 40, 0) ON CONFLICT DO NOTHING";
    const TAKE: &str =
        "UPDATE embedding_models SET change = change + $2, at_most = at_most + $2 WHERE model = $1 RETURNING change - $2 + 1";
    let take = async |connection: &mut PgConnection| -> Result<Option<i64>> {
        sqlx::query_scalar(TAKE).bind(model).bind(count as i64).fetch_optional(connection).await.map_err(from_sqlx)
    };
    if let Some(first) = take(&mut *connection).await? {
        return Ok(first);
    }
    let begin = sqlx::query(BEGIN).bind(model).bind(i32::try_from(dimensions).unwrap_or(i32::MAX));
    begin.execute(&mut *connection).await.map_err(from_sqlx)?;
    let first = take(&mut *connection).await?.ok_or_else(error::in_the_way)?;
    few_enough(connection, model).await?;
    Ok(first)
}

/// Refuses one model too many. Those whose embeddings went are forgotten, now that it matters.
async fn few_enough(connection: &mut PgConnection, model: &str) -> Result<()> {
    const COUNT: &str = "SELECT count(*) FROM embedding_models";
    if sqlx::query_scalar::<_, i64>(COUNT).fetch_one(&mut *connection).await.map_err(from_sqlx)? <= MODELS {
        return Ok(());
    }
    let mut statement =
        Statement::new("DELETE FROM embedding_models WHERE model IN (SELECT known.model FROM embedding_models AS known WHERE ");
    statement.sql("known.model <> ").bind(model).sql(" AND NOT ");
    has_embeddings(&mut statement);
    // One that is held by somebody else is about to get some.
    statement.sql(" FOR UPDATE SKIP LOCKED)");
    statement.run(&mut *connection).await?;
    if sqlx::query_scalar::<_, i64>(COUNT).fetch_one(&mut *connection).await.map_err(from_sqlx)? <= MODELS {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Full, format!("there are embeddings of {MODELS} models, and no more are kept"))
        .with("model", model)
        .hint("remove those of a model that is no longer used"))
}

/// Checks that all vectors of a model have its dimensions; a model without embeddings takes those of the first.
async fn agree(connection: &mut PgConnection, model: &str, given: usize, embeddings: &[Embedding]) -> Result<usize> {
    let mut statement = Statement::new("UPDATE embedding_models AS known SET dimensions = CASE WHEN ");
    has_embeddings(&mut statement);
    statement.sql(" THEN known.dimensions ELSE ").bind(i32::try_from(given).unwrap_or(i32::MAX)).sql(" END WHERE known.model = ");
    statement.bind(model).sql(" RETURNING known.dimensions");
    let row = statement.row(connection).await?;
    let dimensions: i32 = row.map_or(Ok(0), |row| row.try_get(0)).map_err(from_sqlx)?;
    let dimensions = dimensions.unsigned_abs() as usize;
    let mut of_model = embeddings.iter().filter(|embedding| embedding.vector.model == model);
    of_model.try_for_each(|embedding| embedding.vector.check(Some(dimensions)))?;
    Ok(dimensions)
}

/// Refuses more than may be compared in memory, once it is stored in the transaction. What went with its records is counted only
/// when it matters. Writers of two models at once do not see each other, so that the bound is met about.
async fn fits(connection: &mut PgConnection, memory: u64) -> Result<()> {
    const BYTES: &str = "SELECT coalesce(sum(at_most * (dimensions * 4 + $1)), 0)::bigint FROM embedding_models";
    let bytes = async |connection: &mut PgConnection| -> Result<u64> {
        let bytes: i64 = sqlx::query_scalar(BYTES).bind(BESIDE).fetch_one(connection).await.map_err(from_sqlx)?;
        Ok(bytes.unsigned_abs())
    };
    if bytes(&mut *connection).await? <= memory {
        return Ok(());
    }
    let mut statement = Statement::new("UPDATE embedding_models AS known SET at_most = ");
    count(&mut statement);
    statement.sql(" WHERE known.model IN (SELECT model FROM embedding_models FOR UPDATE SKIP LOCKED)");
    statement.run(&mut *connection).await?;
    let bytes = bytes(&mut *connection).await?;
    if bytes <= memory {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Full, "the vectors would take more memory than they may")
        .with("bytes", bytes)
        .with("limit", memory)
        .hint("raise vector_memory_mib in this tier's section of the config, or use a model of fewer dimensions"))
}

/// How many embeddings of a model are stored.
pub(super) async fn count_of(connection: &mut PgConnection, model: &str) -> Result<usize> {
    let mut statement = Statement::new("SELECT ");
    count(&mut statement);
    statement.sql(" FROM (SELECT ").bind(model).sql("::text AS model) AS known");
    let row = statement.row(connection).await?;
    let count: i64 = row.map_or(Ok(0), |row| row.try_get(0)).map_err(from_sqlx)?;
    Ok(usize::try_from(count).unwrap_or(0))
}

/// The number of embeddings of the model `known`.
fn count(statement: &mut Statement) {
    statement.sql("(0");
    for (_, table) in tables() {
        statement.sql(" + (SELECT count(*) FROM ").sql(table).sql(" AS held WHERE held.model = known.model)");
    }
    statement.sql(")");
}

/// The columns of an embedding beside its key, as they are named, given and replaced.
struct Columns {
    names: &'static str,
    given: &'static str,
    replaced: &'static str,
}

impl Form {
    fn columns(self) -> Columns {
        match self {
            Self::Plain => Columns { names: "vector", given: "vector", replaced: "vector = excluded.vector" },
            #[cfg(feature = "pgvector")]
            Self::Directed => Columns {
                names: "vector, direction",
                given: "vector, given.direction",
                replaced: "vector = excluded.vector, direction = excluded.direction, directed = excluded.directed",
            },
        }
    }
}

/// Stores embeddings of records of one kind that the scope may see; answers the ids of these records.
async fn insert<T: Table>(connection: &mut PgConnection, scope: Scope, run: &[&Embedding], form: Form, change: i64) -> Result<Vec<Id>> {
    let (Some(table), Some(first)) = (T::EMBEDDINGS, run.first()) else { return Ok(Vec::new()) };
    let Columns { names, given, replaced } = form.columns();
    let directed = if form == Form::Plain { "" } else { ", directed" };
    let mut statement = Statement::of(scope, "INSERT INTO ")?;
    statement.sql(table).sql(" (id, model, revision, ").sql(names).sql(", change").sql(directed).sql(") SELECT kept.id, ");
    statement.bind(first.vector.model.as_str()).sql(", given.revision, given.").sql(given).sql(", given.change");
    statement.sql(if form == Form::Plain { "" } else { ", given.change" }).sql(" FROM (SELECT *, ").bind(change);
    statement.sql(" + ordinality - 1 AS change FROM unnest(");
    statement.array(run.iter().map(|embedding| embedding.id)).sql("::uuid[], ");
    statement.array(run.iter().map(|embedding| i64::try_from(embedding.revision).unwrap_or(i64::MAX))).sql("::bigint[], ");
    statement.array(run.iter().map(|embedding| bytes::from_components(&embedding.vector.components))).sql("::bytea[]");
    #[cfg(feature = "pgvector")]
    if form == Form::Directed {
        statement.sql(", ").array(run.iter().map(|embedding| direction::of(&embedding.vector.components))).sql("::halfvec[]");
    }
    statement.sql(") WITH ORDINALITY AS given (id, revision, ").sql(names).sql(", ordinality)) AS given JOIN ").sql(T::NAME);
    statement
        .sql(" AS kept ON kept.id = given.id AND given.revision <= kept.revision WHERE ")
        .sql(T::OPEN)
        .sql(" OR ")
        .sql(T::SEES_TO_WRITE);
    // Whoever is about to remove a record is waited for, and the record left out; whoever comes to remove it waits.
    statement.sql(" FOR KEY SHARE OF kept ON CONFLICT (id, model) DO UPDATE SET revision = excluded.revision, change = excluded.change, ");
    statement.sql(replaced).sql(" RETURNING id");
    statement.rows(connection).await?.iter().map(|row| row.try_get(0).map_err(from_sqlx)).collect()
}

/// Removes a record's embeddings, if the scope may see the record; answers whether there were any.
pub(super) async fn remove(connection: &mut PgConnection, scope: Scope, kind: Kind, id: Id) -> Result<bool> {
    with_kind!(kind, T => {
        let Some(table) = T::EMBEDDINGS else { return Ok(false) };
        let mut statement = Statement::of(scope, "DELETE FROM ")?;
        statement.sql(table).sql(" AS held WHERE held.id = ").bind(id).sql(" AND EXISTS (SELECT FROM ").sql(T::NAME);
        statement.sql(" AS kept WHERE kept.id = held.id AND (").sql(T::OPEN).sql(" OR ").sql(T::SEES_TO_WRITE).sql("))");
        Ok(statement.run(connection).await? > 0)
    })
}

/// Removes some embeddings of a model, whosever they are; answers how many.
pub(super) async fn forget(connection: &mut PgConnection, model: &str, limit: usize) -> Result<usize> {
    let mut forgotten = 0;
    for (_, table) in tables() {
        let mut statement = Statement::new("DELETE FROM ");
        statement.sql(table).sql(" AS held WHERE held.model = ").bind(model).sql(" AND held.id IN (SELECT few.id FROM ").sql(table);
        statement.sql(" AS few WHERE few.model = ").bind(model).sql(" ORDER BY few.id LIMIT ");
        statement.bind(i64::try_from(limit - forgotten).unwrap_or(i64::MAX)).sql(")");
        forgotten += usize::try_from(statement.run(&mut *connection).await?).unwrap_or(usize::MAX);
        if forgotten >= limit {
            break;
        }
    }
    Ok(forgotten)
}

/// Reads embeddings in the order of an export: those of one model and kind, at most.
pub(crate) async fn export(connection: &mut PgConnection, after: Option<(&str, Kind, Id)>, limit: usize) -> Result<Vec<Embedding>> {
    const FROM: &str = "SELECT model, dimensions FROM embedding_models WHERE model >= $1 ORDER BY model";
    let from = after.map_or("", |(model, ..)| model);
    for row in sqlx::query(FROM).bind(from).fetch_all(&mut *connection).await.map_err(from_sqlx)? {
        let model: String = row.try_get(0).map_err(from_sqlx)?;
        let dimensions = row.try_get::<i32, _>(1).map_err(from_sqlx)?.unsigned_abs() as usize;
        let limit = limit.min((PAGE_BYTES / (dimensions * size_of::<f32>())).max(1));
        for (kind, table) in tables() {
            let behind = match after.filter(|(done, ..)| *done == model) {
                Some((_, done, _)) if kind < done => continue,
                Some((_, current, id)) if kind == current => Some(id),
                _ => None,
            };
            let mut statement = Statement::new("SELECT held.id, held.revision, held.vector FROM ");
            statement.sql(table).sql(" AS held WHERE held.model = ").bind(model.as_str());
            if let Some(id) = behind {
                statement.sql(" AND held.id > ").bind(id);
            }
            statement.sql(" ORDER BY held.id LIMIT ").bind(i64::try_from(limit).unwrap_or(i64::MAX));
            let page = statement.rows(connection).await?;
            if !page.is_empty() {
                return page.iter().map(|row| read(row, kind, &model)).collect();
            }
        }
    }
    Ok(Vec::new())
}

fn read(row: &PgRow, kind: Kind, model: &str) -> Result<Embedding> {
    let components = bytes::to_components(row.try_get(2).map_err(from_sqlx)?)?;
    Ok(Embedding {
        kind,
        id: row.try_get(0).map_err(from_sqlx)?,
        revision: row.try_get::<i64, _>(1).map_err(from_sqlx)?.unsigned_abs(),
        vector: Vector { model: model.to_owned(), components },
    })
}

/// Tells of each model what is stored of it.
pub(super) async fn describe(connection: &mut PgConnection) -> Result<Vec<VectorModel>> {
    let mut statement = Statement::new("SELECT known.model, known.dimensions, ");
    count(&mut statement);
    statement.sql(" FROM embedding_models AS known ORDER BY known.model");
    let mut models = Vec::new();
    for row in statement.rows(connection).await? {
        let count = row.try_get::<i64, _>(2).map_err(from_sqlx)?.unsigned_abs();
        if count > 0 {
            let dimensions = row.try_get::<i32, _>(1).map_err(from_sqlx)?.unsigned_abs() as usize;
            models.push(VectorModel { model: row.try_get(0).map_err(from_sqlx)?, dimensions, count, exact: true });
        }
    }
    Ok(models)
}

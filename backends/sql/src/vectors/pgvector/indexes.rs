//! The approximate indexes (HNSW): one a model and table, made at run time, since only then a model's dimensions are known, and once
//! there is so much that an index helps. One gateway makes them. Until one is whole, everything is compared.

use std::sync::Arc;
use std::time::Duration;

use mosaic_core::{Error, ErrorKind, Result};
use sqlx::{AssertSqlSafe, PgConnection, Row as _};

use super::direction;
use super::near::MUCH;
use crate::connection::{Connections, Work};
use crate::error::from_sqlx;
use crate::statement::Statement;
use crate::vectors::refresh;
use crate::work::once;

/// How often it is looked whether an index is missing, or of no use any more.
const LOOK: Duration = Duration::from_secs(20);
/// How long whoever waits for somebody else's index rests between two looks.
const WAIT: Duration = Duration::from_secs(1);
/// After failures it rests longer each time, up to this.
const LONGEST_REST: Duration = Duration::from_secs(3_600);
/// What making an index may take of the server's memory, unless its operator has set more: with less than the graph takes, it takes ten
/// times as long (pgvector's README, "Index Build Time").
const MEMORY: &str = "SELECT set_config('maintenance_work_mem', '512MB', false) \
    WHERE pg_size_bytes(current_setting('maintenance_work_mem')) < pg_size_bytes('512MB')";

/// Held, in its session, by who makes indexes. The letters "mosaicix" as a number.
const LOCK: i64 = 0x6d6f_7361_6963_6978;

/// Keeps the indexes as they should be, for ever.
pub(super) async fn keep(connections: Arc<dyn Connections>) -> Result<()> {
    let mut rest = LOOK;
    loop {
        // What it does not manage now, it does later: searches are answered all the same.
        rest = match look(&connections).await {
            Ok(_) => LOOK,
            Err(error) => {
                let hint = error.hint_text().unwrap_or_default();
                tracing::warn!(%error, hint, "the vector indexes are not kept at present");
                (rest * 2).min(LONGEST_REST)
            }
        };
        tokio::time::sleep(rest).await;
    }
}

/// Makes the indexes that are missing, and waits for whoever else is at it.
pub(super) async fn settle(connections: &Arc<dyn Connections>) -> Result<()> {
    while look(connections).await? == Outcome::Busy {
        tokio::time::sleep(WAIT).await;
    }
    Ok(())
}

/// What came of a look at the indexes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// They are as they should be.
    Settled,
    /// Somebody else is making one.
    Busy,
}

/// An index that should be there.
struct Wanted {
    table: &'static str,
    model: String,
    dimensions: usize,
}

/// Looks what is missing or of no use, and changes that.
async fn look(connections: &Arc<dyn Connections>) -> Result<Outcome> {
    // Somebody of another tier may write to the same database.
    direction::complete(connections).await?;
    let stale = once!(connections, Work::Bulk, connection => stale(connection))?;
    let missing = once!(connections, Work::Bulk, connection => missing(connection))?;
    if stale.is_empty() && missing.is_empty() {
        return Ok(Outcome::Settled);
    }
    once!(connections, Work::Index, connection => async {
        if !lock(connection).await? {
            return Ok(Outcome::Busy);
        }
        let outcome = change(connection, &stale, &missing).await;
        let unlocked = sqlx::query("SELECT pg_advisory_unlock($1)").bind(LOCK).execute(connection).await.map_err(from_sqlx);
        outcome.and(unlocked.map(|_| Outcome::Settled))
    })
}

async fn lock(connection: &mut PgConnection) -> Result<bool> {
    sqlx::query_scalar("SELECT pg_try_advisory_lock($1)").bind(LOCK).fetch_one(connection).await.map_err(from_sqlx)
}

async fn change(connection: &mut PgConnection, stale: &[String], missing: &[Wanted]) -> Result<()> {
    // Another gateway may have been at it until a moment ago.
    let stale: Vec<_> = self::stale(&mut *connection).await?.into_iter().filter(|name| stale.contains(name)).collect();
    for name in stale {
        tracing::info!(index = name, "removing a vector index that is of no use any more");
        run(&mut *connection, format!("DROP INDEX CONCURRENTLY IF EXISTS {name}")).await?;
    }
    for Wanted { table, model, dimensions } in missing {
        make(&mut *connection, table, model, *dimensions).await?;
    }
    Ok(())
}

async fn make(connection: &mut PgConnection, table: &'static str, model: &str, dimensions: usize) -> Result<()> {
    // The name and the condition are put together by the server, which knows how to quote.
    const NUMBER: &str = "INSERT INTO embedding_indexes (model, dimensions) VALUES ($1, $2) \
        ON CONFLICT (model, dimensions) DO UPDATE SET model = excluded.model RETURNING number";
    // The model may begin anew with other dimensions while the index is still there: that must not keep its vectors out.
    const MAKE: &str = "SELECT format('CREATE INDEX CONCURRENTLY IF NOT EXISTS %1$I ON %2$I USING hnsw \
        ((direction::halfvec(%3$s)) halfvec_ip_ops) WHERE model = %4$L AND vector_dims(direction) = %3$s', $1, $2, $3::int, $4)";
    let number = sqlx::query_scalar(NUMBER).bind(model).bind(width(dimensions));
    let number: i64 = number.fetch_one(&mut *connection).await.map_err(from_sqlx)?;
    let name = format!("{table}_hnsw_{number}");
    let sql = sqlx::query_scalar(MAKE).bind(&name).bind(table).bind(width(dimensions)).bind(model);
    let sql: String = sql.fetch_one(&mut *connection).await.map_err(from_sqlx)?;
    let begun = tokio::time::Instant::now();
    tracing::info!(index = name, model, dimensions, "making a vector index");
    sqlx::query(MEMORY).execute(&mut *connection).await.map_err(from_sqlx)?;
    if let Err(error) = run(&mut *connection, sql.clone()).await {
        // Workers share memory that a container may have little of; without them it takes longer.
        tracing::info!(index = name, %error, "making the vector index once more, by one process");
        run(&mut *connection, format!("DROP INDEX CONCURRENTLY IF EXISTS {name}")).await?;
        run(&mut *connection, "SET max_parallel_maintenance_workers = 0".to_owned()).await?;
        run(&mut *connection, sql).await?;
    }
    let seconds = begun.elapsed().as_secs();
    tracing::info!(index = name, seconds, "the vector index is in use");
    Ok(())
}

async fn run(connection: &mut PgConnection, sql: String) -> Result<()> {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.map_err(from_sqlx).map(|_| ())
}

/// Whether the index `found`, of pg_class, is one of ours; which number it has.
const OURS: &str = " FROM pg_index AS made JOIN pg_class AS found ON found.oid = made.indexrelid \
    JOIN pg_class AS base ON base.oid = made.indrelid JOIN embedding_indexes AS known \
    ON found.relname = base.relname || '_hnsw_' || known.number \
    WHERE base.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema()) ";

/// The tables whose embeddings of the model have an index that is whole.
pub(super) async fn tables(connection: &mut PgConnection, model: &str, dimensions: usize) -> Result<Vec<String>> {
    let mut statement = Statement::new("SELECT base.relname::text");
    statement.sql(OURS).sql("AND made.indisvalid AND known.model = ").bind(model).sql(" AND known.dimensions = ").bind(width(dimensions));
    statement.rows(connection).await?.iter().map(|row| row.try_get(0).map_err(from_sqlx)).collect()
}

/// The models that are compared by an index, in some table.
pub(super) async fn models(connection: &mut PgConnection) -> Result<Vec<String>> {
    let mut statement = Statement::new("SELECT DISTINCT known.model");
    statement.sql(OURS).sql("AND made.indisvalid");
    statement.rows(connection).await?.iter().map(|row| row.try_get(0).map_err(from_sqlx)).collect()
}

/// Indexes that nothing needs: left half made by somebody who is gone, or of a model that has no embeddings of these dimensions.
async fn stale(connection: &mut PgConnection) -> Result<Vec<String>> {
    // Whoever is making one holds the lock.
    const BEING_MADE: &str = "EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 AND pid <> pg_backend_pid() \
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
        AND (classid::bigint << 32 | objid::bigint) = ";
    let mut statement = Statement::new("SELECT found.relname::text");
    statement.sql(OURS).sql("AND (NOT made.indisvalid AND NOT ").sql(BEING_MADE).bind(LOCK).sql(") ");
    statement.sql("OR NOT EXISTS (SELECT FROM embedding_models AS model WHERE model.model = known.model ");
    statement.sql("AND model.dimensions = known.dimensions AND ");
    refresh::has_embeddings(&mut statement);
    statement.sql("))");
    statement.rows(connection).await?.iter().map(|row| row.try_get(0).map_err(from_sqlx)).collect()
}

/// The indexes that would help and are not there.
async fn missing(connection: &mut PgConnection) -> Result<Vec<Wanted>> {
    let mut missing = Vec::new();
    let mut statement = Statement::new("SELECT model, dimensions FROM embedding_models WHERE at_most >= ");
    statement.bind(MUCH);
    for row in statement.rows(&mut *connection).await? {
        let (model, dimensions): (String, i32) = (row.try_get(0).map_err(from_sqlx)?, row.try_get(1).map_err(from_sqlx)?);
        let dimensions = usize::try_from(dimensions).map_err(|_| Error::new(ErrorKind::Corrupt, "a model has no dimensions"))?;
        let made = tables(&mut *connection, &model, dimensions).await?;
        for (_, table) in refresh::tables().filter(|(_, table)| made.iter().all(|made| made != table)) {
            let mut statement = Statement::new("SELECT count(*) FROM (SELECT FROM ");
            statement.sql(table).sql(" AS held WHERE held.model = ").bind(model.as_str()).sql(" LIMIT ").bind(MUCH).sql(") AS counted");
            let row = statement.row(&mut *connection).await?;
            if row.map_or(Ok(0), |row| row.try_get::<i64, _>(0)).map_err(from_sqlx)? >= MUCH {
                missing.push(Wanted { table, model: model.clone(), dimensions });
            }
        }
    }
    Ok(missing)
}

fn width(dimensions: usize) -> i32 {
    i32::try_from(dimensions).unwrap_or(i32::MAX)
}

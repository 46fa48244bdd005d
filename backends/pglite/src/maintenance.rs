//! What a Postgres server does in the background and the embedded one does not: checkpoints after a while, so that there
//! is little to recover, and VACUUM and ANALYZE. (A full write-ahead log is cut by the engine itself, `max_wal_size`.)
//! Each step is a piece of work of its own, so that requests get in between, and none is done while nobody asks for anything.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use mosaic_core::{Error, ErrorKind, Result};
use mosaic_sql::connection::{Lease, Work};
use sqlx::{AssertSqlSafe, PgConnection};
use tokio::time::Instant;

use crate::connections::Pool;

/// How often it looks what there is to do; the default of Postgres's autovacuum.
const LOOK: Duration = Duration::from_secs(60);
/// When it looks first, counted from the start: an import that ended before its minute was up has left that to its successor.
const FIRST_LOOK: Duration = Duration::from_secs(5);
/// Less write-ahead log than this is not worth a checkpoint: it is recovered in no time.
const LITTLE_LOG: i64 = 64 << 10;

/// The write-ahead log since the last checkpoint, in bytes.
const LOG_BYTES: &str = "SELECT (pg_current_wal_lsn() - redo_lsn)::bigint FROM pg_control_checkpoint()";

/// The statements to run, by autovacuum's own rule (Postgres manual, section 24.1.6), and for tables that were never looked at.
/// The names in them are quoted by Postgres.
const VACUUMS: &str = "\
    SELECT format('VACUUM (ANALYZE) %I.%I', n.nspname, c.relname) \
    FROM pg_class c \
    JOIN pg_namespace n ON n.oid = c.relnamespace \
    LEFT JOIN pg_stat_all_tables s ON s.relid = c.oid \
    WHERE c.relkind IN ('r', 'm') AND (\
        (c.reltuples < 0 AND pg_relation_size(c.oid) > 0) \
        OR s.n_dead_tup > 50 + 0.2 * greatest(c.reltuples, 0) \
        OR s.n_mod_since_analyze > 50 + 0.1 * greatest(c.reltuples, 0) \
        OR s.n_ins_since_vacuum > 1000 + 0.2 * greatest(c.reltuples, 0) \
        OR age(c.relfrozenxid) > 100000000) \
    ORDER BY c.oid";

/// Keeps the database in shape until the pool is closed.
pub(crate) async fn run(pool: Arc<Pool>) -> Result<()> {
    tokio::select! {
        () = pool.closing() => {}
        never = work(&pool) => match never {},
    }
    // Not before the supervisor: whoever waits for the first service to end is to learn why it did.
    pool.ended().await;
    Ok(())
}

async fn work(pool: &Arc<Pool>) -> Infallible {
    let (mut seen, mut pause) = (0, FIRST_LOOK);
    loop {
        tokio::time::sleep(pause).await;
        pause = LOOK;
        let requests = pool.requests();
        if requests != seen {
            seen = requests;
            report("a checkpoint", checkpoint(pool).await);
            report("a vacuum", vacuum_tables(pool).await);
        }
    }
}

async fn checkpoint(pool: &Arc<Pool>) -> Result<()> {
    let bytes: i64 = on_lease(pool, Work::Request, async |connection| sqlx::query_scalar(LOG_BYTES).fetch_one(connection).await).await?;
    if bytes > LITTLE_LOG {
        let begun = Instant::now();
        on_lease(pool, Work::Bulk, async |connection| sqlx::raw_sql("CHECKPOINT").execute(connection).await).await?;
        tracing::debug!(log_bytes = bytes, elapsed_ms = begun.elapsed().as_millis(), "a checkpoint was made");
    }
    Ok(())
}

async fn vacuum_tables(pool: &Arc<Pool>) -> Result<()> {
    let look = async |connection: &mut PgConnection| sqlx::query_scalar(VACUUMS).fetch_all(connection).await;
    let statements: Vec<String> = on_lease(pool, Work::Request, look).await?;
    for statement in statements {
        let begun = Instant::now();
        let vacuum = async |connection: &mut PgConnection| sqlx::raw_sql(AssertSqlSafe(statement.as_str())).execute(connection).await;
        on_lease(pool, Work::Maintenance, vacuum).await?;
        tracing::debug!(statement, elapsed_ms = begun.elapsed().as_millis(), "a table was vacuumed");
    }
    Ok(())
}

async fn on_lease<T>(pool: &Arc<Pool>, work: Work, statement: impl AsyncFnOnce(&mut PgConnection) -> sqlx::Result<T>) -> Result<T> {
    let mut lease = Box::new(pool.lend(work).await?);
    match statement(lease.connection()).await {
        Ok(done) => {
            lease.settled();
            Ok(done)
        }
        Err(error) => Err(lease.broken().unwrap_or_else(|| Error::new(ErrorKind::Internal, "maintenance was refused").source(error))),
    }
}

/// A failure is made up for at the next look: nothing depends on this one.
fn report(what: &'static str, done: Result<()>) {
    match done {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::Unavailable => tracing::debug!(%error, "{what} was put off"),
        Err(error) => tracing::warn!(?error, "{what} failed"),
    }
}

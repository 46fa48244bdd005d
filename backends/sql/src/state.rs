//! Small named documents, read and written one at a time, each write only at the version that its writer knows.

use mosaic_core::{Error, ErrorKind, Result, State, StateWrite};
use sqlx::{PgConnection, Row as _};

use crate::error::from_sqlx;

// What was removed has no value, and keeps its version: no version comes twice.
const READ: &str = "SELECT value, version FROM state WHERE name = $1 AND value IS NOT NULL";
const MAKE: &str = "INSERT INTO state AS kept (name, value, version) VALUES ($1, $2::json, 1) \
    ON CONFLICT (name) DO UPDATE SET value = excluded.value, version = kept.version + 1 WHERE kept.value IS NULL RETURNING version";
const WRITE: &str = "UPDATE state SET value = $2::json, version = version + 1 \
    WHERE name = $1 AND version = $3 AND value IS NOT NULL RETURNING version";
const REMOVE: &str = "UPDATE state SET value = NULL WHERE name = $1 AND version = $2 AND value IS NOT NULL RETURNING 0::bigint";

/// Reads a document.
pub(crate) async fn read(connection: &mut PgConnection, name: &str) -> Result<Option<State>> {
    let Some(row) = sqlx::query(READ).bind(name).fetch_optional(connection).await.map_err(from_sqlx)? else { return Ok(None) };
    let version: i64 = row.try_get(1).map_err(from_sqlx)?;
    Ok(Some(State { value: row.try_get(0).map_err(from_sqlx)?, version: version.unsigned_abs() }))
}

/// Writes a document with one statement; answers its new version.
pub(crate) async fn write(connection: &mut PgConnection, write: &StateWrite) -> Result<u64> {
    // No stored version is past the range.
    let expect = i64::try_from(write.expect).unwrap_or(i64::MAX);
    let query = match &write.value {
        Some(value) if expect == 0 => sqlx::query_scalar(MAKE).bind(&write.name).bind(value.to_string()),
        Some(value) => sqlx::query_scalar(WRITE).bind(&write.name).bind(value.to_string()).bind(expect),
        None => sqlx::query_scalar(REMOVE).bind(&write.name).bind(expect),
    };
    let version: Option<i64> = query.fetch_optional(&mut *connection).await.map_err(from_sqlx)?;
    if let Some(version) = version {
        return Ok(version.unsigned_abs());
    }
    match read(connection, &write.name).await?.map_or(0, |state| state.version) {
        // What is not there needs no removal.
        0 if expect == 0 && write.value.is_none() => Ok(0),
        version => Err(Error::new(ErrorKind::Stale, "the state has changed since it was read")
            .with("name", &write.name)
            .with("version", version)
            .hint("read it again, and decide anew")),
    }
}

//! Reading what was written since, by whichever process, in the order of the changes.

use mosaic_core::{Id, Kind, Result, with_kind};
use sqlx::{PgConnection, Row as _};

use super::bytes;
use crate::error::from_sqlx;
use crate::statement::Statement;
use crate::table::Table;

/// A page holds so many bytes of vectors, about: 4 MiB.
const PAGE_BYTES: usize = 4 << 20;

/// What the database knows of a model.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    pub(super) dimensions: usize,
    /// The last change of an embedding of it.
    pub(super) change: i64,
    pub(super) has_embeddings: bool,
}

/// Embeddings in the order of their changes.
pub(super) struct Page {
    /// The model's, when it was read.
    pub(super) dimensions: usize,
    /// The change behind which it begins.
    pub(super) from: i64,
    pub(super) rows: Vec<Row>,
    /// Every change up to this one is in this page or an earlier one.
    pub(super) up_to: i64,
}

/// An embedding.
pub(super) struct Row {
    pub(super) kind: Kind,
    pub(super) id: Id,
    pub(super) change: i64,
    pub(super) components: Vec<f32>,
}

/// Looks a model up; `None` when no embedding was ever of it.
pub(super) async fn model(connection: &mut PgConnection, model: &str) -> Result<Option<Known>> {
    let mut statement = Statement::new("SELECT known.dimensions, known.change, ");
    has_embeddings(&mut statement);
    statement.sql(" FROM embedding_models AS known WHERE known.model = ").bind(model);
    let Some(row) = statement.row(connection).await? else { return Ok(None) };
    let dimensions = row.try_get::<i32, _>(0).map_err(from_sqlx)?.unsigned_abs() as usize;
    Ok(Some(Known { dimensions, change: row.try_get(1).map_err(from_sqlx)?, has_embeddings: row.try_get(2).map_err(from_sqlx)? }))
}

/// Whether there is any embedding of the model `known`.
pub(super) fn has_embeddings(statement: &mut Statement) {
    statement.sql("(false");
    for table in tables() {
        statement.sql(" OR EXISTS (SELECT FROM ").sql(table.1).sql(" AS held WHERE held.model = known.model)");
    }
    statement.sql(")");
}

/// The kinds that are searched, each with the table of its embeddings.
pub(crate) fn tables() -> impl Iterator<Item = (Kind, &'static str)> {
    Kind::searched().filter_map(|kind| with_kind!(kind, T => T::EMBEDDINGS).map(|table| (kind, table)))
}

/// Reads the embeddings of a model behind a change, up to what was known, and further where there is more by now.
pub(super) async fn page(connection: &mut PgConnection, model: &str, known: Known, from: i64) -> Result<Page> {
    let limit = (PAGE_BYTES / (known.dimensions * size_of::<f32>())).max(1);
    let kinds: Vec<_> = tables().collect();
    let mut statement = Statement::new("SELECT place, id, change, vector FROM (");
    for (place, (_, table)) in kinds.iter().enumerate() {
        statement
            .sql(if place == 0 { "(SELECT " } else { " UNION ALL (SELECT " })
            .bind(place as i32)
            .sql("::int AS place, held.id, held.change, ");
        statement.sql("held.vector FROM ").sql(table).sql(" AS held WHERE held.model = ").bind(model).sql(" AND held.change > ").bind(from);
        statement.sql(" ORDER BY held.change LIMIT ").bind(limit as i64).sql(")");
    }
    statement.sql(") AS held ORDER BY change LIMIT ").bind(limit as i64);
    let mut rows = Vec::new();
    for row in statement.rows(connection).await? {
        let Some((kind, _)) = kinds.get(row.try_get::<i32, _>(0).map_err(from_sqlx)?.unsigned_abs() as usize) else { continue };
        let components = bytes::to_components(row.try_get(3).map_err(from_sqlx)?)?;
        rows.push(Row { kind: *kind, id: row.try_get(1).map_err(from_sqlx)?, change: row.try_get(2).map_err(from_sqlx)?, components });
    }
    let last = rows.last().map_or(from, |last| last.change);
    // Of the last changes, the embeddings may be gone.
    let up_to = if rows.len() < limit { last.max(known.change) } else { last };
    Ok(Page { dimensions: known.dimensions, from, rows, up_to })
}

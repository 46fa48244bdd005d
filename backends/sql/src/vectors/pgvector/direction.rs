//! The direction of a vector: the same divided by its length, as pgvector's numbers of half precision. Half the memory, room for
//! [`mosaic_core::vectors::MAX_DIMENSIONS`] in an index, and no length that overflows. What must not come in: comparing.

use std::sync::Arc;

use mosaic_core::vectors::dot;
use mosaic_core::{Id, Kind, Result};
use pgvector::HalfVector;
use sqlx::{PgConnection, Row as _};

use crate::connection::{Connections, Work};
use crate::error::from_sqlx;
use crate::statement::Statement;
use crate::vectors::bytes;
use crate::vectors::refresh::tables;
use crate::work::once;

/// So many directions are worked out at once.
const RUN: i64 = 500;

/// The direction of a vector; `None` for one without.
pub(in crate::vectors) fn of(components: &[f32]) -> Option<HalfVector> {
    let length = dot(components, components).sqrt();
    if length == 0.0 {
        return None;
    }
    let unit: Vec<f32> = components.iter().map(|component| (f64::from(*component) / length) as f32).collect();
    Some(HalfVector::from_f32_slice(&unit))
}

/// Gives every vector that was stored without pgvector its direction.
pub(crate) async fn complete(connections: &Arc<dyn Connections>) -> Result<()> {
    for (kind, table) in tables() {
        while once!(connections, Work::Bulk, connection => complete_some(connection, kind, table))? > 0 {}
    }
    Ok(())
}

async fn complete_some(connection: &mut PgConnection, kind: Kind, table: &'static str) -> Result<u64> {
    tracing::trace!(%kind, "looking for vectors without a direction");
    let mut statement = Statement::new("SELECT held.id, held.model, held.change, held.vector FROM ");
    statement.sql(table).sql(" AS held WHERE held.directed IS DISTINCT FROM held.change ORDER BY held.model, held.id LIMIT ").bind(RUN);
    let rows = statement.rows(&mut *connection).await?;
    if rows.is_empty() {
        return Ok(0);
    }
    let mut given: (Vec<Id>, Vec<String>, Vec<i64>, Vec<Option<HalfVector>>) = Default::default();
    for row in &rows {
        given.0.push(row.try_get(0).map_err(from_sqlx)?);
        given.1.push(row.try_get(1).map_err(from_sqlx)?);
        given.2.push(row.try_get(2).map_err(from_sqlx)?);
        given.3.push(of(&bytes::to_components(row.try_get(3).map_err(from_sqlx)?)?));
    }
    let mut statement = Statement::new("UPDATE ");
    statement.sql(table).sql(" AS held SET direction = given.direction, directed = given.change FROM unnest(");
    statement.array(given.0.into_iter()).sql("::uuid[], ").array(given.1.into_iter()).sql("::text[], ");
    statement.array(given.2.into_iter()).sql("::bigint[], ").array(given.3.into_iter());
    statement.sql("::halfvec[]) AS given (id, model, change, direction) WHERE held.id = given.id AND held.model = given.model");
    // Given anew meanwhile, it is looked at anew.
    statement.sql(" AND held.change = given.change");
    statement.run(connection).await?;
    Ok(rows.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_direction_has_length_1_whatever_the_vector_has() {
        let same = of(&[0.6, 0.8]).unwrap();
        assert_eq!(of(&[6.0, 8.0]), Some(same.clone()));
        assert_eq!(of(&[f32::MAX * 0.6, f32::MAX * 0.8]), Some(same.clone()));
        assert_eq!(of(&[6.0e-38, 8.0e-38]), Some(same));
        assert_eq!(of(&[0.0, 0.0]), None);
    }
}

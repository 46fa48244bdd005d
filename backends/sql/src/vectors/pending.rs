//! Looking for records without an embedding of their revision: piece by piece, so that requests come in between, however many there are.

use std::sync::Arc;

use mosaic_core::{Id, Kind, Result, with_kind};
use sqlx::{PgConnection, Row as _};

use super::refresh::tables;
use crate::connection::{Connections, Work};
use crate::error::from_sqlx;
use crate::statement::Statement;
use crate::table::Table;
use crate::work::reading;

/// A look goes through so many records: on the embedded engine, which has one connection, some 35 ms.
const LOOK: i64 = 10_000;

/// What came of a look.
struct Look {
    found: Vec<(Kind, Id)>,
    /// Behind which record the next one begins; `None` at the end.
    on: Option<(Kind, Id)>,
}

/// The first records behind a place without an embedding of the model that is of their revision.
pub(super) async fn first(
    connections: &Arc<dyn Connections>,
    model: &str,
    after: Option<(Kind, Id)>,
    limit: usize,
) -> Result<Vec<(Kind, Id)>> {
    let (mut pending, mut from) = (Vec::new(), after);
    while pending.len() < limit {
        let wanted = limit - pending.len();
        let look = reading!(connections, Work::Bulk, connection => look(connection, model, from, wanted))?;
        pending.extend(look.found);
        from = look.on;
        if from.is_none() {
            break;
        }
    }
    Ok(pending)
}

/// Looks through some records for those without an embedding of the model that is of their revision.
async fn look(connection: &mut PgConnection, model: &str, after: Option<(Kind, Id)>, limit: usize) -> Result<Look> {
    for (kind, table) in tables() {
        let behind = match after {
            Some((done, last)) if kind < done || kind == done && last.is_max() => continue,
            Some((current, id)) if kind == current => Some(id),
            _ => None,
        };
        let records = with_kind!(kind, T => T::NAME);
        let mut statement = Statement::new("SELECT kept.id FROM ");
        statement.sql(records).sql(" AS kept");
        if let Some(id) = behind {
            statement.sql(" WHERE kept.id > ").bind(id);
        }
        statement.sql(" ORDER BY kept.id LIMIT 1 OFFSET ").bind(LOOK - 1);
        let last: Option<Id> = statement.row(connection).await?.map(|row| row.try_get(0)).transpose().map_err(from_sqlx)?;

        let mut statement = Statement::new("SELECT kept.id FROM ");
        statement.sql(records).sql(" AS kept WHERE (SELECT held.revision FROM ").sql(table);
        statement.sql(" AS held WHERE held.id = kept.id AND held.model = ").bind(model).sql(") IS DISTINCT FROM kept.revision");
        if let Some(id) = behind {
            statement.sql(" AND kept.id > ").bind(id);
        }
        if let Some(last) = last {
            statement.sql(" AND kept.id <= ").bind(last);
        }
        statement.sql(" ORDER BY kept.id LIMIT ").bind(i64::try_from(limit).unwrap_or(i64::MAX));
        let mut found = Vec::new();
        for row in statement.rows(connection).await? {
            found.push((kind, row.try_get(0).map_err(from_sqlx)?));
        }
        let on = found.get(limit - 1).copied().unwrap_or((kind, last.unwrap_or(Id::max())));
        return Ok(Look { found, on: Some(on) });
    }
    Ok(Look { found: Vec::new(), on: None })
}

//! Counting what there is, without reading it. What must not come in: anything that a request waits for, since all of it is counted.

use mosaic_core::{Kind, Result, Tally, with_kind};
use sqlx::PgConnection;

use crate::error::from_sqlx;
use crate::statement::Statement;
use crate::table::Table;
use crate::write::column;

/// Counts the records of each kind, in a transaction that the caller holds.
pub(crate) async fn tally(connection: &mut PgConnection) -> Result<Vec<Tally>> {
    // A connection is set up for few rows at a time, by an index; here it is all of them.
    sqlx::raw_sql("SET LOCAL enable_seqscan = on; SET LOCAL enable_bitmapscan = on").execute(&mut *connection).await.map_err(from_sqlx)?;
    let mut tallies = Vec::with_capacity(Kind::ALL.len());
    for kind in Kind::ALL {
        tallies.push(with_kind!(*kind, T => of_kind::<T>(connection).await)?);
    }
    Ok(tallies)
}

async fn of_kind<T: Table>(connection: &mut PgConnection) -> Result<Tally> {
    let mut statement = Statement::new("SELECT count(*), pg_table_size('");
    statement.sql(T::NAME).sql("'::regclass) FROM ").sql(T::NAME);
    let Some(row) = statement.row(connection).await? else { return Ok(Tally { kind: T::KIND, records: 0, bytes: 0 }) };
    let (records, bytes) = (column::<i64>(&row, 0)?.unsigned_abs(), column::<i64>(&row, 1)?.unsigned_abs());
    Ok(Tally { kind: T::KIND, records, bytes: if records == 0 { 0 } else { bytes } })
}

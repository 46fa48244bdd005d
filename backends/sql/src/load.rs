//! Loading: records taken over as they are, as many as possible with one statement. Each that is left out gets its reason.
//! What must not come in: scopes; whoever loads is the system.

use std::any::Any;
use std::collections::{HashMap, HashSet};

use mosaic_core::{Error, ErrorKind, Id, Loaded, Record, Result, Scope, refusal, with_entity, with_kind};
use sqlx::PgConnection;
use sqlx::postgres::PgRow;

use crate::change::prepare_insert;
use crate::statement::Statement;
use crate::table::Table;
use crate::write::{self, Reason};
use crate::{error, read};

/// A statement takes records until their bodies exceed this many bytes together: 8 MiB. More would only cost memory.
const RUN_BYTES: usize = 8 << 20;

/// Loads records, in order, in a transaction that the caller holds.
pub(crate) async fn load(connection: &mut PgConnection, records: &[Record]) -> Result<Vec<Loaded>> {
    let mut loaded = Vec::with_capacity(records.len());
    while let Some(first) = records.get(loaded.len()) {
        let rest = &records[loaded.len()..];
        loaded.extend(with_kind!(first.kind(), T => load_run(connection, &first_run::<T>(rest)).await?));
    }
    Ok(loaded)
}

/// The first records, as far as they are of one kind, and none has the id of another.
fn first_run<T: Table>(records: &[Record]) -> Vec<&T> {
    let (mut ids, mut bytes) = (HashSet::new(), 0);
    let fits = |given: &&T| {
        bytes += given.body_bytes();
        ids.insert(given.id()) && (ids.len() == 1 || bytes <= RUN_BYTES)
    };
    records.iter().map_while(entity::<T>).take_while(fits).collect()
}

/// The struct inside of a record, if it is of this kind.
fn entity<T: Table>(record: &Record) -> Option<&T> {
    with_entity!(record, entity => (entity as &dyn Any).downcast_ref())
}

async fn load_run<T: Table>(connection: &mut PgConnection, run: &[&T]) -> Result<Vec<Loaded>> {
    prepare_insert::<T>(connection).await?;
    let added: HashSet<Id> = write::insert(connection, Scope::System, run).await?.into_iter().collect();
    let left: Vec<&T> = run.iter().copied().filter(|given| !added.contains(&given.id())).collect();
    let mut outcomes = if left.is_empty() { HashMap::new() } else { outcomes(connection, &left).await? };
    Ok(run.iter().map(|given| outcomes.remove(&given.id()).unwrap_or(Loaded::Added)).collect())
}

/// What became of the records that were not added.
async fn outcomes<T: Table>(connection: &mut PgConnection, left: &[&T]) -> Result<HashMap<Id, Loaded>> {
    let mut outcomes = compared(connection, left).await?;
    let others: Vec<&T> = left.iter().copied().filter(|given| !outcomes.contains_key(&given.id())).collect();
    if !others.is_empty() {
        let reasons = write::why_not_inserted(connection, Scope::System, &others).await?;
        for (given, reason) in others.iter().zip(reasons) {
            outcomes.insert(
                given.id(),
                Loaded::Refused(match reason {
                    Reason::NotAllowed(refusal) | Reason::Broken(refusal) | Reason::Taken(refusal) => refusal,
                    Reason::Gone => {
                        Error::new(ErrorKind::Conflict, "another write got in the way").with("id", given.id()).hint("load it again")
                    }
                }),
            );
        }
    }
    Ok(outcomes)
}

/// What became of those whose ids are there. Bodies are compared where they are: a stored one comes only when it is what was given,
/// so that all of them together are no larger than that.
async fn compared<T: Table>(connection: &mut PgConnection, left: &[&T]) -> Result<HashMap<Id, Loaded>> {
    let mut statement = Statement::new("SELECT given.ordinality, kept.revision, ");
    statement.sql(T::LEAN);
    if let Some(body) = T::BODY {
        statement.sql(", CASE WHEN ").sql(body.kept).sql(" = ").sql(body.given).sql(" THEN ").sql(body.kept).sql(" END AS body");
    }
    write::from_given(&mut statement, left);
    statement.sql(" JOIN ").sql(T::NAME).sql(" AS kept ON kept.id = given.id");
    let rows = statement.rows(connection).await?;
    rows.iter().map(|row| compare(row, left)).collect()
}

fn compare<T: Table>(row: &PgRow, left: &[&T]) -> Result<(Id, Loaded)> {
    let ordinality = write::column::<i64>(row, 0)?;
    let place = usize::try_from(ordinality).ok().and_then(|ordinality| left.get(ordinality.checked_sub(1)?));
    let given = place.ok_or_else(|| Error::new(ErrorKind::Internal, "the database numbers what was not given"))?;
    let same = !read::is_cut::<T>(row) && T::decode(row, 2).map_err(error::from_sqlx)?.is_same(given);
    let revision = write::column::<i64>(row, 1)?.unsigned_abs();
    let refusal = || Loaded::Refused(refusal::taken(T::KIND, given.id()).with("revision", revision));
    Ok((given.id(), if same { Loaded::Unchanged } else { refusal() }))
}

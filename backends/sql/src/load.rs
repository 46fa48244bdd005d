//! Loading: records taken over as they are, as many as possible with one statement. Each that is left out gets its reason.
//! What must not come in: scopes; whoever loads is the system.

use std::any::Any;
use std::collections::{HashMap, HashSet};

use mosaic_core::{Error, ErrorKind, Id, Loaded, Record, Result, Scope, refusal, with_entity, with_kind};
use sqlx::PgConnection;

use crate::change::prepare_insert;
use crate::statement::Statement;
use crate::table::{Table, decode};
use crate::write::{self, Reason};

/// A statement takes records until their JSON is past this many bytes: 8 MiB. More would only cost memory.
const RUN_BYTES: usize = 8 << 20;

/// Loads records, in order, in a transaction that the caller holds.
pub(crate) async fn load(connection: &mut PgConnection, records: &[Record]) -> Result<Vec<Loaded>> {
    let mut loaded = Vec::with_capacity(records.len());
    while let Some(first) = records.get(loaded.len()) {
        let rest = &records[loaded.len()..];
        loaded.extend(with_kind!(first.kind(), T => load_run(connection, &Run::<T>::first_of(rest)?).await?));
    }
    Ok(loaded)
}

/// Records of one kind, none with the id of another, that lie next to each other.
struct Run<'r, T> {
    given: Vec<&'r T>,
    /// All of them, as one array.
    json: String,
}

impl<'r, T: Table> Run<'r, T> {
    fn first_of(records: &'r [Record]) -> Result<Self> {
        let mut ids = HashSet::new();
        let mut run = Self { given: Vec::new(), json: String::from("[") };
        for given in records.iter().map_while(entity::<T>) {
            if run.json.len() > RUN_BYTES || !ids.insert(given.id()) {
                break;
            }
            if run.json.len() > 1 {
                run.json.push(',');
            }
            run.json.push_str(&write::as_json(given)?);
            run.given.push(given);
        }
        run.json.push(']');
        Ok(run)
    }
}

/// The struct inside of a record, if it is of this kind.
fn entity<T: Table>(record: &Record) -> Option<&T> {
    with_entity!(record, entity => (entity as &dyn Any).downcast_ref())
}

async fn load_run<T: Table>(connection: &mut PgConnection, run: &Run<'_, T>) -> Result<Vec<Loaded>> {
    prepare_insert::<T>(connection).await?;
    let added: HashSet<Id> = write::insert::<T>(connection, Scope::System, &run.json).await?.into_iter().collect();
    let left: Vec<&T> = run.given.iter().copied().filter(|given| !added.contains(&given.id())).collect();
    let mut outcomes = if left.is_empty() { HashMap::new() } else { outcomes(connection, &left).await? };
    Ok(run.given.iter().map(|given| outcomes.remove(&given.id()).unwrap_or(Loaded::Added)).collect())
}

/// What became of the records that were not added.
async fn outcomes<T: Table>(connection: &mut PgConnection, left: &[&T]) -> Result<HashMap<Id, Loaded>> {
    let mut kept = with_ids_of(connection, left).await?;
    let (there, others): (Vec<&T>, Vec<&T>) = left.iter().partition(|given| kept.contains_key(&given.id()));
    let mut outcomes = HashMap::with_capacity(left.len());
    for given in there {
        let same = kept.remove(&given.id()).map(|kept| (kept.is_same(given), kept.revision()));
        outcomes.insert(
            given.id(),
            match same {
                Some((false, revision)) => Loaded::Refused(refusal::taken(T::KIND, given.id()).with("revision", revision)),
                _ => Loaded::Unchanged,
            },
        );
    }
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

/// The stored records that have the ids of these.
async fn with_ids_of<T: Table>(connection: &mut PgConnection, given: &[&T]) -> Result<HashMap<Id, T>> {
    let ids: Vec<Id> = given.iter().map(|given| given.id()).collect();
    let mut statement = Statement::new("SELECT ");
    statement.sql(T::COLUMNS).sql(" FROM ").sql(T::NAME).sql(" AS kept WHERE kept.id = ANY(").bind(ids).sql(")");
    let rows = statement.rows(connection).await?;
    rows.iter().map(|row| decode::<T>(row).map(|kept| (kept.id(), kept))).collect()
}

//! Loading: records taken over as they are, as many as possible with one statement. Each that is left out gets its reason.
//! What must not come in: scopes; whoever loads is the system.

use std::any::Any;
use std::collections::{HashMap, HashSet};

use mosaic_core::{Error, ErrorKind, Id, Loaded, Record, Result, Scope, with_entity, with_kind};
use sqlx::PgConnection;

use crate::change::prepare_insert;
use crate::statement::Statement;
use crate::table::{Table, decode, taken};
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
    let mut reasons = reasons(connection, &left).await?;
    Ok(run.given.iter().map(|given| reasons.remove(&given.id()).unwrap_or(Loaded::Added)).collect())
}

/// What became of the records that were not added.
async fn reasons<T: Table>(connection: &mut PgConnection, left: &[&T]) -> Result<HashMap<Id, Loaded>> {
    let mut reasons = HashMap::with_capacity(left.len());
    if left.is_empty() {
        return Ok(reasons);
    }
    let kept: HashMap<Id, T> = kept(connection, left).await?.into_iter().map(|kept| (kept.id(), kept)).collect();
    let (mut others, mut other_ids) = (Vec::new(), Vec::new());
    for given in left {
        match kept.get(&given.id()) {
            Some(kept) if kept.is_same(given) => _ = reasons.insert(given.id(), Loaded::Unchanged),
            Some(kept) => _ = reasons.insert(given.id(), Loaded::Refused(taken(T::KIND, given.id()).with("revision", kept.revision()))),
            None => others.push(*given),
        }
    }
    Ok(reasons)
}

//! The storage: every call of the trait, each of them one transaction. What must not come in: rules, which are core's, and how things are
//! written down, which is the tables'.

use std::sync::Arc;

use mosaic_core::rules::{self, Access, Key, Records as _, Writes as _};
use mosaic_core::{
    Applied, Batch, FieldValue, Hit, Id, Kind, Loaded, PAGE_BYTES, Page, Query, Record, Result, Scope, Search, State, StateWrite, Storage,
    Tally, Timestamp, Token, TokenHash, Tokens, User, async_trait,
};

use crate::engine::Engine;
use crate::error;
use crate::tables::{MADE, Snapshot, sortable, state};
use crate::walk::Walk;

/// Records in a database of this process's own.
pub(crate) struct RedbStorage(Arc<Engine>);

impl RedbStorage {
    pub(crate) fn new(engine: Arc<Engine>) -> Self {
        Self(engine)
    }
}

#[async_trait]
impl Storage for RedbStorage {
    // Reads. What the scope may not see is not there: `None`, never an error.

    async fn get(&self, scope: Scope, kind: Kind, id: Id) -> Result<Option<Record>> {
        self.0.read(move |snapshot| Ok(seen(snapshot, scope, kind, id)?.map(Record::without_secrets))).await
    }

    async fn list(&self, scope: Scope, query: &Query) -> Result<Page> {
        let query = query.clone();
        self.0.read(move |snapshot| list(snapshot, scope, &query)).await
    }

    async fn search(&self, scope: Scope, search: &Search) -> Result<Vec<Hit>> {
        let search = search.clone();
        self.0.read(move |snapshot| find(snapshot, scope, &search)).await
    }

    // Writes. The rules are core's; the state write comes last, in the same transaction.

    async fn apply(&self, scope: Scope, batch: &Batch) -> Result<Vec<Applied>> {
        let batch = batch.clone();
        let work = self.0.write(move |draft| {
            let applied = rules::apply(draft, scope, &batch)?;
            batch.state.as_ref().map(|write| draft.put_state(write)).transpose()?;
            Ok(applied)
        });
        work.await
    }

    async fn load(&self, records: &[Record], state: Option<&StateWrite>) -> Result<Vec<Loaded>> {
        let (records, state) = (records.to_vec(), state.cloned());
        let work = self.0.write(move |draft| {
            let loaded = rules::load(draft, &records)?;
            state.as_ref().map(|write| draft.put_state(write)).transpose()?;
            Ok(loaded)
        });
        work.await
    }

    // Everything, in a fixed order: for backups, and for moving to another tier.

    async fn export(&self, after: Option<(Kind, Id)>, limit: usize, tokens: Tokens) -> Result<Vec<Record>> {
        self.0.read(move |snapshot| export(snapshot, after, limit, tokens)).await
    }

    async fn tally(&self) -> Result<Vec<Tally>> {
        self.0.read(|snapshot| Kind::ALL.iter().map(|kind| tally(snapshot, *kind)).collect()).await
    }

    async fn erase(&self, state: &StateWrite) -> Result<()> {
        let state = state.clone();
        self.0.erase(move |draft| draft.put_state(&state).map(drop)).await
    }

    // Signing in, once for each request whose token is not in the cache.

    async fn authenticate(&self, hash: &TokenHash) -> Result<Option<(Token, User)>> {
        let key = Key::hash(hash);
        let work = self.0.read(move |snapshot| {
            let Some(id) = snapshot.find(&key)?.first().copied() else { return Ok(None) };
            let Some(Record::Token(token)) = snapshot.get(Kind::Token, id)? else { return Ok(None) };
            let Some(Record::User(user)) = snapshot.get(Kind::User, token.user_id)? else { return Ok(None) };
            Ok(Some((token, user)))
        });
        work.await
    }

    async fn touch_token(&self, id: Id, at: Timestamp) -> Result<()> {
        let work = self.0.write(move |draft| match draft.get(Kind::Token, id)? {
            Some(Record::Token(token)) => draft.put(&Record::Token(Token { last_used_at: Some(at), ..token })),
            _ => Ok(()),
        });
        work.await
    }

    // Small documents of the gateway's own.

    async fn state(&self, name: &str) -> Result<Option<State>> {
        let name = name.to_owned();
        self.0.read(move |snapshot| state(&snapshot.states, &name)).await
    }

    async fn put_state(&self, write: &StateWrite) -> Result<u64> {
        let write = write.clone();
        self.0.write(move |draft| draft.put_state(&write)).await
    }

    // Its life. After `close`, every call fails as unavailable.

    async fn ping(&self) -> Result<()> {
        self.0.read(|snapshot| state(&snapshot.states, "").map(drop)).await
    }

    async fn close(&self) -> Result<()> {
        self.0.close().await
    }
}

/// The record, if the scope sees it.
pub(crate) fn seen(records: &dyn rules::Records, scope: Scope, kind: Kind, id: Id) -> Result<Option<Record>> {
    match records.get(kind, id)? {
        Some(record) if Access::of(scope, records)?.sees(records, &record)? => Ok(Some(record)),
        _ => Ok(None),
    }
}

/// A page of a list. Filters that say on which shelf a record stands narrow the walk; the others leave records out that it comes by.
fn list(snapshot: &Snapshot, scope: Scope, query: &Query) -> Result<Page> {
    let access = Access::of(scope, snapshot)?;
    let filter = |name: &str| match query.filters.iter().find(|(field, _)| field.name == name) {
        Some((_, FieldValue::Id(id))) => Some(*id),
        _ => None,
    };
    let whole = query.kind.parent().and_then(|parent| Some((parent.kind, filter(parent.field)?)));
    let shelves = match whole {
        Some((kind, id)) => Some(seen(snapshot, scope, kind, id)?.map(|whole| whole.id()).into_iter().collect()),
        None => snapshot.shelves(&access, query.kind, filter("space_id"))?,
    };
    let after = query.after.as_ref().map(|place| (sortable(&place.key), place.id));
    let mut walk = Walk::new(query.descending, after);
    walk.along(snapshot, query.kind, query.order.name, &shelves)?;

    let (mut items, mut bytes) = (Vec::<Record>::new(), 0);
    while let Some(step) = walk.next()? {
        let Some(record) = snapshot.get(step.kind, step.id)? else { continue };
        if !query.filters.iter().all(|(field, value)| record.value(field.name).as_ref() == Some(value)) {
            continue;
        }
        bytes += record.passages().body.len();
        if let Some(last) = items.last()
            && (items.len() == query.limit || bytes > PAGE_BYTES)
        {
            let next = query.position(last);
            return Ok(Page { items, next });
        }
        items.push(record.without_secrets());
    }
    Ok(Page { items, next: None })
}

/// Reads what the scope sees from the newest on, until there are enough hits: exact, and fast enough for what a small team writes. An index
/// of [`mosaic_core::words::lexemes`] would be another table, kept where lists are.
fn find(snapshot: &Snapshot, scope: Scope, search: &Search) -> Result<Vec<Hit>> {
    let access = Access::of(scope, snapshot)?;
    let mut walk = Walk::new(true, None);
    for kind in &search.kinds {
        walk.along(snapshot, *kind, MADE, &snapshot.shelves(&access, *kind, search.space_id)?)?;
    }
    let mut hits = Vec::new();
    while hits.len() < search.limit
        && let Some(step) = walk.next()?
    {
        let Some(record) = snapshot.get(step.kind, step.id)?.filter(|record| search.finds(record)) else { continue };
        let session = match &record {
            Record::Message(message) => snapshot.get(Kind::Session, message.session_id)?,
            _ => None,
        };
        let Some(space_id) = rules::space_of(snapshot, &record)? else { continue };
        hits.push(search.hit(&record, session.as_ref(), space_id));
    }
    Ok(hits)
}

fn export(snapshot: &Snapshot, after: Option<(Kind, Id)>, limit: usize, tokens: Tokens) -> Result<Vec<Record>> {
    let (mut found, mut bytes) = (Vec::new(), 0);
    for (kind, first) in behind(Kind::ALL.iter().copied(), after) {
        if kind == Kind::Token && tokens == Tokens::Omit {
            continue;
        }
        let name = kind.singular();
        for entry in snapshot.records.range((name, first)..=(name, u128::MAX)).map_err(error::engine)? {
            let id = Id::from_u128(entry.map_err(error::engine)?.0.value().1);
            if after == Some((kind, id)) {
                continue;
            }
            let Some(record) = snapshot.get(kind, id)? else { continue };
            bytes += record.passages().body.len();
            if found.len() == limit || (!found.is_empty() && bytes > PAGE_BYTES) {
                return Ok(found);
            }
            found.push(record);
        }
    }
    Ok(found)
}

/// The kinds from a place on, each with the first id to look at: that of the place, which has been read, or any.
pub(crate) fn behind(kinds: impl Iterator<Item = Kind>, after: Option<(Kind, Id)>) -> impl Iterator<Item = (Kind, u128)> {
    let kinds = kinds.filter(move |kind| after.is_none_or(|(last, _)| *kind >= last));
    kinds.map(move |kind| (kind, after.filter(|(last, _)| *last == kind).map_or(0, |(_, id)| id.as_u128())))
}

fn tally(snapshot: &Snapshot, kind: Kind) -> Result<Tally> {
    let mut tally = Tally { kind, records: 0, bytes: 0 };
    let name = kind.singular();
    for entry in snapshot.records.range((name, 0)..=(name, u128::MAX)).map_err(error::engine)? {
        tally.records += 1;
        tally.bytes += entry.map_err(error::engine)?.1.value().len() as u64;
    }
    Ok(tally)
}

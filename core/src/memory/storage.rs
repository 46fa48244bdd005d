//! The storage: the trait's calls, each one lock held for as long as it takes, and no await while it is held.

use std::cmp::Reverse;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use async_trait::async_trait;

use super::snapshot::MemorySnapshot;
use super::tables::{Tables, Transaction};
use crate::rules::{self, Access, Key, Writes as _};
use crate::{
    Applied, Batch, Error, ErrorKind, Hit, Id, Kind, Loaded, PAGE_BYTES, Page, Position, Query, Record, Result, Scope, Search, Snapshot,
    State, StateWrite, Storage, Timestamp, Token, TokenHash, Tokens, User,
};

/// Records in memory. Durable for as long as it lives.
#[derive(Default)]
pub struct MemoryStorage(RwLock<Tables>);

impl MemoryStorage {
    /// A storage that takes so many records, of all kinds together. A batch or a load that would leave more takes no effect and is
    /// [`ErrorKind::Full`]; whoever knows what sets the bound adds a hint to that error.
    pub fn bounded(max_records: usize) -> Self {
        Self(RwLock::new(Tables::bounded(max_records)))
    }

    /// The tables, to read. A panic elsewhere does no harm to them: an unfinished transaction is undone as it unwinds.
    pub(super) fn read(&self) -> Result<RwLockReadGuard<'_, Tables>> {
        let tables = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if tables.is_closed() { Err(closed()) } else { Ok(tables) }
    }

    pub(super) fn write(&self) -> Result<RwLockWriteGuard<'_, Tables>> {
        let tables = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if tables.is_closed() { Err(closed()) } else { Ok(tables) }
    }
}

fn closed() -> Error {
    Error::new(ErrorKind::Unavailable, "the storage is closed")
}

#[async_trait]
impl Storage for MemoryStorage {
    async fn get(&self, scope: Scope, kind: Kind, id: Id) -> Result<Option<Record>> {
        let tables = self.read()?;
        Ok(tables.seen(scope, kind, id)?.cloned().map(Record::without_secrets))
    }

    async fn list(&self, scope: Scope, query: &Query) -> Result<Page> {
        let tables = self.read()?;
        let access = Access::of(scope, &*tables)?;
        let wanted = |record: &Record| query.filters.iter().all(|(field, value)| record.value(field.name).as_ref() == Some(value));
        let in_list = |record: &Record| query.position(record).is_some_and(|place| is_behind(query, &place));

        let mut found: Vec<_> =
            tables.of_kind(query.kind).filter(|record| tables.open_to(&access, record) && wanted(record) && in_list(record)).collect();
        found.sort_by_cached_key(|record| (record.value(query.order.name), record.id()));
        if query.descending {
            found.reverse();
        }

        let items: Vec<_> = first(found.iter().copied(), query.limit).map(|record| record.clone().without_secrets()).collect();
        let more = items.len() < found.len();
        let next = items.last().filter(|_| more).and_then(|last| query.position(last));
        Ok(Page { items, next })
    }

    async fn search(&self, scope: Scope, search: &Search) -> Result<Vec<Hit>> {
        let tables = self.read()?;
        let access = Access::of(scope, &*tables)?;
        let in_space = |record: &Record| search.space_id.is_none() || tables.space_of(record) == search.space_id;
        let kinds = search.kinds.iter().flat_map(|kind| tables.of_kind(*kind));
        let open = kinds.filter(|record| tables.open_to(&access, record) && in_space(record));
        let mut found: Vec<_> = open.filter(|record| search.finds(record)).collect();
        found.sort_by_key(|record| Reverse((record.created_at(), record.id())));
        Ok(found.into_iter().take(search.limit).filter_map(|record| hit(&tables, search, record)).collect())
    }

    async fn apply(&self, scope: Scope, batch: &Batch) -> Result<Vec<Applied>> {
        let mut tables = self.write()?;
        let mut transaction = Transaction::new(&mut tables);
        let applied = rules::apply(&mut transaction, scope, batch)?;
        transaction.commit(batch.state.as_ref())?;
        Ok(applied)
    }

    async fn export(&self, after: Option<(Kind, Id)>, limit: usize, tokens: Tokens) -> Result<Vec<Record>> {
        let tables = self.read()?;
        let wanted = tables.behind(after).filter(|record| tokens == Tokens::WithHashes || record.kind() != Kind::Token);
        Ok(first(wanted, limit).cloned().collect())
    }

    async fn load(&self, records: &[Record], state: Option<&StateWrite>) -> Result<Vec<Loaded>> {
        let mut tables = self.write()?;
        let mut transaction = Transaction::new(&mut tables);
        let loaded = rules::load(&mut transaction, records)?;
        transaction.commit(state)?;
        Ok(loaded)
    }

    async fn snapshot(&self) -> Result<Option<Arc<dyn Snapshot>>> {
        Ok(Some(Arc::new(MemorySnapshot(self.read()?.clone()))))
    }

    async fn erase(&self, state: &StateWrite) -> Result<()> {
        let mut tables = self.write()?;
        tables.put_state(state)?;
        *tables = Tables::closed();
        Ok(())
    }

    async fn authenticate(&self, hash: &TokenHash) -> Result<Option<(Token, User)>> {
        let tables = self.read()?;
        let token = tables.having(&Key::hash(hash)).find_map(|record| match record {
            Record::Token(token) => Some(token),
            _ => None,
        });
        let user = token.and_then(|token| tables.get(Kind::User, token.user_id));
        Ok(match (token, user) {
            (Some(token), Some(Record::User(user))) => Some((token.clone(), user.clone())),
            _ => None,
        })
    }

    async fn touch_token(&self, id: Id, at: Timestamp) -> Result<()> {
        let mut tables = self.write()?;
        if let Some(Record::Token(token)) = tables.get(Kind::Token, id) {
            let used = Token { last_used_at: Some(at), ..token.clone() };
            let mut transaction = Transaction::new(&mut tables);
            transaction.put(&Record::Token(used))?;
            transaction.commit(None)?;
        }
        Ok(())
    }

    async fn state(&self, name: &str) -> Result<Option<State>> {
        Ok(self.read()?.state(name).cloned())
    }

    async fn put_state(&self, write: &StateWrite) -> Result<u64> {
        self.write()?.put_state(write)
    }

    async fn ping(&self) -> Result<()> {
        self.read().map(|_| ())
    }

    async fn close(&self) -> Result<()> {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Tables::closed();
        Ok(())
    }
}

fn hit(tables: &Tables, search: &Search, record: &Record) -> Option<Hit> {
    let session = match record {
        Record::Message(message) => tables.get(Kind::Session, message.session_id),
        _ => None,
    };
    Some(search.hit(record, session, tables.space_of(record)?))
}

/// Whether a place in a list comes behind where the query goes on.
fn is_behind(query: &Query, place: &Position) -> bool {
    let Some(after) = &query.after else { return true };
    let (place, after) = ((&place.key, place.id), (&after.key, after.id));
    if query.descending { place < after } else { place > after }
}

/// The first records: as many as the limit and [`PAGE_BYTES`] let through, and at least one.
pub(super) fn first<'a>(records: impl Iterator<Item = &'a Record>, limit: usize) -> impl Iterator<Item = &'a Record> {
    let mut bytes = 0;
    records.take(limit).enumerate().map_while(move |(i, record)| {
        bytes += record.passages().body.len();
        (i == 0 || bytes <= PAGE_BYTES).then_some(record)
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::executor::block_on;

    use super::*;
    use crate::{Change, Clock as _, Note, SystemClock};

    /// The record with this number: a user, and behind them their notes.
    fn record(n: u128) -> Record {
        let id = Id::from_u128(n + 1);
        let created_at = SystemClock.now();
        let json = match n {
            0 => serde_json::json!({ "kind": "user", "id": id, "login": "ada", "name": "Ada", "created_at": created_at }),
            _ => serde_json::json!({ "kind": "note", "id": id, "owner_id": Id::from_u128(1), "title": "note", "created_at": created_at }),
        };
        serde_json::from_value(json).unwrap()
    }

    fn apply(storage: &MemoryStorage, changes: Vec<Change>) -> Result<Vec<Applied>> {
        block_on(storage.apply(Scope::System, &Batch { at: SystemClock.now(), changes, state: None }))
    }

    fn count(storage: &MemoryStorage) -> usize {
        block_on(storage.export(None, usize::MAX, Tokens::WithHashes)).unwrap().len()
    }

    fn assert_full<T: std::fmt::Debug>(outcome: Result<T>) {
        let error = outcome.unwrap_err();
        assert_eq!((error.kind(), error.get("max_records")), (ErrorKind::Full, Some("3")));
    }

    #[test]
    fn a_bound_is_what_a_batch_leaves() {
        let storage = MemoryStorage::bounded(3);
        assert_full(apply(&storage, (0..4).map(|n| Change::Create(record(n))).collect()));
        assert_eq!(count(&storage), 0, "whole or not at all");
        apply(&storage, (0..3).map(|n| Change::Create(record(n))).collect()).unwrap();
        assert_full(apply(&storage, vec![Change::Create(record(3))]));

        let Record::Note(note) = block_on(storage.get(Scope::System, Kind::Note, record(2).id())).unwrap().unwrap() else { panic!() };
        let again = apply(&storage, vec![Change::Create(note.clone().into())]).unwrap();
        assert!(matches!(again[..], [Applied::Unchanged(_)]), "what is there already takes no room");
        apply(&storage, vec![Change::Update(Note { title: "changed".into(), ..note.clone() }.into())]).unwrap();
        let in_its_place = vec![Change::Create(record(3)), Change::Delete { kind: Kind::Note, id: note.id, revision: None }];
        apply(&storage, in_its_place).unwrap();
        assert_eq!(count(&storage), 3);
    }

    #[test]
    fn a_load_past_the_bound_takes_nothing() {
        let storage = MemoryStorage::bounded(3);
        let records: Vec<_> = (0..4).map(record).collect();
        let state = StateWrite { name: "checkpoint".into(), value: Some(4.into()), expect: 0 };
        assert_full(block_on(storage.load(&records, Some(&state))));
        assert_eq!((count(&storage), block_on(storage.state("checkpoint")).unwrap()), (0, None));
        block_on(storage.load(&records[..3], Some(&state))).unwrap();
        assert!(matches!(
            block_on(storage.load(&records[..3], None)).unwrap()[..],
            [Loaded::Unchanged, Loaded::Unchanged, Loaded::Unchanged]
        ));
    }

    #[test]
    fn writers_at_once_do_not_pass_the_bound_together() {
        for _ in 0..300 {
            let storage = MemoryStorage::bounded(3);
            apply(&storage, vec![Change::Create(record(0)), Change::Create(record(1))]).unwrap();
            let ready = AtomicUsize::new(0);
            let write = |n| {
                let changes = vec![Change::Create(record(n))];
                // Whoever sleeps until the other is ready comes too late to meet it.
                ready.fetch_add(1, Ordering::SeqCst);
                while ready.load(Ordering::SeqCst) < 2 {
                    std::hint::spin_loop();
                }
                apply(&storage, changes).is_ok()
            };
            let taken = std::thread::scope(|scope| {
                let writers = [2, 3].map(|n| scope.spawn(move || write(n)));
                writers.map(|writer| writer.join().unwrap())
            });
            assert!(taken == [true, false] || taken == [false, true], "{taken:?}");
            assert_eq!(count(&storage), 3);
        }
    }
}

//! Which records this process has written, for whoever is to embed them: so that what is written is near soon, and nobody looks through
//! all records to find it. What must not come in: embedding.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use mosaic_core::{
    Applied, Batch, Change, Hit, Id, Kind, Loaded, Page, Query, Record, Result, Scope, Search, Snapshot, State, StateWrite, Storage,
    Timestamp, Token, TokenHash, Tokens, User, async_trait,
};
use tokio::sync::Notify;

/// So many records are noted one by one. Whoever writes more has all of them looked through, which is no more work by then.
const MOST: usize = 1_000;

/// Records that were written since somebody last asked.
#[derive(Default)]
pub struct Written {
    noted: Mutex<Noted>,
    bell: Notify,
}

#[derive(Default)]
struct Noted {
    records: BTreeSet<(Kind, Id)>,
    too_many: bool,
}

impl Written {
    /// Takes what was noted; `None` when it is too much to name.
    pub fn take(&self) -> Option<Vec<(Kind, Id)>> {
        let noted = std::mem::take(&mut *self.noted.lock().unwrap_or_else(PoisonError::into_inner));
        (!noted.too_many).then(|| noted.records.into_iter().collect())
    }

    /// Waits until something is noted; answers at once when something was since the last wait.
    pub async fn rung(&self) {
        self.bell.notified().await;
    }

    fn note(&self, records: impl Iterator<Item = (Kind, Id)>) {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        let before = noted.records.len();
        noted.records.extend(records.filter(|(kind, _)| kind.is_searched()));
        if noted.records.len() > MOST {
            *noted = Noted { records: BTreeSet::new(), too_many: true };
        }
        let is_more = noted.too_many || noted.records.len() > before;
        drop(noted);
        if is_more {
            self.bell.notify_one();
        }
    }
}

/// A storage that notes what is written through it.
pub struct Noting {
    inner: Arc<dyn Storage>,
    written: Arc<Written>,
}

impl Noting {
    /// Notes in `written` what is written to `inner`.
    pub fn new(inner: Arc<dyn Storage>, written: Arc<Written>) -> Self {
        Self { inner, written }
    }
}

/// Notes records when it goes: also when the call that wrote them is dropped, and may have done so or not. To note one in vain costs a look.
struct WhenDone<'w, F: Fn() -> Vec<(Kind, Id)>>(&'w Written, F);

impl<F: Fn() -> Vec<(Kind, Id)>> Drop for WhenDone<'_, F> {
    fn drop(&mut self) {
        self.0.note((self.1)().into_iter());
    }
}

fn place(record: &Record) -> (Kind, Id) {
    (record.kind(), record.id())
}

#[async_trait]
impl Storage for Noting {
    async fn apply(&self, scope: Scope, batch: &Batch) -> Result<Vec<Applied>> {
        let _note = WhenDone(&self.written, || {
            let made = batch.changes.iter().filter_map(|change| match change {
                Change::Create(record) | Change::Update(record) => Some(place(record)),
                Change::Delete { .. } => None,
            });
            made.collect()
        });
        self.inner.apply(scope, batch).await
    }

    async fn load(&self, records: &[Record], state: Option<&StateWrite>) -> Result<Vec<Loaded>> {
        let _note = WhenDone(&self.written, || records.iter().map(place).collect());
        self.inner.load(records, state).await
    }

    async fn get(&self, scope: Scope, kind: Kind, id: Id) -> Result<Option<Record>> {
        self.inner.get(scope, kind, id).await
    }

    async fn list(&self, scope: Scope, query: &Query) -> Result<Page> {
        self.inner.list(scope, query).await
    }

    async fn search(&self, scope: Scope, search: &Search) -> Result<Vec<Hit>> {
        self.inner.search(scope, search).await
    }

    async fn export(&self, after: Option<(Kind, Id)>, limit: usize, tokens: Tokens) -> Result<Vec<Record>> {
        self.inner.export(after, limit, tokens).await
    }

    async fn snapshot(&self) -> Result<Option<Arc<dyn Snapshot>>> {
        self.inner.snapshot().await
    }

    async fn authenticate(&self, hash: &TokenHash) -> Result<Option<(Token, User)>> {
        self.inner.authenticate(hash).await
    }

    async fn touch_token(&self, id: Id, at: Timestamp) -> Result<()> {
        self.inner.touch_token(id, at).await
    }

    async fn state(&self, name: &str) -> Result<Option<State>> {
        self.inner.state(name).await
    }

    async fn put_state(&self, write: &StateWrite) -> Result<u64> {
        self.inner.put_state(write).await
    }

    async fn ping(&self) -> Result<()> {
        self.inner.ping().await
    }

    async fn close(&self) -> Result<()> {
        self.inner.close().await
    }
}

#[cfg(test)]
mod tests {
    use mosaic_core::memory::MemoryStorage;
    use mosaic_core::{Clock as _, SystemClock};
    use serde_json::json;

    use super::*;

    fn record(n: u128) -> Record {
        let id = Id::from_u128(n + 1);
        let record = match n {
            0 => json!({ "kind": "user", "id": id, "login": "ada", "name": "Ada", "role": "member", "created_at": "2026-01-01T00:00:00Z" }),
            _ => {
                json!({ "kind": "note", "id": id, "owner_id": Id::from_u128(1), "title": "note", "created_at": "2026-01-01T00:00:00Z" })
            }
        };
        serde_json::from_value(record).unwrap()
    }

    #[tokio::test]
    async fn what_is_made_changed_and_loaded_is_noted_and_what_is_removed_is_not() {
        let written = Arc::new(Written::default());
        let storage = Noting::new(Arc::new(MemoryStorage::default()), Arc::clone(&written));
        storage.load(&[record(0), record(1)], None).await.unwrap();
        storage.apply(Scope::System, &Batch::one(SystemClock.now(), Change::Create(record(2)))).await.unwrap();
        written.rung().await;
        assert_eq!(written.take().unwrap(), [place(&record(1)), place(&record(2))], "and no user");
        assert_eq!(written.take().unwrap(), []);
        let remove = Change::Delete { kind: Kind::Note, id: record(2).id(), revision: None };
        storage.apply(Scope::System, &Batch::one(SystemClock.now(), remove)).await.unwrap();
        assert_eq!(written.take().unwrap(), []);
        // A call that was dropped may have been done.
        drop(storage.load(&[record(3)], None));
        assert_eq!(written.take().unwrap(), [], "one that was never begun was not");
        let update = Batch::one(SystemClock.now(), Change::Update(record(1)));
        let _ = futures::poll!(storage.apply(Scope::System, &update));
        assert_eq!(written.take().unwrap(), [place(&record(1))]);
    }

    #[tokio::test]
    async fn too_many_are_not_named() {
        let written = Written::default();
        written.note((0..MOST as u128).map(|n| (Kind::Note, Id::from_u128(n))));
        written.note(std::iter::once((Kind::Note, Id::from_u128(0))));
        assert_eq!(written.take().unwrap().len(), MOST);
        written.note((0..=MOST as u128).map(|n| (Kind::Note, Id::from_u128(n))));
        written.note(std::iter::once((Kind::Note, Id::from_u128(0))));
        written.rung().await;
        assert_eq!(written.take(), None);
        assert_eq!(written.take().unwrap(), []);
    }
}

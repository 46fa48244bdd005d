//! The storage: every call of the trait. Records are kept by core's memory storage; what is our own is what a full one says.
//! A backend with a database of its own would have its statements here, and each of them the scope's rule in it.

use std::sync::Arc;

use mosaic_core::memory::MemoryStorage;
use mosaic_core::{
    Applied, Batch, Error, ErrorKind, Hit, Id, Kind, Loaded, Page, Query, Record, Result, Scope, Search, State, StateWrite, Storage,
    Timestamp, Token, TokenHash, Tokens, User, async_trait,
};

use crate::config::MAX_RECORDS;

/// Records in memory, as many as the config says.
///
/// The bound is kept by the storage below, in the transaction that writes. To count here first and to write then would be wrong:
/// two writers that both find room for one more would pass the bound together.
pub(crate) struct ScratchStorage {
    records: Arc<MemoryStorage>,
}

impl ScratchStorage {
    /// The storage over records that are kept elsewhere too: by the vectors.
    pub(crate) fn new(records: Arc<MemoryStorage>) -> Self {
        Self { records }
    }
}

/// Says of a full storage which key of the config made it so. Other errors say what to do already.
fn explain(error: Error) -> Error {
    match error.kind() {
        ErrorKind::Full => error.hint(format!("raise {MAX_RECORDS} in the config, or remove records")),
        _ => error,
    }
}

#[async_trait]
impl Storage for ScratchStorage {
    // Reads. What the scope may not see is not there: `None`, never an error.

    async fn get(&self, scope: Scope, kind: Kind, id: Id) -> Result<Option<Record>> {
        self.records.get(scope, kind, id).await
    }

    async fn list(&self, scope: Scope, query: &Query) -> Result<Page> {
        self.records.list(scope, query).await
    }

    async fn search(&self, scope: Scope, search: &Search) -> Result<Vec<Hit>> {
        self.records.search(scope, search).await
    }

    // Writes. Both add records, so both can find the storage full; then nothing of the batch is done.

    async fn apply(&self, scope: Scope, batch: &Batch) -> Result<Vec<Applied>> {
        self.records.apply(scope, batch).await.map_err(explain)
    }

    async fn load(&self, records: &[Record], state: Option<&StateWrite>) -> Result<Vec<Loaded>> {
        self.records.load(records, state).await.map_err(explain)
    }

    // Everything, in a fixed order: for backups, and for moving to another tier.

    async fn export(&self, after: Option<(Kind, Id)>, limit: usize, tokens: Tokens) -> Result<Vec<Record>> {
        self.records.export(after, limit, tokens).await
    }

    // Signing in, once for each request whose token is not in the cache.

    async fn authenticate(&self, hash: &TokenHash) -> Result<Option<(Token, User)>> {
        self.records.authenticate(hash).await
    }

    async fn touch_token(&self, id: Id, at: Timestamp) -> Result<()> {
        self.records.touch_token(id, at).await
    }

    // Small documents of the gateway's own. They are no records, and do not count.

    async fn state(&self, name: &str) -> Result<Option<State>> {
        self.records.state(name).await
    }

    async fn put_state(&self, write: &StateWrite) -> Result<u64> {
        self.records.put_state(write).await
    }

    // Its life. After `close`, every call fails as unavailable.

    async fn ping(&self) -> Result<()> {
        self.records.ping().await
    }

    async fn close(&self) -> Result<()> {
        self.records.close().await
    }
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;
    use mosaic_core::{Change, Clock as _, SystemClock};
    use serde_json::json;

    use super::*;

    #[test]
    fn a_full_storage_names_the_key_that_makes_room() {
        let storage = ScratchStorage::new(Arc::new(MemoryStorage::bounded(1)));
        let at = SystemClock.now();
        let user = |login: &str, id| -> Record {
            serde_json::from_value(json!({ "kind": "user", "id": Id::from_u128(id), "login": login, "name": "x", "created_at": at }))
                .unwrap()
        };
        block_on(storage.load(&[user("ada", 1)], None)).unwrap();
        let refused = [
            block_on(storage.load(&[user("bob", 2)], None)).map(drop).unwrap_err(),
            block_on(storage.apply(Scope::System, &Batch::one(at, Change::Create(user("bob", 2))))).map(drop).unwrap_err(),
        ];
        for error in refused {
            assert_eq!(error.kind(), ErrorKind::Full);
            assert!(error.hint_text().unwrap().contains("scratch.max_records"), "{error:?}");
        }
        // What else goes wrong keeps its own cure.
        let taken = block_on(storage.apply(Scope::System, &Batch::one(at, Change::Create(user("bob", 1))))).unwrap_err();
        assert!(taken.kind() == ErrorKind::Conflict && !taken.hint_text().unwrap().contains("max_records"), "{taken:?}");
    }
}

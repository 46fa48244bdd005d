//! A backend in memory that lets others have a turn before and after each call, and gives small pages: whoever works with it can be
//! dropped at each of them, also when the call has taken effect. What must not come in: what is tested with it.

use std::sync::Arc;

use mosaic_core::memory::{MemoryStorage, MemoryVectors};
use mosaic_core::{
    Applied, Batch, Embedding, Hit, Id, Kind, Loaded, Nearby, Neighbour, Page, Query, Record, Result, Scope, Search, State, StateWrite,
    Storage, Timestamp, Token, TokenHash, Tokens, User, Vector, VectorIndex, VectorModel, async_trait,
};
use tokio::task::yield_now;

/// So many items are on a page.
const PAGE: usize = 4;

/// Records in memory.
pub(super) struct TurningStorage(pub(super) Arc<MemoryStorage>);

/// Their embeddings.
pub(super) struct TurningVectors(pub(super) MemoryVectors);

/// A call between two turns.
async fn turn<T>(call: impl Future<Output = T>) -> T {
    yield_now().await;
    let done = call.await;
    yield_now().await;
    done
}

#[async_trait]
impl Storage for TurningStorage {
    async fn get(&self, scope: Scope, kind: Kind, id: Id) -> Result<Option<Record>> {
        turn(self.0.get(scope, kind, id)).await
    }

    async fn list(&self, scope: Scope, query: &Query) -> Result<Page> {
        turn(self.0.list(scope, query)).await
    }

    async fn search(&self, scope: Scope, search: &Search) -> Result<Vec<Hit>> {
        turn(self.0.search(scope, search)).await
    }

    async fn apply(&self, scope: Scope, batch: &Batch) -> Result<Vec<Applied>> {
        turn(self.0.apply(scope, batch)).await
    }

    async fn export(&self, after: Option<(Kind, Id)>, limit: usize, tokens: Tokens) -> Result<Vec<Record>> {
        turn(self.0.export(after, limit.min(PAGE), tokens)).await
    }

    async fn load(&self, records: &[Record], state: Option<&StateWrite>) -> Result<Vec<Loaded>> {
        turn(self.0.load(records, state)).await
    }

    async fn erase(&self, state: &StateWrite) -> Result<()> {
        turn(self.0.erase(state)).await
    }

    async fn authenticate(&self, hash: &TokenHash) -> Result<Option<(Token, User)>> {
        turn(self.0.authenticate(hash)).await
    }

    async fn touch_token(&self, id: Id, at: Timestamp) -> Result<()> {
        turn(self.0.touch_token(id, at)).await
    }

    async fn state(&self, name: &str) -> Result<Option<State>> {
        turn(self.0.state(name)).await
    }

    async fn put_state(&self, write: &StateWrite) -> Result<u64> {
        turn(self.0.put_state(write)).await
    }

    async fn ping(&self) -> Result<()> {
        turn(self.0.ping()).await
    }

    async fn close(&self) -> Result<()> {
        turn(self.0.close()).await
    }
}

#[async_trait]
impl VectorIndex for TurningVectors {
    async fn upsert(&self, scope: Scope, embeddings: &[Embedding]) -> Result<Vec<bool>> {
        turn(self.0.upsert(scope, embeddings)).await
    }

    async fn remove(&self, scope: Scope, kind: Kind, id: Id) -> Result<bool> {
        turn(self.0.remove(scope, kind, id)).await
    }

    async fn nearest(&self, scope: Scope, vector: &Vector, k: usize, filter: &Nearby) -> Result<Vec<Neighbour>> {
        turn(self.0.nearest(scope, vector, k, filter)).await
    }

    async fn pending(&self, model: &str, after: Option<(Kind, Id)>, limit: usize) -> Result<Vec<(Kind, Id)>> {
        turn(self.0.pending(model, after, limit)).await
    }

    async fn export(&self, after: Option<(&str, Kind, Id)>, limit: usize) -> Result<Vec<Embedding>> {
        turn(self.0.export(after, limit.min(PAGE))).await
    }

    async fn load(&self, embeddings: &[Embedding], state: Option<&StateWrite>) -> Result<()> {
        turn(self.0.load(embeddings, state)).await
    }

    async fn forget(&self, model: &str, limit: usize) -> Result<usize> {
        turn(self.0.forget(model, limit)).await
    }

    async fn settle(&self) -> Result<()> {
        turn(self.0.settle()).await
    }

    async fn describe(&self) -> Result<Vec<VectorModel>> {
        turn(self.0.describe()).await
    }
}

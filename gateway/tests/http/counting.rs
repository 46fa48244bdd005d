//! A storage that counts what a gateway asks of it on the way to a request's own work.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mosaic_core::{
    Applied, Batch, Hit, Id, Kind, Loaded, Page, Query, Record, Result, Scope, Search, State, StateWrite, Storage, Timestamp, Token,
    TokenHash, Tokens, User, async_trait,
};

/// Passes everything on.
pub(crate) struct Counting {
    inner: Arc<dyn Storage>,
    lookups: AtomicUsize,
    touches: AtomicUsize,
}

impl Counting {
    pub(crate) fn new(inner: Arc<dyn Storage>) -> Arc<Self> {
        Arc::new(Self { inner, lookups: AtomicUsize::new(0), touches: AtomicUsize::new(0) })
    }

    /// How often a token was looked for since the last time this was asked.
    pub(crate) fn lookups(&self) -> usize {
        self.lookups.swap(0, Ordering::SeqCst)
    }

    /// How often a token's last use was noted since the last time this was asked.
    pub(crate) fn touches(&self) -> usize {
        self.touches.swap(0, Ordering::SeqCst)
    }
}

#[async_trait]
impl Storage for Counting {
    async fn authenticate(&self, hash: &TokenHash) -> Result<Option<(Token, User)>> {
        self.lookups.fetch_add(1, Ordering::SeqCst);
        let found = self.inner.authenticate(hash).await;
        // Long enough for others to look for the same token meanwhile.
        tokio::task::yield_now().await;
        found
    }

    async fn touch_token(&self, id: Id, at: Timestamp) -> Result<()> {
        self.touches.fetch_add(1, Ordering::SeqCst);
        self.inner.touch_token(id, at).await
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

    async fn apply(&self, scope: Scope, batch: &Batch) -> Result<Vec<Applied>> {
        self.inner.apply(scope, batch).await
    }

    async fn export(&self, after: Option<(Kind, Id)>, limit: usize, tokens: Tokens) -> Result<Vec<Record>> {
        self.inner.export(after, limit, tokens).await
    }

    async fn load(&self, records: &[Record], state: Option<&StateWrite>) -> Result<Vec<Loaded>> {
        self.inner.load(records, state).await
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

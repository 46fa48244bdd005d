//! A storage that nobody else writes to, as a snapshot of itself.

use std::sync::Arc;

use mosaic_core::{Backend, Embedding, Id, Kind, Record, Result, Snapshot, State, Storage, Tokens, VectorIndex, async_trait};

/// What is there, and stays as it is for as long as whoever holds this is the only one.
pub struct Still {
    storage: Arc<dyn Storage>,
    vectors: Option<Arc<dyn VectorIndex>>,
}

impl Still {
    /// Of a backend.
    pub fn of(backend: &Backend) -> Self {
        Self::new(Arc::clone(&backend.storage), backend.vectors.clone())
    }

    /// Of a storage and its embeddings.
    pub fn new(storage: Arc<dyn Storage>, vectors: Option<Arc<dyn VectorIndex>>) -> Self {
        Self { storage, vectors }
    }
}

#[async_trait]
impl Snapshot for Still {
    async fn records(&self, after: Option<(Kind, Id)>, limit: usize) -> Result<Vec<Record>> {
        self.storage.export(after, limit, Tokens::WithHashes).await
    }

    async fn embeddings(&self, after: Option<(&str, Kind, Id)>, limit: usize) -> Result<Vec<Embedding>> {
        match &self.vectors {
            Some(vectors) => vectors.export(after, limit).await,
            None => Ok(Vec::new()),
        }
    }

    async fn state(&self, name: &str) -> Result<Option<State>> {
        self.storage.state(name).await
    }

    async fn close(&self) {}
}

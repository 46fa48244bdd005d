//! Everything that a storage holds, as it was at one moment, for whoever keeps a copy while others write. What must not come in: a copy's form.

use async_trait::async_trait;

use crate::{Embedding, Id, Kind, Record, Result, State};

/// What a storage held at one moment, read page by page for as long as it takes, whatever is written meanwhile. Dropping it lets go of it.
#[async_trait]
pub trait Snapshot: Send + Sync {
    /// Reads records in the order of [`Storage::export`](crate::Storage::export), tokens with their hashes: up to `limit` behind `after`,
    /// fewer when they are large, none at the end.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Unavailable`] when the moment is lost, with a connection or an engine: what was read before is then not all, and
    /// every further call fails too. Those of the backend itself.
    async fn records(&self, after: Option<(Kind, Id)>, limit: usize) -> Result<Vec<Record>>;

    /// Reads embeddings in the order of [`VectorIndex::export`](crate::VectorIndex::export).
    ///
    /// # Errors
    /// As [`Self::records`].
    async fn embeddings(&self, after: Option<(&str, Kind, Id)>, limit: usize) -> Result<Vec<Embedding>>;

    /// Reads a small named document.
    ///
    /// # Errors
    /// As [`Self::records`].
    async fn state(&self, name: &str) -> Result<Option<State>>;

    /// Lets go of it, and waits until that is done. Nothing that goes wrong here concerns what was read.
    async fn close(&self);
}

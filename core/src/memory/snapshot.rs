//! A copy of the tables, as they were at one moment.

use std::ops::Bound;

use async_trait::async_trait;

use super::storage::first;
use super::tables::Tables;
use crate::{Embedding, Id, Kind, Record, Result, Snapshot, State};

/// The tables of one moment.
pub(super) struct MemorySnapshot(pub(super) Tables);

#[async_trait]
impl Snapshot for MemorySnapshot {
    async fn records(&self, after: Option<(Kind, Id)>, limit: usize) -> Result<Vec<Record>> {
        Ok(first(self.0.behind(after), limit).cloned().collect())
    }

    async fn embeddings(&self, after: Option<(&str, Kind, Id)>, limit: usize) -> Result<Vec<Embedding>> {
        let start = after.map_or(Bound::Unbounded, |(model, kind, id)| Bound::Excluded((model.to_owned(), kind, id)));
        Ok(self.0.embeddings.range((start, Bound::Unbounded)).map(|(_, embedding)| embedding.clone()).take(limit).collect())
    }

    async fn state(&self, name: &str) -> Result<Option<State>> {
        Ok(self.0.state(name).cloned())
    }

    async fn close(&self) {}
}
